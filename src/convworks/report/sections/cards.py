"""One image with what it is and what the net said, and two walls of such: the worst mistakes, a sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convworks.evaluation.result import Evaluation
from convworks.report.markup import Markup, join, section, tag
from convworks.report.pictures import LARGE
from convworks.report.story import Story
from convworks.report.wording import count

WALL = 24


def card(story: Story, evaluation: Evaluation, index: int, side: int, *, brief: bool = False) -> Markup:
    """A list item: the picture, the answer with its probability, the truth where it differs, the file."""
    row = evaluation.probabilities[index]
    answer, truth = int(row.argmax()), int(evaluation.truth[index])
    names, path = evaluation.classes, evaluation.paths[index]
    right = answer == truth
    picture = story.album.show(path, side, f"{path}: {names[truth]}, answered {names[answer]}")
    mark = tag("span", "✓ " if right else "✗ ", class_="mark", aria_hidden="true")
    lines = [("" if brief else join(mark, tag("b", names[answer])), row[answer])]
    if not right and not brief:
        lines.append((join("is ", tag("b", names[truth])), row[truth]))
    said = [
        tag("p", tag("span", name), " ", tag("span", f"{share:.2f}"), class_="said") for name, share in lines
    ]
    return tag(
        "li", picture, *said, tag("p", breakable(path), class_="path"), class_="right" if right else "wrong"
    )


def breakable(path: str) -> Markup:
    """A path that breaks into lines after its slashes, if it must."""
    *folders, name = path.split("/")
    return join([join(folder, "/", tag("wbr")) for folder in folders], name)


def mistakes(story: Story) -> Markup:
    """The section of the wrong answers that sounded surest, empty without an evaluation."""
    evaluation = story.evaluation
    if evaluation is None or evaluation.n == 0:
        return Markup()
    wrong = np.flatnonzero(evaluation.answers != evaluation.truth)
    if wrong.size == 0:
        said = f"There are none: all {count(evaluation.n, 'image')} were answered right."
        return section("mistakes", "Worst mistakes", tag("p", said))
    surest = wrong[np.argsort(-evaluation.probabilities[wrong].max(1), kind="stable")][:WALL]
    shown = f"The {len(surest)} surest of " if len(surest) < wrong.size else "All "
    said = (
        f"{shown}{count(int(wrong.size), 'wrong answer')}, with the probability that the net gave "
        "to what it said and to the truth. A wrong label or a picture of two things often shows here first."
    )
    return section("mistakes", "Worst mistakes", tag("p", said), _wall(story, evaluation, surest))


def samples(story: Story) -> Markup:
    """The section of images drawn by chance, right or wrong, empty without an evaluation."""
    evaluation = story.evaluation
    if evaluation is None or evaluation.n == 0:
        return Markup()
    return fair_sample(evaluation.n, lambda rows: _wall(story, evaluation, rows))


def fair_sample(n: int, wall: Callable[[np.ndarray], Markup]) -> Markup:
    """The section of up to `WALL` of `n` measured images, drawn by chance; `wall` shows those at some rows."""
    chosen = np.random.default_rng(0).permutation(n)[:WALL]
    said = f"{count(len(chosen), 'image')} drawn by chance from the {n:,} measured: what it usually does."
    return section("samples", "A fair sample", tag("p", said), wall(chosen))


def _wall(story: Story, evaluation: Evaluation, indices: np.ndarray) -> Markup:
    return tag("ul", [card(story, evaluation, int(index), LARGE) for index in indices], class_="cards")
