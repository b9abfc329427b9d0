"""What a mask image holds: its size and how many pixels have each value, without turning them into classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from convworks.data import raster
from convworks.data.decode import MAX_PIXELS, stored
from convworks.data.names import shown
from convworks.data.record import MaskCode
from convworks.errors import DecodeError

Value = tuple[int, ...]
"""An index, or red, green and blue."""

MOST_COLOURS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFacts:
    """The upright (width, height) of a mask image and its number of pixels of each value, or in `problem` why not."""

    size: tuple[int, int] = (0, 0)
    values: Mapping[Value, int] = field(default_factory=dict[Value, int])
    problem: str = ""


def look(path: Path, code: MaskCode | None, *, max_pixels: int = MAX_PIXELS) -> MapFacts:
    """Counts the values in a mask image: colours where `code` is of colours, else the indices as they are stored."""
    try:
        pixels = stored(path, coloured=code is not None and raster.coloured(code), max_pixels=max_pixels)
    except DecodeError as error:
        return MapFacts(problem=error.found.removeprefix(f"{shown(str(path))}: "))
    values = raster.values(pixels)
    if pixels.ndim == 3 and len(values) > MOST_COLOURS:
        return MapFacts(problem=f"over {MOST_COLOURS:,} colours: not a map of classes")
    return MapFacts(size=(pixels.shape[1], pixels.shape[0]), values=values)
