"""Convworks on a set of outlines with one seed, in a process of its own, as JSON lines: a row of `bench/segment.py`.

python bench/ours_segment.py PACK --seconds 600 --seed 0 --to answers.npz

The recipe is the product's own but for its length: the steps of one epoch are timed first, and are not counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from convworks import api
from convworks.events import EpochEnded, Event, Progress, StageStarted

sys.path.append(str(Path(__file__).parent / "peers"))

from clocks import Clock, cpu, say

JUDGED = 1.06  # the time of an epoch with what judging takes, over that of its steps
COMPUTE = {"threads": 1, "precision": "float32", "channels_last": True, "device": "cpu"}


def trained(pack: Path, run: Path, given: dict[str, Any]) -> tuple[api.Trained, float, float]:
    """The model, and the processor seconds before the first epoch and of its steps."""
    began, marks = cpu(), dict[str, float]()

    def watch(events: Any) -> Any:
        for event in events:
            mark(event)
            yield event

    def mark(event: Event) -> None:
        if isinstance(event, StageStarted):
            marks["start"] = cpu()
        elif isinstance(event, Progress) and "start" in marks and "end" not in marks:
            marks["last"] = cpu()
        elif isinstance(event, EpochEnded):
            marks.setdefault("end", cpu())

    made = api.train(pack, run=run, watch=watch, **COMPUTE, **given)
    return made, marks["start"] - began, marks["last"] - marks["start"]


def main() -> None:
    """Trains as `convworks train` does, for so long, and writes what it answers for the test images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--seconds", type=float, required=True, help="of the processor, for training")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    given: dict[str, Any] = {"seed": args.seed}
    with tempfile.TemporaryDirectory() as folder:
        _, before, steps = trained(args.pack, Path(folder) / "timed", {**given, "epochs": 1})
        clock = Clock()
        epochs = max(1, int((args.seconds - before) / (JUDGED * steps)))
        made, *_ = trained(args.pack, Path(folder) / "run", {**given, "epochs": epochs})
        images = epochs * len(list((args.pack / "train" / "images").iterdir()))
        say("trained", epochs=epochs, images=images, **clock.read())
        order = (args.pack / "classes.txt").read_text().split()
        ids = np.array([order.index(name) for name in made.classes], np.uint8)
        pictures = sorted((args.pack / "test" / "images").iterdir(), key=lambda path: path.stem)
        answers = [ids[made.predict(picture).class_map] for picture in pictures]
    np.savez_compressed(args.to, **{str(place): answer for place, answer in enumerate(answers)})
    say("answered", pictures=len(answers), **clock.read())


if __name__ == "__main__":
    main()
