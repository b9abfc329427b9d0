"""`convworks check`: whether a net fits and what each layer of it sees, whoever wrote it; before anything runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

TYPE_CHECKING = False  # as type checkers read it; importing `typing` would cost more than a notation does

if TYPE_CHECKING:
    from convworks.arithmetic.advice import Finding
    from convworks.inspection.check import Checked

HELP = "Follow a net layer by layer before anything runs: sizes, cost, what each layer sees, and what does not fit."
EXAMPLES = (
    "convworks check net.py:Net --input 32x32x3",
    "convworks check resnet18 --data boxes/",
)

ALIKE = 3
"""Notes of one kind from which on they are said together."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the net, its input, and the pictures that it is for."""
    parser.add_argument(
        "net",
        metavar="NET",
        help="FILE.py:NAME is a module of yours: a class called without arguments, a function that gives one, or the "
        "module itself (this runs the file); timm:NAME, or a bare name of timm's, without weights; or a notation, as "
        "`convworks design` takes it",
    )
    parser.add_argument(
        "--input",
        metavar="HxWxC",
        help="height x width x channels, as in 32x32x3; a net of timm's has its own, and --data proposes one",
    )
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="pictures that the net is for, as `train` takes them: are objects smaller than a stride, or larger than "
        "what a unit sees?",
    )
    parser.add_argument(
        "--all", action="store_true", help="say every note on its own, also where many are alike"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table and the findings; 1 where a finding needs attention, else 0. Raises NetError, DataError."""
    from convworks.inspection.check import check

    checked = check(args.net, input=size(args.input), data=args.data)
    if args.json:
        print(json.dumps(checked.document(), indent=2))
    else:
        print("\n".join(text(checked, every=args.all)))
    return int(not checked.fits)


def size(text: str | None) -> tuple[int, int, int] | None:
    """The input as (height, width, channels); raises NetError where it is none."""
    if not text:
        return None
    from convworks.arithmetic.notation import volume

    found = volume(text)
    return found.height, found.width, found.channels


def text(checked: Checked, *, every: bool) -> list[str]:
    """The check for a person, line by line; notes that are alike are said together unless `every` is asked for."""
    from convworks.inspection.check import MARKS

    lines = [checked.table()]
    if checked.pictures is not None:
        lines += ["", *checked.pictures.lines(checked.input)]
    grave = [finding for finding in checked.findings if finding.level != "note"]
    for finding in grave:
        lines += ["", f"{MARKS[finding.level]} {finding}"]
    notes = [finding for finding in checked.findings if finding.level == "note"]
    for group in alike(notes):
        if len(group) < ALIKE or every:
            for finding in group:
                lines += ["", f"- {finding}"]
        else:
            lines += ["", *together(group)]
    return lines


def alike(notes: Sequence[Finding]) -> list[list[Finding]]:
    """Notes by their kind, in the order in which the kinds come."""
    groups: dict[str, list[Finding]] = {}
    for note in notes:
        groups.setdefault(note.code, []).append(note)
    return list(groups.values())


def together(group: Sequence[Finding]) -> list[str]:
    """Several notes of one kind in two lines: which layers, and what of the first."""
    first = group[0]
    places = [finding.where.removeprefix("layer ").split(",")[0].split(" ")[0] for finding in group]
    return [
        f"- {len(group)} layers ({', '.join(places)}) alike: {first.what}.",
        f"  The first is {first.where}.",
    ]
