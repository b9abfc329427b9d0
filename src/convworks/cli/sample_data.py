"""`convworks sample-data`: writes a synthetic data set as ordinary files, to try everything else on."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

from convworks.errors import RecipeError

HELP = "Write a synthetic data set with honest labels for any task: lit scenes, or flat shapes."
EXAMPLES = (
    "convworks sample-data creatures/",
    "convworks sample-data boxes/ --task detection --classes fish,crab,snail --count 500 --size 320x240",
)


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the folder and what to write into it."""
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="a folder that is empty or does not exist yet"
    )
    parser.add_argument(
        "--task",
        choices=("classification", "localization", "detection", "segmentation", "instances"),
        default="classification",
        help="class folders, a CSV of boxes, COCO, index masks, or outlines of objects (default: classification)",
    )
    parser.add_argument("--count", type=int, default=240, metavar="N", help="how many images (default: 240)")
    parser.add_argument(
        "--classes",
        metavar="N|NAMES",
        help="2 to 20, or names with commas between: beetle,fish,leaf,... (default: 4; shapes: 3)",
    )
    parser.add_argument("--size", metavar="WxH", help="in pixels (default: 240x180; shapes: 96x96)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another number, other images (default: 0)"
    )
    parser.add_argument(
        "--style", choices=("scenes", "shapes"), default="scenes", help="lit, textured scenes or flat shapes"
    )
    parser.add_argument(
        "--layout",
        choices=("split", "flat"),
        default="split",
        help="classification: train/ and val/ with class folders, or class folders alone (default: split)",
    )
    parser.add_argument(
        "--outlines",
        choices=("polygons", "runs", "maps"),
        default="polygons",
        help="instances: polygons or run lengths in COCO's JSON, or maps of object ids (default: polygons)",
    )
    parser.add_argument("--void", action="store_true", help="segmentation: 255 on borders that are not sure")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one a processor)")


def run(args: argparse.Namespace) -> int:
    """Write the set and say where it is; 0 when all of it is there."""
    style: str = args.style
    size = _size(args.size or ("240x180" if style == "scenes" else "96x96"))
    classes = _classes(args.classes or ("4" if style == "scenes" else "3"))
    from convworks.data import synthetic

    directory = synthetic.write(
        args.directory,
        task=args.task,
        count=args.count,
        classes=classes,
        size=size,
        seed=args.seed,
        style=args.style,
        layout=args.layout,
        void=args.void,
        outlines=args.outlines,
        workers=args.workers or os.cpu_count() or 1,
        progress=None if args.json or not sys.stderr.isatty() else _show,
    )
    names = synthetic.class_names(args.style, classes)
    if args.json:
        said = {"directory": str(directory), "task": args.task, "count": args.count, "classes": list(names)}
        print(json.dumps(said))
        return 0
    print(f"Wrote   {args.count} images of {size[0]}x{size[1]} to {directory}")
    print(f"Classes {', '.join(names)}")
    if args.task in ("classification", "instances"):
        asked = " --task instances" if args.task == "instances" else ""
        print(f"Next    convworks train {directory}{asked}")
    return 0


def _size(text: str) -> tuple[int, int]:
    """(width, height) of "WxH"."""
    found = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text.strip().lower())
    if not found:
        raise RecipeError(f'--size "{text}" is not a size.', expected="WxH in pixels, as in 240x180")
    return int(found[1]), int(found[2])


def _classes(text: str) -> int | list[str]:
    """A number of classes, or their names."""
    if text.strip().isdecimal():
        return int(text)
    return [name.strip() for name in text.split(",") if name.strip()]


def _show(done: int, of: int) -> None:
    print(f"\r{done}/{of}", end="\n" if done == of else "", file=sys.stderr, flush=True)
