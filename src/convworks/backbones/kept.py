"""The per-user folder in which converted weights are kept; a kill leaves no half a file there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def folder() -> Path:
    """Where weights are kept: CONVWORKS_CACHE, else convworks/ under XDG_CACHE_HOME, else under ~/.cache."""
    chosen = os.environ.get("CONVWORKS_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "weights"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "convworks" / "weights"


def write(path: Path, content: bytes) -> None:
    """`content` in `path`, whole or not at all: a temporary file beside it, synced, then renamed.

    Raises OSError where the folder cannot be written or the disk is full; nothing is left behind then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    if os.name == "posix":
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
