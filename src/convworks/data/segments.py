"""Pixels in files that only grow: each has one process that writes it, and any number that read.

A segment is two files of one name: `.pixels`, image after image, and `.index`, an entry of fixed size for each. The
entry is written after its pixels, and both have a checksum, so that whenever the writer is killed an entry that can be
read speaks of pixels that are there; after a loss of power the checksum tells. Segments are removed whole; who has
one mapped keeps it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import struct
import weakref
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

KEY = 16
"""Bytes of a key."""

_ENTRY = struct.Struct(f"<{KEY}sQIII")
_CHECK = struct.Struct("<I")
_SIZE = _ENTRY.size + _CHECK.size


@dataclass(slots=True)
class Place:
    """Where an image lies; `checked` once its pixels were found to be those that were written."""

    segment: Segment
    offset: int
    height: int
    width: int
    checksum: int
    checked: bool = False

    def image(self) -> UInt8[np.ndarray, "h w 3"] | None:
        """The image, read-only and mapped; None where it is not there as it was written."""
        size = 3 * self.height * self.width
        mapped = self.segment.mapped(self.offset + size)
        if mapped is None:
            return None
        pixels = np.frombuffer(mapped, np.uint8, size, self.offset)
        if not self.checked:
            self.checked = zlib.crc32(pixels.data) == self.checksum
        return pixels.reshape(self.height, self.width, 3) if self.checked else None


class Segment:
    """One segment, as a process reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._mapped: mmap.mmap | None = None

    def entries(self) -> Iterator[tuple[bytes, Place]]:
        """Keys and places that were added since the last call; damaged ones are passed over."""
        with self.path.with_suffix(".index").open("rb") as file:
            file.seek(self._read)
            found = file.read()
        for at in range(0, len(found) - _SIZE + 1, _SIZE):
            entry = found[at : at + _ENTRY.size]
            if _CHECK.unpack_from(found, at + _ENTRY.size)[0] == zlib.crc32(entry):
                key, *where = _ENTRY.unpack(entry)
                yield key, Place(self, *where)
        self._read += len(found) - len(found) % _SIZE

    def mapped(self, size: int) -> mmap.mmap | None:
        """At least `size` bytes of pixels; None where there are fewer, or none any more."""
        if self._mapped is None or len(self._mapped) < size:
            try:
                with self.path.open("rb") as file:
                    if os.fstat(file.fileno()).st_size < size:
                        return None
                    self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except OSError:
                return None
        return self._mapped

    def touch(self) -> None:
        """Says that it is in use, to those who look for what may be removed."""
        with contextlib.suppress(OSError):
            os.utime(self.path)


class Writer:
    """A new segment in `folder`, as its one process writes it. Every call raises OSError where the disk does."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.process = os.getpid()
        self.segment = Segment(folder / f"{secrets.token_hex(8)}.pixels")
        self.size = 0
        self._pixels = _created(self.segment.path)
        self._close_pixels = weakref.finalize(self, os.close, self._pixels)
        self._index = _created(self.segment.path.with_suffix(".index"))
        self._close_index = weakref.finalize(self, os.close, self._index)

    def add(self, key: bytes, image: UInt8[np.ndarray, "h w 3"]) -> Place:
        """Appends an image; after an error the writer is of no more use."""
        pixels = np.ascontiguousarray(image)
        height, width, _ = pixels.shape
        place = Place(self.segment, self.size, height, width, zlib.crc32(pixels.data))
        entry = _ENTRY.pack(key, place.offset, place.height, place.width, place.checksum)
        _write(self._pixels, pixels.data.cast("B"))
        self.size += pixels.nbytes
        _write(self._index, memoryview(entry + _CHECK.pack(zlib.crc32(entry))))
        return place

    def close(self) -> None:
        """Lets go of the files."""
        self._close_pixels()
        self._close_index()


def remove(path: Path) -> None:
    """Removes a segment, its index first, so that none is without pixels. Raises OSError."""
    path.with_suffix(".index").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def _write(file: int, content: memoryview) -> None:
    while content:
        content = content[os.write(file, content) :]
