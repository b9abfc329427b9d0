"""A net that its user wrote, as a backbone: the guide's question which layer comes next, answered by trying it.

Its name is its notation, so that a saved model says what it is. What gathers the map for one answer (global pooling,
flatten, fc) and all that follows is left out: the task puts its own head there.
"""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from convworks.arithmetic.alignment import middle
from convworks.arithmetic.notation import parse, write
from convworks.arithmetic.spec import (
    AdaptivePool,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Linear,
    Net,
    Volume,
)
from convworks.arithmetic.walk import Row, walk
from convworks.backbones.contract import Backbone, Stage
from convworks.backbones.rows import NATURAL, RANDOM
from convworks.errors import RecipeError
from convworks.layers.build import row

CELLS = 8
"""A net of its user's own expects pictures of which its last map has about so many rows."""
SIDES = (32, 224, 1024)  # the least side expected, the most unless the layers need more, and the most


def is_notation(name: str) -> bool:
    """Whether a backbone's name is a net on one line rather than a name or a path.

    >>> is_notation("conv3-16 p1 relu"), is_notation("vgg-small"), is_notation("my runs/first one")
    (True, False, False)
    """
    return any(mark in name.strip() for mark in " (") and "/" not in name


def build(notation: str) -> Backbone:
    """The net of a notation with random weights, a stage for each step down in size.

    Raises NetError for a notation that is none or cannot be, RecipeError for a net whose maps grow or have a fixed
    size, or that gathers its map before it has a layer.
    """
    layers = body(parse(notation))
    rows = _followed(layers)
    _refuse_growth(rows)
    stages: list[nn.Module] = []
    info: list[Stage] = []
    for first, end in _cuts(rows):
        volume, last = rows[first].input, rows[end - 1]
        stride, field = (max(getattr(axis, name) for axis in last.fields) for name in ("jump", "size"))
        assert last.output is not None
        stages.append(_initialised(row(layers[first:end], volume)))
        info.append(
            Stage(
                name=f"stage{len(info) + 1}",
                channels=last.output.channels,
                stride=int(stride),
                field=int(field),
                centre=float(middle(last.fields[0])),
            )
        )
    size = min(
        max(CELLS * info[-1].stride, rows[0].input.height, SIDES[0]), max(SIDES[1], rows[0].input.height)
    )
    return Backbone(write(layers), stages, info, replace(NATURAL, size=size), RANDOM)


def body(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers before the first that gathers the map; a dropout just before that belongs to the head.

    >>> write(body(parse("conv3-8 p1 relu dropout0.5 gap fc10")))
    'conv3-8 p1 relu'
    """
    ends = [place for place, layer in enumerate(layers) if isinstance(layer, GlobalPool | Flatten | Linear)]
    end = ends[0] if ends else len(layers)
    while ends and end and isinstance(layers[end - 1], Dropout):
        end -= 1
    if not end:
        raise RecipeError(
            f'"{write(layers)[:60]}" has no layer before its head.',
            expected='filters first, as in "conv3-16 p1 relu pool2 conv3-32 p1 relu"',
        )
    return layers[:end]


def _followed(layers: tuple[Layer, ...]) -> tuple[Row, ...]:
    """One row a layer of the net itself, on the smallest square picture that it takes."""
    side, found = SIDES[0], None
    while side <= SIDES[2]:
        found = walk(Net(layers=layers, input=Volume(height=side, width=side, channels=3)))
        if found.error is None:
            return tuple(line for line in found.rows if "." not in line.place)
        side *= 2
    assert found is not None and found.error is not None
    raise found.error


def _refuse_growth(rows: tuple[Row, ...]) -> None:
    before = 1
    for line in rows:
        steps = {axis.jump for axis in line.fields}
        fixed = isinstance(line.layer, AdaptivePool)
        if fixed or len(steps) > 1 or min(steps) < before:
            what = "has a fixed size" if fixed else "grows" if min(steps) < before else "has oblong cells"
            raise RecipeError(
                f"Layer {line.place} of the backbone gives a map that {what}.",
                expected="maps whose height and width shrink alike, or stay",
                fix="leave that layer out; a task that needs finer maps takes them from earlier stages",
            )
        before = max(steps)


def _cuts(rows: tuple[Row, ...]) -> list[tuple[int, int]]:
    """Where stages begin and end: each but the first begins with the layer that makes the map coarser."""
    steps = [line.fields[0].jump for line in rows]
    starts = [0, *(place for place in range(1, len(steps)) if steps[place] > steps[place - 1])]
    return list(zip(starts, [*starts[1:], len(steps)], strict=True))


def _initialised(stage: nn.Sequential) -> nn.Sequential:
    """Filters drawn so that the size of what passes stays the same under ReLU (He et al., 1502.01852)."""
    for part in stage.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return stage
