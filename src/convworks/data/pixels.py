"""Each image decoded once: kept at the size that training asks for, in memory as far as that goes, then on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

import cv2
import numpy as np
from jaxtyping import UInt8

from convworks.data.cache import SETTLED, ImageCache, Signature, signature
from convworks.data.decode import MAX_PIXELS, decode
from convworks.data.patience import twice

LONGEST = 8
"""A longer side of more than this many shorter ones is compressed to it: a strip of 1 x 4000 stays small."""


Read = Callable[[Path], UInt8[np.ndarray, "h w c"]]


class Paths(Sequence[Path]):
    """`count` paths, each made by `of` from its position when it is asked for."""

    def __init__(self, count: int, of: Callable[[int], Path]) -> None:
        self._places, self._of = range(count), of

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> list[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | list[Path]:
        places = self._places[index]
        return self._of(places) if isinstance(places, int) else [self._of(place) for place in places]


class PixelStore:
    """Images with a short side of at most `side` pixels, kept in memory up to `limit_bytes`, beyond it in `cache`.

    Where neither has room they are decoded again. Images come by `put`, while an audit decodes them anyway, or by the
    first `get`; positions are those of `paths`. Threads may share a store. Forked processes share what it held
    before, and add to their own. `read` gives the pixels of a file where they are not simply decoded; what it gives is
    not kept on disk, so that there is no `cache` then.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        side: int,
        limit_bytes: int,
        *,
        max_pixels: int = MAX_PIXELS,
        cache: ImageCache | None = None,
        read: Read | None = None,
    ) -> None:
        self.side, self.limit_bytes, self.cache = side, limit_bytes, cache
        self._paths, self._max_pixels, self._read = paths, max_pixels, read
        self._began = time.time()
        self._images: list[UInt8[np.ndarray, "h w 3"] | None] = [None] * len(paths)
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def held(self) -> int:
        """How many images are in memory."""
        return sum(image is not None for image in self._images)

    @property
    def held_bytes(self) -> int:
        """What the images in memory take."""
        return self._bytes

    @property
    def note(self) -> str:
        """Why images are decoded again each time; empty where they are not, or not yet."""
        return self.cache.note if self.cache is not None else ""

    def put(self, index: int, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Keeps an image, decoded at `side` or larger since this store was made, under its position."""
        if self._images[index] is not None or (self._bytes >= self.limit_bytes and self.cache is None):
            return
        small = resized(image, self.side)
        if not self._keep(index, small) and self.cache is not None:
            file = self._signature(index)
            if file is not None and file.changed < self._began - SETTLED:
                self.cache.put(file.key, small)

    def get(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The image at a position, RGB, read-only.

        Raises DecodeError where its file was damaged since, or cannot be read in `patience.PATIENCE` seconds, twice.
        """
        image = self._images[index]
        return self._fetched(index) if image is None else image

    def _fetched(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        began, file = time.time(), self._signature(index)
        if self.cache is None or file is None:
            image = self._decoded(index)
            self._keep(index, image)
            return image
        kept = self.cache.get(file.key)
        if kept is not None:
            return kept
        image = self._decoded(index)
        unchanged = file.changed < began - SETTLED and file == self._signature(index)
        if not self._keep(index, image) and unchanged:
            self.cache.put(file.key, image)
        return image

    def _signature(self, index: int) -> Signature | None:
        """What tells the file from any other; None where nothing is kept on disk, or the file cannot be looked at."""
        if self.cache is None:
            return None
        try:
            return signature(self._paths[index], f"{self.side} {LONGEST} {self._max_pixels}")
        except OSError:
            return None

    def _decoded(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The image from its file."""
        path = self._paths[index]

        def work() -> UInt8[np.ndarray, "h w 3"]:
            if self._read is not None:
                return resized(self._read(path), self.side)
            return resized(decode(path, at_least=self.side, max_pixels=self._max_pixels).image, self.side)

        return twice(path, work)

    def select(self, rows: Sequence[int]) -> PixelStore:
        """A store of the images at `rows`, in that order; it shares the memory of those that are held."""
        chosen = PixelStore(
            Paths(len(rows), lambda position: self._paths[rows[position]]),
            self.side,
            self.limit_bytes,
            max_pixels=self._max_pixels,
            cache=self.cache,
            read=self._read,
        )
        for position, row in enumerate(rows):
            if (image := self._images[row]) is not None:
                chosen._keep(position, image)
        return chosen

    def _keep(self, index: int, image: UInt8[np.ndarray, "h w 3"]) -> bool:
        """Whether the image is now, or was already, in memory."""
        image.setflags(write=False)
        with self._lock:
            if self._images[index] is None and self._bytes + image.nbytes <= self.limit_bytes:
                self._images[index] = image
                self._bytes += image.nbytes
        return self._images[index] is not None


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
