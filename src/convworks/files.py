"""A file is written whole or not at all: beside its place, synced, then renamed over it; and where ours are kept."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from convworks.errors import StorageError

MARK = ".tmp"


def write_whole(path: Path, content: bytes, *more: memoryview) -> None:
    """`content`, and `more` after it, in `path`, or what was there before; never half, whenever one is killed.

    Raises StorageError where the disk is full or the folder cannot be written; nothing is left behind then.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=MARK)
        with os.fdopen(handle, "wb") as file:
            if os.name == "posix":
                os.fchmod(handle, 0o666 & ~_umask())
            file.write(content)
            file.writelines(more)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        if isinstance(error, OSError):
            raise refusal(path, error, len(content) + sum(part.nbytes for part in more)) from error
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def kept(what: str) -> Path:
    """The user's folder of `what` we keep: in CONVWORKS_CACHE, else convworks/ in XDG_CACHE_HOME, else in ~/.cache."""
    if chosen := os.environ.get("CONVWORKS_CACHE"):
        return Path(chosen).expanduser() / what
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "convworks" / what


def sweep(folder: Path) -> int:
    """Removes what a killed `write_whole` left in a folder; returns how many files that were."""
    left = [path for path in folder.glob(f".*{MARK}") if path.is_file()]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def refusal(path: Path, error: OSError, size: int = 0) -> StorageError:
    """The StorageError for what the system said when `path` was to be written."""
    need = f"{size / 1e6:.1f} MB are needed for it, " if size else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageError(
            f"{path} could not be written: {need}{room(path) / 1e6:.1f} MB are free.",
            fix="make room or name another folder; what was saved before is intact",
        )
    return StorageError(
        f"{path} could not be written: {error.strerror or error}.", fix="name a folder that you may write to"
    )


def room(path: Path) -> int:
    """Free bytes on the disk that holds `path`, 0 where that cannot be known."""
    import shutil

    for folder in (path, *path.absolute().parents):
        if folder.is_dir():
            with contextlib.suppress(OSError):
                return shutil.disk_usage(folder).free
    return 0


def _umask() -> int:
    """The bits that new files of this process do not get; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
