"""`convworks audit`: what is in a data set, and what is wrong with it, before anything learns from it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convworks.data.audit import Audit
    from convworks.data.overview import Overview, Part

HELP = """\
Look at every image once: what the data is, which files cannot be read, which are copies or parts of one another,
within and across train, val and classes, and what is odd about boxes, masks, classes, groups and file properties.
Your files are not written to. Corrections lie beside the data: see `convworks.data.corrections`.
Exit code 1 when something needs attention."""
EXAMPLES = ("convworks audit pets/", "convworks audit labels.csv --json > audit.json")

KINDS = {"detection": "boxes", "localization": "one box an image", "segmentation": "masks"}
"""What a task beside classification is about, in words."""


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
    from convworks.data import audit, sources
    from convworks.errors import RecipeError

    if args.workers < 0 or args.max_pixels < 1:
        raise RecipeError("--workers is at least 0, and --max-pixels at least 1.")
    dataset = sources.read(args.data, source=args.source, corrections=args.corrections)
    found = audit.scan(
        dataset,
        workers=args.workers or os.cpu_count() or 1,
        progress=_progress if sys.stderr.isatty() and not args.json else None,
        max_pixels=args.max_pixels,
        stop=False,
    )
    attention = any(finding.level != "note" for finding in found.findings)
    if args.json:
        print(json.dumps(summary(found), ensure_ascii=True, indent=1))
    else:
        print("\n".join(lines(found)))
        print(
            "See to what is marked ! or x; --json names every file."
            if attention
            else "Nothing needs attention."
        )
    return int(attention)


def summary(found: Audit) -> dict[str, Any]:
    """All that was found as plain values for JSON, with every file named."""
    from convworks.data.overview import overview

    dataset, seen = found.dataset, overview(found)
    members: dict[int, list[str]] = {}
    for record, group in zip(dataset.records, found.groups.tolist(), strict=True):
        members.setdefault(group, []).append(record.path)
    parts = [asdict(part) for part in seen.parts]
    return {
        "root": str(dataset.root),
        "source": dataset.source,
        "task": dataset.task,
        "images": seen.images,
        "classes": list(dataset.classes),
        "counts": {part.split or "all": dict(part.by_class) for part in seen.parts},
        "parts": parts,
        "short_sides": dict(zip(("smallest", "median", "largest"), seen.short_sides, strict=True)),
        "objects": asdict(seen.objects) if seen.objects else None,
        "gray": seen.gray,
        "notes": list(dataset.notes),
        "findings": [
            {name: value for name, value in asdict(finding).items() if name != "epoch"}
            for finding in found.findings
        ],
        "set_aside": [{"path": file.path, "reason": file.reason} for file in dataset.set_aside],
        "copies": [paths for paths in members.values() if len(paths) > 1],
    }


def lines(found: Audit) -> list[str]:
    """What was found, for a person: the data in a few lines, then a line a finding with its files below it."""
    from convworks.data.names import count, shown
    from convworks.data.overview import overview

    dataset, seen = found.dataset, overview(found)
    about = KINDS.get(dataset.task, "several labels an image" if dataset.task == "multilabel" else "")
    said = [
        f"Data    {shown(str(dataset.root))}: {count(seen.images, 'usable image')}, "
        f"{count(len(dataset.classes), 'class', 'classes')}{f', {about}' if about else ''}, read as {dataset.source}."
    ]
    said += [_part(part) for part in seen.parts]
    small, median, large = seen.short_sides
    said.append(f"Sizes   short side {small} to {large} px, median {median}; {seen.gray:,} without colour.")
    said += _objects(seen)
    said += [f"Note    {note}" for note in dataset.notes]
    for finding in found.findings:
        mark = {"note": "-", "warning": "!", "error": "x"}[finding.level]
        said.append(f"  {mark} {finding.said}")
        said += [f"      {finding.evidence}"] if finding.evidence else []
        said += [f"      Why: {finding.why}."] if finding.why and finding.level != "note" else []
        said += [f"      Next: {finding.action}."] if finding.action else []
    return said


def _part(part: Part) -> str:
    """How much of each class there is in a split: pixels where they are told, else objects, else images."""
    start = f"{part.split.capitalize() or 'Counts':<8}{part.images:,}"
    if part.pixels:
        shares = {name: f"{share:.1%}" for name, share in part.pixels.items()}
        return f"{start} images, pixels: {_few(shares)}."
    if part.objects:
        return f"{start} images, {sum(part.objects.values()):,} objects: {_few(part.objects)}."
    return f"{start}: {_few(part.by_class)}."


def _few(values: Mapping[str, int | str]) -> str:
    from convworks.data.names import few

    told = [f"{name} {value if isinstance(value, str) else f'{value:,}'}" for name, value in values.items()]
    return few(told, 12)


def _objects(seen: Overview) -> list[str]:
    if seen.objects is None:
        return []
    (least, usual, most), (small, median, large) = seen.objects.an_image, seen.objects.side
    return [
        f"Objects {least:.0f} to {most:.0f} an image, median {usual:.0f}; {small:.0f} to {large:.0f} px wide and high, "
        f"median {median:.0f}, {seen.objects.share[1]:.0%} of the short side."
    ]


def _progress(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        end = "\r" + " " * 40 + "\r" if done == total else ""
        print(f"\r{done:,} of {total:,} images{end}", end="", file=sys.stderr, flush=True)
