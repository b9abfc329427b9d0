"""Boxes measured: the score, each class with its curve, what its mistakes are, and from which score to believe it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convworks.augmentation import plan
from convworks.evaluation.scenes import SceneEvaluation
from convworks.geometry.move import crop
from convworks.metrics import average_precision as ap
from convworks.metrics import detection_errors as errors
from convworks.report.drawing import apart, curve, figure, line, meter, text
from convworks.report.drawn import boxes_on
from convworks.report.markup import Child, Markup, percent, section, table, tag
from convworks.report.sections.score import measure_chart
from convworks.report.story import Story
from convworks.samples import Box

MEANS = {
    "AP": "precision over all recalls, the mean over overlaps from .5 to .95 and over the classes",
    "AP50": "the same where an overlap (IoU) of .5 is enough",
    "AP75": "where it takes .75: boxes that fit well",
    "AR100": "the share of the objects found with at most 100 boxes a class and image",
}
STRATA = {"small": "below 32 x 32 pixels", "medium": "up to 96 x 96", "large": "larger"}
WANTED = (0.8, 0.9, 0.95)  # precisions for which a score is told
SHOWN = 4  # pictures of each kind of mistake
MOST_CURVES = 12
HEIGHT, LEFT, TOP, BOTTOM = 300, 52, 12, 44
KIND = ("one", "other")  # of lines, in turn
SIDE = 150  # pixels of a picture of a mistake
SAID = {
    "class": "the box is right, the name is not",
    "box": "the name is right, the box is poor (overlap .1 to .5)",
    "both": "a poor box of another class",
    "twice": "an object that a surer box had found already",
    "background": "nothing is there",
    "missed": "an object that no box means",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A mistake: its image, the (name, score, box) that is wrong or missed (NaN), and the object that was meant."""

    kind: str
    place: int
    box: tuple[str, float, Box]
    meant: tuple[str, float, Box] | None


def box_score(story: Story) -> Markup:
    """The section of the score, empty where no detector was measured."""
    evaluation = story.scenes_of("detection")
    if evaluation is None:
        return Markup()
    measured = evaluation.measured()
    chart = measure_chart(measured, "AP")
    values = dict(measured.measures)
    rows: list[list[Child]] = [[name, percent(values[name]), means] for name, means in MEANS.items()]
    there = np.concatenate([one["counted"] for one in evaluation.evidence]).sum(0)
    sizes: list[list[Child]] = [
        [
            f"{size}: {means}",
            f"{there[place]:,}",
            meter(values[f"AP {size}"], "one"),
            percent(values[f"AP {size}"]),
            percent(values[f"AR {size}"]),
        ]
        for place, (size, means) in enumerate(STRATA.items(), 1)
        if there[place]
    ]
    return section(
        "score",
        "Score",
        chart,
        table(["Measure", "Value", ""], rows, numbers=(1,)),
        table(["Size of the object", "Objects", "", "AP", "Found"], sizes, numbers=(1, 3, 4)),
    )


def box_classes(story: Story) -> Markup:
    """The section of each class by itself, with its curve and the scores to believe it from, the hardest first."""
    evaluation = story.scenes_of("detection")
    if evaluation is None:
        return Markup()
    names, evidence = evaluation.classes, evaluation.evidence
    curves = [ap.curve(evidence, len(names), place) for place in range(len(names))]
    values = [evaluation.per_class[name] for name in names]
    order = sorted(range(len(names)), key=lambda place: (math.isnan(values[place]), values[place]))
    there = np.bincount(
        np.concatenate([one["truth_labels"][one["counted"][:, 0]] for one in evidence]), minlength=len(names)
    )
    rows: list[list[Child]] = [
        [
            names[place],
            _with_interval(evaluation, names[place]),
            f"{there[place]:,}",
            *(believed(*curves[place], wanted) for wanted in WANTED),
        ]
        for place in order
    ]
    heads = ["Class", "AP (95 % interval)", "Objects", *(f"{percent(wanted)} right" for wanted in WANTED)]
    shown = [place for place in order if len(curves[place][0])][:MOST_CURVES]
    chart = figure(
        "Precision over recall of each class, at an overlap of .5.",
        lambda width: (HEIGHT, _chart([(names[place], *curves[place][1:]) for place in shown], width)),
        "Each line is a class, from its surest box on: to the right more is found, upwards more of it is right. "
        "Names stand as high as their line does where four fifths are found.",
    )
    said = (
        "The hardest first. The last columns say from which score on that share of the boxes is right (overlap .5), "
        "and in brackets how many of the objects are found then."
    )
    return section(
        "classes", "Class by class", tag("p", said), table(heads, rows, numbers=(1, 2, 3, 4, 5)), chart
    )


