"""Costs against PyTorch: parameters, multiply-adds, and the bytes that training keeps."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convworks.arithmetic.notation import parse, volume
from convworks.arithmetic.spec import Net
from convworks.arithmetic.summary import Design, designed
from convworks.layers.build import build

NETS = (
    "conv5-16 relu pool2 conv5-32 relu pool2 fc10",
    "conv3-8 s2 p1 nobias bn leakyrelu avgpool3 s2 p1 dwconv3 p1 m2 bn relu pointwise-16 tanh gap fc5",
    "conv3x5-8 g2 d2 sigmoid tconv4-6 s2 p1 g2 relu up2 dropout0.3 adaptivemax3x2 flatten fc7 nobias relu fc3",
    "res(conv3-4 p1 relu conv3-4 p1) relu res(conv3-8 s2 p1 relu | conv1-8 s2) gmp fc2",
    "mlpconv5-12-8-6 p2 pool3 s2 ceil cat(conv1-4 relu | conv3-4 p1 relu | pool3 s1 p1) globall2 fc4",
)


def followed(text: str) -> tuple[Design, nn.Module, torch.Tensor]:
    net = Net(layers=parse(text), input=volume("32x26x4"))
    return designed(net), build(net), torch.randn(1, 4, 32, 26)


@pytest.mark.parametrize("text", NETS)
def test_parameters_are_pytorchs(text: str) -> None:
    net, module, _ = followed(text)
    assert net.parameters == sum(part.numel() for part in module.parameters())


@pytest.mark.parametrize("text", NETS)
def test_multiply_adds_are_half_of_what_an_independent_counter_counts(text: str) -> None:
    net, module, x = followed(text)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(x)
    assert 2 * net.multiply_adds == counter.get_total_flops()


@pytest.mark.parametrize("text", NETS)
def test_training_keeps_the_bytes_that_pytorch_keeps(text: str) -> None:
    net, module, x = followed(text)
    owned = {part.data_ptr() for part in [*module.parameters(), *module.buffers()]}
    storages: dict[int, int] = {}
    alive: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if tensor.data_ptr() not in owned and tensor.numel() > 0:
            storages[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module.train()(x)
    statistics = sum(8 * part.num_features for part in module.modules() if isinstance(part, nn.BatchNorm2d))
    assert net.training == sum(storages.values()) - statistics


def test_at_most_is_the_largest_input_and_output_with_what_a_join_still_needs() -> None:
    plain, _, _ = followed("conv3-8 p1 relu")
    assert plain.predicting == 4 * 32 * 26 * (8 + 8)
    joined, _, _ = followed("res(conv3-8 p1 relu conv3-4 p1)")
    assert joined.predicting == 4 * 32 * 26 * (4 + 8 + 8)


def test_known_nets_cost_what_is_known() -> None:
    vgg = " ".join(
        f"{depth}*(conv3-{channels} p1 relu) pool2"
        for depth, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
    )
    net = designed(Net(layers=parse(f"{vgg} 2*(fc4096 relu dropout) fc1000"), input=volume("224")))
    assert net.parameters == 138_357_544
    assert net.multiply_adds == 15_470_264_320
