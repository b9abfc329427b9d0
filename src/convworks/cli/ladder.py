"""`convworks ladder`: from R-CNN to the default on one's own pictures, step by step."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from convworks.cli.train import add_knobs, knobs_of

HELP = """\
R-CNN, SPP-net, Fast R-CNN, Faster R-CNN and the default on your pictures with boxes: one split, one frozen body, one
measure. What each finds, how long it takes for a picture and to train, and what it computes how often, so that you
see why each successor exists. It ends in a table and a page, OUT/ladder.html; the same command goes on where it was
stopped. Your files are not written to."""
EXAMPLES = ("convworks ladder boxes/", "convworks ladder boxes/ --minutes 10 --rungs rcnn,faster,default")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the data, the folder, the time, the steps, and every knob of the recipe."""
    parser.usage = (
        "convworks ladder DATA [--out DIR] [--minutes M] [--rungs NAME,...] [--json] [--OPTION VALUE ...]"
    )
    parser.add_argument("data", metavar="DATA", type=Path, help="pictures with boxes: COCO, VOC, YOLO or CSV")
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="the folder to write (default: runs/ and the data's name, -ladder)",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=20.0,
        metavar="M",
        help="about how long it may take: with less time, fewer pictures (default: 20)",
    )
    parser.add_argument(
        "--rungs",
        metavar="NAME,...",
        default="",
        help="rcnn, spp, fast, faster, default (default: all of them)",
    )
    add_knobs(parser)


def run(args: argparse.Namespace) -> int:
    """Climb, say how it goes, write the page; 0 when it ended, 130 or 143 when it was stopped."""
    from convworks.events import Interrupted
    from convworks.report.ladder import climbed, words

    rungs = [name.strip() for name in args.rungs.split(",") if name.strip()]
    made: list[Any] = []

    def through() -> Any:
        made.append(
            (
                yield from climbed.said(
                    args.data,
                    out=args.out,
                    minutes=args.minutes,
                    rungs=rungs,
                    given=knobs_of(args),
                    command=shlex.join(["convworks", *sys.argv[1:]]),
                )
            )
        )

    for one in through() if args.json else climbed.printed(through()):
        if isinstance(one, Interrupted):
            if args.json:
                print(json.dumps({"interrupted": one.signal, "command": one.command}))
            return 143 if one.signal == "SIGTERM" else 130
    ladder = made[0]
    if args.json:
        print(json.dumps(ladder.to_dict() | {"page": str(ladder.page)}, indent=1))
        return 0
    print(f"\n{ladder}\n{words.APART}")
    size = ladder.page.stat().st_size / 1e6
    print(f"{ladder.page} ({size:.1f} MB): open it in a browser; it needs no network.")
    return 0
