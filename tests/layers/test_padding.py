"""Padding worked out for each input: uneven, TensorFlow's, overhanging."""

import torch
import torch.nn.functional as F

from convworks.arithmetic.notation import parse
from convworks.arithmetic.spec import Net, Pool, Volume
from convworks.layers.build import build
from convworks.layers.padding import SpecPadding, sides


def test_tensorflows_padding_follows_the_size_of_the_input() -> None:
    (layer,) = parse("conv3-1 s2 tfsame")
    module = build(Net(layers=(layer,), input=Volume(height=224, width=225, channels=1)))
    conv = module[0][1]
    for height, width, padding in ((224, 225, (1, 1, 0, 1)), (225, 224, (0, 1, 1, 1))):
        x = torch.rand(1, 1, height, width)
        torch.testing.assert_close(
            module(x), F.conv2d(F.pad(x, padding), conv.weight, conv.bias, stride=2), atol=1e-5, rtol=1e-5
        )


def test_a_window_that_hangs_over_gets_what_it_lacks() -> None:
    pool = Pool(kind="max", kernel=(2, 3), stride=(2, 2), padding=(1, 0, 0, 0), ceil=True)
    assert sides(pool, 4, 4) == ((1, 0, 0, 0), (0, 1, 0, 1))
    padded = SpecPadding(pool, float("-inf"))(torch.zeros(1, 1, 4, 4))
    assert padded.shape == (1, 1, 6, 5)
    assert torch.isinf(padded).sum() == 30 - 16


def test_an_unevenly_padded_maximum_never_takes_the_padding() -> None:
    (layer,) = parse("pool2 s1 p0+1")
    module = build(Net(layers=(layer,), input=Volume(height=2, width=2, channels=1)))
    x = torch.tensor([[[[-4.0, -3.0], [-2.0, -1.0]]]])
    assert module(x).flatten().tolist() == [-1.0, -1.0, -1.0, -1.0]
