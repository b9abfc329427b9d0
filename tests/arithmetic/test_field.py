"""Receptive fields against gradients and golden figures."""

import random

import pytest
import torch

from convworks.arithmetic.field import PIXEL, Field, coverage, receptive_field, seen, union
from convworks.arithmetic.notation import parse, write
from convworks.arithmetic.shape import output_of
from convworks.arithmetic.spec import Layer, Net, Volume
from convworks.errors import NetError
from convworks.layers.build import build

VGG16 = "2*(conv3-64 p1 relu) pool2 2*(conv3-128 p1 relu) pool2 " + " ".join(
    f"3*(conv3-{channels} p1 relu) pool2" for channels in (256, 512, 512)
)
IMAGE = Volume(height=224, width=224, channels=3)


def bottleneck(width: int, stride: int, *, first: bool, stride_on_1x1: bool) -> str:
    early, late = (stride, 1) if stride_on_1x1 else (1, stride)
    body = f"conv1-{width} s{early} bn relu conv3-{width} s{late} p1 bn relu conv1-{4 * width} bn"
    return f"res({body}{f' | conv1-{4 * width} s{stride} bn' if first else ''}) relu"


def resnet50(*, stride_on_1x1: bool) -> str:
    blocks = [
        bottleneck(
            64 << stage,
            2 if stage and not block else 1,
            first=not block,
            stride_on_1x1=stride_on_1x1,
        )
        for stage, depth in enumerate((3, 4, 6, 3))
        for block in range(depth)
    ]
    return "conv7-64 s2 p3 bn relu pool3 s2 p1 " + " ".join(blocks)


def test_vgg16_sees_212_pixels_at_pool5_and_404_at_fc6() -> None:
    pool5 = receptive_field(parse(VGG16), IMAGE)
    assert pool5 == (Field(size=212, jump=32, start=-90),) * 2
    assert receptive_field(parse(VGG16 + " fc4096"), IMAGE)[0].size == 404


def test_resnet50_sees_427_pixels_or_483_with_the_stride_on_the_1x1() -> None:
    image = Volume(height=256, width=256, channels=3)
    for stride_on_1x1, size in ((False, 427), (True, 483)):
        field = receptive_field(parse(resnet50(stride_on_1x1=stride_on_1x1)), image)[0]
        assert (field.size, field.jump) == (size, 32)


PIECES = (
    "conv{k}-2 s{s} p{p}",
    "conv{k}x{j}-2 s{s}x1 d{d}x2",
    "conv{k}-2 p{p}+{s}x0+1 tanh",
    "conv{k}-2 s{s} tfsame",
    "conv{k}-2 same",
    "dwconv{k} p{p} d{d}",
    "avgpool{k} s{s} ceil",
    "mlpconv{k}-2-2 s{s}",
    "pointwise-2 sigmoid",
    "res(conv3-2 p1)",
    "res(conv{k}-2 s{s} same conv1-2 | conv1-2)",
    "cat(conv1-1 | conv3-1 d{d} same | )",
)
ENLARGING = ("tconv{k}-2 s{s}", "up2 bilinear", "up{s}x{d}", "adaptiveavg{k}x{j}", "tconv3-2 s2 p1 op1 d{d}")


def random_layers(draw: random.Random, pieces: tuple[str, ...]) -> tuple[Layer, ...]:
    """A stack of up to five pieces that is possible on 17x13x2."""
    chosen: list[str] = []
    for _ in range(draw.randint(1, 5)):
        k, j = draw.randint(1, 4), draw.randint(1, 3)
        piece = draw.choice(pieces).format(
            k=k, j=j, s=draw.randint(1, 3), p=draw.randint(0, k - 1), d=draw.randint(1, 2)
        )
        try:
            if (
                output_of(parse(" ".join([*chosen, piece])), Volume(height=17, width=13, channels=2)).elements
                > 4000
            ):
                continue
        except NetError:
            continue
        chosen.append(piece)
    return parse(" ".join(chosen or ["relu"]))


@pytest.mark.parametrize("seed", range(3))
def test_what_100_random_stacks_see_is_what_the_gradient_reaches(seed: int) -> None:
    draw = random.Random(seed)
    volume = Volume(height=17, width=13, channels=2)
    for number in range(100):
        pieces = PIECES if number % 2 else PIECES + ENLARGING
        layers = random_layers(draw, pieces)
        output = output_of(layers, volume)
        module = build(Net(layers=layers, input=volume)).double().eval()
        for name, part in module.named_parameters():
            torch.nn.init.constant_(part, 0.0 if name.endswith("bias") else 0.1)
        x = torch.rand(1, 2, 17, 13, dtype=torch.float64, requires_grad=True)
        unit = draw.randrange(output.height), draw.randrange(output.width)
        (gradient,) = torch.autograd.grad(module(x)[0, :, unit[0], unit[1]].sum(), x)
        rows = gradient.ne(0).any(3).any(1).flatten().nonzero().flatten().tolist()
        columns = gradient.ne(0).any(2).any(1).flatten().nonzero().flatten().tolist()
        assert seen(layers, volume, unit) == (rows, columns), write(layers)
        for positions, field, at in zip((rows, columns), receptive_field(layers, volume), unit, strict=True):
            if positions:
                start = field.start + at * field.jump
                assert start <= positions[0], write(layers)
                assert positions[-1] <= start + field.size - 1, write(layers)


def test_the_field_is_no_larger_than_it_must_be() -> None:
    layers = parse("conv3-2 p1 relu conv5-2 s2 relu res(conv3-2 p1 relu) conv2-2 s3 d2")
    volume = Volume(height=60, width=50, channels=1)
    rows, columns = seen(layers, volume, (3, 2))
    for positions, field, at in zip((rows, columns), receptive_field(layers, volume), (3, 2), strict=True):
        assert positions[0] == field.start + at * field.jump
        assert positions[-1] - positions[0] + 1 == field.size


def test_branches_see_what_any_of_them_sees() -> None:
    wide, narrow = (Field(size=9, jump=2, start=-4),) * 2, (Field(size=3, jump=2, start=-1),) * 2
    assert union([narrow, wide], (5, 5)) == wide
    apart = (Field(size=2, jump=2, start=3),) * 2
    assert union([narrow, apart], (5, 5))[0] == Field(size=6, jump=2, start=-1)


def test_a_pixel_sees_itself_and_coverage_is_a_share() -> None:
    assert receptive_field(parse("relu bn dropout"), IMAGE) == PIXEL
    assert coverage(Field(size=14), 28) == 0.5
    assert coverage(Field(size=14), 7) == 1.0
