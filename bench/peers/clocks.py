"""What the peers' scripts say of time: JSON lines with wall and CPU seconds, workers included."""

from __future__ import annotations

import json
import resource
import time
from typing import Any


def cpu() -> float:
    """Processor seconds of this process since it began, and of its workers that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Clock:
    """Reads wall and CPU time since it was made, or since it was last read."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), cpu()

    def read(self) -> dict[str, float]:
        """Seconds since the last reading."""
        wall, used = time.perf_counter(), cpu()
        taken = {"wall": round(wall - self.wall, 4), "cpu": round(used - self.cpu, 4)}
        self.wall, self.cpu = wall, used
        return taken


def say(event: str, **values: Any) -> None:
    """One line of JSON on standard output."""
    print(json.dumps({"event": event, **values}), flush=True)
