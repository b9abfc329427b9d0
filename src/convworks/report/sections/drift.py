"""Did the stages change once they were unfrozen? (A reader's question under the guide.) How far each one moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convworks.events import DriftMeasured
from convworks.report.drawing import box, figure, line, text
from convworks.report.markup import Child, Markup, join, section, table, tag
from convworks.report.story import Story
from convworks.report.wording import count, sentence

ROW, TOP, RIGHT = 26, 4, 84  # pixels
LETTER = 7.2  # pixels a letter of a stage's name takes


def drift(story: Story) -> Markup:
    """The section, empty where no stage was unfrozen from weights that it had."""
    measured = story.last(DriftMeasured)
    if measured is None or not measured.stages:
        return Markup()
    rows: list[list[Child]] = [
        [name, moved(change), _learned(change), "unknown" if math.isnan(alike) else f"{alike:.2f}"]
        for name, change, alike in measured.stages
    ]
    how = (
        "Moved is the length of the step from the pretrained weights over their own length. Alike compares what a "
        f"stage says of {count(measured.n, 'training image')} before and after (linear CKA): 1 is the same up to "
        "a rotation, 0 has nothing in common. A small step of the weights can change much of what they say."
    )
    chart = figure(
        f"How far each stage moved: {', '.join(f'{name} {moved(change)}' for name, change, _ in measured.stages)}.",
        lambda width: (TOP + ROW * len(measured.stages), _bars(measured.stages, width)),
        join("Stages from the input on, of the candidate ", tag("b", measured.candidate), "."),
    )
    return section(
        "drift",
        "How far the net moved",
        tag("p", sentence(measured.said)),
        chart,
        tag("p", how),
        table(["Stage", "Moved", "", "Alike"], rows, numbers=(1, 3)),
    )


def moved(change: float) -> str:
    r"""A relative change in per cent; of a frozen stage exactly 0.

    >>> moved(0.0), moved(0.0042), moved(0.21)
    ('0', '0.42\xa0%', '21\xa0%')
    """
    return f"{100 * change:.2g}\xa0%" if change else "0"


def _learned(change: float) -> str:
    return "learned" if change else "frozen: exactly 0"


def _bars(stages: Sequence[tuple[str, float, float]], width: int) -> list[Child]:
    left = 12 + LETTER * max(len(name) for name, _, _ in stages)
    longest = max((change for _, change, _ in stages if math.isfinite(change)), default=0.0) or 1.0
    room = max(width - left - RIGHT, 40)
    drawn: list[Child] = [line(left, TOP, left, TOP + ROW * len(stages), "axis")]
    for place, (name, change, _) in enumerate(stages):
        middle = TOP + ROW * (place + 0.5)
        length = room * min(change / longest, 1.0)
        drawn.append(text(left - 8, middle + 4, name, "label", "end"))
        if change:
            drawn.append(box(left, middle - 7, length, 14, "other", 2))
        drawn.append(text(left + length + 8, middle + 4, moved(change) if change else "frozen: 0", "tick"))
    return drawn
