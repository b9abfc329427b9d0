"""Outlines of objects measured: masks and their boxes by score, by class, and the pictures that went worst."""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8

from convworks.evaluation.scenes import DRAWS, SceneEvaluation
from convworks.evaluation.uncertainty import bootstrap
from convworks.metrics import average_precision as ap
from convworks.metrics.mask_overlap import boxed
from convworks.report.markup import Child, Markup, percent, section, table, tag
from convworks.report.overlay import RIGHT, STRENGTH, WRONG, colours
from convworks.report.sections.score import measure_chart
from convworks.report.sections.segmentation import legend
from convworks.report.story import Story
from convworks.report.wording import count
from convworks.samples import COUNTED

MEANS = {
    "AP": "precision over all recalls, the mean over overlaps from .5 to .95 and over the classes",
    "AP50": "the same where an overlap (IoU) of .5 is enough",
    "AP75": "where it takes .75: outlines that fit well",
    "AP small": "of objects below 32 x 32 pixels",
    "AP medium": "up to 96 x 96",
    "AP large": "beyond",
    "AR100": "the share of the objects found with at most 100 finds a class and image",
}
WORST = 12  # pictures
SURE = 0.3  # score from which a find is shown and counted in a picture
MISSED = (0, 114, 178)
Evidence = Mapping[str, np.ndarray]


def mask_score(story: Story) -> Markup:
    """The section of the score of masks and of their boxes, empty where no outlines of objects were measured."""
    evaluation = story.scenes_of("instances")
    if evaluation is None:
        return Markup()
    evidence, classes = [boxed(one) for one in evaluation.evidence], len(evaluation.classes)
    masks = ap.twelve(ap.table(evaluation.evidence, classes))
    boxes = ap.twelve(ap.table(evidence, classes))

    def box_precision(rows: Int[np.ndarray, "r"]) -> float:
        return ap.twelve(ap.table([evidence[row] for row in rows.tolist()], classes))["AP"]

    low, high = bootstrap(box_precision, np.arange(len(evidence)), draws=DRAWS)
    rows: list[list[Child]] = [
        [name, percent(masks[name]), percent(boxes[name]), means]
        for name, means in MEANS.items()
        if not math.isnan(masks[name])
    ]
    interval = [
        "95 % interval of AP",
        f"{percent(evaluation.low)} to {percent(evaluation.high)}",
        f"{percent(low)} to {percent(high)}",
        "bootstrap over images",
    ]
    chart = measure_chart(evaluation.measured(), "Mask AP")
    said = "A mask is right where its pixels overlap those of an object; a box where it overlaps the object's box."
    heads = ["Measure", "Masks", "Boxes", ""]
    return section(
        "score",
        "Score",
        chart,
        tag("p", said),
        table(heads, [rows[0], [*interval], *rows[1:]], numbers=(1, 2)),
    )


def mask_classes(story: Story) -> Markup:
    """The section of each class by itself, the hardest first."""
    evaluation = story.scenes_of("instances")
    if evaluation is None:
        return Markup()
    names = evaluation.classes
    masks = ap.by_class(ap.table(evaluation.evidence, len(names)))
    boxes = ap.by_class(ap.table([boxed(one) for one in evaluation.evidence], len(names)))
    there = np.concatenate([one["truth_labels"][one["counted"][:, 0]] for one in evaluation.evidence])
    objects = np.bincount(there, minlength=len(names))
    order = sorted(range(len(names)), key=lambda place: (math.isnan(masks[place]), masks[place], place))
    rows: list[list[Child]] = [
        [names[place], percent(float(masks[place])), percent(float(boxes[place])), f"{objects[place]:,}"]
        for place in order
    ]
    return section(
        "classes",
        "Class by class",
        tag("p", "The hardest first: AP of masks and of boxes, over overlaps from .5 to .95."),
        table(["Class", "Masks", "Boxes", "Objects"], rows, numbers=(1, 2, 3)),
    )


