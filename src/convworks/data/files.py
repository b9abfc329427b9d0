"""An owner's file, opened with care: a regular one, of a size that makes sense, never waited for, never written."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from convworks.data.names import shown
from convworks.errors import DecodeError

_REASONS = {errno.ENOENT: "no such file", errno.EACCES: "no permission to read it"}


@contextmanager
def opened(path: Path, most_bytes: int) -> Generator[BinaryIO]:
    """The file, to read from. Raises DecodeError where it is not there, no file, or has more than `most_bytes`."""
    try:
        # A pipe that is named like an image must not be waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None
    status = os.fstat(descriptor)
    reason = "not a file" if not stat.S_ISREG(status.st_mode) else ""
    if status.st_size > most_bytes:
        reason = f"{status.st_size >> 20:,} MB, more than any image needs"
    if reason:
        os.close(descriptor)
        raise DecodeError(f"{shown(str(path))}: {reason}")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def content(path: Path, most_bytes: int) -> bytes:
    """All bytes of the file. Raises DecodeError as `opened` does, and where the disk fails."""
    with opened(path, most_bytes) as file:
        try:
            return file.read()
        except OSError as error:
            raise _refused(path, error) from None


def _refused(path: Path, error: OSError | ValueError) -> DecodeError:
    number = error.errno if isinstance(error, OSError) else None
    said = error.strerror if isinstance(error, OSError) else None
    return DecodeError(f"{shown(str(path))}: {_REASONS.get(number or 0) or said or error}")
