"""What `convworks design` draws and writes beside its table: pictures, Python, and what one unit sees."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convworks.errors import NetError, RecipeError

if TYPE_CHECKING:
    from convworks.arithmetic.spec import Pair
    from convworks.arithmetic.summary import Design

LEAST, MOST = 240, 10_000
"""Pixels that a picture may be wide."""


def written(args: argparse.Namespace, net: Design) -> tuple[dict[str, str], dict[str, Any]]:
    """Writes what was asked for; returns the files, each with what it shows, and what a unit sees as plain values.

    Raises RecipeError for options that do not go together, NetError for a layer that is not there, DecodeError for a
    picture that cannot be read.
    """
    if not LEAST <= args.width <= MOST:
        raise RecipeError(f"--width is {args.width}.", expected=f"from {LEAST} to {MOST:,} pixels")
    for file in filter(None, (args.picture, args.strip)):
        if not file.lower().endswith(".svg"):
            raise RecipeError(
                f'"{file}" is no name for a picture here.', fix=str(Path(file).with_suffix(".svg"))
            )
    if args.unit is not None and not args.see:
        raise RecipeError("--unit without --see.", fix="--see IMAGE names the picture that the unit looks at")
    drawn: dict[str, tuple[str, str]] = {}
    seen: dict[str, Any] = {}
    if args.see:
        figure, seen = _seen(args, net)
        if args.picture:
            drawn[args.picture] = f"what a unit sees of {args.see}", figure
    elif args.picture and args.layer is not None:
        drawn[args.picture] = f"the windows of layer {args.layer}", net.windows(args.layer, args.width)
    elif args.picture:
        drawn[args.picture] = "the net as volumes", net.svg(args.width)
    if args.strip:
        drawn[args.strip] = "the net as a strip", net.strip(args.width)
    if args.python and args.python != "-":
        drawn[args.python] = "the net as Python", net.python()
    from convworks.files import write_whole

    for file, (_, content) in drawn.items():
        write_whole(Path(file), content.encode())
    return {file: shows for file, (shows, _) in drawn.items()}, seen


def _seen(args: argparse.Namespace, net: Design) -> tuple[str, dict[str, Any]]:
    """The figure of what a unit sees of the user's picture, and the same as plain values and in words."""
    if net.walk.error is not None:
        raise net.walk.error
    from convworks.report.fields import see

    figure, found = see(
        net.net, Path(args.see), layer=args.layer, unit=_unit(args.unit), width=min(args.width, 1200)
    )
    return figure, {
        "said": str(found),
        "unit": list(found.unit),
        "units": list(found.units),
        "box": list(found.box),
        "within": list(found.clipped),
        "share": found.share(),
    }


def _unit(text: str | None) -> Pair | None:
    """A row and a column apart by a comma; None for the middle."""
    if text is None:
        return None
    numbers = text.replace(" ", "").split(",")
    if len(numbers) != 2 or not all(number.isascii() and number.isdecimal() for number in numbers):
        raise NetError(f'The unit "{text[:40]}" is none.', expected="ROW,COLUMN from 0 on, as in 3,4")
    return int(numbers[0]), int(numbers[1])
