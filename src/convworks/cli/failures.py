"""A failure in at most six lines: what was wrong, where, and what would mend it."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path

from convworks.errors import ConvworksError, StorageError
from convworks.files import refusal

MOST_LINES = 6


def said(error: Exception, *, debug: bool = False) -> int:
    """Prints what happened on standard error (with the traceback if `debug`); returns the exit code."""
    if debug:
        traceback.print_exception(error)
    told = error if isinstance(error, ConvworksError) else in_words(error)
    rank = os.environ.get("RANK", "0")
    if told is not None:
        if (
            rank == "0" or told.exit_code != ConvworksError.exit_code
        ):  # a mistake in what was asked is in all processes
            print(f"Error{_among(rank)}: {shortened(str(told))}", file=sys.stderr)
        return told.exit_code
    name = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    where = "" if debug else f"\n{kept(error)} `--debug` shows it here."
    which = _among(rank)
    print(
        f"Error{which}: Convworks failed, and this is not your mistake: {name[:300]}{where}", file=sys.stderr
    )
    return 3


def _among(rank: str) -> str:
    """Which of several processes this is, "" for the first, which speaks for all."""
    return "" if rank == "0" else f" in process {rank} of {os.environ.get('WORLD_SIZE', '?')}"


def shortened(text: str) -> str:
    """At most six lines of a message.

    >>> shortened("one\\ntwo")
    'one\\ntwo'
    """
    lines = text.splitlines()
    if len(lines) <= MOST_LINES:
        return text
    left = len(lines) - MOST_LINES + 1
    return "\n".join([*lines[: MOST_LINES - 1], f"... and {left} lines more; --debug shows them"])


def in_words(error: BaseException) -> ConvworksError | None:
    """The storage failure behind an operating system's error, in words; None for any other error."""
    if not isinstance(error, OSError):
        return None
    place = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if place:
            return refusal(Path(place), error)
        return StorageError("The disk is full.", fix="make room; what was saved before is intact")
    if error.errno == errno.EROFS:
        return StorageError(f"{place or 'A folder'} lies on a read-only disk.", fix="write somewhere else")
    if error.errno in (errno.EACCES, errno.EPERM):
        return StorageError(
            f"{place or 'A file'} may not be read or written by this user.",
            fix="change its permissions, or choose another place",
        )
    return None


def kept(error: Exception) -> str:
    """Writes the traceback to a file of its own in the temporary folder; says where, or why it could not."""
    lines = "".join(traceback.format_exception(error))
    try:
        handle, name = tempfile.mkstemp(prefix="convworks-failure-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(lines)
    except OSError as second:
        return f"The traceback could not be kept ({second.strerror})."
    return f"The traceback lies in {name};"
