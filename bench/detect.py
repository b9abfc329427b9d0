"""Detection beside torchvision and Ultralytics: the same images, for torchvision the same weights, the same time.

    python bench/detect.py --minutes 5                         every row that is not there yet, then the table
    python bench/detect.py --minutes 5 --only convworks --seeds 1
    python bench/detect.py --speed                             pictures a second on one core, decoding included

A row is one tool with one seed, trained for so many minutes of two cores (processor time: twice the minutes), in a
process of its own; average precision on the 72 test images of the BCCD pack is counted by Convworks for all of them.
Rows are kept in `bench/results/detect.json` as soon as they are measured: an interrupted bench goes on where it was.
Ultralytics starts from nothing, since its weights come from other images: its row says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from convworks.data import sources
from convworks.data.load import load
from convworks.metrics import average_precision as ap
from convworks.metrics.matches import coco_matches
from data import lite0_weights, packs
from machine import HERE, PEERS, RESULTS, described, peers, write

Row = dict[str, Any]
Tool = Callable[[float, int, Path], list[str]]
"""Seconds, seed and the file for what is found -> the command."""
BENCH = HERE / "bench"


def torchvision(detector: str) -> Tool:
    """A detector of torchvision's."""

    def command(seconds: float, seed: int, to: Path) -> list[str]:
        script = str(BENCH / "peers" / "torchvision_detect.py")
        given = ["--weights", str(lite0_weights()), "--detector", detector, "--to", str(to)]
        return [str(PEERS), script, str(pack()), *given, "--seconds", str(seconds), "--seed", str(seed)]

    return command


def ultralytics(seconds: float, seed: int, to: Path) -> list[str]:
    """The nano model, from random weights."""
    script = str(BENCH / "peers" / "ultralytics_detect.py")
    return [str(PEERS), script, str(pack()), "--to", str(to), "--seconds", str(seconds), "--seed", str(seed)]


def ours(seconds: float, seed: int, to: Path) -> list[str]:
    """The product's own recipe."""
    script = str(BENCH / "ours_detect.py")
    return [
        sys.executable,
        script,
        str(pack()),
        "--to",
        str(to),
        "--seconds",
        str(seconds),
        "--seed",
        str(seed),
    ]


TOOLS: dict[str, Tool] = {
    "convworks": ours,
    "torchvision faster_rcnn": torchvision("faster_rcnn"),
    "torchvision retinanet": torchvision("retinanet"),
    "ultralytics nano, from scratch": ultralytics,
}
"""What is compared."""


def pack() -> Path:
    """The blood cells: 205 images to train on, 87 to choose, 72 to measure."""
    return packs() / "bccd"


def row(tool: str, seconds: float, seed: int) -> Row:
    """One run: its events, and the twelve numbers of what it found in the test images."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "found.json"
        command = TOOLS[tool](seconds, seed, to)
        command.insert(1, "-Wignore")
        shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        events = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("{")]
        found = json.loads(to.read_text())
    said = {event.pop("event"): event for event in events if event["event"] != "step"}
    return {"measures": measured(found), "training": said["trained"], "prediction": said["found"]}


def measured(found: list[dict[str, Any]]) -> dict[str, float]:
    """COCO's twelve numbers of what was found in the test images."""
    dataset = sources.read(pack())
    names = sorted(dataset.classes)
    ids = {name: place for place, name in enumerate(names)}
    by_file = {one["file"]: one for one in found}
    evidence = []
    for record in dataset.records:
        if record.split == "test":
            sample, one = load(dataset, record, ids, crowds=True), by_file[Path(record.path).name]
            boxes = np.array(one["boxes"], np.float32).reshape(-1, 4)
            labels = np.array([ids[name] for name in one["names"]], np.int64)
            scores = np.array(one["scores"], np.float64)
            evidence.append(coco_matches(boxes, scores, labels, sample.boxes, sample.labels, sample.aside))
    assert len(evidence) == len(by_file), "not all of the test images were answered"
    return {name: round(value, 4) for name, value in ap.twelve(ap.table(evidence, len(names))).items()}


