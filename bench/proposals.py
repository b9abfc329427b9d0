"""Selective search of our own beside OpenCV contrib's: recall with 1,000 boxes, and CPU seconds.

    python bench/proposals.py PEER [images of each kind]

PEER is the Python of an environment with opencv-contrib-python-headless. Claims: recall at IoU .5 and .7 within .02
of OpenCV's, or above it, on the one-animal pack (CONVWORKS_PACKS) and on synthetic scenes, in at most twice its time,
and the same boxes in the same order every time. Both see the same pixels, 500 wide at most, and keep boxes
of at least 20 pixels, of 500 a width; OpenCV's boxes stand in the order in which it gives them.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from convworks.data.synthetic import OBJECTS, scene
from convworks.geometry.boxes import iou
from convworks.regions.selective_search import SMALLEST, WIDTH, selective_search
from machine import described, write

BOXES = 1000
Picture = tuple[np.ndarray, np.ndarray]


def animals(count: int) -> dict[str, Picture]:
    """Images of the one-animal pack, evenly drawn, 500 wide at most, and their boxes."""
    root = Path(os.environ["CONVWORKS_PACKS"]) / "one_animal"
    with (root / "boxes.csv").open() as file:
        rows = list(csv.DictReader(file))
    found: dict[str, Picture] = {}
    for number, row in enumerate(rows[:: max(1, len(rows) // count)][:count]):
        image = Image.open(root / row["path"]).convert("RGB")
        scale = min(1, WIDTH / image.width)
        small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BOX)
        box = np.array([[float(row[edge]) * scale for edge in ("x0", "y0", "x1", "y1")]])
        found[f"animal{number:03}"] = np.asarray(small), box
    return found


def scenes(count: int) -> dict[str, Picture]:
    """Synthetic scenes of 320 x 240 with their boxes."""
    classes = sorted(OBJECTS)[:10]
    drawn = [scene(0, index, task="detection", classes=classes, size=(320, 240)) for index in range(count)]
    return {f"scene{index:03}": (sample.image, sample.boxes) for index, sample in enumerate(drawn)}


def recall(pictures: dict[str, Picture], boxes: dict[str, np.ndarray], threshold: float) -> float:
    """The share of the objects that one of the first boxes overlaps by `threshold`."""
    best = [iou(boxes[name][:BOXES], truth).max(0, initial=0) for name, (_, truth) in pictures.items()]
    return float((np.concatenate(best) >= threshold).mean())


def wide_enough(boxes: list[list[int]], width: int) -> np.ndarray:
    found = np.array(boxes, float).reshape(-1, 4)
    return found[(found[:, 2:] - found[:, :2]).min(1) >= SMALLEST * width / WIDTH]


def main() -> int:
    peer, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60
    kinds = {"one animal": animals(count), "scenes": scenes(count)}
    result: dict[str, dict[str, float]] = {}
    failed = False
    for kind, pictures in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            for name, (image, _) in pictures.items():
                Image.fromarray(image).save(Path(folder) / f"{name}.png")
            here = Path(__file__).parent / "peers" / "selective_search.py"
            asked = [peer, str(here), folder]
            theirs = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
        ours: dict[str, np.ndarray] = {}
        start = time.process_time()
        for name, (image, _) in pictures.items():
            ours[name] = selective_search(image)
        seconds = time.process_time() - start
        first = next(iter(pictures))
        same = bool(np.array_equal(ours[first], selective_search(pictures[first][0])))
        other = {
            name: wide_enough(theirs["found"][name]["boxes"], image.shape[1])
            for name, (image, _) in pictures.items()
        }
        their_seconds = sum(one["seconds"] for one in theirs["found"].values())
        row: dict[str, float] = {"images": len(pictures), "seconds": seconds / len(pictures)}
        row |= {"opencv_seconds": their_seconds / len(pictures), "time_ratio": seconds / their_seconds}
        row |= {"boxes": float(np.mean([len(found) for found in ours.values()])), "same_order": same}
        row["opencv_boxes"] = float(np.mean([len(found) for found in other.values()]))
        for threshold in (0.5, 0.7):
            row[f"recall_{threshold}"] = recall(pictures, ours, threshold)
            row[f"opencv_recall_{threshold}"] = recall(pictures, other, threshold)
            failed |= row[f"recall_{threshold}"] < row[f"opencv_recall_{threshold}"] - 0.02
        failed |= row["time_ratio"] > 2 or not same
        result[kind] = row
        print(kind, {name: round(value, 3) for name, value in row.items()}, flush=True)
    machine = described("numpy", "scipy", "opencv-python-headless")
    machine["versions"]["opencv contrib"] = theirs["version"]
    write("proposals", {"machine": machine, "rows": result})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
