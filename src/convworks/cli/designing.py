"""`convworks design --for DATA`: the net that some pictures ask for, each choice with its cause and reason."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from convworks.arithmetic.notation import volume
from convworks.arithmetic.program import python
from convworks.data.glance import propose_net
from convworks.recipe.following import Candidate
from convworks.recipe.nets import NetProposal
from convworks.recipe.propose import batch_of, epochs_from_scratch

WIDTH = 100
SPEED = 4e10
"""Operations a second that two cores are taken to do in training."""


def proposal(data: str, begun: str, input: str, objects: Sequence[float]) -> NetProposal:
    """The net for the pictures of `data`; `begun` is a notation and `input` a size, "" where nothing was said.

    Raises DataError for data that cannot be read, NetError for layers or an input that cannot be.
    """
    given = volume(input) if input else None
    return propose_net(data, begun, objects=objects, input=(given.height, given.width) if given else None)


def before(found: NetProposal) -> str:
    """What was measured, what was chosen and why, and the net as notation and as Python."""
    lines = [*_hung("Measured  ", measured(found)), ""]
    for choice in found.choices:
        lines += [f"{choice.name}: {choice.value}", *_hung("    since  ", choice.cause)]
        lines += _hung("    so     ", choice.reason)
    if found.begun:
        lines += ["", "What may come next, the best first"]
        for candidate in found.following or ():
            lines += [f"  {candidate.notation}", *_hung("    ", candidate.reason)]
        lines += [] if found.following else ["  nothing: the net is whole"]
    lines += ["", "The whole net" if found.begun else "The net", *_hung("  ", found.notation)]
    return "\n".join(
        [*lines, "", "As Python", *(f"  {line}".rstrip() for line in python(found.net).splitlines()), "", ""]
    )


def after(found: NetProposal, data: str) -> str:
    """What training takes, and the command that does it."""
    lines = ["", "", *_hung("", cost(found))]
    if found.aims.classes:
        size = str(min(found.aims.input.height, found.aims.input.width))
        command = ["convworks", "train", data, "--backbone", found.body, "--input-size", size]
        lines += ["", "Train it", f"  {shlex.join(command)}"]
    return "\n".join(lines)


def measured(found: NetProposal) -> str:
    """What was measured of the data, in a sentence."""
    seen = found.aims.fingerprint
    width, height, short = (values[1] for values in (seen.widths, seen.heights, seen.short_sides))
    sides = seen.short_sides
    spread = f", {sides[0]:.0f} to {sides[2]:.0f}" if sides[0] != sides[2] else ""
    objects = (
        "; objects have {:.0f}, {:.0f} and {:.0f} px (10th, 50th and 90th percentile)".format(*seen.objects)
        if seen.objects[1] > 0
        else "; no boxes say how large the objects are (--objects does)"
    )
    return (
        f"{seen.images:,} pictures to learn from, {len(seen.counts)} classes; typically {width:.0f}x{height:.0f} px "
        f"(shorter side {short:.0f}{spread}){objects}"
    )


def cost(found: NetProposal) -> str:
    """What training the net takes, roughly: bytes for a batch, and time by the number of operations."""
    design, images = found.design, found.aims.fingerprint.images
    batch, epochs = batch_of(images), epochs_from_scratch(images)
    held = batch * design.training + 20 * design.parameters
    operations = 6 * design.multiply_adds * images * epochs
    return (
        f"Training takes about {held / 1e6:,.0f} MB with {batch} images a step; {epochs} epochs are "
        f"{operations / 1e12:,.2g} trillion operations, {_time(operations / SPEED)} on two cores that do "
        f"{SPEED / 2e9:.0f} billion a second each."
    )


def document(found: NetProposal) -> dict[str, Any]:
    """What a proposal has beyond its net, as plain values for JSON."""
    seen = found.aims.fingerprint
    return {
        "measured": {
            "images": seen.images,
            "classes": len(seen.counts),
            "widths": seen.widths,
            "heights": seen.heights,
            "short_sides": seen.short_sides,
            "objects": seen.objects,
            "gray": seen.gray,
        },
        "choices": [
            {"name": one.name, "value": one.value, "cause": one.cause, "reason": one.reason}
            for one in found.choices
        ],
        "begun": found.begun,
        "next": [_candidate(one) for one in found.following],
        "steps": [_candidate(one) for one in found.steps],
        "backbone": found.body,
        "python": python(found.net),
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "layer": one.notation,
        "reason": one.reason,
        "output": str(one.output),
        "field": one.field,
    }


def _hung(label: str, said: str) -> list[str]:
    """A label and a sentence, its further lines under its first word."""
    return wrap(said, WIDTH, initial_indent=label, subsequent_indent=" " * len(label))


def _time(seconds: float) -> str:
    if seconds < 90:
        return "about a minute or less"
    return f"about {seconds / 60:.0f} minutes" if seconds < 5400 else f"about {seconds / 3600:.0f} hours"
