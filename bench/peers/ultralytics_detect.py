"""Ultralytics' nano detector from random weights, with its own settings, for so long.

python bench/peers/ultralytics_detect.py PACK --seconds 600 --to found.json

The pack's boxes are written as YOLO text beside links to its pictures, in a folder that goes away. The library has no
clock of the processor's time: it is given the seconds as hours of wall time, on as many threads as there are cores.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("YOLO_OFFLINE", "true")

import torch
from clocks import Clock, say
from ultralytics import YOLO, settings

MODEL = "yolo11n.yaml"


def written(pack: Path, root: Path) -> tuple[list[str], list[Path]]:
    """The pack in YOLO's layout under `root`: class names, and the test images."""
    names: list[str] = []
    tests: list[Path] = []
    for part in ("train", "val", "test"):
        document = json.loads((pack / f"instances_{part}.json").read_text())
        names = [category["name"] for category in document["categories"]]
        ids = {category["id"]: place for place, category in enumerate(document["categories"])}
        for kind in ("images", "labels"):
            (root / kind / part).mkdir(parents=True)
        for image in document["images"]:
            place = root / "images" / part / image["file_name"]
            place.symlink_to((pack / "JPEGImages" / image["file_name"]).resolve())
            rows = []
            for note in document["annotations"]:
                x, y, wide, high = note["bbox"]
                if note["image_id"] == image["id"] and wide > 0 and high > 0:
                    middle = ((x + wide / 2) / image["width"], (y + high / 2) / image["height"])
                    sides = (wide / image["width"], high / image["height"])
                    numbers = " ".join(f"{number:.6f}" for number in (*middle, *sides))
                    rows.append(f"{ids[note['category_id']]} {numbers}")
            label = root / "labels" / part / f"{place.stem}.txt"
            label.write_text("\n".join(rows) + "\n")
            if part == "test":
                tests.append(place)
    lines = [f"path: {root}", "train: images/train", "val: images/val", "names:"]
    lines += [f"  {place}: {name}" for place, name in enumerate(names)]
    (root / "data.yaml").write_text("\n".join(lines) + "\n")
    return names, tests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    clock = Clock()
    settings.update({"sync": False})
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        names, tests = written(args.pack, root)
        say("ready", classes=names, **clock.read())
        epochs: list[int] = []
        net = YOLO(MODEL)
        net.add_callback("on_train_epoch_end", lambda trainer: epochs.append(trainer.epoch))
        given = {"data": str(root / "data.yaml"), "imgsz": 640, "device": "cpu", "seed": args.seed}
        hours = args.seconds / threads / 3600
        net.train(**given, time=hours, workers=0, project=str(root / "runs"), plots=False, verbose=False)
        say("trained", epochs=len(epochs), start="random weights", **clock.read())
        best = YOLO(root / "runs" / "train" / "weights" / "best.pt")
        found = []
        start = time.process_time()
        for path in tests:
            [answer] = best.predict(str(path), imgsz=640, conf=0.001, iou=0.7, max_det=300, verbose=False)
            found.append(
                {
                    "file": path.name,
                    "boxes": answer.boxes.xyxy.tolist(),
                    "scores": answer.boxes.conf.tolist(),
                    "names": [names[int(place)] for place in answer.boxes.cls.tolist()],
                }
            )
        each = (time.process_time() - start) / max(len(found), 1)
    args.to.write_text(json.dumps(found))
    say("found", images=len(found), each=each, **clock.read())


if __name__ == "__main__":
    main()
