"""How good the product's own best is: its recipe on real sets, each at a length that is stated beside the score.

    python bench/quality.py --task detection              trains, measures, and writes bench/results/quality.json
    python bench/quality.py --task detection --epochs 10  another length, kept as a row of its own

Everything is chosen on the training and validation images; the test images are looked at once, at the end. An
interrupted run goes on where it was. Runs lie in BENCH_DATA, or in ~/.cache/convworks-bench.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convworks import api, model_file
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import EpochEnded, Event
from convworks.recipe import options
from convworks.report import terminal
from data import kept, packs
from machine import RESULTS, described, write

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """A set, its test images (None: the images that the run itself measures), and what the recipe is given."""

    data: Callable[[], Path]
    test: Callable[[], Path] | None = None
    given: dict[str, Any] = field(default_factory=dict)


TASKS: dict[str, Quality] = {
    # A smear of blood has no up; the mirror's answer costs time at prediction alone.
    "detection": Quality(data=lambda: packs() / "bccd", given={"flip_vertical": True, "looks": 2}),
    "segmentation": Quality(data=lambda: packs() / "camvid", given={"looks": 6}),
}
"""What is measured, by task: one set each."""
COMPUTE = {"threads": 1, "precision": "float32", "channels_last": True, "device": "cpu"}


class Ledger:
    """Wall and processor seconds of a run over all the processes that it took, kept in its folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = json.loads(path.read_text()) if path.exists() else {"wall": 0.0, "cpu": 0.0}
        self.wall, self.cpu = time.time(), time.process_time()

    def seconds(self) -> dict[str, float]:
        """What was spent so far."""
        wall, cpu = time.time() - self.wall, time.process_time() - self.cpu
        return {"wall": self.before["wall"] + wall, "cpu": self.before["cpu"] + cpu}

    def watch(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events as they come; the seconds are written down after every epoch."""
        for event in events:
            yield event
            if isinstance(event, EpochEnded):
                self.path.write_text(json.dumps(self.seconds()))


def measured(name: str, given: dict[str, Any]) -> Row:
    """Trains, or goes on training, and what the finished model does on images that chose nothing."""
    quality = TASKS[name]
    words = [f"{key}={value}" for key, value in sorted(given.items())]
    run = kept() / "quality" / "-".join([name, *words]).replace("/", "_")
    run.parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(run.with_suffix(".seconds.json"))

    def watch(events: Iterator[Event]) -> Iterator[Event]:
        return terminal.watch(ledger.watch(events))

    data = quality.data()
    if not (run / model_file.FACTS).exists():
        if (run / "recipe.toml").exists():
            api.resume(run, watch=watch)
        else:
            api.train(data, run=run, watch=watch, **COMPUTE, **quality.given, **given)
        ledger.path.write_text(json.dumps(ledger.seconds()))
    training = json.loads(ledger.path.read_text())
    if quality.test is None:
        found = SceneEvaluation.read(run / "evaluation.json")
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = api.evaluate(api.load(run), quality.test(), part="test")
        assert isinstance(found, SceneEvaluation)
    return {
        "given": given,
        "images": found.n,
        "measures": {key: round(value, 4) for key, value in found.measures.items()},
        "interval": [round(found.low, 4), round(found.high, 4)],
        "classes": {key: round(value, 4) for key, value in found.per_class.items()},
        "epochs": options.read(run / "recipe.toml").optimiser.epochs,
        "seconds": {key: round(value) for key, value in training.items()},
    }


def rows() -> dict[str, Row]:
    """The rows that were measured before."""
    target = RESULTS / "quality.json"
    return json.loads(target.read_text(encoding="utf-8"))["rows"] if target.exists() else {}


def main() -> None:
    """Measures what is asked for and not there yet, and prints it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=TASKS, action="append", help="one of the tasks (all)")
    parser.add_argument("--epochs", type=int, help="passes over the training images (the recipe's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--option",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="another value than the recipe's, as `--option crop_scale 1`",
    )
    args = parser.parse_args()
    given: dict[str, Any] = {"seed": args.seed} | ({"epochs": args.epochs} if args.epochs else {})
    given |= {name: options.parse(value) for name, value in args.option}
    for name in args.task or TASKS:
        key = "/".join([name, *(f"{key} {value}" for key, value in given.items())])
        found = rows()
        if key not in found:
            row = measured(name, given)
            machine = described("convworks", "torch", "torchvision", "numpy")
            write("quality", {"rows": rows() | {key: row}, "machine": machine})
            found = rows()
        print(json.dumps({key: found[key]}, indent=1))


if __name__ == "__main__":
    main()
