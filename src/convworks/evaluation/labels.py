"""What an evaluation measured where an image may show several classes, image by image and class by class."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from convworks.evaluation.uncertainty import flatters, middle
from convworks.events import Chooser, Measured
from convworks.metrics import ranking

KIND = "labels"  # as against an evaluation of one class an image
MEASURE = "mean average precision"
DRAWS = 500  # of images with replacement, for the interval
AT_ONCE = 2_000_000  # numbers of a block of draws


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelEvaluation:
    """The probability of every class for `n` images of which it is known what they show.

    `paths` (n) are relative to `root`; `truth` (n, k) says which classes are there; `probabilities` (n, k) are after
    calibration; a class is named from its threshold on. `low` and `high` are the 95 % interval of the mean average
    precision by bootstrap over images. `chosen_on` says whether these images chose anything of the model.
    """

    root: str
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    truth: Bool[np.ndarray, "n k"]
    probabilities: Float[np.ndarray, "n k"]
    thresholds: tuple[float, ...]
    low: float
    high: float
    chosen_on: Chooser
    seconds: float = 0.0

    @staticmethod
    def of(
        *,
        root: str,
        classes: Sequence[str],
        paths: Sequence[str],
        truth: Bool[np.ndarray, "n k"],
        probabilities: Float[np.ndarray, "n k"],
        thresholds: Sequence[float],
        chosen_on: Chooser,
        seconds: float,
    ) -> LabelEvaluation:
        """The evaluation of some answers, its interval measured."""
        low, high = interval(probabilities, truth)
        return LabelEvaluation(
            root=root,
            classes=tuple(classes),
            paths=tuple(paths),
            truth=truth,
            probabilities=probabilities,
            thresholds=tuple(thresholds),
            low=low,
            high=high,
            chosen_on=chosen_on,
            seconds=seconds,
        )

    @property
    def n(self) -> int:
        """How many images were answered."""
        return len(self.paths)

    @property
    def answers(self) -> Bool[np.ndarray, "n k"]:
        """The classes that are named for each image."""
        return self.probabilities >= np.asarray(self.thresholds)

    @property
    def counts(self) -> Int[np.ndarray, "k 3"]:
        """By class: images named rightly, images named, images that show it."""
        return ranking.set_counts(self.truth, self.answers)

    @property
    def average_precisions(self) -> Float[np.ndarray, "k"]:
        """The average precision of each class, NaN where no image shows it."""
        return average_precisions(self.probabilities, self.truth)

    @property
    def prevalence(self) -> Float[np.ndarray, "k"]:
        """The share of the images that show each class: the average precision of an order by chance."""
        return self.truth.mean(0) if self.n else np.full(len(self.classes), np.nan)

    @property
    def baseline(self) -> float:
        """The mean average precision of an order by chance, over the classes that are there."""
        return baseline(self.truth)

    @property
    def measures(self) -> dict[str, float]:
        """Each measure by name, in [0, 1], the one that counts first."""
        counts, answers = self.counts, self.answers
        return {
            MEASURE: ranking.mean_known(self.average_precisions),
            "macro F1": ranking.mean_known(ranking.f1(counts)),
            "micro F1": float(ranking.f1(counts.sum(0))),
            "whole sets right": float((answers == self.truth).all(1).mean()) if self.n else float("nan"),
        }

    def measured(self) -> Measured:
        """The score as an event."""
        values = self.measures
        return Measured(
            measure=MEASURE,
            value=values[MEASURE],
            low=self.low,
            high=self.high,
            of=self.n,
            measures=tuple(values.items()),
            classes=tuple(zip(self.classes, self.average_precisions.tolist(), strict=True)),
            chosen_on=self.chosen_on,
            said=_meaning(self),
        )

    def to_json(self) -> str:
        """All of it as JSON, "kind" first; probabilities rounded to six decimals; `from_json` reads it back."""
        return json.dumps(
            {
                "kind": KIND,
                "root": self.root,
                "classes": list(self.classes),
                "paths": list(self.paths),
                "truth": self.truth.astype(int).tolist(),
                "probabilities": np.round(self.probabilities.astype(np.float64), 6).tolist(),
                "thresholds": list(self.thresholds),
                "interval": [value if np.isfinite(value) else None for value in (self.low, self.high)],
                "chosen_on": self.chosen_on,
                "seconds": self.seconds,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> LabelEvaluation:
        """The evaluation that `to_json` wrote."""
        values = json.loads(text)
        k = len(values["classes"])
        low, high = (float("nan") if value is None else value for value in values["interval"])
        return cls(
            root=values["root"],
            classes=tuple(values["classes"]),
            paths=tuple(values["paths"]),
            truth=np.asarray(values["truth"], np.bool_).reshape(-1, k),
            probabilities=np.asarray(values["probabilities"], np.float32).reshape(-1, k),
            thresholds=tuple(values["thresholds"]),
            low=low,
            high=high,
            chosen_on=values["chosen_on"],
            seconds=values["seconds"],
        )

    @classmethod
    def read(cls, path: Path) -> LabelEvaluation:
        """The evaluation in a run's `evaluation.json`."""
        return cls.from_json(path.read_text(encoding="utf-8"))


