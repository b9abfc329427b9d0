"""Several labels an image: the images that were judged worst, a fair sample, and which classes are mixed up."""

from __future__ import annotations

import math

import numpy as np

from convworks.evaluation.labels import LabelEvaluation, confused, losses, together
from convworks.report.markup import Child, Markup, join, percent, section, table, tag
from convworks.report.pictures import LARGE
from convworks.report.sections.cards import WALL, breakable, fair_sample
from convworks.report.story import Story
from convworks.report.wording import count

LINES = 5  # classes named on a card before the others are counted
PAIRS = 20  # of classes, listed
MOST_CLASSES = 12  # a larger table cannot be read
SHADES = 8


def label_mistakes(story: Story) -> Markup:
    """The section of the images of which the net was most wrong, empty without an evaluation."""
    evaluation = story.labels
    if evaluation is None or evaluation.n == 0:
        return Markup()
    wrong = np.flatnonzero((evaluation.answers != evaluation.truth).any(1))
    if wrong.size == 0:
        said = f"There are none: of all {count(evaluation.n, 'image')}, every class was said right."
        return section("mistakes", "Worst mistakes", tag("p", said))
    each = losses(evaluation.probabilities, evaluation.truth).max(1)
    worst = wrong[np.argsort(-each[wrong], kind="stable")][:WALL]
    shown = f"The {len(worst)} worst of " if len(worst) < wrong.size else "All "
    said = (
        f"{shown}{count(int(wrong.size), 'image')} with something missed or invented, those first of which it was "
        "surest; “no” is before what was named and is not there. A label that was forgotten often shows here first."
    )
    return section("mistakes", "Worst mistakes", tag("p", said), _wall(story, evaluation, worst))


def label_samples(story: Story) -> Markup:
    """The section of images drawn by chance, empty without an evaluation."""
    evaluation = story.labels
    if evaluation is None or evaluation.n == 0:
        return Markup()
    return fair_sample(evaluation.n, lambda rows: _wall(story, evaluation, rows))


def _wall(story: Story, evaluation: LabelEvaluation, rows: np.ndarray) -> Markup:
    return tag("ul", [_card(story, evaluation, int(row)) for row in rows], class_="cards")


def _card(story: Story, evaluation: LabelEvaluation, row: int) -> Markup:
    """A list item: the picture, what was missed, invented and found, each with its probability, and the file."""
    truth, answers = evaluation.truth[row], evaluation.answers[row]
    probabilities, path = evaluation.probabilities[row], evaluation.paths[row]
    kinds = (
        ("✗ ", "missed ", truth & ~answers),
        ("✗ ", "no ", answers & ~truth),
        ("✓ ", "", truth & answers),
    )
    lines: list[Markup] = []
    for mark, word, places in kinds:
        order = sorted(np.flatnonzero(places).tolist(), key=lambda place: -float(probabilities[place]))
        lines += [
            _line(mark, word, evaluation.classes[place], float(probabilities[place])) for place in order
        ]
    if not lines:
        lines = [tag("p", tag("span", "✓ nothing there, nothing named"), class_="said")]
    more = len(lines) - LINES
    shows = ", ".join(name for name, there in zip(evaluation.classes, truth.tolist(), strict=True) if there)
    picture = story.album.show(path, LARGE, f"{path}: {shows or 'nothing'}")
    return tag(
        "li",
        picture,
        lines[:LINES],
        tag("p", f"and {more} more", class_="said") if more > 0 else "",
        tag("p", breakable(path), class_="path"),
        class_="right" if (truth == answers).all() else "wrong",
    )


def _line(mark: str, word: str, name: str, probability: float) -> Markup:
    told = tag("span", tag("span", mark, class_="mark", aria_hidden="true"), word, tag("b", name))
    return tag("p", told, " ", tag("span", f"{probability:.2f}"), class_="said")


def mixed_up(story: Story) -> Markup:
    """The section of pairs of classes: named one for the other, and shown together; empty without an evaluation."""
    evaluation = story.labels
    if evaluation is None or evaluation.n == 0:
        return Markup()
    pairs, names = confused(evaluation), evaluation.classes
    rows = [
        [names[there], names[named], f"{images:,}", percent(images / of)]
        for there, named, images, of in pairs[:PAIRS]
    ]
    if rows:
        how = "Images that show the first, which was not named, while the second was and is not there."
        listing = table(
            ["Shows, not named", "Named, not there", "Images", "Of the class"], rows, numbers=(2, 3)
        )
        first = join(tag("p", how), listing)
    else:
        first = tag("p", "No class was named in the place of another.")
    return section("confusion", "What is taken for what", first, _together(evaluation))


def _together(evaluation: LabelEvaluation) -> Markup:
    """Which classes the same images show: a class that is hardly ever alone may be known by its company."""
    table_, names = together(evaluation.truth), evaluation.classes
    title = tag("h3", "What is shown together")
    how = (
        "A class that is hardly ever seen without another may be known by its company: look at images that show it "
        "alone."
    )
    if len(names) <= MOST_CLASSES:
        return join(title, tag("p", how), _square(table_, names))
    order = np.argwhere(np.triu(table_, 1))
    most = sorted(order.tolist(), key=lambda pair: -int(table_[pair[0], pair[1]]))[:PAIRS]
    rows: list[list[Child]] = [
        [
            names[one],
            names[other],
            f"{int(table_[one, other]):,}",
            percent(float(table_[one, other] / table_[one, one])),
            percent(float(table_[one, other] / table_[other, other])),
        ]
        for one, other in most
    ]
    heads = ["Class", "With", "Images", "Of the first", "Of the second"]
    return join(title, tag("p", how), table(heads, rows, numbers=(2, 3, 4)) if rows else "")


def _square(counts: np.ndarray, names: tuple[str, ...]) -> Markup:
    turned = "turned" if len(names) > 5 or max(map(len, names)) > 9 else None
    corner = tag("th", "shows ↓ and →", scope="col", class_="corner")
    heads = [tag("th", tag("span", name), scope="col", class_=turned) for name in names]
    body: list[Markup] = []
    for place, row in enumerate(counts.tolist()):
        own = row[place]
        cells = [_cell(number, own, place == other) for other, number in enumerate(row)]
        body.append(tag("tr", tag("th", names[place], scope="row"), *cells))
    kind = "confusion many" if len(names) > 6 else "confusion"
    inner = tag(
        "table",
        tag("caption", "Number of images"),
        tag("thead", tag("tr", corner, *heads)),
        tag("tbody", body),
        class_=kind,
    )
    return tag("div", inner, class_="scroll", tabindex="0", role="group", aria_label="Classes shown together")


def _cell(number: int, own: int, same: bool) -> Markup:
    if not number:
        return tag("td", "·", class_="none")
    shade = max(1, math.ceil(SHADES * number / own))
    return tag("td", f"{number:,}", class_="none" if same else f"hit shade-{shade}")
