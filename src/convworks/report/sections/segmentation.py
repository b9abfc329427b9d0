"""Outlines measured: the score, each class, what is taken for what, the worst pictures, and what stride costs."""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from convworks.evaluation.scenes import SceneEvaluation
from convworks.metrics import boundary, overlap, stride
from convworks.report import overlay
from convworks.report.drawing import box, figure, line, meter, text
from convworks.report.markup import Child, Markup, join, percent, section, table, tag
from convworks.report.sections.score import measure_chart
from convworks.report.story import Story
from convworks.report.wording import count

WORST = 12  # pictures
MOST_CLASSES = 20  # a larger table cannot be read; its largest wrong cells are listed instead
MOST_CELLS = 30
SHADES = 8
MEANS = {
    "mean IoU": "the mean over the classes: what is shared of truth and answer, of what either covers",
    "pixel accuracy": "pixels answered right; large classes decide it",
    "mean accuracy": "pixels answered right of each class, the mean over the classes",
    "weighted IoU": "the IoU of each class by how many pixels it has",
    "boundary IoU": "the same as mean IoU, of a band along the edges alone: 2 % of the picture's diagonal wide",
}


def outline_score(story: Story) -> Markup:
    """The section of the score, empty where no outlines were measured."""
    evaluation = story.scenes_of("segmentation")
    if evaluation is None:
        return Markup()
    measured = evaluation.measured()
    chart = measure_chart(measured, "Mean IoU")
    rows: list[list[Child]] = [
        [name, percent(value), MEANS.get(name, "")] for name, value in measured.measures
    ]
    rows.insert(
        1,
        ["95 % interval", f"{percent(measured.low)} to {percent(measured.high)}", "bootstrap over images"],
    )
    return section("score", "Score", chart, table(["Measure", "Value", ""], rows, numbers=(1,)))


def outline_classes(story: Story) -> Markup:
    """The section of each class by itself, the hardest first."""
    evaluation = story.scenes_of("segmentation")
    if evaluation is None:
        return Markup()
    counts = _table(evaluation)
    shared, edges, pixels = overlap.ious(counts), _edges(evaluation), counts.sum(1)
    order = sorted(range(len(shared)), key=lambda place: (math.isnan(shared[place]), shared[place], place))
    rows: list[list[Child]] = []
    for place in order:
        value, found = float(shared[place]), int(counts[place, place])
        rows.append(
            [
                join(_swatch(len(evaluation.classes), place), " ", evaluation.classes[place]),
                join(meter(value, "one"), " ", percent(value)) if value == value else "not there",
                percent(float(edges[place])),
                percent(found / pixels[place]) if pixels[place] else "not there",
                f"{100 * pixels[place] / max(pixels.sum(), 1):.1f}\xa0%",
            ]
        )
    heads = ["Class", "IoU", "Along its edges", "Found", "Of all pixels"]
    said = "The hardest first. What is thin or small has little inside that could make up for its edges."
    return section("classes", "Class by class", tag("p", said), table(heads, rows, numbers=(2, 3, 4)))


def outline_confusion(story: Story) -> Markup:
    """The section of which class is taken for which, in shares of each class's pixels."""
    evaluation = story.scenes_of("segmentation")
    if evaluation is None:
        return Markup()
    counts, names = _table(evaluation), evaluation.classes
    if len(names) > MOST_CLASSES:
        body, how = _list(counts, names), f"With {len(names)} classes, the most frequent mistakes."
    else:
        body, how = (
            _cells(counts, names),
            "Each row is what pixels are, each column what the net said of them.",
        )
    return section("confusion", "What is taken for what", tag("p", how), body)


