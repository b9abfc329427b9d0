"""What of a net does not fit, why, and what would mend it; and whether it sees objects at their own scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from convworks.arithmetic.field import Fields, coverage
from convworks.arithmetic.formula import formula
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.spec import (
    Conv,
    DepthwiseConv,
    Layer,
    Mlpconv,
    Net,
    Pair,
    TransposedConv,
)
from convworks.arithmetic.straight import pairs
from convworks.arithmetic.walk import Row, Walk
from convworks.arithmetic.window import Grade, Slide

if TYPE_CHECKING:
    from convworks.arithmetic.mend import Fix

Level: TypeAlias = Literal["note", "warning", "error"]
"""A note needs nothing; a warning loses something; with an error the net cannot be."""


class Finding(NamedTuple):
    """One thing to know about a net: how grave, which kind, where, what, why, and what would mend it."""

    level: Level
    code: str
    where: str
    what: str
    why: str
    fixes: tuple[Fix, ...] = ()
    fix: str = ""

    @property
    def remedy(self) -> str:
        """What would mend it, in words; empty where nothing needs to be mended."""
        return "; or ".join([*map(str, self.fixes), *([self.fix] if self.fix else [])])

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}."]
        if self.why:
            lines.append(f"  {self.why[0].upper()}{self.why[1:]}.")
        lines += [f"  Fix: {fix}." for fix in (*self.fixes, *([self.fix] if self.fix else []))]
        return "\n".join(lines)


def advise(net: Net, followed: Walk, objects: Sequence[float] = ()) -> list[Finding]:
    """All findings, the gravest first, then from the input on; `objects` are sizes in pixels of the input."""
    found = [
        finding
        for row in followed.rows
        for finding in of_row(row, where(row), lambda row=row: fixes(net, followed, row))
    ]
    rows = {row.place: row for row in followed.rows}
    found += [nothing_nonlinear(where(row), row.place, last) for row, last in pairs(net.layers, rows)]
    last = last_map(followed)
    if last is not None:
        found += scales(where(last), last.fields, objects, gathered=followed.rows[-1] is not last)
    return gravest_first(found)


def gravest_first(found: list[Finding]) -> list[Finding]:
    """Errors, then warnings, then notes; each in the order in which they were found."""
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda finding: order[finding.level])


def fixes(net: Net, followed: Walk, row: Row) -> tuple[Fix, ...]:
    """What would mend a layer; the search is loaded only where something is to be mended."""
    from convworks.arithmetic.mend import fixes

    return fixes(net, followed, row)


def where(row: Row) -> str:
    """A layer's place and its notation."""
    return f"layer {row.place} ({_short(row.layer)})"


def _short(layer: Layer) -> str:
    """The notation, cut where it is long."""
    text = write_layer(layer)
    return text if len(text) <= 40 else f"{text[:37]}..."


def is_unremarkable(layer: Layer | None, grade: Grade) -> bool:
    """Whether nothing is to be said of a layer that fits so."""
    return (
        grade == "fits"
        and not isinstance(layer, TransposedConv)
        and getattr(layer, "padding", None) != "same"
    )


