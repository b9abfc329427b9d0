"""What an experienced friend would say of a score where images show several classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convworks.data.names import few
from convworks.evaluation.labels import MEASURE, LabelEvaluation
from convworks.events import Finding

RARE = 10  # measured images of a class, under which its average precision says little


def diagnose_sets(evaluation: LabelEvaluation) -> Iterator[Finding]:
    """What there is to say of a score, the gravest first."""
    if not evaluation.n:
        return
    yield from _nothing_learned(evaluation)
    yield from _never_named(evaluation)
    if evaluation.chosen_on != "nothing":
        yield Finding(
            code="same-images",
            level="warning",
            said=f"The score was measured on the {evaluation.n} images that also chose the model: it flatters.",
            evidence="The best epoch and the better candidate were chosen by these very images.",
            action="measure on others: convworks evaluate RUN FOLDER",
        )
    yield from _rare(evaluation)


def _nothing_learned(evaluation: LabelEvaluation) -> Iterator[Finding]:
    blind = evaluation.baseline
    if not np.isfinite(blind) or evaluation.low > blind:
        return
    yield Finding(
        code="nothing-learned",
        level="warning",
        said=f"It may have learned nothing: a {MEASURE} of {evaluation.measures[MEASURE]:.2f} "
        f"({evaluation.low:.2f}-{evaluation.high:.2f}) is not clearly above the {blind:.2f} of an order by chance.",
        action="look whether the labels and the pictures of the training images agree",
    )


def _never_named(evaluation: LabelEvaluation) -> Iterator[Finding]:
    named, there = evaluation.answers.sum(0), evaluation.truth.sum(0)
    missing = np.flatnonzero((named == 0) & (there > 0)).tolist()
    if not missing:
        return
    first = max(missing, key=lambda place: int(there[place]))
    told = [f'"{evaluation.classes[place]}" ({int(there[place])})' for place in missing]
    yield Finding(
        code="class-never-answered",
        level="note" if int(there[first]) < 5 else "warning",
        said=f"Never named: {few(told, 5)}.",
        evidence=f"Its threshold for the first is {evaluation.thresholds[first]:.2f}, its highest probability "
        f"{evaluation.probabilities[:, first].max():.2f}.",
        action=f'look at the images of "{evaluation.classes[first]}": are they enough, and is it to be seen in them?',
    )


def _rare(evaluation: LabelEvaluation) -> Iterator[Finding]:
    there = evaluation.truth.sum(0).tolist()
    rare = [name for name, number in zip(evaluation.classes, there, strict=True) if number < RARE]
    if rare:
        yield Finding(
            code="small-set",
            level="note",
            said=f"Fewer than {RARE} measured images show {few(rare, 5)}: how well they are found is hardly known.",
            evidence=f"Of {evaluation.n} images; the interval of the score holds that in.",
            action="more images of them to measure on",
        )
