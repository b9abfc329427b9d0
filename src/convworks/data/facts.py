"""What one file turned out to be when it was decoded."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from convworks.data.duplicates import Hashes
from convworks.data.maps import MapFacts
from convworks.data.traces import Traces

_EVEN = 6.0
"""Standard deviation, in gray levels, of a line of a drawn border, after encoding."""
_WIDEST = 4
"""A border is looked for in this part of each side."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What one file turned out to be: upright size in pixels, bytes on disk, Pillow's words for its kind.

    `gray` says that it shows no colour, whatever its mode; `notes` say what decoding did. `border` is the width of
    an even frame around the picture, or of bars at two opposite sides of it, as a share of the picture's.
    `map` tells of the record's mask image, None where it has none; `turn` is the EXIF orientation that was undone.
    """

    width: int
    height: int
    bytes: int
    mode: str
    format: str
    gray: bool
    notes: tuple[str, ...]
    hashes: Hashes
    thumbnail: UInt8[np.ndarray, "32 32"]
    border: float
    traces: Traces
    map: MapFacts | None = None
    turn: int = 1

    @property
    def brightness(self) -> float:
        """The mean gray level, 0 to 255."""
        return float(self.thumbnail.mean())

    @property
    def contrast(self) -> float:
        """The standard deviation of the gray levels of the thumbnail."""
        return float(self.thumbnail.std())


def is_gray(image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether red, green and blue differ by at most 3 levels everywhere."""

    def without_colour(pixels: UInt8[np.ndarray, "h w 3"]) -> bool:
        red, green, blue = cv2.split(pixels)
        return int(max(cv2.absdiff(red, green).max(), cv2.absdiff(green, blue).max())) <= 3

    return without_colour(np.ascontiguousarray(image[::7, ::7])) and without_colour(image)


def border(gray: UInt8[np.ndarray, "h w"]) -> float:
    """The width of the even bars at two opposite sides of a picture, or all around it, as a share of what they cut.

    Bars above and below are a share of the height, those left and right of the width; the larger one counts.

    >>> framed = np.random.default_rng(0).integers(0, 256, (50, 80), np.uint8)
    >>> framed[:5] = framed[-5:] = 200
    >>> border(framed)
    0.1
    """
    return max(
        min(_even(one), _even(one[::-1])) / len(one) if _alike(one[0], one[-1]) else 0.0
        for one in (gray, gray.T)
    )


def _even(gray: UInt8[np.ndarray, "h w"]) -> int:
    """How many lines from the first on are even and of its brightness."""
    if _line(gray[0])[1] > _EVEN:
        return 0
    strip = np.ascontiguousarray(gray[: max(1, len(gray) // _WIDEST)])
    mean = cv2.reduce(strip, 1, cv2.REDUCE_AVG, dtype=cv2.CV_64F).ravel()
    square = cv2.reduce(strip, 1, cv2.REDUCE_SUM2, dtype=cv2.CV_64F).ravel() / strip.shape[1]
    odd = np.flatnonzero((square - mean**2 > _EVEN**2) | (np.abs(mean - mean[0]) > _EVEN))
    return int(odd[0]) if len(odd) else len(strip)


def _alike(one: UInt8[np.ndarray, "w"], other: UInt8[np.ndarray, "w"]) -> bool:
    return abs(_line(one)[0] - _line(other)[0]) <= 2 * _EVEN


def _line(gray: UInt8[np.ndarray, "w"]) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean, deviation = cv2.meanStdDev(np.ascontiguousarray(gray))
    return mean.item(), deviation.item()
