"""Which layer comes next in a net, and why: the reader's question "what factor decide this".

Field and map size decide between a filter, a pooling and the head; after each filter come a norm and a ReLU.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from convworks.arithmetic.field import PIXEL, Fields, through
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.shape import fit
from convworks.arithmetic.spec import (
    BatchNorm,
    Concat,
    Conv,
    DepthwiseConv,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    Mlpconv,
    Net,
    Pointwise,
    Pool,
    ReLU,
    Residual,
    TransposedConv,
    Volume,
    around,
    square,
)
from convworks.arithmetic.walk import Row, walk
from convworks.errors import NetError
from convworks.recipe.aims import Aims
from convworks.recipe.scales import CELLS

DEAR = 64
"""At full resolution, and on maps of so many rows, a scale has one layer of filters: it is where they cost most."""
PLAIN = 2
"""Layers of filters of a scale elsewhere, before the map is halved."""
STEM = 128
"""From so many rows on the first filter steps by two: the finest detail is not worth its price."""
MOST_CHANNELS = 512

FILTERS = (Conv, DepthwiseConv, Mlpconv, TransposedConv)
LINEAR = (Conv, DepthwiseConv, TransposedConv, Pointwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A layer that may come next: as it is written, why, and what the map is behind it."""

    layer: Layer
    reason: str
    output: Volume
    field: int

    @property
    def notation(self) -> str:
        """The layer as it is written."""
        return write_layer(self.layer)


def next_layers(layers: tuple[Layer, ...], aims: Aims) -> tuple[Candidate, ...]:
    """What may come next in a net begun by hand, the best first, each with its reason; nothing where it is whole.

    Raises NetError where the layers cannot be.
    """
    followed = walk(Net(layers=layers, input=aims.input))
    if followed.error is not None:
        raise followed.error
    rows = tuple(row for row in followed.rows if "." not in row.place)
    last = rows[-1].output if rows else aims.input
    assert last is not None
    return tuple(_fitting(offers(rows, aims), last, rows[-1].fields if rows else PIXEL))


def offers(rows: tuple[Row, ...], aims: Aims) -> list[tuple[Layer, str]]:
    """Layers and reasons behind the layers of `rows`, the best first."""
    if not rows:
        return _first(aims)
    kept = [row for row in rows if not isinstance(row.layer, Dropout)]
    last = kept[-1].layer if kept else rows[-1].layer
    volume = rows[-1].output
    assert volume is not None
    if volume.flat or isinstance(last, GlobalPool):
        return _head(rows, last, aims)
    if isinstance(last, LINEAR):
        return _behind_filters(rows, last)
    if isinstance(last, BatchNorm | Residual):
        return [(ReLU(), "without something nonlinear between them, two layers of filters are one")]
    return _behind_activation(rows, volume, aims)


def _first(aims: Aims) -> list[tuple[Layer, str]]:
    """The first layer."""
    side, width = min(aims.input.height, aims.input.width), aims.width
    rival = (
        _filters(width, 5),
        "sees 5x5 px at once, for 25 weights a channel where two 3x3 in a row see as much for 18",
    )
    small = (
        _filters(width, 3),
        "the smallest filter with a middle and neighbours on all sides; stacked, small ones see as far as a large "
        "one with fewer weights and more ReLUs",
    )
    if side < STEM or aims.stride < 2:
        return [small, rival]
    reason = (
        f"{side} rows are more than the net needs at full resolution: 6x6 filters two pixels apart fit exactly "
        "(padding 2), halve the map at once, and have twice the channels"
    )
    step = Conv(channels=2 * width, kernel=square(6), stride=square(2), padding=around(2), bias=False)
    return [(step, reason), small, rival]


def _behind_filters(rows: tuple[Row, ...], last: Layer) -> list[tuple[Layer, str]]:
    """Behind a layer of filters: a norm where it has no bias or the net has norms, and a ReLU."""
    relu = "the layer before is linear, and two linear layers in a row are one"
    norm = "outputs of one mean and spread, so that random weights may move far at once"
    biased = getattr(last, "bias", True)
    others = any(isinstance(row.layer, BatchNorm) for row in rows)
    offered: list[tuple[Layer, str]] = [
        (BatchNorm(), norm if biased else f"{norm}; its shift takes the place of the bias left out"),
        (ReLU(), relu),
    ]
    return offered if others or not biased else offered[::-1]


