"""Whose code is calling an operator: the module that runs, and the line of the user's."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from traceback import walk_tb
from types import FrameType

from torch import nn

PASS_ON = ("convworks", "torch", "jaxtyping", "beartype")
"""Packages whose code lies between a line of the user's and the operator that it calls."""
PASSING: dict[str, bool] = {}
"""Whether a file of code is of these packages, as far as it was asked."""
START = "run_without_numbers"
"""The function that runs the user's code."""
CALLED = nn.Module._call_impl.__code__  # pyright: ignore[reportPrivateUsage]
"""The code through which every module is called."""


def caller(paths: Mapping[int, str]) -> tuple[str, str]:
    """The path of the innermost module that is running, of `paths` by identity, and the file and line of the user's.

    Either is "" where there is none between PyTorch and us.
    """
    path = location = None
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and (path is None or location is None):
        code = frame.f_code
        if code is CALLED:
            path = paths.get(id(frame.f_locals["self"]), "") if path is None else path
        elif code.co_name == START:
            break
        elif location is None and not (PASSING.get(code.co_filename) or _passes_on(frame)):
            location = _written(frame, frame.f_lineno)
        frame = frame.f_back
    return path or "", location or ""


def raised_at(error: BaseException) -> str:
    """The file and line of the innermost code of the user's that an error came through; "" where there is none."""
    theirs = [(frame, line) for frame, line in walk_tb(error.__traceback__) if not _passes_on(frame)]
    return _written(*theirs[-1]) if theirs else ""


def _passes_on(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    known = PASSING.get(file)
    if known is None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        known = PASSING[file] = package in PASS_ON
    return known


def _written(frame: FrameType, line: int) -> str:
    return f"{frame.f_code.co_filename.rpartition(os.sep)[2]}:{line}"
