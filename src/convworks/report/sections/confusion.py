"""Which class is taken for which: a table of which every number leads to the images behind it."""

from __future__ import annotations

import math

import numpy as np

from convworks.evaluation.result import Evaluation
from convworks.evaluation.uncertainty import wilson
from convworks.metrics.confusion import most_confused, precision
from convworks.report.drawing import meter
from convworks.report.markup import Child, Markup, folded, join, percent, section, table, tag
from convworks.report.pictures import SMALL
from convworks.report.sections.cards import card
from convworks.report.story import Story
from convworks.report.wording import count

MOST_CLASSES = 12  # a larger table cannot be read; its largest wrong cells are listed instead
MOST_CELLS = 30
A_CELL = 60  # pictures shown of one cell
A_RIGHT_CELL = 24  # of a cell on the diagonal, where there are many
A_PAGE = 400  # pictures behind all cells
SHADES = 8


def confusion(story: Story) -> Markup:
    """The section, empty without an evaluation."""
    evaluation = story.evaluation
    if evaluation is None or evaluation.n == 0:
        return Markup()
    cells = _shown_cells(evaluation)
    if len(evaluation.classes) <= MOST_CLASSES:
        how = "Each row is what the images are, each column what the net said. "
        body = _table(evaluation)
    else:
        how = f"With {len(evaluation.classes)} classes, the most frequent mistakes. "
        body = _list(evaluation, cells)
    behind = tag("div", [_behind(story, evaluation, *cell) for cell in cells], class_="gallery")
    per_class = folded(f"Each of the {len(evaluation.classes)} classes by itself", _by_class(evaluation))
    return section(
        "confusion",
        "What is taken for what",
        tag("p", how, "Choose a number to see its images below."),
        body,
        behind,
        per_class,
    )


def _shown_cells(evaluation: Evaluation) -> list[tuple[int, int]]:
    """The cells that have images behind them, wrong ones first."""
    wrong = [(truth, answer) for truth, answer, _ in most_confused(evaluation.confusion)]
    if len(evaluation.classes) > MOST_CLASSES:
        return wrong[:MOST_CELLS]
    return wrong + [
        (index, index) for index in range(len(evaluation.classes)) if evaluation.confusion[index, index]
    ]


def _link(truth: int, answer: int, number: int, said: str) -> Markup:
    return tag("a", f"{number:,}", href=f"#cell-{truth}-{answer}", aria_label=said)


def _table(evaluation: Evaluation) -> Markup:
    names, counts = evaluation.classes, evaluation.confusion
    turned = "turned" if len(names) > 5 or max(map(len, names)) > 9 else None
    corner = tag("th", "is ↓ said →", scope="col", class_="corner")
    heads = [tag("th", tag("span", name), scope="col", class_=turned) for name in names]
    rows = [tag("tr", corner, *heads, tag("th", "right", scope="col", class_="number"))]
    for truth, row in enumerate(counts.tolist()):
        total = sum(row)
        cells = [_cell(names, truth, answer, number, total) for answer, number in enumerate(row)]
        share = tag("td", percent(row[truth] / total) if total else "no images", class_="number")
        rows.append(tag("tr", tag("th", names[truth], scope="row"), *cells, share))
    caption = tag("caption", "Number of images")
    kind = "confusion many" if len(names) > 6 else "confusion"
    inner = tag("table", caption, tag("thead", rows[0]), tag("tbody", rows[1:]), class_=kind)
    return tag(
        "div",
        inner,
        class_="scroll",
        tabindex="0",
        role="group",
        aria_label="Confusion table",
        id="confusion-table",
    )


def _cell(names: tuple[str, ...], truth: int, answer: int, number: int, total: int) -> Markup:
    kind = "hit" if truth == answer else "miss"
    if not number:
        return tag("td", "·", class_="none")
    shade = max(1, math.ceil(SHADES * number / total))
    said = f"{count(number, 'image')} of {names[truth]} called {names[answer]}"
    return tag("td", _link(truth, answer, number, said), class_=f"{kind} shade-{shade}")


def _list(evaluation: Evaluation, cells: list[tuple[int, int]]) -> Markup:
    names, counts = evaluation.classes, evaluation.confusion
    if not cells:
        return tag("p", "No image was called something else.")
    rows: list[list[Child]] = []
    for truth, answer in cells:
        number, total = int(counts[truth, answer]), int(counts[truth].sum())
        said = f"{count(number, 'image')} of {names[truth]} called {names[answer]}"
        rows.append(
            [names[truth], names[answer], _link(truth, answer, number, said), percent(number / total)]
        )
    listing = table(["Is", "Said", "Images", "Of the class"], rows, numbers=(2, 3))
    return tag("div", listing, id="confusion-table")


def _behind(story: Story, evaluation: Evaluation, truth: int, answer: int) -> Markup:
    """The images of one cell, shown when its number has been chosen."""
    inside = np.flatnonzero((evaluation.truth == truth) & (evaluation.answers == answer))
    surest = inside[np.argsort(-evaluation.probabilities[inside, answer], kind="stable")]
    most = A_CELL if truth != answer or evaluation.n <= A_PAGE else A_RIGHT_CELL
    room = max(0, A_PAGE - story.album.shown)
    shown = surest[: min(most, room)]
    names = evaluation.classes
    title = (
        f"“{names[truth]}” called “{names[answer]}”"
        if truth != answer
        else f"“{names[truth]}” answered right"
    )
    cards = [card(story, evaluation, int(index), SMALL, brief=True) for index in shown]
    more = len(surest) - len(shown)
    return tag(
        "div",
        tag("h3", f"{title}: {count(len(surest), 'image')}"),
        tag("ul", cards, class_="cards small") if cards else "",
        tag("p", f"{more:,} more are not shown, to keep this file small.") if more else "",
        tag("p", tag("a", "Back to the table", href="#confusion-table")),
        id=f"cell-{truth}-{answer}",
        class_="behind miss" if truth != answer else "behind hit",
    )


def _by_class(evaluation: Evaluation) -> Markup:
    counts = evaluation.confusion
    rows: list[list[Child]] = []
    for index, (name, exact) in enumerate(zip(evaluation.classes, precision(counts).tolist(), strict=True)):
        right, of = int(counts[index, index]), int(counts[index].sum())
        low, high = wilson(right, of)
        share = right / of if of else math.nan
        rows.append(
            [
                name,
                f"{right:,} of {of:,}",
                join(meter(share, "one"), " ", percent(share)),
                f"{percent(low)} to {percent(high)}" if of else "",
                percent(exact) if exact == exact else "never said",
            ]
        )
    heads = ["Class", "Right", "Found (recall)", "95 % interval", "Right when said (precision)"]
    return table(heads, rows, numbers=(1, 3, 4))