def _behind_activation(rows: tuple[Row, ...], volume: Volume, aims: Aims) -> list[tuple[Layer, str]]:
    """Where a stage may go on, end, or be the last: a filter, a pooling, or the head."""
    stride = float(max(axis.jump for axis in rows[-1].fields))
    field = int(min(axis.size for axis in rows[-1].fields))
    side = min(volume.height, volume.width)
    filters = _filters_here(rows, stride)
    so_far = f"{filters or 'no'} layer{'s' if filters > 1 else ''} of filters"
    halving = 2 * stride <= aims.stride and side >= 2 * CELLS
    wanted = 1 if stride == 1 or max(volume.height, volume.width) >= DEAR else PLAIN
    missing = aims.field - field
    going_on = (
        _going_on(rows, volume, aims, stride, missing),
        f"a cell sees {field} px of the {aims.field} that are wanted"
        if missing > 0
        else f"{so_far} at this scale so far; one more combines their parts",
    )
    if halving:
        pool = _pooling(volume)
        pooled = (
            pool,
            f"{so_far} at stride {stride:g}, and an object spans "
            f"{aims.objects[1] / stride:.0f} of its cells: at half the size the next filters see twice as far",
        )
        if filters >= wanted:
            return [pooled, going_on]
        only = f"only {so_far}" if filters else so_far
        few = f"{only} at stride {stride:g} yet, and {going_on[1]}"
        return [(going_on[0], few), pooled]
    if filters < wanted or missing > 0:
        return [going_on, *_gathering(field, aims)]
    return [*_gathering(field, aims), *([going_on] if aims.classes else [])]


def _going_on(rows: tuple[Row, ...], volume: Volume, aims: Aims, stride: float, missing: int) -> Conv:
    """The next 3x3 filters: spread out where plain ones would take more than three layers to see enough."""
    shrunk = not _filters_here(rows, stride) and any(_has_filters(row.layer) for row in rows)
    doubled = min(2 * volume.channels, MOST_CHANNELS) if shrunk else volume.channels
    channels = max(doubled, aims.width)
    gain = 2 * stride
    if 2 * stride <= aims.stride or missing <= 3 * gain:
        return _filters(channels, 3)
    before = next((row.layer.dilation[0] for row in rows[::-1] if isinstance(row.layer, Conv)), 1)
    most = max(1, min(volume.height, volume.width) // CELLS)
    spread = 1
    while 2 * spread <= min(2 * before, most) and 2 * spread * gain <= missing:
        spread *= 2
    return _filters(channels, 3, spread)


def _pooling(volume: Volume) -> Pool:
    """Max pooling by two that reads every row: 2x2 where both sides are even, else 3x3 with a border."""
    if volume.height % 2 == 0 and volume.width % 2 == 0:
        return Pool(kind="max", kernel=square(2), stride=square(2))
    odd = (volume.height % 2, volume.width % 2)
    return Pool(
        kind="max",
        kernel=(2 + odd[0], 2 + odd[1]),
        stride=square(2),
        padding=around(odd[0], odd[1]),
    )


def _gathering(field: int, aims: Aims) -> list[tuple[Layer, str]]:
    """Global average pooling, where the task has no head of its own."""
    if not aims.classes:
        return []
    enough = "as wanted" if field >= aims.field else f"though {aims.field} were wanted"
    return [
        (
            GlobalPool(kind="average"),
            f"a cell sees {field} px, {enough}: the mean over all cells says what is there, wherever it is, "
            "with no weights that could learn the training images by heart",
        )
    ]


def _head(rows: tuple[Row, ...], last: Layer, aims: Aims) -> list[tuple[Layer, str]]:
    """From the gathered map to the classes."""
    if not aims.classes:
        return []
    linear = Linear(features=aims.classes)
    final = (linear, f"one number for each of the {aims.classes} classes")
    if isinstance(last, Linear):
        if last.features == aims.classes:
            return []
        return [(ReLU(), "the layer before is linear, and two linear layers in a row are one"), final]
    if isinstance(rows[-1].layer, Dropout) or not aims.dropout:
        return [final]
    drop = (
        Dropout(probability=aims.dropout),
        "in training each feature is missing now and then, so that no class hangs on one alone",
    )
    return [drop, final]


def _filters(channels: int, side: int, spread: int = 1) -> Conv:
    """Filters that keep the map's size: zero padding (K - 1)/2, here times the spread."""
    return Conv(
        channels=channels,
        kernel=square(side),
        padding=around(spread * (side // 2)),
        dilation=square(spread),
        bias=False,
    )


def _has_filters(layer: Layer) -> bool:
    return isinstance(layer, (*FILTERS, Residual, Concat))


def _filters_here(rows: tuple[Row, ...], stride: float) -> int:
    """Layers of filters since the map got its size."""
    count = 0
    for row in rows[::-1]:
        if float(max(axis.jump for axis in row.fields)) != stride:
            break
        count += _has_filters(row.layer)
    return count


def _fitting(offered: Iterable[tuple[Layer, str]], volume: Volume, fields: Fields) -> Iterable[Candidate]:
    """The offers that fit behind a map, with what comes out of each."""
    for layer, reason in offered:
        with suppress(NetError):
            yield Candidate(
                layer=layer,
                reason=reason,
                output=fit(layer, volume).output,
                field=int(min(axis.size for axis in through(layer, volume, fields))),
            )
