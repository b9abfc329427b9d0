"""What the pictures ask of a net: input, objects, stride, field, width and head, each with its cause and reason.

The guide's rule is "the right combination that creates abstractions of the image at a proper scale": the last map's
cells are small against an object, and see all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convworks.arithmetic.spec import Volume
from convworks.errors import RecipeError
from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.scales import BLOCK, CELLS, blocks, coarsest_stride, field_needed, finest_stride

WHOLE = ("classification", "multilabel")
"""Tasks that say something of a picture, and not of a place in it."""
ASSUMED = 0.5
"""Where nobody drew boxes, an object is taken to be so much of a picture's shorter side."""
SPANS = 2
"""An object is so many cells of the last map across: enough to have parts, and few enough to be taken in as one."""
ENOUGH = 32
"""Pixels of a small object in the input, from which a net can tell what it is."""
LARGEST = 224
"""The largest input for a net that learns from nothing, unless more is asked for: time grows with the pixels."""
STRIDES = (1, 2, 4, 8, 16, 32)
WIDTHS = ((1_000, 16), (20_000, 32), (0, 64))
"""Training images -> channels of the first filters; the last is for more."""
SLOW = ((64, 64), (128, 32), (0, 16))
"""Rows of the input -> the most channels of the first filters; the last is for more."""
DROPOUTS = ((20_000, 0.3), (0, 0.1))
"""Training images -> probability of dropping a feature before the last layer; the last is for more."""
TELLING = 10
"""Objects of a class that tell how large they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing that was chosen: its name, its value as it is written, what was measured, and what follows."""

    name: str
    value: str
    cause: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aims:
    """What a net for these pictures should be, and the fingerprint that it was concluded from.

    `objects` are the 10th percentile, median and 90th percentile in pixels of the input; `stride` is that of the last
    map, `field` what a cell of it should see, `width` the channels of the first filters. `classes` is 0 where the
    task has a head of its own.
    """

    input: Volume
    objects: tuple[float, float, float]
    stride: int
    field: int
    width: int
    classes: int
    dropout: float
    choices: tuple[Choice, ...]
    fingerprint: Fingerprint


def aims(
    fingerprint: Fingerprint, *, objects: Sequence[float] = (), input: tuple[int, int] | None = None
) -> Aims:
    """What pictures of this fingerprint ask of a net.

    `objects` are sizes in pixels of the pictures, which win over measured and assumed ones; `input` is (height,
    width) where that is decided. Raises RecipeError where no picture was measured.
    """
    short = fingerprint.short_sides[1]
    if short <= 0:
        raise RecipeError("No picture was measured.", fix="give a folder with pictures that can be read")
    sizes, known = _objects(fingerprint, objects, short)
    volume, chosen = _input(fingerprint, sizes, input)
    side = min(volume.height, volume.width)
    small, middle, large = (size * side / short for size in sizes)
    scaled = (small, middle, large)
    stride = max(
        (step for step in STRIDES if middle >= SPANS * step and small >= step and side >= CELLS * step),
        default=1,
    )
    field = field_needed(large)
    fed = next(width for most, width in WIDTHS if fingerprint.images < most or not most)
    quick = next(width for most, width in SLOW if side <= most or not most)
    width = min(fed, quick)
    dropout = dropout_for(fingerprint.images)
    classes = len(fingerprint.counts) if fingerprint.task in WHOLE else 0
    choices = (
        chosen,
        Choice(
            name="stride",
            value=f"{stride} in all",
            cause=f"{known} {_span(scaled)} px in the input",
            reason=_why_stride(stride, middle, small, side),
        ),
        Choice(
            name="receptive field",
            value=f"at least {field} px",
            cause=f"large objects have {large:.0f} px in the input",
            reason="a cell that sees twice a large object sees all of it, wherever in its view it lies",
        ),
        Choice(
            name="channels",
            value=f"{width}, doubled at each halving",
            cause=f"{fingerprint.images:,} pictures to learn from, {side} rows of input",
            reason="a quarter of the cells with twice the channels keeps each layer's cost the same; "
            + (
                "fewer pictures cannot fill more filters"
                if fed <= quick
                else "on more rows more take too long"
            ),
        ),
        *(() if classes else (_levels(scaled),)),
    )
    return Aims(
        input=volume,
        objects=scaled,
        stride=stride,
        field=field,
        width=width,
        classes=classes,
        dropout=dropout,
        choices=choices,
        fingerprint=fingerprint,
    )


