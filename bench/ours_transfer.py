"""Convworks on one folder with one seed, in a process of its own, as JSON lines: a row of `bench/transfer.py`.

python bench/ours_transfer.py FOLDER --mode extract --views 1 --seed 0
"""

from __future__ import annotations

import time

BEGAN = time.time()

import argparse  # noqa: E402
import json  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

from convworks import api, events  # noqa: E402


def main() -> None:
    """Trains as `convworks train` does and prints when each stage began and what it scored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mode", default="finetune", choices=("extract", "finetune"))
    parser.add_argument("--views", type=int, default=5)
    parser.add_argument("--size", type=int, default=0, help="input size; 0 for the recipe's own")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    options = {"mode": args.mode, "views": args.views, "seed": args.seed}
    if args.size:
        options["input_size"] = args.size
    with tempfile.TemporaryDirectory() as folder:
        stages: list[dict[str, float | str]] = []
        start = clock()
        score = None
        for event in api.events(args.folder, run=Path(folder) / "run", **options):
            if isinstance(event, events.StageStarted):
                stages.append({"stage": event.stage, **clock()})
            elif isinstance(event, events.Candidate) and event.chosen:
                stages.append({"stage": "chosen", "name": event.name, **clock()})
            elif isinstance(event, events.Scored):
                score = event
        end = clock()
    assert score is not None
    first, last = stages[0], stages[-1]
    print(
        json.dumps(
            {
                "best": score.accuracy,
                "last": score.accuracy,
                "training": {clock: float(last[clock]) - float(first[clock]) for clock in ("wall", "cpu")},
                "with_startup": end,
                "before": start,
                "stages": stages,
            }
        )
    )


def clock() -> dict[str, float]:
    """Seconds since this process began, by the wall and of the processors."""
    return {"wall": time.time() - BEGAN, "cpu": time.process_time()}


if __name__ == "__main__":
    main()