def worst_masks(story: Story) -> Markup:
    """The section of the pictures in which most was missed or wrong, with what was."""
    evaluation = story.scenes_of("instances")
    if evaluation is None or "said objects" not in evaluation.evidence[0]:
        return Markup()
    scores = [quality(one) for one in evaluation.evidence]
    known = [place for place, score in enumerate(scores) if math.isfinite(score)]
    order = sorted(known, key=lambda place: scores[place])[:WORST]
    cards = [_card(story, evaluation, place, scores[place]) for place in order]
    said = (
        f"The {count(len(cards), 'picture')} with most missed and most wrong among what was found with a score of "
        f"{SURE} or more. At the right: light where a find overlaps its object by half or more, orange where it does "
        "not, blue where an object was missed."
    )
    return section(
        "mistakes", "Worst pictures", tag("p", said), legend(evaluation), tag("ul", cards, class_="pairs")
    )


def judged(one: Evidence) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"], int]:
    """Of one picture, which finds are right, which are wrong, and how many objects were missed, from `SURE` on."""
    sure = one["scores"] >= SURE
    right = sure & ((one["hits"][:, 0] & 1) > 0)
    wrong = sure & ~right & ((one["skips"][:, 0] & 1) == 0)
    return right, wrong, int(one["counted"][:, 0].sum()) - int(right.sum())


def quality(one: Evidence) -> float:
    """Right finds over the mean of what was found and what was there (F1); NaN where neither was anything."""
    right, wrong, missed = judged(one)
    of = 2 * int(right.sum()) + int(wrong.sum()) + missed
    return 2 * int(right.sum()) / of if of else math.nan


def _card(story: Story, evaluation: SceneEvaluation, place: int, score: float) -> Markup:
    """The picture, the truth in it, the answer in it, and what of either is wrong."""
    one, path, classes = evaluation.evidence[place], evaluation.paths[place], len(evaluation.classes)
    true, said = one["true objects"], one["said objects"]
    picture = story.album.open(path, min(true.shape))
    if picture is None:
        under = np.full((*true.shape, 3), 128, np.uint8)
    else:
        under = np.asarray(cv2.resize(picture, true.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    views = {
        "picture": under,
        "truth": objects_on(under, true, one["truth_labels"], classes),
        "answer": objects_on(under, said, one["labels"], classes),
        "wrong": mistakes_on(under, one),
    }
    drawn = [
        tag("div", story.album.whole(view, f"{path}: {name}"), tag("p", name, class_="what"))
        for name, view in views.items()
    ]
    right, wrong, missed = judged(one)
    told = f"{right.sum()} right, {wrong.sum()} wrong, {missed} missed · "
    about = tag("p", told, tag("span", path, class_="path"), title=f"F1 {percent(score)}")
    return tag("li", tag("div", drawn, class_="pair"), about)


def objects_on(
    under: UInt8[np.ndarray, "h w 3"],
    objects: UInt8[np.ndarray, "h w"],
    labels: Int[np.ndarray, "n"],
    classes: int,
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture with the objects of a map (numbers from 1 on) in the colours of their classes, a light line around."""
    shades = np.concatenate([np.zeros((1, 3), np.uint8), colours(classes)[labels]])
    return _mixed(under, shades[np.minimum(objects, len(labels))], objects)


def mistakes_on(under: UInt8[np.ndarray, "h w 3"], one: Evidence) -> UInt8[np.ndarray, "h w 3"]:
    """A picture with the finds that are right, those that are wrong, and the objects that were missed."""
    true, said = one["true objects"], one["said objects"]
    right, wrong, _ = judged(one)
    shades = np.full((len(right) + 1, 3), 128, np.uint8)
    shades[1:][right], shades[1:][wrong] = RIGHT, WRONG
    there = np.bincount(true.ravel(), minlength=len(one["aside"]) + 1)
    hit = np.append(False, right)[np.minimum(said, len(right))]
    met = np.bincount(true[hit], minlength=len(there))
    missed = (2 * met < there) & np.append(False, one["aside"] == COUNTED)[: len(there)]
    lost = missed[true] & (said == 0)
    over = np.where(lost[..., None], np.array(MISSED, np.uint8), shades[np.minimum(said, len(right))])
    return _mixed(under, over, np.where(lost, 255 - true, said))


def _mixed(
    under: UInt8[np.ndarray, "h w 3"], over: UInt8[np.ndarray, "h w 3"], objects: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture under colours where there are objects, with a light line along the edge of each."""
    mixed = np.where(objects[..., None] > 0, (1 - STRENGTH) * under + STRENGTH * over, under)
    square = np.ones((3, 3), np.uint8)
    mixed[(objects > 0) & (cv2.erode(objects, square) != cv2.dilate(objects, square))] = 255
    return mixed.astype(np.uint8)
