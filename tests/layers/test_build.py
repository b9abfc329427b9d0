"""From specs to modules: whole nets, and what cannot be built."""

import pytest
import torch
from torch import nn

from convworks.arithmetic.notation import parse, volume
from convworks.arithmetic.spec import Net
from convworks.arithmetic.walk import walk
from convworks.errors import NetError
from convworks.layers.build import build

NIN = (
    "mlpconv5-192-160-96 p2 pool3 s2 ceil dropout mlpconv5-192-192-192 p2 pool3 s2 ceil dropout "
    "mlpconv3-192-192-10 p1 gap flatten"
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("conv5-16 relu pool2 conv5-32 relu pool2 fc10", "32x32x3"),
        (NIN, "32x32x3"),
        (
            "conv7-8 s2 p3 bn relu res(conv3-16 s2 p1 bn relu conv3-16 p1 bn | conv1-16 s2 bn) relu gap fc4",
            "33x47x3",
        ),
        ("cat(conv1-4 | conv3-8 same | l2pool3 s1 p1 |) up2x3 bilinear tconv3-2 s2 p1 op1 sigmoid", "9x7x2"),
        ("fc20 bn noisyrelu dropout0.2 fc10 tanh fc3 nobias", "8x8x1"),
    ],
)
def test_every_layers_real_output_is_the_one_computed(text: str, size: str) -> None:
    net = Net(layers=parse(text), input=volume(size))
    module = build(net).eval()
    x = torch.rand(2, net.input.channels, net.input.height, net.input.width)
    rows = [row for row in walk(net).rows if "." not in row.place]
    assert len(rows) == len(module)
    for row, part in zip(rows, module, strict=True):
        x = part(x)
        assert row.output is not None
        expected = (row.output.channels, row.output.height, row.output.width)
        assert tuple(x.shape[1:]) == (expected[:1] if row.output.flat else expected)


def test_a_global_average_net_takes_any_size() -> None:
    module = build(Net(layers=parse(NIN), input=volume("32"))).eval()
    with torch.no_grad():
        assert module(torch.rand(1, 3, 40, 27)).shape == (1, 10)


def test_a_net_that_cannot_be_is_refused_with_the_layers_place() -> None:
    with pytest.raises(
        NetError, match=r"Layer 2\.1\.1 is impossible: a filter 9 long does not fit into 6 pixels"
    ):
        build(Net(layers=parse("conv3-4 res(conv9-4)"), input=volume("8")))


def test_a_sum_and_a_stack_compute_what_they_say() -> None:
    x = torch.randn(1, 3, 4, 4)
    summed = build(Net(layers=parse("res(relu | tanh)"), input=volume("4")))
    assert torch.equal(summed(x), torch.relu(x) + torch.tanh(x))
    stacked = build(Net(layers=parse("cat(relu | | tanh)"), input=volume("4")))
    assert torch.equal(stacked(x), torch.cat([torch.relu(x), x, torch.tanh(x)], 1))


def test_even_padding_is_left_to_pytorchs_own_layers() -> None:
    module = build(Net(layers=parse("conv3-4 p1 pool2 avgpool2 p1"), input=volume("8")))
    assert [type(part) for part in module] == [nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d]
