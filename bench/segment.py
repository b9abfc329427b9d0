"""Outlines beside torchvision and segmentation_models_pytorch: the same images, weights, time and measure.

    python bench/segment.py --minutes 5                         every row that is not there yet, then the table
    python bench/segment.py --minutes 5 --only convworks --seeds 1

A row is one tool with one seed, trained for so many minutes of two cores (processor time: twice the minutes), in a
process of its own; mean IoU on the 60 test images of the CamVid pack at 480x360 is counted by Convworks for all of
them. Rows are kept in `bench/results/segment.json` as soon as they are measured: an interrupted bench goes on where
it was.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convworks.metrics import overlap
from data import lite0_weights, packs
from machine import HERE, PEERS, RESULTS, described, peers, write

Row = dict[str, Any]
Tool = Callable[[], list[str]]
"""-> the command, to which the pack, the seconds, the seed and the file for the answers are added."""


def peer(net: str) -> Tool:
    """A net of torchvision's or segmentation_models_pytorch's."""
    script = str(HERE / "bench" / "peers" / "segment.py")
    return lambda: [str(PEERS), "-Wignore", script, "--net", net, "--weights", str(lite0_weights())]


TOOLS: dict[str, Tool] = {
    "convworks": lambda: [sys.executable, "-Wignore", str(HERE / "bench" / "ours_segment.py")],
    "torchvision LR-ASPP": peer("lraspp"),
    "torchvision DeepLabv3": peer("deeplabv3"),
    "smp Unet": peer("unet"),
    "smp FPN": peer("fpn"),
}
"""What is compared."""


def pack() -> Path:
    """The streets: 123 images to train on, 30 to choose, 60 to measure."""
    return packs() / "camvid"


def row(tool: str, seconds: float, seed: int) -> Row:
    """One run: how long it took, and what its answers for the test images measure."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "answers.npz"
        given = ["--seconds", str(seconds), "--seed", str(seed), "--to", str(to)]
        command = [*TOOLS[tool](), str(pack()), *given]
        shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        events = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("{")]
        with np.load(to) as arrays:
            answers = [arrays[str(place)] for place in range(len(arrays.files))]
    said = {event.pop("event"): event for event in events}
    return {**measured(answers), "training": said["trained"], "prediction": said["answered"]}


def measured(answers: list[np.ndarray]) -> Row:
    """Mean IoU, and the IoU of each class, of class maps of the test images in the order of their names."""
    names = (pack() / "classes.txt").read_text().split()
    masks = sorted((pack() / "test" / "masks").iterdir())
    assert len(masks) == len(answers), "not all of the test images were answered"
    table = np.zeros((len(names), len(names)), np.int64)
    for mask, answer in zip(masks, answers, strict=True):
        with Image.open(mask) as opened:
            table += overlap.class_counts(np.array(opened), answer, len(names))
    each = {name: round(value, 4) for name, value in zip(names, overlap.ious(table).tolist(), strict=True)}
    return {"mean_iou": round(overlap.mean_iou(table), 4), "classes": each}


def kept() -> dict[str, Row]:
    """The rows that were measured before."""
    target = RESULTS / "segment.json"
    return json.loads(target.read_text(encoding="utf-8"))["rows"] if target.exists() else {}


def shown(rows: dict[str, Row], minutes: float) -> str:
    """Medians over the seeds, a line a tool."""
    lines = [f"{'tool':24} {'mean IoU':>8} {'images seen':>12} {'CPU s':>8}  n"]
    for tool in TOOLS:
        found = [one for key, one in rows.items() if key.startswith(f"{minutes:g} minutes/{tool}/")]
        if found:
            middle = statistics.median(one["mean_iou"] for one in found)
            seen, used = (
                statistics.median(one["training"][key] for one in found) for key in ("images", "cpu")
            )
            lines.append(f"{tool:24} {middle:8.3f} {seen:12,.0f} {used:8.0f}  {len(found)}")
    return "\n".join(lines)


def main() -> None:
    """Measures what is asked for and not there yet, and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5, help="of two cores, for training (default: 5)")
    parser.add_argument("--only", choices=TOOLS, action="append", help="one of the tools (all)")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on")
    args = parser.parse_args()
    for seed in range(args.seeds):
        for tool in args.only or TOOLS:
            key = f"{args.minutes:g} minutes/{tool}/{seed}"
            if key in kept():
                continue
            print(f"{key} ...", flush=True)
            found = row(tool, 120 * args.minutes, seed)
            machine = described("convworks", "torch", "torchvision", "timm")
            theirs = peers("torch", "torchvision", "timm", "segmentation-models-pytorch")
            write("segment", {"rows": kept() | {key: found}, "machine": machine, "peers": theirs})
    print(shown(kept(), args.minutes))


if __name__ == "__main__":
    main()
