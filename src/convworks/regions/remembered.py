"""Proposals computed once for a picture, whoever asks and in whichever run: known by the picture's own pixels."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from convworks import files
from convworks.errors import StorageError
from convworks.regions.proposals import ProposalSource

MOST_BYTES = 256_000_000
"""What is kept in memory ..."""
MOST_FILES = 20_000
"""... and how many pictures' proposals on disk; those written longest ago go first."""


@dataclass(kw_only=True, eq=False)
class Remembered:
    """The boxes of a source, kept in memory and, where it can be written, in `folder`.

    `name` tells the source and its settings from any other; it changes whenever the boxes of a picture would.
    Threads may share one, and any number of processes a folder.
    """

    source: ProposalSource
    name: str
    folder: Path = field(default_factory=lambda: files.kept("proposals"))
    most_files: int = MOST_FILES
    _kept: dict[str, Float[np.ndarray, "_ 4"]] = field(default_factory=dict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _writes: bool = True

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "r 4"]:
        """Where to look in an image: boxes (xyxy, pixels), read-only."""
        key = self.key(image)
        found = self._kept.get(key)
        if found is not None:
            return found
        place = self.folder / self.name / f"{key}.npy"
        found = _read(place)
        if found is None:
            found = self.source(image).boxes.astype(np.float32)
            self._write(place, found)
        found.setflags(write=False)
        with self._lock:
            if key not in self._kept and self._bytes + found.nbytes <= MOST_BYTES:
                self._kept[key] = found
                self._bytes += found.nbytes
        return found

    def key(self, image: UInt8[np.ndarray, "h w 3"]) -> str:
        """What an image is known by: its size and its pixels."""
        said = hashlib.blake2b(repr(image.shape).encode(), digest_size=20)
        said.update(np.ascontiguousarray(image).data)
        return said.hexdigest()

    def _write(self, place: Path, boxes: Float[np.ndarray, "r 4"]) -> None:
        """Keeps boxes on disk; where that fails once, no more is tried."""
        if not self._writes:
            return
        held = io.BytesIO()
        np.save(held, boxes)
        try:
            files.write_whole(place, held.getvalue())
        except StorageError:
            self._writes = False

    def sweep(self) -> int:
        """Removes all but the last `most_files` that were written; returns how many went."""
        held: list[tuple[float, Path]] = []
        for path in (self.folder / self.name).glob("*.npy"):
            with contextlib.suppress(OSError):
                held.append((path.stat().st_mtime, path))
        old = sorted(held)[: -self.most_files]
        for _, path in old:
            path.unlink(missing_ok=True)
        return len(old)


def _read(place: Path) -> Float[np.ndarray, "r 4"] | None:
    """The boxes in a file; None where there are none that are whole."""
    try:
        found = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == np.float32 and found.ndim == 2 and found.shape[1] == 4 else None