def average_precisions(
    scores: Float[np.ndarray, "n k"], truth: Bool[np.ndarray, "n k"]
) -> Float[np.ndarray, "k"]:
    """The average precision of each class, NaN where no image shows it."""
    return np.array([ranking.average_precision(*column) for column in zip(scores.T, truth.T, strict=True)])


def mean_average_precision(scores: Float[np.ndarray, "n k"], truth: Bool[np.ndarray, "n k"]) -> float:
    """The mean over the classes that are there, NaN of none."""
    return ranking.mean_known(average_precisions(scores, truth))


def baseline(truth: Bool[np.ndarray, "n k"]) -> float:
    """What an order by chance scores: the mean share of images over the classes that are there."""
    shares = truth.mean(0) if len(truth) else np.zeros(0)
    return float(shares[shares > 0].mean()) if (shares > 0).any() else float("nan")


def interval(
    scores: Float[np.ndarray, "n k"], truth: Bool[np.ndarray, "n k"], seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of the mean average precision over images drawn with replacement; NaN of none.

    Source: Efron, Bootstrap methods, 1979.
    """
    n, k = truth.shape
    if not n:
        return float("nan"), float("nan")
    draw = np.random.default_rng(seed)
    values: list[float] = []
    while len(values) < DRAWS:
        size = min(max(1, AT_ONCE // n), DRAWS - len(values))
        counts = draw.multinomial(n, np.full(n, 1 / n), size)
        found = [ranking.drawn_average_precisions(scores[:, at], truth[:, at], counts) for at in range(k)]
        values += [ranking.mean_known(row) for row in np.stack(found, 1)]
    return middle(values)


FEW = 5  # images of a class among those that choose, under which it shares the threshold of all


def thresholds(probabilities: Float[np.ndarray, "n k"], truth: Bool[np.ndarray, "n k"]) -> tuple[float, ...]:
    """For each class the probability from which on it is named: the highest F1 on images that do not measure.

    A class that fewer than `FEW` of them show takes the threshold that is best for all classes together; 1/2 where
    nothing is shown at all. Source: Yang, A study of thresholding strategies for text categorization (2001).
    """
    every = ranking.best_cut(probabilities.ravel(), truth.ravel())
    shared = every if np.isfinite(every) else 0.5
    own = [
        ranking.best_cut(column, there) if there.sum() >= FEW else shared
        for column, there in zip(probabilities.T, truth.T, strict=True)
    ]
    return tuple(own)


def confused(evaluation: LabelEvaluation) -> list[tuple[int, int, int, int]]:
    """(class there, class named though not there, images, images that show the first), the most images first.

    Of each image, every pair of a class that is there and was not named and one that was named and is not there.
    """
    missed = evaluation.truth & ~evaluation.answers
    invented = evaluation.answers & ~evaluation.truth
    table = missed.T.astype(np.int64) @ invented.astype(np.int64)
    shown = evaluation.truth.sum(0).tolist()
    pairs = [(int(t), int(a), int(table[t, a]), shown[t]) for t, a in np.argwhere(table)]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))


def together(truth: Bool[np.ndarray, "n k"]) -> Int[np.ndarray, "k k"]:
    """How many images show both of two classes; on the diagonal, how many show one."""
    shown = truth.astype(np.int64)
    return shown.T @ shown


def losses(
    probabilities: Float[np.ndarray, "n k"], truth: Bool[np.ndarray, "n k"]
) -> Float[np.ndarray, "n k"]:
    """-log of the probability that was given to what is so, in nats."""
    exact = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    return -np.log(np.where(truth, exact, 1 - exact))


def _meaning(evaluation: LabelEvaluation) -> str:
    blind = evaluation.baseline
    if not np.isfinite(blind):
        return "No image shows any class, so there was nothing to find."
    guess = f"an order by chance ({blind:.2f})"
    if evaluation.low > blind:
        said = f"Above {guess}."
    elif evaluation.high < blind:
        said = f"Below {guess}."
    else:
        said = f"Not shown to be above {guess}: that lies inside the interval."
    return f"{said} {flatters(evaluation.chosen_on)}"
