"""`convworks audit`: what is in a data set, and what is wrong with it, before anything learns from it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HELP = """\
Look at every image once: what the data is, which files cannot be read, which are copies or parts of one another,
within and across train, val and classes, and what is odd about boxes, masks, classes, groups and file properties.
Your files are not written to. Corrections lie beside the data: see `convworks.data.corrections`. --page shows all
that with the pictures themselves, in one file that works offline.
Exit code 1 when something needs attention."""
EXAMPLES = ("convworks audit pets/", "convworks audit labels.csv --page audit.html")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the data and how it is read."""
    parser.add_argument(
        "data",
        metavar="DATA",
        type=Path,
        help="a folder of images with their annotation, or a table of path,label",
    )
    parser.add_argument(
        "--source",
        default="auto",
        metavar="NAME",
        help="auto, folder, csv, coco, voc, yolo or masks (default: auto)",
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        metavar="FILE",
        help="images to leave out, relabel or keep together (default: DATA.corrections.toml, where there is one)",
    )
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="write what was found, with its pictures, as one HTML page (not into the data's folder)",
    )
    parser.add_argument(
        "--features",
        action="store_true",
        help="look for small parts of one another too, by the features of the pretrained net (longer)",
    )
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="threads (default: one a core)")
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=64_000_000,
        metavar="N",
        help="refuse larger images (default: 64000000)",
    )


def run(args: argparse.Namespace) -> int:
    """Audit, print, and return 1 where a finding is a warning or worse."""
    from convworks.errors import RecipeError
    from convworks.report.audit.audited import audit

    if args.workers < 0 or args.max_pixels < 1:
        raise RecipeError("--workers is at least 0, and --max-pixels at least 1.")
    found = audit(
        args.data,
        source=args.source,
        corrections=args.corrections,
        workers=args.workers,
        max_pixels=args.max_pixels,
        page=args.page,
        features=args.features,
        progress=_progress if sys.stderr.isatty() and not args.json else None,
    )
    if args.json:
        document = found.to_dict() | ({"page": str(args.page)} if args.page else {})
        print(json.dumps(document, ensure_ascii=True, indent=1))
        return int(found.attention)
    print(found)
    if args.page:
        print(
            f"{args.page} ({args.page.stat().st_size / 1e6:.1f} MB): open it in a browser; it needs no network."
        )
    if found.attention:
        more = "" if args.page else " --page FILE.html shows the pictures,"
        print(f"See to what is marked ! or x;{more} --json names every file.")
    else:
        print("Nothing needs attention.")
    return int(found.attention)


def _progress(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        end = "\r" + " " * 40 + "\r" if done == total else ""
        print(f"\r{done:,} of {total:,} images{end}", end="", file=sys.stderr, flush=True)
