"""Every kind of spec: its module agrees with its arithmetic over a grid.

A new kind joins by existing: the grid is made from the fields of its dataclass. A field with a new name needs
a line in `CHOICES`, and this suite says so.
"""

from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from typing import Any, get_args

import pytest
import torch

from convworks.arithmetic import spec
from convworks.arithmetic.cost import multiply_adds, parameters
from convworks.arithmetic.field import PIXEL, seen, through
from convworks.arithmetic.notation import parse, write
from convworks.arithmetic.program import python
from convworks.arithmetic.shape import fit
from convworks.arithmetic.spec import Layer, Net, Volume
from convworks.errors import NetError
from convworks.layers.build import build

BODY = (spec.Conv(channels=4, kernel=(3, 3), padding=(1, 1, 1, 1)),)
STRIDED = (spec.Conv(channels=6, kernel=(3, 2), stride=(2, 2), padding=(1, 1, 0, 0)), spec.ReLU())

# For every field that a spec may have, values worth trying.
CHOICES: dict[str, tuple[Any, ...]] = {
    "bias": (True, False),
    "body": (BODY, STRIDED),
    "branches": ((BODY, ()), (BODY, STRIDED), (BODY,)),
    "ceil": (False, True),
    "channels": (1, 4),
    "count_padding": (True, False),
    "dilation": ((1, 1), (2, 3)),
    "factor": ((2, 2), (1, 3)),
    "features": (5,),
    "groups": (1, 2, 3),
    "inputs": (0, 280, 7),
    "kernel": ((1, 1), (2, 3), (4, 2)),
    "kind": ("max", "average", "l2"),
    "mode": ("nearest", "bilinear"),
    "multiplier": (1, 2),
    "output_padding": ((0, 0), (1, 0)),
    "padding": ((0, 0), (1, 2), (0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 2, 0), "same", "tfsame"),
    "probability": (0.0, 0.4),
    "shortcut": ((), (spec.Conv(channels=6, kernel=(1, 1), stride=(2, 2)),)),
    "size": ((1, 1), (3, 4), (9, 6)),
    "slope": (0.0, 0.2),
    "stride": ((1, 1), (2, 3)),
    "widths": ((4,), (5, 3, 2)),
}
VOLUMES = (Volume(height=10, width=7, channels=4), Volume(height=1, width=1, channels=6, flat=True))


def grid(kind: type[Layer]) -> Iterator[Layer]:
    """Every combination of the choices that the kind itself accepts."""
    names = [item.name for item in fields(kind)]
    missing = [name for name in names if name not in CHOICES]
    assert not missing, f"{kind.__name__} has fields that CHOICES does not know: {missing}"
    choices = [choices_of(kind, name) for name in names]
    for values in product(*choices):
        try:
            yield kind(**dict(zip(names, values, strict=True)))
        except NetError:
            continue


def choices_of(kind: type[Layer], name: str) -> tuple[Any, ...]:
    """The choices that have the form of this kind's field."""
    if name == "padding":
        pairs = kind is spec.TransposedConv
        return tuple(choice for choice in CHOICES[name] if (len(choice) == 2) == pairs)
    if name == "kind" and kind is spec.AdaptivePool:
        return ("max", "average")
    return CHOICES[name]


KINDS = get_args(spec.Layer)


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_agrees_with_its_arithmetic(kind: type[Layer]) -> None:
    fitting = 0
    for layer, volume in product(grid(kind), VOLUMES):
        net = Net(layers=(layer,), input=volume)
        try:
            expected = fit(layer, volume).output
        except NetError:
            with pytest.raises(NetError):
                build(net)
            continue
        fitting += 1
        module = build(net).eval()
        shape = (2, volume.channels) if volume.flat else (2, volume.channels, volume.height, volume.width)
        with torch.no_grad():
            output = module(torch.rand(shape))
        real = (expected.channels, expected.height, expected.width)
        assert tuple(output.shape[1:]) == (real[:1] if expected.flat else real), (layer, volume)
        assert torch.isfinite(output).all(), (layer, volume)
        assert parameters(layer, volume) == sum(part.numel() for part in module.parameters())
        assert multiply_adds(layer, volume) >= 0
        assert through(layer, volume, PIXEL)[0].pixels >= 1
    assert fitting


@pytest.mark.parametrize("kind", KINDS)
def test_the_notation_gives_it_back(kind: type[Layer]) -> None:
    for layer in grid(kind):
        assert parse(write((layer,))) == (layer,)


@pytest.mark.parametrize("kind", KINDS)
def test_its_python_computes_the_same(kind: type[Layer]) -> None:
    compared = 0
    for number, (layer, volume) in enumerate(product(grid(kind), VOLUMES)):
        net = Net(layers=(layer,), input=volume)
        try:
            fit(layer, volume)
        except NetError:
            continue
        if number % 3 and compared > 60:
            continue
        compared += 1
        built, names = build(net).eval(), dict[str, Any]()
        exec(python(net), names)
        written = names["Net"]().eval()
        for ours, theirs in zip(built.parameters(), written.parameters(), strict=True):
            theirs.data.copy_(ours.data)
        x = torch.randn((2, volume.channels) if volume.flat else (2, 4, 10, 7))
        with torch.no_grad():
            assert torch.allclose(built(x), written(x), rtol=0, atol=1e-6), (layer, volume)
    assert compared


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_sees_what_its_gradient_reaches(kind: type[Layer]) -> None:
    volume = VOLUMES[0]
    for number, layer in enumerate(grid(kind)):
        if number % 5 or getattr(layer, "kind", "") == "max":
            continue
        try:
            output = fit(layer, volume).output
        except NetError:
            continue
        module = build(Net(layers=(layer,), input=volume)).double().eval()
        for name, part in module.named_parameters():
            torch.nn.init.constant_(part, 0.0 if name.endswith("bias") else 1.0)
        x = torch.rand(1, 4, 10, 7, dtype=torch.float64, requires_grad=True)
        unit = (number % output.height, (number // 5) % output.width)
        reached = module(x)
        picked = reached.sum() if output.flat else reached[:, :, unit[0], unit[1]].sum()
        (gradient,) = torch.autograd.grad(picked, x)
        rows, columns = seen((layer,), volume, unit)
        assert gradient.ne(0).any(3).any(1).flatten().nonzero().flatten().tolist() == rows, layer
        assert gradient.ne(0).any(2).any(1).flatten().nonzero().flatten().tolist() == columns, layer
