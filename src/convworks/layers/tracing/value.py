"""What is known of a tensor on its way through a net: where its height and width are, and what its units see.

Every dimension of a tensor is made of atoms: a height ("h"), a width ("w"), part of one of them or several
mixed together ("?"), or anything else (""). So nothing has to be guessed about layouts: NCHW, NHWC, tokens and
flattened rows are followed alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import prod
from typing import Literal, NamedTuple, TypeAlias

from convworks.arithmetic.field import PIXEL, Fields, union, whole
from convworks.arithmetic.shape import flat
from convworks.arithmetic.spec import NO_PADDING, Pair, Sides, Volume

Letter: TypeAlias = Literal["h", "w", "?", ""]
Atom: TypeAlias = tuple[Letter, int]
Dimension: TypeAlias = tuple[Atom, ...]
Axes: TypeAlias = tuple[Dimension, ...]
Reach: TypeAlias = Literal["local", "all", "unknown"]
"""What a unit sees besides its field: nothing; the whole input, by pooling, a gate or attention; or unknown."""

REACHES: tuple[Reach, ...] = ("local", "all", "unknown")


class Value(NamedTuple):
    """A tensor's axes, the map that its units lie on, and what they see of the input.

    `fields` are those along height and width, None where no path keeps a place in the picture; `extent` is the
    height and width of the map; `margin` the padding above, below, left and right that is part of the tensor but
    shows nothing of the input.
    """

    axes: Axes
    fields: Fields | None
    extent: Pair
    reach: Reach = "local"
    margin: Sides = NO_PADDING

    @property
    def letters(self) -> set[Letter]:
        """What its dimensions hold of the picture."""
        return {letter for axis in self.axes for letter, _ in axis if letter}

    @property
    def is_map(self) -> bool:
        """Whether it is (batch, channels, height, width)."""
        if len(self.axes) != 4:
            return False
        batch, channels, height, width = self.axes
        return (
            not any(letter for letter, _ in (*batch, *channels))
            and (height == (("h", self.extent[0]),) or (not height and self.extent[0] == 1))
            and (width == (("w", self.extent[1]),) or (not width and self.extent[1] == 1))
        )


@lru_cache(maxsize=1024)
def map_axes(volume: Volume, batch: int = 1) -> Axes:
    """The axes of a map (batch, channels, height, width).

    >>> map_axes(Volume(height=4, width=6, channels=3))
    ((), (('', 3),), (('h', 4),), (('w', 6),))
    """
    return (
        dimension("", batch),
        dimension("", volume.channels),
        dimension("h", volume.height),
        dimension("w", volume.width),
    )


@lru_cache(maxsize=4096)
def map_volume(height: int, width: int, channels: int) -> Volume:
    """A volume, remembered: nets repeat themselves."""
    return Volume(height=height, width=width, channels=channels)


def entering(volume: Volume) -> Value:
    """The value of the input itself."""
    return Value(axes=map_axes(volume), fields=PIXEL, extent=(volume.height, volume.width))


def plain(shape: Iterable[int]) -> Axes:
    """Axes that hold nothing of the picture's height or width."""
    return tuple(dimension("", size) for size in shape)


def lost(value: Value, shape: Iterable[int]) -> Value:
    """A value of which nothing is known but its shape, and that it depends on the input."""
    axes = tuple(dimension("?" if value.letters else "", size) for size in shape)
    return Value(axes=axes, fields=None, extent=value.extent, reach="unknown")


def scattered(value: Value, shape: Iterable[int]) -> Value:
    """A value whose units are nobody knows where; those that saw the whole input still do."""
    return lost(value, shape)._replace(reach="all" if value.reach == "all" else "unknown")


def dimension(letter: Letter, size: int) -> Dimension:
    """One dimension of one atom, or of none where it has one unit."""
    return ((letter, size),) if size != 1 else ()


