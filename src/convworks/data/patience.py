"""A call that may never return, as reading from a disk or a network that hangs, given up after a while.

A thread cannot be ended from outside. So the call runs in a thread beside the one that asks: what hangs is left behind
with it, and neither the asking thread nor the end of the process waits for it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from convworks.data.names import shown
from convworks.errors import DecodeError

PATIENCE = 120.0
"""Seconds after which a file that is still being read is given up, to be tried once more."""

Result = TypeVar("Result")

_local = threading.local()


class _Helper:
    """A thread that does one call after another, for as long as there is somebody to ask for them."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        weakref.finalize(self, self.calls.put, None).atexit = False
        threading.Thread(target=_work, args=(self.calls,), name="patience", daemon=True).start()


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What `call` returns or raises. Raises TimeoutError when it has done neither after `seconds`."""
    helper: _Helper | None = getattr(_local, "helper", None)
    if helper is None or helper.process != os.getpid():
        helper = _local.helper = _Helper()
    answer: Future[Result] = Future()
    helper.calls.put((call, answer))
    try:
        return answer.result(seconds)
    except TimeoutError:
        if not answer.done():
            del _local.helper
        raise


def twice(path: Path, call: Callable[[], Result]) -> Result:
    """What `call` makes of the file at `path`, which gets a second chance where it fails or hangs.

    Raises DecodeError, as `call` does the second time, or where it has then not ended after `PATIENCE` seconds.
    """
    with contextlib.suppress(DecodeError, TimeoutError):
        return within(PATIENCE, call)
    try:
        return within(PATIENCE, call)
    except TimeoutError:
        raise DecodeError(
            f"{shown(str(path))}: still not read after {PATIENCE:g} seconds, in each of two tries",
            fix="see whether the disk or network that it lies on answers",
        ) from None


def _work(calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]) -> None:
    while (asked := calls.get()) is not None:
        call, answer = asked
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)
        del asked, call, answer
