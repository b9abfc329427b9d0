"""`convworks audit`: what is in a data set, and what is wrong with it, before anything learns from it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convworks.data.audit import Audit
    from convworks.data.record import DataSet

HELP = """\
Look at every image once: what the data is, which files cannot be read, which are copies of one another,
within and across train, val and classes. Your files are not written to.
Exit code 1 when something needs attention."""
EXAMPLES = ("convworks audit pets/", "convworks audit labels.csv --json > audit.json")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the data and how it is read."""
    parser.add_argument(
        "data",
        metavar="DATA",
        type=Path,
        help="a folder with one folder a class, or a CSV table of path,label",
    )
    parser.add_argument(
        "--source", default="auto", metavar="NAME", help="auto, folder or csv (default: auto)"
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
    dataset = sources.read(args.data, source=args.source)
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
    dataset = found.dataset
    members: dict[int, list[str]] = {}
    for record, group in zip(dataset.records, found.groups.tolist(), strict=True):
        members.setdefault(group, []).append(record.path)
    return {
        "root": str(dataset.root),
        "source": dataset.source,
        "task": dataset.task,
        "images": len(dataset.records),
        "classes": list(dataset.classes),
        "counts": {
            split or "all": dict(sorted(counts.items())) for split, counts in _counts(dataset).items()
        },
        "short_sides": dict(zip(("smallest", "median", "largest"), _short_sides(found), strict=True)),
        "gray": sum(fact.gray for fact in found.facts),
        "notes": list(dataset.notes),
        "findings": [
            {name: getattr(finding, name) for name in ("code", "level", "said", "evidence", "action")}
            for finding in found.findings
        ],
        "set_aside": [{"path": file.path, "reason": file.reason} for file in dataset.set_aside],
        "copies": [paths for paths in members.values() if len(paths) > 1],
    }


def lines(found: Audit) -> list[str]:
    """What was found, for a person: the data in a few lines, then a line a finding with its files below it."""
    from convworks.data.names import count, few, shown

    dataset = found.dataset
    said = [
        f"Data    {shown(str(dataset.root))}: {count(len(dataset.records), 'usable image')}, "
        f"{count(len(dataset.classes), 'class', 'classes')}, read as {dataset.source}."
    ]
    for split, counts in _counts(dataset).items():
        classes = few([f"{name} {number:,}" for name, number in sorted(counts.items())], 12)
        said.append(f"{split.capitalize() or 'Counts':<8}{counts.total():,}: {classes}.")
    small, median, large = _short_sides(found)
    gray = sum(fact.gray for fact in found.facts)
    said.append(f"Sizes   short side {small} to {large} px, median {median}; {gray:,} without colour.")
    said += [f"Note    {note}" for note in dataset.notes]
    for finding in found.findings:
        mark = {"note": "-", "warning": "!", "error": "x"}[finding.level]
        said.append(f"  {mark} {finding.said}")
        said += [f"      {finding.evidence}"] if finding.evidence else []
        said += [f"      Next: {finding.action}."] if finding.action else []
    return said


def _counts(dataset: DataSet) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for record in dataset.records:
        counts.setdefault(record.split, Counter())[record.label] += 1
    return counts


def _short_sides(found: Audit) -> tuple[int, int, int]:
    sides = sorted(min(fact.width, fact.height) for fact in found.facts) or [0]
    return sides[0], sides[len(sides) // 2], sides[-1]


def _progress(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        end = "\r" + " " * 40 + "\r" if done == total else ""
        print(f"\r{done:,} of {total:,} images{end}", end="", file=sys.stderr, flush=True)