def _with_interval(evaluation: SceneEvaluation, name: str) -> str:
    value = percent(evaluation.per_class[name])
    low, high = evaluation.intervals.get(name, (math.nan, math.nan))
    return f"{value} ({100 * low:.0f} to {100 * high:.0f})" if low == low else value


def believed(
    scores: Float[np.ndarray, "n"],
    recall: Float[np.ndarray, "n"],
    precision: Float[np.ndarray, "n"],
    wanted: float,
) -> str:
    """The lowest score down to which `wanted` of the boxes are right, and what is found then, in words."""
    good = np.flatnonzero(precision >= wanted)
    if not len(good):
        return "never"
    last = int(good[-1])
    return f"{scores[last]:.2f} ({percent(float(recall[last]))})"


def box_mistakes(story: Story) -> Markup:
    """The section of what goes wrong at the score that finds and is right most, each kind with its pictures."""
    evaluation = story.scenes_of("detection")
    if evaluation is None:
        return Markup()
    least = best_score(evaluation)
    total = errors.counts(evaluation.evidence, least)
    costs = errors.lost(evaluation.evidence, len(evaluation.classes))
    order = sorted(SAID, key=lambda kind: -costs[kind])
    most = max([0.01, *costs.values()])
    rows: list[list[Child]] = [
        [
            kind,
            meter(costs[kind] / most, "one"),
            f"{100 * costs[kind]:.1f}",
            f"{total[kind]:,}",
            SAID[kind],
        ]
        for kind in order
    ]
    said = (
        f"AP at an overlap of .5 is {percent(evaluation.measures['AP50'])}. The table says how many points it would "
        "gain without one kind of mistake, in boxes of any score: wrong boxes and names put right, second finds and "
        f"finds of nothing left out, missed objects not asked for. From a score of {least:.2f} on, where precision "
        f"and recall are best together, {total['right']:,} boxes are right, and so many are wrong or missing:"
    )
    cards = [_card(story, evaluation, case) for case in worst(evaluation, least)]
    return section(
        "mistakes",
        "Mistakes",
        tag("p", said),
        table(["Kind", "", "AP lost", "How many", "What it is"], rows, numbers=(2, 3)),
        tag(
            "p",
            f"The {SHOWN} surest of each kind; without a score, what is there:" if cards else "",
        ),
        tag("ul", cards, class_="shots"),
    )


def best_score(evaluation: SceneEvaluation) -> float:
    """The score from which on the harmonic mean of precision and recall is the largest, over all classes."""
    scores = np.concatenate([one["scores"] for one in evaluation.evidence])
    right = np.concatenate([(one["hits"][:, 0] & 1) > 0 for one in evaluation.evidence])
    wrong = ~right & ~np.concatenate([(one["skips"][:, 0] & 1) > 0 for one in evaluation.evidence])
    there = sum(int(one["counted"][:, 0].sum()) for one in evaluation.evidence)
    if not len(scores) or not there:
        return 0.5
    order = np.argsort(-scores, kind="stable")
    found, bad = right[order].cumsum(), wrong[order].cumsum()
    return float(scores[order][int((2 * found / (found + bad + there)).argmax())])


