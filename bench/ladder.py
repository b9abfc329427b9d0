"""The ladder from R-CNN to the default on the BCCD pack, on one thread: what each step finds and costs.

    python bench/ladder.py OUT [minutes]

The pack is the one that CONVWORKS_PACKS names; a run that was stopped goes on in OUT. Claims: under 30 minutes of two
cores, and an order of speed that is that of the history, R-CNN the slowest and the default the quickest. Exit code 1
where one does not hold.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import convworks as cw
from convworks.report.ladder.words import a_picture, in_order, table
from machine import described, write

LIMIT = 30 * 60
"""Seconds."""


def main() -> int:
    """Climb, write the table, say whether the claims hold."""
    out, minutes = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 20.0
    began, cpu = time.perf_counter(), time.process_time()
    ladder = cw.ladder(
        Path(os.environ["CONVWORKS_PACKS"]) / "bccd",
        out=out,
        minutes=minutes,
        threads=1,
        workers=1,
        precision="float32",
        channels_last=True,
    )
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    rows: list[dict[str, Any]] = []
    for told, row in zip(ladder.to_dict()["rows"], ladder.rows, strict=True):
        del told["found"]
        rows.append(told | {"a_picture": a_picture(row.looking, ladder.climb.settled.measure)})
    ordered = in_order(ladder.climb)
    write(
        "ladder",
        {
            "machine": described("torch", "torchvision", "numpy", "scipy", "opencv-python-headless"),
            "command": f"python bench/ladder.py OUT {minutes:g}",
            "seconds": seconds,
            "cpu_seconds": spent,
            "settled": ladder.to_dict()["settled"],
            "order_of_the_history": ordered,
            "rows": rows,
        },
    )
    print("\n".join(table(ladder.climb)))
    print(
        f"{seconds:.0f} s, {spent:.0f} s of processor; the order is {'' if ordered else 'not '}that of the history"
    )
    return int(not ordered or seconds > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
