"""What Pillow warns of while it decodes, handed to the thread that asked; others go their usual way."""

from __future__ import annotations

import ctypes
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

from PIL import _imaging  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]

_FROM = r"(PIL|convworks\.data)(\.|$)"
_lock = threading.Lock()
_local = threading.local()
_listeners = 0
_usual: warnings.catch_warnings[Any] | None = None


def hush_libtiff() -> None:
    """Asks libtiff, where it can be reached, not to write on standard error; what it finds is raised by Pillow."""
    with suppress(OSError):
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            if setter := getattr(library, name, None):
                setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
                setter(None)


@contextmanager
def listening() -> Generator[list[str]]:
    """The messages that this thread's Pillow calls warn with, as they come.

    Python has one list of filters for all threads: the first listener sets it, the last one puts it back.
    """
    said: list[str] = []
    if getattr(sys.flags, "context_aware_warnings", False):
        with warnings.catch_warnings():
            _collect(lambda message: said.append(message) or True)
            yield said
        return
    outer = getattr(_local, "said", None)
    _local.said = said
    _begin()
    try:
        yield said
    finally:
        _end()
        _local.said = outer


def _begin() -> None:
    global _listeners, _usual
    with _lock:
        if not _listeners:
            _usual = warnings.catch_warnings()
            _usual.__enter__()
            _collect(_tell)
        _listeners += 1


def _end() -> None:
    global _listeners, _usual
    with _lock:
        _listeners -= 1
        if not _listeners and _usual is not None:
            _usual.__exit__(None, None, None)
            _usual = None


def _tell(message: str) -> bool:
    """Hands a message to this thread's listener; False where it has none."""
    said: list[str] | None = getattr(_local, "said", None)
    if said is None:
        return False
    said.append(message)
    return True


def _collect(tell: Callable[[str], bool]) -> None:
    usual = warnings.showwarning

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        if not tell(str(message)):
            usual(message, *where, **more)

    warnings.filterwarnings("always", module=_FROM)
    warnings.showwarning = show