def mixed_over(value: Value, places: Iterable[int]) -> Value:
    """The value whose units read all of these dimensions: their fields grow to the whole of what they cover.

    Its axes stay; what reads the dimensions decides what becomes of them.
    """
    chosen = set(places)
    read = {letter for place in chosen for letter, _ in value.axes[place]} - {""}
    left = {letter for place, axis in enumerate(value.axes) if place not in chosen for letter, _ in axis} - {
        ""
    }
    if not read:
        return value
    if "?" in left or ("?" in read and left):
        return value._replace(fields=None, reach="unknown", margin=NO_PADDING)
    height, width = value.extent
    rows, columns = bool(read & {"h", "?"}), bool(read & {"w", "?"})
    fields = value.fields
    if fields is not None:
        fields = (
            whole(fields[0], height) if rows else fields[0],
            whole(fields[1], width) if columns else fields[1],
        )
    reach: Reach = value.reach if left or value.reach == "unknown" else "all"
    extent = (1 if rows else height, 1 if columns else width)
    return value._replace(fields=fields, extent=extent, reach=reach, margin=NO_PADDING)


def gated(value: Value, places: Iterable[int]) -> Value:
    """The value whose units also read all of these dimensions, as normalising or attending over them does."""
    if not any(letter for place in places for letter, _ in value.axes[place]):
        return value
    mixed = mixed_over(value, places)
    return value._replace(reach="all" if mixed.reach == "all" else "unknown")


def joined(values: Sequence[Value], shape: Sequence[int]) -> tuple[Value, str]:
    """The value that depends on several, unit by unit, and what is odd about that ("" where nothing is).

    A value that has one unit where the others have many speaks to all of them: it is a gate.
    """
    first = values[0]
    if all(value == first for value in values) and len(first.axes) == len(shape):
        return first, ""
    placed = [value for value in values if value.letters or value.reach != "all"] or list(values)
    extent = max(value.extent[0] for value in placed), max(value.extent[1] for value in placed)
    axes = _broadcast([value.axes for value in placed], shape)
    if axes is None or any(value.extent not in (extent, (1, 1)) for value in placed):
        reaches = {value.reach for value in values}
        everything = "all" in reaches and "unknown" not in reaches
        return lost(placed[0], shape)._replace(reach="all" if everything else "unknown"), ""
    reach = REACHES[max(REACHES.index(value.reach) for value in values)]
    if any(value.extent != extent and value.reach == "local" for value in placed):
        reach = "unknown"
    alike = [value for value in placed if value.extent == extent and value.fields is not None]
    fields = list(dict.fromkeys(value.fields for value in alike if value.fields is not None))
    margin = next((value.margin for value in alike if any(value.margin)), NO_PADDING)
    seen = union(fields, extent) if len(fields) > 1 else (fields[0] if fields else None)
    return Value(axes=axes, fields=seen, extent=extent, reach=reach, margin=margin), _odd(fields, extent)


def _odd(fields: Sequence[Fields], extent: Pair) -> str:
    for axis in (0, 1):
        jumps = sorted({pair[axis].jump for pair in fields})
        if extent[axis] > 1 and len(jumps) > 1:
            return f"what it joins steps {' and '.join(f'{float(jump):.4g}' for jump in jumps)} px a unit"
    return ""


def _broadcast(every: Sequence[Axes], shape: Sequence[int]) -> Axes | None:
    """The axes of a broadcast of several; None where height or width of one meet something else of another."""
    found: list[Dimension] = []
    for back in range(len(shape), 0, -1):
        options = {axes[-back] for axes in every if len(axes) >= back and axes[-back]}
        if any(letter for option in options for letter, _ in option):
            if len(options) > 1:
                return None
            found.append(options.pop())
        else:
            found.append(dimension("", shape[-back]))
    return tuple(found)


def volume_of(value: Value, shape: Sequence[int]) -> Volume | None:
    """The tensor as height x width x channels or as a row of numbers; None where it is neither."""
    if value.is_map and 0 not in shape:
        return map_volume(shape[2], shape[3], shape[1])
    letters = value.letters
    if "?" in letters or 0 in shape:
        return None
    elements = prod(shape)
    if any(any(kind for kind, _ in axis) and not all(kind for kind, _ in axis) for axis in value.axes):
        return flat(elements) if len(shape) < 3 else None
    if not letters and len(shape) < 3:
        return flat(elements)
    sizes = {letter: size for axis in value.axes for letter, size in axis if letter}
    height, width = sizes.get("h", 1), sizes.get("w", 1)
    return map_volume(height, width, elements // (height * width))
