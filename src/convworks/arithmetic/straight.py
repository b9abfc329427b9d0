"""Linear layers in a row: what the guide's ReLU is there to break up, "just computing linear operations"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from convworks.arithmetic.spec import (
    AdaptivePool,
    BatchNorm,
    Concat,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Linear,
    Pointwise,
    Pool,
    Residual,
    TransposedConv,
    Upsample,
    Volume,
)
from convworks.arithmetic.walk import Row

LINEAR = (Conv, TransposedConv, Pointwise, Linear)
"""Layers of which two in a row are one. A depthwise convolution needs nothing nonlinear beside it: the pair that it
makes with a pointwise one has fewer weights than the one layer that both could be."""
AVERAGES = (Pool, AdaptivePool, GlobalPool)


class Straight(NamedTuple):
    """A linear layer behind which nothing nonlinear came yet: its place, and the numbers that go in and come out."""

    place: str
    taken: int
    given: int


def behind(
    before: Straight | None, place: str, layer: Layer, input: Volume, output: Volume
) -> Straight | None:
    """The linear layer that is the last behind this one with nothing nonlinear after it; None where there is none."""
    if isinstance(layer, LINEAR):
        return Straight(
            place, input.elements if isinstance(layer, Linear) else input.channels, output.channels
        )
    averages = isinstance(layer, AVERAGES) and layer.kind == "average"
    return before if averages or isinstance(layer, BatchNorm | Dropout | Flatten | Upsample) else None


def is_wasted(before: Straight | None, layer: Layer, output: Volume) -> bool:
    """Whether a layer and the linear one before it are as one.

    A narrow layer between two wide ones is a bottleneck, meant so: the pair has fewer weights than the one layer.

    >>> from convworks.arithmetic.spec import Volume
    >>> wide = Volume(height=8, width=8, channels=96)
    >>> [is_wasted(Straight("1", 96, between), Pointwise(channels=96), wide) for between in (16, 96, 400)]
    [False, True, True]
    """
    if before is None or not isinstance(layer, LINEAR):
        return False
    return before.given >= min(before.taken, output.channels)


def pairs(layers: tuple[Layer, ...], rows: Mapping[str, Row], prefix: str = "") -> Iterator[tuple[Row, str]]:
    """The rows that are as one with the linear layer before them, and its place."""
    last: Straight | None = None
    for number, layer in enumerate(layers, start=1):
        place = f"{prefix}{number}"
        if isinstance(layer, Residual | Concat):
            branches = layer.branches if isinstance(layer, Concat) else (layer.body, layer.shortcut)
            for branch, inner in enumerate(branches, start=1):
                yield from pairs(inner, rows, f"{place}.{branch}.")
            last = None
            continue
        row = rows.get(place)
        if row is None or row.output is None:
            return
        if last is not None and is_wasted(last, layer, row.output):
            yield row, last.place
        last = behind(last, place, layer, row.input, row.output)