def worst(evaluation: SceneEvaluation, least: float) -> list[Case]:
    """Of each kind of mistake the surest."""
    every: dict[str, list[Case]] = {kind: [] for kind in SAID}
    for place, one in enumerate(evaluation.evidence):
        found = errors.judged(one, least)
        objects = [
            (evaluation.classes[name], math.nan, _box(box))
            for name, box in zip(one["truth_labels"].tolist(), one["truth"], strict=True)
        ]
        for row in np.flatnonzero(found.kinds >= 0).tolist():
            box = (evaluation.classes[one["labels"][row]], float(one["scores"][row]), _box(one["boxes"][row]))
            meant = objects[found.means[row]] if found.means[row] >= 0 else None
            kind = errors.KINDS[found.kinds[row]]
            every[kind].append(Case(kind=kind, place=place, box=box, meant=meant))
        for row in np.flatnonzero(found.missed).tolist():
            every["missed"].append(Case(kind="missed", place=place, box=objects[row], meant=None))
    return [
        case
        for cases in every.values()
        for case in sorted(cases, key=lambda case: -case.box[1] if case.box[1] == case.box[1] else 0.0)[
            :SHOWN
        ]
    ]


def _card(story: Story, evaluation: SceneEvaluation, case: Case) -> Markup:
    path = evaluation.paths[case.place]
    shown = [case.box] if case.meant is None else [case.meant, case.box]
    image = story.album.open(path, 0)
    if image is not None:
        edges = np.array([box for _, _, box in shown])
        left, top, right, bottom = *edges[:, :2].min(0).tolist(), *edges[:, 2:].max(0).tolist()
        high, wide = image.shape[:2]
        half = max(right - left, bottom - top, 24.0)
        x, y = (left + right) / 2, (top + bottom) / 2
        x0, y0 = max(0, math.floor(x - half)), max(0, math.floor(y - half))
        x1, y1 = min(wide, math.ceil(x + half)), min(high, math.ceil(y + half))
        move = crop((x0, y0, x1, y1), (round(SIDE * (y1 - y0) / (x1 - x0)), SIDE))
        view = plan.apply_image(plan.Drawn(size_in=(high, wide), move=move), image)
        moved = move.boxes(np.array([box for _, _, box in shown], np.float32))
        named = [(name, score, _box(box)) for (name, score, _), box in zip(shown, moved, strict=True)]
        image = boxes_on(view, named, evaluation.classes)
    name, score, _ = case.box
    said = f"{case.kind}: {name}" + (f" {score:.2f}" if score == score else "")
    if case.meant is not None and case.meant[0] != name:
        said += f", is {case.meant[0]}"
    return tag(
        "li",
        story.album.place(image, SIDE, said),
        tag("p", said, class_="what"),
        tag("p", path, class_="path"),
    )


def _chart(
    curves: Sequence[tuple[str, Float[np.ndarray, "n"], Float[np.ndarray, "n"]]], width: int
) -> Sequence[Child]:
    right = 110 if width > 500 else 84

    def at(recall: float, precision: float) -> tuple[float, float]:
        room, high = width - LEFT - right, HEIGHT - TOP - BOTTOM
        return LEFT + recall * room, TOP + (1 - precision) * high

    drawn: list[Child] = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn.append(line(*at(0, tick), *at(1, tick), "grid"))
        drawn.append(text(LEFT - 8, at(0, tick)[1] + 4, percent(tick), "tick", "end"))
        drawn.append(text(at(tick, 0)[0], HEIGHT - BOTTOM + 18, percent(tick), "tick", "middle"))
    drawn.append(text(at(0.5, 0)[0], HEIGHT - 6, "found", "label", "middle"))
    ends: list[float] = []
    for number, (_, recall, precision) in enumerate(curves):
        points = [at(one, other) for one, other in zip(recall.tolist(), precision.tolist(), strict=True)]
        drawn.append(curve(points, f"line {KIND[number % 2]}"))
        ends.append(at(0, ap.at_recalls(recall, precision)[80].item())[1])
    for number, (level, (name, _, _)) in enumerate(zip(apart(ends, 16), curves, strict=True)):
        drawn.append(text(width - right + 8, level + 4, name, f"{KIND[number % 2]} label"))
    return drawn


def _box(row: Float[np.ndarray, "4"]) -> Box:
    left, top, right, bottom = row.tolist()
    return left, top, right, bottom
