"""What one file turned out to be when it was decoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from convworks.data.duplicates import Hashes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What one file turned out to be: upright size in pixels, bytes on disk, Pillow's words for its kind.

    `gray` says that it shows no colour, whatever its mode; `notes` say what decoding did.
    """

    width: int
    height: int
    bytes: int
    mode: str
    format: str
    gray: bool
    notes: tuple[str, ...]
    hashes: Hashes


def is_gray(image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether red, green and blue differ by at most 3 levels everywhere."""

    def without_colour(pixels: UInt8[np.ndarray, "h w 3"]) -> bool:
        levels = pixels.astype(np.int16)
        return bool((np.abs(levels[..., :2] - levels[..., 1:]) <= 3).all())

    return without_colour(image[::7, ::7]) and without_colour(image)
