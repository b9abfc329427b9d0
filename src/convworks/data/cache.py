"""Images decoded once, kept on disk at the size that training asks for, for all runs and processes of a user.

An image is known by its file's device, inode, size and time of last change, and by all that decoding depends on. The
time is the one that the system sets at any change (ctime) and no program can put back, so that an edited file is
another one whatever its own times say; a hash of the content would be as good, but asks for reading the file each
time, which is what is to be saved. A file that changed in the `SETTLED` seconds before it was read is not kept: its
clock may be too coarse to show a second change.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import PIL
from jaxtyping import UInt8

from convworks import files
from convworks.data import segments
from convworks.data.segments import Place, Segment, Writer

VERSION = 1
"""Raised whenever the pixels that come of a file change: decoding, turning, resizing."""

SETTLED = 2.0
"""Seconds for which a file must have lain unchanged."""

MOST_BYTES = 20_000_000_000
"""The most that is kept, unless asked otherwise ..."""
SHARE = 0.25
"""... and the most of the disk's free space, counted without the cache itself."""

_SEGMENT = 256_000_000
_LOOK = _TOUCH = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What tells a file from any other, and from itself before or after a change; when it changed, in seconds."""

    key: bytes
    changed: float


def signature(path: Path, settings: str) -> Signature:
    """The signature of a file, to be decoded under `settings`. Raises OSError."""
    status = path.stat()
    changed = status.st_mtime_ns if os.name == "nt" else status.st_ctime_ns
    values = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, changed)
    text = f"{values} {settings} {VERSION} {PIL.__version__} {cv2.__version__}"
    key = hashlib.blake2b(text.encode(), digest_size=segments.KEY).digest()
    return Signature(key=key, changed=changed / 1e9)


class ImageCache:
    """Images by key, in segments; what was used longest ago goes first when `limit_bytes` would be passed.

    Threads may share one, and any number of processes a folder; each may pass the limit by one segment. A segment that
    was used since this object was made is never removed, so that a set that is larger than the limit keeps a part
    that is always found. `note` says, in words, why nothing more is written; it is empty while all is well.
    """

    def __init__(self, folder: Path | None = None, *, limit_bytes: int | None = None) -> None:
        self.folder = files.kept("images") if folder is None else folder
        self.note = ""
        self._limit = limit_bytes
        self._began = time.time()
        self._segments: dict[str, Segment] = {}
        self._places: dict[bytes, Place] = {}
        self._touched: dict[Segment, float] = {}
        self._looked = -_LOOK
        self._writer: Writer | None = None
        self._lock = threading.Lock()

    @property
    def limit_bytes(self) -> int:
        """The most that is kept on disk."""
        if self._limit is None:
            others = files.room(self.folder) + sum(size for _, size, _ in self._held())
            self._limit = min(MOST_BYTES, int(SHARE * others))
        return self._limit

    def get(self, key: bytes) -> UInt8[np.ndarray, "h w 3"] | None:
        """The image kept under `key`, read-only; None where there is none that is whole."""
        now = time.monotonic()
        place = self._places.get(key)
        if place is None and now - self._looked >= _LOOK:
            self._look(now)
            place = self._places.get(key)
        if place is None:
            return None
        image = place.image()
        if image is None:
            self._places.pop(key, None)
        elif now - self._touched.get(place.segment, -_TOUCH) >= _TOUCH:
            self._touched[place.segment] = now
            place.segment.touch()
        return image

    def put(self, key: bytes, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Keeps an image where there is room for it; where that fails, `note` says why."""
        if self.note or self.get(key) is not None:
            return
        with self._lock:
            if self.note or key in self._places:
                return
            try:
                writer = self._roomy(image.nbytes)
                if writer is not None:
                    self._places[key] = writer.add(key, image)
            except OSError as error:
                self._stop(f"cannot be written ({error.strerror or error})")

    def _roomy(self, size: int) -> Writer | None:
        """A writer with room for `size` bytes more; None, with a note, where nothing can go for it."""
        segment = min(_SEGMENT, self.limit_bytes // 8)
        writer = self._writer
        if writer is not None and writer.process != os.getpid():
            writer = self._writer = None  # a fork's own segment is another one
        if writer is not None and writer.size + size > segment:
            writer.close()
            writer = self._writer = None
        if writer is None:
            if size > segment or not self._make_room(segment):
                self._stop(f"is full ({self.limit_bytes / 1e9:.1f} GB)")
                return None
            writer = self._writer = Writer(self.folder)
            self._segments[writer.segment.path.name] = writer.segment
            self._touched[writer.segment] = time.monotonic()
        return writer

    def _stop(self, why: str) -> None:
        self.note = (
            f"The cache of decoded images {self.folder} {why}: the other images are decoded again each time."
        )
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _look(self, now: float) -> None:
        """Learns of what was added, by any process, since the last look."""
        with self._lock:
            if now - self._looked < _LOOK:
                return
            for _, _, path in self._held():
                segment = self._segments.setdefault(path.name, Segment(path))
                with contextlib.suppress(OSError):
                    for key, place in segment.entries():
                        self._places.setdefault(key, place)
            self._looked = now

    def _held(self) -> list[tuple[float, int, Path]]:
        """Time of last use, size and path of each segment, that used longest ago first."""
        held: list[tuple[float, int, Path]] = []
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".pixels"):
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        held.append((status.st_mtime, status.st_size, Path(entry.path)))
        return sorted(held)

    def _make_room(self, size: int) -> bool:
        """Removes segments until `size` bytes more are within the limit; False where they cannot be."""
        held = self._held()
        free = self.limit_bytes - sum(size for _, size, _ in held)
        used = {segment.path for segment in self._touched}
        for touched, freed, path in held:
            if free >= size:
                break
            if touched < self._began and path not in used:
                with contextlib.suppress(OSError):
                    segments.remove(path)
                    free += freed
        return free >= size