def worst_outlines(story: Story) -> Markup:
    """The section of the pictures that were answered worst, with what was wrong in them."""
    evaluation = story.scenes_of("segmentation")
    if evaluation is None or "answer" not in evaluation.evidence[0]:
        return Markup()
    scores = [_picture_iou(one["cells"], len(evaluation.classes)) for one in evaluation.evidence]
    order = sorted(
        (place for place in range(len(scores)) if math.isfinite(scores[place])),
        key=lambda place: scores[place],
    )[:WORST]
    cards = [_card(story, evaluation, place, scores[place]) for place in order]
    said = (
        f"The {count(len(cards), 'picture')} with the lowest mean IoU of their own: the truth, the answer, and in "
        "orange where they differ. Black counts nowhere."
    )
    return section(
        "mistakes", "Worst pictures", tag("p", said), legend(evaluation), tag("ul", cards, class_="pairs")
    )


def stride_cost(story: Story) -> Markup:
    """The section of what any net could reach that tells classes apart every 4, 8, 16 or 32 pixels."""
    evaluation = story.scenes_of("segmentation")
    if evaluation is None or "strides" not in evaluation.evidence[0]:
        return Markup()
    best = stride.best_ious(np.sum([one["strides"] for one in evaluation.evidence], axis=0))
    reached = evaluation.value
    rows: list[list[Child]] = [
        [f"{step} pixels", join(meter(value, "one"), " ", percent(value)), _gap(value - reached)]
        for step, value in zip(stride.STRIDES, best, strict=True)
    ]
    said = (
        "A net says one row of scores for a square of pixels, and enlarges those. From the true masks themselves, "
        "averaged over such squares and enlarged the same way, this much mean IoU is left: the best that a net of that "
        f"stride could do on these pictures. This one reached {percent(reached)}."
    )
    chart = figure(
        f"Best mean IoU by stride: {', '.join(f'{s}: {percent(b)}' for s, b in zip(stride.STRIDES, best, strict=True))}"
        f"; reached {percent(reached)}.",
        lambda width: (36 + 34 * len(best), _bars(best, reached, width)),
        "The line is what this net reached.",
    )
    heads = ["Classes told apart every", "Best possible mean IoU", "Above what was reached"]
    return section("stride", "What stride costs you", tag("p", said), chart, table(heads, rows, numbers=(2,)))


def _bars(best: list[float], reached: float, width: int) -> list[Child]:
    left, right = 86, 52
    room = width - left - right
    drawn: list[Child] = []
    for row, (step, value) in enumerate(zip(stride.STRIDES, best, strict=True)):
        y, known = 14 + 34 * row, 0.0 if math.isnan(value) else value
        drawn += [
            text(left - 12, y + 13, f"stride {step}", "label", "end"),
            box(left, y, room, 18, "track", 4),
            box(left, y, room * known, 18, "one", 4),
            text(left + room * known + 7, y + 13, percent(value), "label"),
        ]
    if math.isfinite(reached):
        at = left + room * reached
        drawn.append(line(at, 6, at, 14 + 34 * len(best) - 6, "line other"))
        drawn.append(text(at, 14 + 34 * len(best) + 8, f"reached {percent(reached)}", "label", "middle"))
    return drawn


def _gap(points: float) -> str:
    return f"{100 * points:+.0f} points" if points == points else "unknown"


def _table(evaluation: SceneEvaluation) -> Int[np.ndarray, "k k"]:
    """Pixels of all pictures by true class and answered class."""
    cells = np.concatenate([one["cells"].reshape(-1, 3) for one in evaluation.evidence])
    return overlap.table_of(cells, len(evaluation.classes))


def _edges(evaluation: SceneEvaluation) -> Float[np.ndarray, "k"]:
    edges = [one["edges"] for one in evaluation.evidence if "edges" in one]
    if not edges:
        return np.full(len(evaluation.classes), np.nan)
    return boundary.boundary_ious(np.sum(edges, axis=0))


