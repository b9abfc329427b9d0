"""`convworks convert`: annotations in another format; what that format cannot hold is named before it is written."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convworks.data.convert import Converted

HELP = """\
Write a data set in another format, into a new folder with copies of its images. Your files are not written to.
What the new format cannot hold is named first, and only left out with --lossy."""
EXAMPLES = (
    "convworks convert boxes/ --to yolo boxes-yolo/",
    "convworks convert cells/ --source voc --to csv cells-csv/ --lossy",
)

FORMATS = ("coco", "voc", "yolo", "csv", "masks", "folder")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare what is read, and what is written where."""
    parser.add_argument("data", metavar="SRC", type=Path, help="a data set: a folder, or its annotation file")
    parser.add_argument("destination", metavar="DST", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--to", required=True, choices=FORMATS, help="the format to write")
    parser.add_argument(
        "--source", default="auto", metavar="NAME", help="the format of SRC, one of the same (default: auto)"
    )
    parser.add_argument("--lossy", action="store_true", help="leave out what the format cannot hold")


def run(args: argparse.Namespace) -> int:
    """Convert, and say what was read, what changed and what was written."""
    from convworks.data.convert import convert

    done = convert(args.data, args.destination, to=args.to, source=args.source, lossy=args.lossy)
    if args.json:
        said = dataclasses.asdict(done) | {"root": str(done.root), "destination": str(done.destination)}
        print(json.dumps(said, indent=1))
    else:
        print("\n".join(lines(done)))
    return 0


def lines(done: Converted) -> list[str]:
    """What was done, for a person."""
    from convworks.data.names import count, few, shown

    said = [f"Read    {shown(str(done.root))} as {done.source}."]
    said += [f"Note    {note}" for note in done.notes]
    if done.set_aside:
        named = few([f"{file.path} ({file.reason})" for file in done.set_aside])
        said.append(f"Aside   {len(done.set_aside):,} not usable, so not written: {named}.")
    said += [f"Change  {change}." for change in done.changed]
    said += [f"Lost    {loss}." for loss in done.lost]
    what = [count(done.images, "image"), count(len(done.classes), "class", "classes")]
    what += [count(done.objects, "object")] if done.objects else []
    said.append(f"Wrote   {shown(str(done.destination))} as {done.target}: {', '.join(what)}.")
    return said
