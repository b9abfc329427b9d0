"""Whether its probabilities can be taken at their word, drawn as a reliability diagram."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from convworks.evaluation.uncertainty import wilson
from convworks.metrics.calibration import Bin, calibration_counts, calibration_error, reliability
from convworks.report.drawing import dot, figure, line, text
from convworks.report.markup import Child, Markup, folded, percent, section, table, tag
from convworks.report.story import Story

BINS = 10
LEFT, TOP, BOTTOM, RIGHT = 52, 12, 46, 12
HIGH = 0.05  # an error from here on is called noticeable


def calibration(story: Story) -> Markup:
    """The section, empty without an evaluation."""
    pairs = _answers(story)
    if pairs is None or not len(pairs[1]):
        return Markup()
    counts = calibration_counts(*pairs, BINS)
    bins, error = reliability(counts), calibration_error(counts)
    n = len(pairs[1])
    sure, right = sum(each.confidence * each.n for each in bins) / n, sum(each.right for each in bins) / n
    said = f"It says {percent(sure)} on average and is right on {percent(right)}."
    if story.labels:
        said = f"Whether a class is there or not, asked of each class of each image. {said}"
    if error < HIGH:
        said += f" Its probabilities can be taken at their word: they miss by {100 * error:.1f} points on average."
    else:
        way = "surer than it should be" if sure > right else "less sure than it could be"
        said += f" Confidence and truth differ by {100 * error:.1f} points on average, over all levels; it is {way}."
    rows = [
        [
            f"{percent(each.low)} to {percent(each.high)}",
            str(each.n),
            percent(each.confidence),
            percent(each.accuracy),
        ]
        for each in bins
    ]
    listing = table(
        ["Answers that say", "Answers" if story.labels else "Images", "It says", "Right"],
        rows,
        numbers=(1, 2, 3),
    )
    chart = figure(
        f"Reliability: {said}",
        lambda width: (340, _chart(bins, width)),
        "A point on the dashed line is honest; above it, the net is too modest; below it, too sure. Larger points "
        "stand for more images, bars for the 95 % interval.",
    )
    return section(
        "calibration",
        "Can its probabilities be believed?",
        tag("p", said),
        chart,
        folded("The same as a table", listing),
    )


def _answers(story: Story) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n"]] | None:
    """Probabilities that sum to 1, and which of them belongs to what is so; of several labels, yes and no of each."""
    if story.labels:
        there = story.labels.probabilities.ravel()
        return np.stack([1 - there, there], 1), story.labels.truth.ravel().astype(np.int64)
    if story.evaluation:
        return story.evaluation.probabilities, story.evaluation.truth
    return None


def shares(x: Callable[[float], float], y: Callable[[float], float], across: str, up: str) -> list[Child]:
    """The frame of a chart of one share over another: lines and figures at each quarter, and what they are of."""
    drawn: list[Child] = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        drawn += [
            line(x(0), y(tick), x(1), y(tick), "grid"),
            text(x(0) - 8, y(tick) + 4, percent(tick), "tick", "end"),
            text(x(tick), y(0) + 18, percent(tick), "tick", "middle"),
        ]
    drawn.append(text(x(0.5), y(0) + 38, across, "label", "middle"))
    drawn.append(text(x(0) + 6, y(1) + 14, up, "label"))
    return drawn


def _chart(bins: Sequence[Bin], width: int) -> list[Child]:
    height = 340
    side = min(width - LEFT - RIGHT, height - TOP - BOTTOM)

    def x(share: float) -> float:
        return LEFT + share * side

    def y(share: float) -> float:
        return TOP + (1 - share) * side

    drawn = shares(x, y, "it says", "right")
    drawn.append(line(x(0), y(0), x(1), y(1), "guess"))
    most = max(each.n for each in bins)
    for each in bins:
        low, high = wilson(each.right, each.n)
        at = x(each.confidence)
        drawn.append(line(at, y(low), at, y(high), "whisker"))
        drawn.append(dot(at, y(each.accuracy), 3 + 6 * math.sqrt(each.n / most), "one"))
    return drawn