def _picture_iou(cells: Int[np.ndarray, "m 3"], classes: int) -> float:
    """The mean IoU of one picture over the classes that it shows: stray pixels of another count little."""
    counts = overlap.table_of(cells.reshape(-1, 3), classes)
    there = counts.sum(1) > 0
    return float(overlap.ious(counts)[there].mean()) if there.any() else math.nan


def _card(story: Story, evaluation: SceneEvaluation, place: int, score: float) -> Markup:
    """The picture under the truth, under the answer, and where both differ."""
    one, path, classes = evaluation.evidence[place], evaluation.paths[place], len(evaluation.classes)
    truth, answer = one["truth"], one["answer"]
    picture = story.album.open(path, min(truth.shape))
    if picture is None:
        under = np.full((*truth.shape, 3), 128, np.uint8)
    else:
        under = np.asarray(cv2.resize(picture, truth.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    views: list[tuple[str, UInt8[np.ndarray, "h w 3"]]] = [
        ("picture", under),
        ("truth", overlay.painted(under, truth, classes)),
        ("answer", overlay.painted(under, answer, classes)),
        ("wrong", overlay.errors(truth, answer)),
    ]
    drawn = [
        tag("div", story.album.whole(view, f"{path}: {name}"), tag("p", name, class_="what"))
        for name, view in views
    ]
    return tag(
        "li",
        tag("div", drawn, class_="pair"),
        tag("p", f"Mean IoU {percent(score)} · ", tag("span", path, class_="path")),
    )


def legend(evaluation: SceneEvaluation) -> Markup:
    """The colour of each class."""
    items = [
        tag("li", _swatch(len(evaluation.classes), place), " ", name)
        for place, name in enumerate(evaluation.classes[:MOST_CLASSES])
    ]
    return tag("ul", items, class_="legend")


def _swatch(classes: int, place: int) -> Markup:
    red, green, blue = overlay.colours(classes)[place].tolist()
    square = tag("rect", width=12, height=12, rx=3, fill=f"#{red:02x}{green:02x}{blue:02x}")
    return tag("svg", square, viewBox="0 0 12 12", width=12, height=12, class_="swatch", aria_hidden="true")


def _cells(counts: Int[np.ndarray, "k k"], names: tuple[str, ...]) -> Markup:
    turned = "turned" if len(names) > 5 or max(map(len, names)) > 9 else None
    heads = [tag("th", tag("span", name), scope="col", class_=turned) for name in names]
    head = tag("tr", tag("th", "is ↓ said →", scope="col", class_="corner"), *heads)
    rows: list[Markup] = []
    for true, row in enumerate(counts.tolist()):
        total = sum(row)
        cells = [
            _cell(number / total if total else math.nan, true == said) for said, number in enumerate(row)
        ]
        rows.append(tag("tr", tag("th", names[true], scope="row"), *cells))
    kind = "confusion many" if len(names) > 6 else "confusion"
    caption = tag("caption", "Per cent of the pixels of each class")
    inner = tag("table", caption, tag("thead", head), tag("tbody", rows), class_=kind)
    return tag("div", inner, class_="scroll", tabindex="0", role="group", aria_label="Confusion table")


def _cell(share: float, right: bool) -> Markup:
    if not share >= 0.005:
        return tag("td", "·", class_="none")
    shade = max(1, math.ceil(SHADES * share))
    return tag("td", f"{100 * share:.0f}", class_=f"{'hit' if right else 'miss'} shade-{shade}")


def _list(counts: Int[np.ndarray, "k k"], names: tuple[str, ...]) -> Markup:
    wrong = counts - np.diag(np.diagonal(counts))
    order = (-wrong).ravel().argsort(kind="stable")[:MOST_CELLS].tolist()
    rows: list[list[Child]] = []
    for true, said in (divmod(place, len(names)) for place in order):
        number = int(wrong[true, said])
        if number:
            rows.append([names[true], names[said], percent(number / int(counts[true].sum()))])
    return table(["Is", "Said", "Of the class"], rows, numbers=(2,))
