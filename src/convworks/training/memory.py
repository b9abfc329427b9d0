"""Memory that is given back to the system costs a page fault for every page when it is asked for again."""

from __future__ import annotations

import contextlib
import ctypes
import sys

MMAP_MAX, TRIM_THRESHOLD, TOP_PAD = -4, -1, -2  # of mallopt(3)


def hold() -> None:
    """Let the C library keep what training frees, which it asks for again a step later; glibc only."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_MAX, 0)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)
        library.mallopt(TOP_PAD, 1 << 26)