def speeds(runs: int = 3) -> dict[str, dict[str, float]]:
    """Pictures a second on one thread, one after the other, with decoding, at the size that the recipe proposes."""
    import torch

    from convworks import api, backbones, tasks
    from convworks.augmentation.preprocess import Preprocessing
    from convworks.model import Model
    from convworks.recipe.scenes import frame_shape
    from convworks.training import memory

    torch.set_num_threads(1)
    memory.hold()
    recipe = api.propose(pack())
    size = recipe.data.input_size
    assert isinstance(size, int)
    height, width = frame_shape(size, 640, 480)
    task = tasks.find("detection")
    prepare = Preprocessing(
        size=size,
        side=round(1.25 * height),
        resize="letterbox",
        mean=(0.5,) * 3,
        deviation=(0.5,) * 3,
        shape=(height, width),
    )
    made = Model.create(
        backbones.create(recipe.model.backbone),
        ("Platelets", "RBC", "WBC"),
        prepare,
        task=task,
        settings=task.settings(recipe.model),
    )
    made.net.requires_grad_(False).to(memory_format=torch.channels_last)
    paths = sorted((pack() / "JPEGImages").glob("*.jpg"))[:24]
    found: dict[str, dict[str, float]] = {}
    for name in ("float32", "bfloat16"):
        rates: list[float] = []
        with torch.autocast("cpu", getattr(torch, name), enabled=name != "float32"):
            for path in paths[:2]:
                made.predict(path)
            for _ in range(runs):
                start = time.process_time()
                for path in paths:
                    made.predict(path)
                rates.append(len(paths) / (time.process_time() - start))
        found[name] = {
            "pictures_per_second": round(statistics.median(rates), 1),
            "height": height,
            "width": width,
        }
    return found


def kept() -> dict[str, Any]:
    """What was measured before."""
    target = RESULTS / "detect.json"
    return json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"rows": {}, "speed": {}}


def table(rows: dict[str, Row]) -> str:
    """Medians over the seeds, a line for each time and tool."""
    lines = [f"{'minutes':>7} {'tool':32} {'AP':>6} {'AP50':>6} {'epochs':>7} {'ms a picture':>12}  n"]
    groups: dict[tuple[str, str], list[Row]] = {}
    for key, found in rows.items():
        tool, minutes, _ = key.split("/")
        groups.setdefault((minutes, tool), []).append(found)
    for (minutes, tool), every in sorted(groups.items(), key=lambda group: float(group[0][0])):
        score, half = (statistics.median(one["measures"][name] for one in every) for name in ("AP", "AP50"))
        epochs = statistics.median(one["training"]["epochs"] for one in every)
        each = 1000 * statistics.median(one["prediction"]["each"] for one in every)
        lines.append(
            f"{minutes:>7} {tool:32} {score:6.3f} {half:6.3f} {epochs:7.1f} {each:12.0f}  {len(every)}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures what is asked for and not there yet, and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, action="append", help="of two cores: 5 and 15 unless told")
    parser.add_argument("--only", choices=TOOLS, action="append", help="one of the tools (all)")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on")
    parser.add_argument(
        "--speed", action="store_true", help="measure how quickly it predicts, and nothing else"
    )
    args = parser.parse_args()
    found = kept()
    if args.speed:
        found["speed"] = {**speeds(), "threads": 1, "cores": len(os.sched_getaffinity(0))}
        save(found)
        print(json.dumps(found["speed"], indent=1))
        return
    for minutes in args.minutes or (5.0, 15.0):
        for seed in range(args.seeds):
            for tool in args.only or TOOLS:
                key = f"{tool}/{minutes:g}/{seed}"
                if key not in found["rows"]:
                    print(f"{key} ...", flush=True)
                    made = row(tool, 2 * 60 * minutes, seed)
                    found = kept()
                    found["rows"][key] = made
                    save(found)
    print(table(found["rows"]))


def save(found: dict[str, Any]) -> None:
    """Writes the rows with the machine and the versions beside them."""
    own = described("convworks", "torch", "torchvision", "timm")
    write("detect", {**found, "machine": own, "peers": peers("torch", "torchvision", "timm", "ultralytics")})


if __name__ == "__main__":
    main()
