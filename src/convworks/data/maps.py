"""What a mask image holds: its size and how many pixels have each value, without turning them into classes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from convworks.data.decode import FORMATS, MAX_PIXELS, read
from convworks.data.names import shown
from convworks.data.quiet import listening
from convworks.data.record import MaskCode
from convworks.errors import DecodeError

Value = tuple[int, ...]
"""An index, or red, green and blue."""

MOST_COLOURS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFacts:
    """The (width, height) of a mask image and its number of pixels of each value, or in `problem` why not."""

    size: tuple[int, int] = (0, 0)
    values: Mapping[Value, int] = field(default_factory=dict[Value, int])
    problem: str = ""


def look(path: Path, code: MaskCode | None, *, max_pixels: int = MAX_PIXELS) -> MapFacts:
    """Counts the values in a mask image: colours where `code` is of colours, else the indices as they are stored."""
    try:
        data = read(path, max_pixels=max_pixels)
    except DecodeError as error:
        return MapFacts(problem=error.found.removeprefix(f"{shown(str(path))}: "))
    coloured = code is not None and any(len(value) == 3 for value, _ in code.values)
    with listening():
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    return MapFacts(problem=f"{image.width} x {image.height} pixels are too many")
                image.load()
                return MapFacts(size=image.size, values=_values(image, coloured))
        except Exception as error:
            return MapFacts(problem=f"damaged ({shown(str(error))[:200] or type(error).__name__})")


def _values(image: Image.Image, coloured: bool) -> dict[Value, int]:
    if (coloured and image.mode != "RGB") or image.mode in ("RGBA", "CMYK", "YCbCr"):
        image = image.convert("RGB")
    elif image.mode in ("1", "LA", "PA"):
        image = image.convert("L") if image.mode == "1" else image.getchannel(0)
    if image.mode not in ("L", "P", "RGB"):
        values, counts = np.unique(np.asarray(image), return_counts=True)
        return {(int(value),): int(number) for value, number in zip(values, counts, strict=True)}
    found = image.getcolors(MOST_COLOURS)
    if found is None:
        raise ValueError(f"over {MOST_COLOURS:,} colours: not a map of classes")
    return {_value(value, coloured): number for number, value in sorted(found, key=lambda one: str(one[1]))}


def _value(value: object, coloured: bool) -> Value:
    """A gray colour stands for its index, unless the code is of colours."""
    if not isinstance(value, tuple):
        return (int(value),)  # pyright: ignore[reportArgumentType]
    red, green, blue = value
    return (red,) if not coloured and red == green == blue else (red, green, blue)
