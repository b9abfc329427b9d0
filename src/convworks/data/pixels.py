"""Each image decoded once: kept at the size that training asks for, in memory as far as that goes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from convworks.data.decode import MAX_PIXELS, decode

LONGEST = 8
"""A longer side of more than this many shorter ones is compressed to it: a strip of 1 x 4000 stays small."""


class PixelStore:
    """Images with a short side of at most `side` pixels, kept in memory up to `limit_bytes`, decoded again beyond it.

    Images come by `put`, while an audit decodes them anyway, or by the first `get`; positions are those of
    `paths`. Threads may share a store. Forked processes share what it held before, and add to their own.
    """

    def __init__(
        self, paths: Sequence[Path], side: int, limit_bytes: int, *, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.side, self.limit_bytes = side, limit_bytes
        self._paths, self._max_pixels = paths, max_pixels
        self._images: list[UInt8[np.ndarray, "h w 3"] | None] = [None] * len(paths)
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def held(self) -> int:
        """How many images are in memory; the others are decoded each time."""
        return sum(image is not None for image in self._images)

    @property
    def held_bytes(self) -> int:
        """What the images in memory take."""
        return self._bytes

    def put(self, index: int, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Keeps an image, decoded at `side` or larger, under its position while there is room."""
        if self._images[index] is None and self._bytes < self.limit_bytes:
            self._keep(index, resized(image, self.side))

    def get(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The image at a position, RGB, read-only. Raises DecodeError where its file was damaged since."""
        image = self._images[index]
        if image is None:
            decoded = decode(self._paths[index], at_least=self.side, max_pixels=self._max_pixels)
            image = resized(decoded.image, self.side)
            self._keep(index, image)
        return image

    def select(self, rows: Sequence[int]) -> PixelStore:
        """A store of the images at `rows`, in that order; it shares the memory of those that are held."""
        chosen = PixelStore(
            [self._paths[row] for row in rows], self.side, self.limit_bytes, max_pixels=self._max_pixels
        )
        for position, row in enumerate(rows):
            if (image := self._images[row]) is not None:
                chosen._keep(position, image)
        return chosen

    def _keep(self, index: int, image: UInt8[np.ndarray, "h w 3"]) -> None:
        image.setflags(write=False)
        with self._lock:
            if self._images[index] is None and self._bytes + image.nbytes <= self.limit_bytes:
                self._images[index] = image
                self._bytes += image.nbytes


def resized(image: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """A copy with a short side of at most `side` pixels, never enlarged; aspect kept up to 1 to `LONGEST`.

    >>> resized(np.zeros((30, 40, 3), np.uint8), 15).shape, resized(np.zeros((1, 4000, 3), np.uint8), 8).shape
    ((15, 20, 3), (1, 64, 3))
    """
    height, width = image.shape[:2]
    scale = min(side / min(height, width), 1)
    new_width = min(max(round(width * scale), 1), LONGEST * side)
    new_height = min(max(round(height * scale), 1), LONGEST * side)
    if (new_height, new_width) == (height, width):
        return image.copy()
    return np.asarray(cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_AREA), np.uint8)
