"""The ladder in words: a line for what happens, the table at the end, and two sentences for each step."""

from __future__ import annotations

import math
from itertools import pairwise

from convworks.events import Interrupted, Progress
from convworks.report.wording import count, duration
from convworks.studies.ladder import Begun, Measured, Said
from convworks.studies.rows import Climb, Row, Settled
from convworks.studies.rungs import RUNGS, Work

BY_NAME = {rung.name: rung for rung in RUNGS}
DOING = {"audit": "looking at the pictures"}
HEADS = ("", "AP", "(95 %)", "AP50", "a picture", "its boxes", "to train", "crops", "maps", "reads")
APART = (
    "The figures compare these steps with each other: the papers look at 2,000 boxes a picture, crop 227 pixels, and "
    "let the net learn along."
)


def line(said: Said) -> str:
    """What is said of it in a terminal, "" for nothing."""
    match said:
        case Settled():
            return settled(said)
        case Begun():
            return f"{_title(said.rung)}: {sentences(said.rung)[0]}"
        case Measured(kept=True):
            return f"{_title(said.row.rung)}: measured before. {measured(said.row)}"
        case Measured():
            return f"{_title(said.row.rung)}: {measured(said.row)}"
        case Interrupted():
            return f"Stopped by {said.signal}; what was measured is kept. Go on: {said.command}"
        case _:
            return ""


def progress(said: Progress) -> str:
    """How far something is, and what is left of it."""
    left = (
        f", {duration(said.remaining)} left" if math.isfinite(said.remaining) and said.remaining > 0 else ""
    )
    return f"{DOING.get(said.stage, said.stage)}: {said.done:,} of {said.total:,}{left}"


def settled(said: Settled) -> str:
    """What the ladder is climbed with."""
    return (
        f"{said.learn} pictures teach and {said.measure} measure, in frames of {said.width} x {said.height}; "
        f"{said.backbone}, frozen, gives a map every {said.stride} pixels; {said.proposals} proposals a picture."
    )


def measured(row: Row) -> str:
    """What a step finds, and what it takes."""
    return (
        f"AP {row.ap:.3f} ({row.low:.3f}-{row.high:.3f}), AP50 {row.ap50:.3f}; {seconds(row.seconds)} a picture, "
        f"{duration(row.training)} to train."
    )


def table(ladder: Climb) -> list[str]:
    """The lines of the table: a row a step, seconds and what was computed for one picture."""
    rows = [HEADS, *(_cells(row, ladder.settled.measure) for row in ladder.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _cells(row: Row, pictures: int) -> tuple[str, ...]:
    each = a_picture(row.looking, pictures)
    return (
        BY_NAME[row.rung].title,
        f"{row.ap:.3f}",
        f"{row.low:.3f}-{row.high:.3f}",
        f"{row.ap50:.3f}",
        seconds(row.seconds),
        seconds(row.proposing) if row.proposing else "-",
        duration(row.training),
        *(f"{value:.0f}" if value else "-" for value in (each["crops"], each["maps"], each["reads"])),
    )


def a_picture(work: Work, pictures: int) -> dict[str, float]:
    """What was computed for one picture, on average."""
    return {name: getattr(work, name) / max(pictures, 1) for name in ("crops", "maps", "reads", "proposals")}


def seconds(value: float) -> str:
    """Seconds of a picture, to two digits.

    >>> seconds(1.234), seconds(0.0456)
    ('1.2 s', '0.046 s')
    """
    digits = 1 if value >= 1 else max(0, 1 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f} s"


def verdict(ladder: Climb) -> str:
    """From the first step to the last in a sentence."""
    if not ladder.rows:
        return "No step has been measured yet."
    first, last = ladder.rows[0], ladder.rows[-1]
    if first is last:
        return f"{_title(first.rung)}: {measured(first)}"
    return (
        f"From {_title(first.rung)} to {_title(last.rung).replace('The', 'the')}: {seconds(first.seconds)} a picture "
        f"became {seconds(last.seconds)}, {times(first.seconds, last.seconds)}; AP went from {first.ap:.3f} to "
        f"{last.ap:.3f}, on {count(ladder.settled.measure, 'picture')} that nothing learned from."
    )


def times(before: float, now: float) -> str:
    """How much quicker or slower, in words.

    >>> times(3.0, 1.0), times(1.0, 1.02), times(1.0, 2.0)
    ('3.0 times as quick', 'as quick as before', '2.0 times as slow')
    """
    if now <= 0 or before <= 0:
        return "not timed"
    ratio = before / now
    if 0.95 < ratio < 1.05:
        return "as quick as before"
    told, word = (ratio, "quick") if ratio > 1 else (1 / ratio, "slow")
    return f"{told:.1f} times as {word}" if told < 10 else f"{told:.0f} times as {word}"


def in_order(ladder: Climb) -> bool:
    """Whether each step was quicker than the one before it."""
    spent = [row.seconds for row in ladder.rows]
    return all(later < earlier for earlier, later in pairwise(spent))


def sentences(rung: str) -> tuple[str, str]:
    """What a step does, and why it came."""
    return SENTENCES[rung]


def _title(rung: str) -> str:
    return BY_NAME[rung].title


SENTENCES: dict[str, tuple[str, str]] = {
    "rcnn": (
        "Every box that selective search proposes is cut out, warped to one size and sent through the net by itself; a "
        "support vector machine a class says what it is, and a regressor moves it.",
        "It brought what a net learned from millions of pictures to detection; but neighbouring boxes share most of "
        "their pixels, and the net computes them anew for each.",
    ),
    "spp": (
        "The net runs once over the whole picture, and every box reads its features from that one map, as grids of the "
        "largest values.",
        "What R-CNN computed for every box is now computed once a picture; the machines are taught as before, one "
        "after the other, from features that must be kept.",
    ),
    "fast": (
        "One grid for each box, then layers that say the class and move the box, learned together as one net.",
        "Nothing is kept on disk and taught apart any more; what is left to wait for is selective search.",
    ),
    "faster": (
        "A small net that slides over the same map says where objects may be, and learns to: selective search is gone.",
        "The boxes cost next to nothing once the map is there, and being learned they fit these objects better.",
    ),
    "default": (
        "There is no second look: every cell of a small pyramid of maps says at once what it sees and where that ends.",
        "No region is read by itself and no anchor has to be chosen; it is what convworks train trains on boxes, "
        "here with the body as frozen as that of the others.",
    ),
}