def of_row(row: Row, place: str, mended: Callable[[], tuple[Fix, ...]]) -> Iterator[Finding]:
    """What is to be said of one layer at this place; `mended` is asked for fixes only where one is needed."""
    if is_unremarkable(row.layer, row.grade):
        return
    if row.error is not None:
        offered = mended()
        yield Finding(
            level="error",
            code="impossible",
            where=place,
            what=f"{row.error.found} (its input is {row.input})",
            why=row.error.expected and f"expected: {row.error.expected}",
            fixes=offered,
            fix="" if offered else row.error.fix,
        )
        return
    layer = row.layer
    if isinstance(layer, TransposedConv) and any(
        kernel % stride for kernel, stride in zip(layer.kernel, layer.stride, strict=True)
    ):
        yield Finding(
            level="note",
            code="checkerboard",
            where=place,
            what="its pixels are painted unequally often, which shows as a checkerboard",
            why="the stride does not divide the filter's size",
        )
    slides = row.fit.slides if row.fit is not None else None
    if slides is None:
        return
    if row.grade == "unread":
        yield Finding(
            level="warning",
            code="unread",
            where=place,
            what=_unread(slides),
            why=formula(row),
            fixes=mended(),
        )
    elif row.grade == "skips":
        yield Finding(
            level="note",
            code="skips",
            where=place,
            what=f"it skips pixels on purpose: {_share_unread(slides):.0%} of its input is not read",
            why="the stride is larger than the filter, as in the shortcuts of residual nets"
            if max(slid.window.dilation for slid in slides) == 1
            else "its taps are spread so that they never meet the pixels between",
        )
    elif row.grade == "padding unread":
        yield Finding(
            level="note",
            code="padding-unread",
            where=place,
            what="its size is rounded down, but only padding is left unread",
            why=formula(row),
        )
    filters = isinstance(layer, Conv | DepthwiseConv | Mlpconv)
    if filters and layer.padding == "same" and _even(layer.kernel):
        yield Finding(
            level="note",
            code="even-filter",
            where=place,
            what="one more row or column of padding lies after the image than before it",
            why="(K - 1)/2 is not whole for an even filter",
        )


def _unread(slides: tuple[Slide, Slide]) -> str:
    """How many rows and columns are lost, of how many, and the share of the map."""
    parts = [
        f"{slid.unread} of {slid.size} {name}{'s' if slid.size > 1 else ''}"
        for slid, name in zip(slides, ("row", "column"), strict=True)
        if slid.unread
    ]
    return f"{' and '.join(parts)} never read, {_share_unread(slides):.0%} of its input"


def _share_unread(slides: tuple[Slide, Slide]) -> float:
    """The share of the input that no window reads."""
    read = 1.0
    for slid in slides:
        read *= 1 - (slid.unread + slid.skipped) / slid.size
    return 1 - read


def _even(kernel: Pair) -> bool:
    return kernel[0] % 2 == 0 or kernel[1] % 2 == 0


def nothing_nonlinear(at: str, place: str, last: str) -> Finding:
    """That nothing nonlinear lies between a layer and the linear one before it, the layer `last`."""
    return Finding(
        level="note",
        code="no-nonlinearity",
        where=at,
        what=f"nothing nonlinear lies between it and layer {last}",
        why="two linear layers in a row are one linear layer",
        fix=f"put a relu before layer {place}",
    )


def scales(place: str, fields: Fields, objects: Sequence[float], *, gathered: bool) -> Iterator[Finding]:
    """Objects that are smaller than a step of the last map, or larger than what its units see.

    `gathered` says that something follows which puts the parts of the map together.
    """
    if not objects:
        return
    step = max(float(field.jump) for field in fields)
    field = min(fields, key=lambda axis: axis.size)
    small = sorted(size for size in objects if size < step)
    large = sorted(size for size in objects if size > field.size)
    if small:
        yield Finding(
            level="warning",
            code="smaller-than-stride",
            where=place,
            what=f"its stride of {step:g} px exceeds {_which(small, objects)}",
            why="neighbouring objects of that size can fall on one and the same unit",
            fix=f"fewer strides before it, or an input {step / small[0]:.1f} times as large",
        )
    if large:
        yield Finding(
            level="note" if gathered else "warning",
            code="larger-than-field",
            where=place,
            what=f"its field of {field.pixels} px is smaller than {_which(large, objects)}",
            why=f"a unit sees at most {coverage(field, large[-1]):.0%} of the largest across"
            + (", and only what follows puts the parts together" if gathered else ""),
            fix="more layers, larger filters or pooling before it, or a smaller input",
        )


def last_map(followed: Walk) -> Row | None:
    """The last layer that still has height or width; None where none has."""
    maps = [row for row in followed.rows if row.output and (row.output.height > 1 or row.output.width > 1)]
    return maps[-1] if maps else None


def _which(sizes: Sequence[float], objects: Sequence[float]) -> str:
    shown = f"{sizes[0]:g}" if sizes[0] == sizes[-1] else f"{sizes[0]:g} to {sizes[-1]:g}"
    return f"{len(sizes)} of {len(objects)} object sizes ({shown} px)"
