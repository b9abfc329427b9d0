"""Abstractions of the image at a proper scale: a net's stride, field and input beside what pictures show.

The rules are those of `recipe.aims`; this says what of a net that exists already does not follow them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from convworks.arithmetic.advice import Finding
from convworks.arithmetic.field import Fields
from convworks.arithmetic.spec import Volume
from convworks.data import sources
from convworks.data.glance import glance
from convworks.data.record import DataSet
from convworks.recipe.aims import Aims, aims
from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.scales import blocks

LOOKED_AT = 5000
"""Objects that are compared with the net, at most, spread over the set."""
SHRUNK = 4.0
"""Where the pictures lose more than this, what is small in them is gone."""


class Seen(NamedTuple):
    """One object: its class, and the square root of its box's area in pixels of the picture."""

    name: str
    size: float


class Pictures(NamedTuple):
    """What was measured of some pictures at a glance: from file headers and annotations, nothing decoded."""

    root: str
    fingerprint: Fingerprint
    objects: tuple[Seen, ...]

    @property
    def short_side(self) -> float:
        """The median of their shorter sides, in pixels."""
        return self.fingerprint.short_sides[1]

    def scaled(self, input: Volume) -> float:
        """Pixels of the input a pixel of the picture: the shorter side is brought to the input's."""
        return min(input.height, input.width) / self.short_side

    def wanted(self, input: Volume | None = None) -> Aims:
        """What a net for these pictures should be, on this input or on the one that fits them."""
        return aims(self.fingerprint, input=(input.height, input.width) if input else None)

    def lines(self, input: Volume) -> list[str]:
        """What was measured, a sentence a line."""
        found = self.fingerprint
        low, middle, high = found.short_sides
        said = [
            f"{found.images:,} pictures; their shorter side is {middle:.0f} px ({low:.0f} to {high:.0f}), "
            f"{min(input.height, input.width)} in the net."
        ]
        if self.objects:
            scale = self.scaled(input)
            small, median, large = (size * scale for size in found.objects)
            said.append(
                f"{len(self.objects):,} objects measured; in the net they are {median:.0f} px "
                f"({small:.0f} to {large:.0f})."
            )
        else:
            said.append("Nobody drew boxes, so the sizes of objects are unknown.")
        return said

    def document(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        found = self.fingerprint
        return {
            "root": self.root,
            "task": found.task,
            "pictures": found.images,
            "short_sides": list(found.short_sides),
            "objects": list(found.objects) if self.objects else None,
            "objects_measured": len(self.objects),
        }


def measured(data: str | Path) -> Pictures:
    """The pictures at `data`, measured at a glance; raises DataError for what cannot be read."""
    dataset = sources.read(Path(data))
    return Pictures(root=str(data), fingerprint=glance(dataset), objects=tuple(_objects(dataset)))


def _objects(dataset: DataSet) -> Iterator[Seen]:
    """Some of the objects that somebody drew, spread over the set; crowds are left out."""
    every = [note for record in dataset.records for note in record.boxes if not note.crowd]
    for note in every[:: max(1, -(-len(every) // LOOKED_AT))]:
        left, top, right, bottom = note.box
        if right > left and bottom > top:
            yield Seen(note.name, ((right - left) * (bottom - top)) ** 0.5)


def compared(pictures: Pictures, input: Volume, place: str, fields: Fields, *, whole: bool) -> list[Finding]:
    """What of a net's last map does not suit the pictures; `whole` says that something behind it gathers the map."""
    found = [*_sizes(pictures, input)]
    if pictures.objects:
        found += _steps(pictures, input, place, fields)
        found += _views(pictures, input, place, fields, whole=whole)
    return found


def _sizes(pictures: Pictures, input: Volume) -> Iterator[Finding]:
    """The input beside the pictures' own size."""
    scale = pictures.scaled(input)
    side = min(input.height, input.width)
    if scale < 1 / SHRUNK:
        yield Finding(
            level="note",
            code="input-small",
            where=f"input {input}",
            what=f"the pictures' shorter side is {pictures.short_side:.0f} px, and {side} are left of it",
            why=f"what has fewer than {1 / scale:.0f} px in the picture is less than one pixel of the input",
            fix="a larger input, crops, or tiles where what matters is small",
        )
    elif scale > 1.5:
        wanted = pictures.wanted().input
        yield Finding(
            level="note",
            code="input-large",
            where=f"input {input}",
            what=f"the pictures' shorter side is {pictures.short_side:.0f} px, enlarged to {side}",
            why="enlarging shows nothing new and costs its square in time; a net that learned at that size needs it",
            fix=f"an input of {wanted}, if the net learns from nothing",
        )


def _steps(pictures: Pictures, input: Volume, place: str, fields: Fields) -> Iterator[Finding]:
    """Objects that are smaller than a step of the map."""
    scale, step = pictures.scaled(input), max(float(field.jump) for field in fields)
    small = [one for one in pictures.objects if one.size * scale < step]
    aim = pictures.wanted(input)
    if small:
        side = min(input.height, input.width)
        p10 = pictures.fingerprint.objects[0] * scale
        larger = blocks(side * step / p10)
        enlarged = f", or an input of at least {larger} px" if larger > side else ""
        yield Finding(
            level="warning" if len(small) * 10 >= len(pictures.objects) else "note",
            code="smaller-than-stride",
            where=place,
            what=f"its stride of {step:g} px exceeds {_share(small, pictures.objects)}",
            why="neighbouring objects of that size can fall on one and the same unit"
            + f"; for these pictures a stride of {aim.stride} is proposed",
            fix=f"read a map of stride {aim.stride} as well{enlarged}",
        )
    elif step > aim.stride:
        yield Finding(
            level="note",
            code="coarser-than-proposed",
            where=place,
            what=f"its stride is {step:g} px, and {aim.stride} is proposed for these pictures",
            why=_reason(aim, "stride"),
        )


def _views(
    pictures: Pictures, input: Volume, place: str, fields: Fields, *, whole: bool
) -> Iterator[Finding]:
    """Objects that are larger than what a unit of the map sees."""
    scale, field = pictures.scaled(input), min(fields, key=lambda axis: axis.size)
    large = [one for one in pictures.objects if one.size * scale > field.size]
    aim = pictures.wanted(input)
    if large:
        yield Finding(
            level="note" if whole else "warning",
            code="larger-than-field",
            where=place,
            what=f"its field of {field.pixels} px is smaller than {_share(large, pictures.objects)}",
            why=f"{aim.field} px are proposed: {_reason(aim, 'receptive field')}"
            + ("; here only what follows puts the parts together" if whole else ""),
            fix="more layers, larger filters or pooling before it, or a smaller input",
        )
    elif field.size < aim.field:
        yield Finding(
            level="note",
            code="narrower-than-proposed",
            where=place,
            what=f"its field is {field.pixels} px, and {aim.field} are proposed for these pictures",
            why=_reason(aim, "receptive field"),
        )


def _share(some: Sequence[Seen], every: Sequence[Seen]) -> str:
    """How many of the objects, and of which classes most."""
    counts: dict[str, int] = {}
    for one in some:
        counts[one.name] = counts.get(one.name, 0) + 1
    most = sorted(counts, key=lambda name: -counts[name])[:3]
    named = ", ".join(f"{name} {counts[name]:,}" for name in most)
    more = f" and {len(counts) - 3} classes more" if len(counts) > 3 else ""
    return f"{len(some):,} of {len(every):,} objects ({named}{more})"


def _reason(aim: Aims, name: str) -> str:
    return next((f"{choice.cause}; {choice.reason}" for choice in aim.choices if choice.name == name), "")
