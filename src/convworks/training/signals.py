"""A first Ctrl-C finishes the step and saves; a second one leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

WATCHED = (signal.SIGINT, signal.SIGTERM)


class Stopping(Exception):
    """Someone asked to stop where nothing has to be saved."""


@dataclass(eq=False)
class Stop:
    """Whether someone asked to stop, and by which signal (0: nobody did)."""

    signal: int = 0

    @property
    def asked(self) -> bool:
        """Whether to finish the step, save and leave."""
        return self.signal != 0

    @property
    def name(self) -> str:
        """The signal's name."""
        return signal.Signals(self.signal).name if self.signal else "another process's signal"


@contextmanager
def stopping() -> Generator[Stop]:
    """Within, SIGINT and SIGTERM set the Stop that is given; a second one ends the process with 128 + its number."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.signal:
            os._exit(128 + number)
        stop.signal = number

    before = {number: signal.signal(number, asked) for number in WATCHED}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
