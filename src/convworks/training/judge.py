"""What the tuning images say of a net while it learns: which of two is better, and the numbers to show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from convworks.evaluation import labels
from convworks.evaluation.calibration import log_loss
from convworks.evaluation.verdicts import diagnose
from convworks.events import EpochEnded, Finding
from convworks.training.features import PART, parts_of
from convworks.training.feed import Feed
from convworks.training.learner import Learner


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """How a net does on the tuning images: `order` ranks nets (the larger, the better), the rest is for people.

    `evidence` is an array to keep beside the best weights. Where answers are not right or wrong, `measure` names
    what `value` measures, and `right` is 0.
    """

    order: tuple[float, ...]
    loss: float
    of: int
    evidence: Float[np.ndarray, "t _"]
    right: int = 0
    measure: str = ""
    value: float = math.nan
    finite: bool = True


class Judge(Protocol):
    """Judges a learner's averaged weights, or others, on the tuning images; every process gets the same verdict."""

    @property
    def mark(self) -> str:
        """Stands for those images: a verdict on others has to be made again."""
        ...

    def __call__(self, learner: Learner, weights: Mapping[str, Tensor] | None = None) -> Verdict:
        """The verdict."""
        ...

    def again(self, evidence: Float[np.ndarray, "t _"]) -> Verdict:
        """The verdict whose evidence this was."""
        ...

    def findings(
        self, history: Sequence[EpochEnded], verdict: Verdict, values: Mapping[str, Any]
    ) -> Sequence[Finding]:
        """What there is to say after an epoch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassJudge:
    """The judge of classifiers: how many answers are right, then the log loss. The evidence is the logits."""

    feed: Feed
    labels: Int[np.ndarray, "t"]
    classes: Sequence[str]
    mark: str

    def __call__(self, learner: Learner, weights: Mapping[str, Tensor] | None = None) -> Verdict:
        """The verdict on the averaged or other weights, shared over the team, exact."""
        return self.again(_logits(learner, self.feed, weights, len(self.labels), len(self.classes)))

    def again(self, evidence: Float[np.ndarray, "t _"]) -> Verdict:
        """The verdict of these logits."""
        right = int((evidence.argmax(1) == self.labels).sum())
        loss = log_loss(evidence, self.labels) if len(self.labels) else math.nan
        return Verdict(
            order=(right, -loss),
            loss=loss,
            of=len(self.labels),
            evidence=evidence,
            right=right,
            finite=bool(np.isfinite(evidence).all()),
        )

    def findings(
        self, history: Sequence[EpochEnded], verdict: Verdict, values: Mapping[str, Any]
    ) -> Sequence[Finding]:
        """What there is to say after an epoch."""
        answers, truth = self._counts(verdict.evidence.argmax(1)), self._counts(self.labels)
        return diagnose(history, answers=answers, truth=truth, options=values)

    def _counts(self, ids: Int[np.ndarray, "n"]) -> dict[str, int]:
        return dict(zip(self.classes, np.bincount(ids, minlength=len(self.classes)).tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelJudge:
    """The judge of nets that name several classes: the mean average precision, then the log loss, of `shows`."""

    feed: Feed
    shows: Bool[np.ndarray, "t k"]
    mark: str

    def __call__(self, learner: Learner, weights: Mapping[str, Tensor] | None = None) -> Verdict:
        """The verdict on the averaged or other weights, shared over the team, exact."""
        return self.again(_logits(learner, self.feed, weights, *self.shows.shape))

    def again(self, evidence: Float[np.ndarray, "t _"]) -> Verdict:
        """The verdict of these logits."""
        n = len(self.shows)
        finite = bool(np.isfinite(evidence).all())
        loss = log_loss(evidence, self.shows) if n else math.nan
        value = labels.mean_average_precision(evidence, self.shows) if finite else math.nan
        return Verdict(
            order=(value if math.isfinite(value) else 0.0, -loss),
            loss=loss,
            of=n,
            evidence=evidence,
            measure=labels.MEASURE,
            value=value,
            finite=finite,
        )

    def findings(
        self, history: Sequence[EpochEnded], verdict: Verdict, values: Mapping[str, Any]
    ) -> Sequence[Finding]:
        """What there is to say after an epoch."""
        return diagnose(history, options=values)


def _logits(
    learner: Learner, feed: Feed, weights: Mapping[str, Tensor] | None, n: int, classes: int
) -> Float[np.ndarray, "t _"]:
    """The logits of the `n` images of a feed, shared over the team, exact."""
    parts = list(parts_of(np.arange(n), PART))
    mine = [parts[place] for place in learner.team.share(len(parts))]
    found = learner.outputs(feed.batches(mine, 0), weights)
    rows = [int(row) for part in mine for row in part]
    own = torch.cat(found) if found else torch.zeros(0, classes)
    return learner.team.rows(own, rows, n).numpy()
