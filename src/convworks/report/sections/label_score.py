"""Several labels an image: the score on one bar, each class by itself, and precision over recall."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from convworks.evaluation.labels import LabelEvaluation
from convworks.metrics.ranking import f1, precision_recall
from convworks.report.drawing import curve, dot, figure, line, meter
from convworks.report.markup import Child, Markup, folded, join, percent, section, table, tag
from convworks.report.sections.calibration import shares
from convworks.report.sections.score import bar
from convworks.report.story import Story
from convworks.report.wording import count

DRAWN = 12  # classes whose curves are drawn, the hardest first
LEFT, TOP, BOTTOM, RIGHT, HEIGHT = 52, 12, 46, 12, 300


def label_score(story: Story) -> Markup:
    """The section, empty without an evaluation."""
    evaluation = story.labels
    if evaluation is None or evaluation.n == 0:
        return Markup()
    measured = evaluation.measured()
    blind = evaluation.baseline
    marks = [(blind, f"an order by chance {percent(blind)}", "guess")] if math.isfinite(blind) else []
    said = (
        f"{measured.measure} {percent(measured.value)}, 95 % interval {percent(measured.low)} to "
        f"{percent(measured.high)}; an order by chance gives {percent(blind)}."
    )
    chart = figure(
        said,
        lambda width: (128, bar(measured.value, measured.low, measured.high, marks, width)),
        measured.said,
    )
    rows: list[list[Child]] = [
        [name, percent(value), MEANS.get(name, "")] for name, value in measured.measures
    ]
    rows.insert(
        1, ["95 % interval", f"{percent(measured.low)} to {percent(measured.high)}", "bootstrap over images"]
    )
    rows.append(["An order by chance", percent(blind), "how common the classes are, on average"])
    how = (
        "The images are put into an order for each class, the surest first; average precision is the share that shows "
        "the class, counted down to each image that does, and the score is its mean over the classes. It does not "
        "depend on from which probability on a class is named."
    )
    return section(
        "score", "Score", tag("p", how), chart, table(["Measure", "Value", ""], rows, numbers=(1,))
    )


MEANS = {
    "mean average precision": "the score",
    "macro F1": "of the classes named, mean over the classes",
    "micro F1": "of all names given to all images, together",
    "whole sets right": "images of which every class was said right",
}


def by_class(story: Story) -> Markup:
    """The section of each class by itself, empty without an evaluation."""
    evaluation = story.labels
    if evaluation is None or evaluation.n == 0:
        return Markup()
    found = evaluation.average_precisions
    order = sorted(range(len(found)), key=lambda place: (math.isnan(found[place]), found[place], place))
    rows = [_row(evaluation, place, float(found[place])) for place in order]
    heads = ["Class", "Average precision", "By chance", "Named from", "Right when named", "Found", "F1"]
    said = (
        "The hardest first. A class is named from its own probability on, which the tuning images chose: the one with "
        "the highest F1 there."
    )
    drawn = [place for place in order if math.isfinite(found[place])][:DRAWN]
    charts = [_curves(evaluation, place) for place in drawn]
    first = join(tag("h3", "What naming it more often would cost"), *charts[:1]) if charts else Markup()
    others = folded(f"The same for {count(len(charts) - 1, 'more class', 'more classes')}", *charts[1:])
    return section(
        "classes",
        "Each class by itself",
        tag("p", said),
        table(heads, rows, numbers=(2, 3, 4, 5, 6)),
        first,
        others if len(charts) > 1 else "",
    )


def _row(evaluation: LabelEvaluation, place: int, value: float) -> list[Child]:
    right, named, there = evaluation.counts[place].tolist()
    return [
        evaluation.classes[place],
        join(meter(value, "one"), " ", percent(value)),
        percent(float(evaluation.prevalence[place])),
        f"{evaluation.thresholds[place]:.2f}",
        f"{right:,} of {named:,}" if named else "never named",
        f"{right:,} of {there:,}" if there else "not there",
        percent(float(f1(evaluation.counts[place]))),
    ]


def _curves(evaluation: LabelEvaluation, place: int) -> Markup:
    """Precision over recall of one class, with the point from which on it is named."""
    name, truth = evaluation.classes[place], evaluation.truth[:, place]
    _, precision, recall = precision_recall(evaluation.probabilities[:, place], truth)
    right, named, there = evaluation.counts[place].tolist()
    point = (right / there, right / named) if named else None
    blind = float(truth.mean())
    at = f"Named from {evaluation.thresholds[place]:.2f} on, it is found in {right} of {there} images that show it"
    said = f"{at}, and right {right} of {named} times." if named else f"{at}: it is never named."
    return figure(
        f"Precision over recall of {name}: {said}",
        lambda width: (HEIGHT, _chart(precision, recall, point, blind, width)),
        join(tag("b", name), f". {said} Dashed: naming it in every image."),
    )


def _chart(
    precision: np.ndarray, recall: np.ndarray, point: tuple[float, float] | None, blind: float, width: int
) -> Sequence[Child]:
    side = min(width, 420) - LEFT - RIGHT

    def x(share: float) -> float:
        return LEFT + share * side

    def y(share: float) -> float:
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)

    drawn = shares(x, y, "of the images that show it, found", "right when named")
    drawn.append(line(x(0), y(blind), x(1), y(blind), "guess"))
    steps: list[tuple[float, float]] = []
    before = 0.0
    for share, exact in zip(recall.tolist(), precision.tolist(), strict=True):
        if share > before:
            steps += [(x(before), y(exact)), (x(share), y(exact))]
            before = share
    drawn.append(curve(steps, "line one"))
    if point is not None:
        drawn.append(dot(x(point[0]), y(point[1]), 6, "score"))
    return drawn