def dropout_for(images: int) -> float:
    """The probability of dropping a feature before the last layer of a net that learns from nothing."""
    return next(probability for most, probability in DROPOUTS if images < most or not most)


def by_class(sizes: Iterable[tuple[str, float]]) -> dict[str, tuple[float, float, float]]:
    """The percentiles of each class, from (class, size) pairs; fewer than ten objects do not tell how large a class is.

    >>> by_class([("few", 5.0), *(("many", float(size)) for size in range(11))])
    {'many': (1.0, 5.0, 9.0)}
    """
    found: dict[str, list[float]] = {}
    for name, size in sizes:
        found.setdefault(name, []).append(size)
    return {name: percentiles(of_class) for name, of_class in found.items() if len(of_class) >= TELLING}


def percentiles(sizes: Sequence[float]) -> tuple[float, float, float]:
    """The 10th percentile, the median and the 90th percentile, between neighbours in proportion.

    >>> percentiles([24, 80])
    (29.6, 52.0, 74.4)
    """
    ordered = sorted(sizes)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return round(ordered[below] + (place - below) * (ordered[above] - ordered[below]), 6)

    return at(0.1), at(0.5), at(0.9)


def _objects(
    fingerprint: Fingerprint, given: Sequence[float], short: float
) -> tuple[tuple[float, float, float], str]:
    if given:
        return percentiles(given), "you said that objects have"
    if fingerprint.objects[1] > 0:
        return fingerprint.objects, "objects have"
    half = ASSUMED * short
    return (half, half, half), "nobody drew boxes, so objects are assumed to be half the shorter side,"


def _input(
    fingerprint: Fingerprint, sizes: tuple[float, float, float], given: tuple[int, int] | None
) -> tuple[Volume, Choice]:
    """The volume that goes in: a square to be classified, else of the pictures' shape, for answers have a place."""
    short = fingerprint.short_sides[1]
    small = sizes[0]
    if given is not None:
        height, width = given
        side, reason = min(given), "you said so"
    else:
        wanted = blocks(ENOUGH * short / small)
        there = BLOCK * max(1, round(short / BLOCK))
        side = height = width = min(wanted, there, LARGEST)
        if fingerprint.task not in WHOLE:
            height, width = (
                max(side, blocks(side * typical / short)) if typical > short else side
                for typical in (fingerprint.heights[1], fingerprint.widths[1])
            )
        if side == wanted:
            reason = f"the smallest multiple of {BLOCK} in which a small object has {ENOUGH} px"
        elif side == there:
            reason = f"the pictures' own size; enlarged, they would show a small object no better than {small:.0f} px"
        else:
            reason = (
                f"a small object has {small * side / short:.0f} px in it, where {ENOUGH} would be better; for more, "
                f"give --input, or cut the pictures into tiles"
            )
    cause = f"the pictures' shorter side is {short:.0f} px, a small object {small:.0f}"
    shown = f"{height}x{width}"
    return (
        Volume(height=height, width=width, channels=3),
        Choice(name="input", value=shown, cause=cause, reason=reason),
    )


def _levels(sizes: tuple[float, float, float]) -> Choice:
    """The maps that a task with a place in its answers reads."""
    finest = finest_stride(sizes[0])
    coarsest = max(finest, coarsest_stride(sizes[2]))
    return Choice(
        name="levels",
        value=f"stride {finest}" if finest == coarsest else f"strides {finest} to {coarsest}",
        cause=f"small objects have {sizes[0]:.0f} px in the input, large ones {sizes[2]:.0f}",
        reason="the finest map of which a small object spans four cells, up to the first of which eight reach half a "
        "large one",
    )


def _span(sizes: tuple[float, float, float]) -> str:
    low, middle, high = (f"{size:.0f}" for size in sizes)
    return middle if low == high else f"{low} to {high} (half of them over {middle})"


def _why_stride(stride: int, middle: float, small: float, side: int) -> str:
    """What keeps the last map from being coarser, and that it is fine enough."""
    coarser = 2 * stride
    spans = (
        f"an object spans {middle / stride:.1f} cells of the last map, which is {side // stride} cells high"
    )
    if middle < SPANS * coarser:
        return f"{spans}; at {coarser} it would span {middle / coarser:.1f}, fewer than {SPANS}"
    if small < coarser:
        return f"{spans}; at {coarser} small objects would be smaller than a cell"
    return f"{spans}; at {coarser} that would be {side // coarser} cells, too few to tell where something is"
