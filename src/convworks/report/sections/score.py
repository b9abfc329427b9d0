"""The score on one bar: where it is, how well it is known, and where knowing nothing would be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convworks.events import Measured, Scored
from convworks.report.drawing import box, dot, figure, line, text
from convworks.report.markup import Child, Markup, folded, percent, section, table
from convworks.report.story import Story

MARGIN = 16
BAR, AXIS = 46, 78  # y of the score's bar and of the axis
LABEL = 6.6  # pixels a letter of a label takes


def score(story: Story) -> Markup:
    """The section, empty without a score."""
    scored = story.scored
    if scored is None or scored.of == 0:
        return Markup()
    rows = [
        ["Right", f"{scored.right:,} of {scored.of:,}", percent(scored.accuracy)],
        ["95 % interval (Wilson)", "", f"{percent(scored.low)} to {percent(scored.high)}"],
        ["Guessing", f"{len(story.classes)} classes", percent(scored.chance)],
    ]
    if not math.isnan(scored.majority):
        rows.append([f"Always “{scored.majority_class}”", "commonest in training", percent(scored.majority)])
    said = (
        f"Score {percent(scored.accuracy)}, 95 % interval {percent(scored.low)} to {percent(scored.high)}; "
        f"guessing gives {percent(scored.chance)}, always answering {scored.majority_class} "
        f"{percent(scored.majority)}."
    )
    chart = figure(said, lambda width: (128, _bar(scored, width)), scored.said)
    return section(
        "score", "Score", chart, folded("The same as a table", table(["", "", "Share"], rows, numbers=(2,)))
    )


def _bar(scored: Scored, width: int) -> Sequence[Child]:
    marks = [(scored.chance, f"guessing {percent(scored.chance)}", "guess")]
    if not math.isnan(scored.majority):
        always = f"always “{_short(scored.majority_class)}” {percent(scored.majority)}"
        if abs(scored.majority - scored.chance) < 0.005:
            marks = [(scored.chance, f"guessing, or {always}", "guess")]
        else:
            marks.append((scored.majority, always, "always"))
    return bar(scored.accuracy, scored.low, scored.high, marks, width)


def measure_chart(measured: Measured, name: str) -> Markup:
    """The measure that counts, called `name`, on one bar with its interval."""
    said = f"{name} {percent(measured.value)}, 95 % interval {percent(measured.low)} to {percent(measured.high)}."
    return figure(
        said, lambda width: (96, bar(measured.value, measured.low, measured.high, [], width)), measured.said
    )


def bar(
    value: float, low: float, high: float, marks: Sequence[tuple[float, str, str]], width: int
) -> Sequence[Child]:
    """A score in [0, 1] with its interval, and marks (where, label, kind) below it."""

    def x(share: float) -> float:
        return MARGIN + share * (width - 2 * MARGIN)

    drawn: list[Child] = [
        box(x(0), BAR - 5, x(1) - x(0), 10, "track", 5),
        box(x(low), BAR - 5, x(high) - x(low), 10, "interval", 5),
        *(line(x(at), BAR - 11, x(at), BAR + 11, "cap") for at in (low, high)),
        dot(x(value), BAR, 8, "score"),
    ]
    said = f"{percent(value)} ({percent(low)} to {percent(high)})"
    half = 4.6 * len(said)
    middle = min(max(x(value), MARGIN + half), width - MARGIN - half)
    drawn.append(text(middle, BAR - 20, said, "figure", "middle"))
    for tick in (0, 0.25, 0.5, 0.75, 1):
        anchor = "start" if tick == 0 else "end" if tick == 1 else "middle"
        drawn.append(line(x(tick), AXIS - 4, x(tick), AXIS, "axis"))
        if all(abs(x(tick) - x(share)) > 26 for share, _, _ in marks):
            drawn.append(text(x(tick), AXIS + 14, percent(tick), "tick", anchor))
    drawn.append(line(x(0), AXIS - 4, x(1), AXIS - 4, "axis"))
    for row, (share, said, kind) in enumerate(marks):
        at, half = x(share), LABEL * len(said) / 2
        place = min(max(at, MARGIN + half), width - MARGIN - half)
        under = AXIS + 32 + 16 * row
        drawn += [line(at, BAR - 12, at, under - 11, kind), text(place, under, said, "label", "middle")]
    return drawn


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
