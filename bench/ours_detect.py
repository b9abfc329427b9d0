"""Convworks on a detection set with one seed, in a process of its own, as JSON lines: a row of `bench/detect.py`.

python bench/ours_detect.py PACK --seconds 600 --seed 0 --to found.json

The recipe is the product's own but for its length: one epoch is timed first, and is not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from convworks import api
from convworks.events import EpochEnded, Event, StageStarted
from convworks.samples import Detection

sys.path.append(str(Path(__file__).parent / "peers"))

from clocks import Clock, cpu, say


def trained(pack: Path, run: Path, given: dict[str, Any]) -> tuple[api.Trained, float, float]:
    """The model, and the processor seconds before the first epoch and of the epochs."""
    began, marks = cpu(), {}

    def watch(events: Any) -> Any:
        for event in events:
            mark(event)
            yield event

    def mark(event: Event) -> None:
        if isinstance(event, StageStarted):
            marks["start"] = cpu()
        elif isinstance(event, EpochEnded):
            marks["end"] = cpu()

    made = api.train(pack, run=run, watch=watch, **given)
    return made, marks["start"] - began, marks["end"] - marks["start"]


def main() -> None:
    """Trains as `convworks train` does, for so long, and writes what it finds in the test images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--seconds", type=float, required=True, help="of the processor, for training")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--option", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    args = parser.parse_args()
    given: dict[str, Any] = {"seed": args.seed, "flip_vertical": True}
    given |= {name: api.knobs.parse(value) for name, value in args.option}
    with tempfile.TemporaryDirectory() as folder:
        _, before, epoch = trained(args.pack, Path(folder) / "timed", {**given, "epochs": 1})
        clock = Clock()
        epochs = max(1, int((args.seconds - before) / epoch))
        say("ready", epochs=epochs, epoch=round(epoch, 2), before=round(before, 2))
        made, _, _ = trained(args.pack, Path(folder) / "run", {**given, "epochs": epochs})
        say("trained", epochs=epochs, **clock.read())
        paths = [args.pack / "JPEGImages" / f"{name}.jpg" for name in tested(args.pack)]
        start = time.process_time()
        found = [described(made.predict(path)) for path in paths]
    args.to.write_text(json.dumps(found))
    say("found", images=len(found), each=(time.process_time() - start) / max(len(found), 1), **clock.read())


def tested(pack: Path) -> list[str]:
    """The test images by name, without their ending."""
    document = json.loads((pack / "instances_test.json").read_text())
    return [Path(image["file_name"]).stem for image in document["images"]]


def described(answer: Detection) -> dict[str, Any]:
    """What was found in an image, as the peers say it."""
    return {
        "file": Path(str(answer.path)).name,
        "boxes": [list(one.box) for one in answer.found],
        "scores": [one.probability for one in answer.found],
        "names": [one.name for one in answer.found],
    }


if __name__ == "__main__":
    main()
