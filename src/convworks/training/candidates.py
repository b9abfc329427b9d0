"""Which of several finished nets to keep, judged on the tuning images, which are few."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from convworks.evaluation import calibration, labels
from convworks.evaluation.calibration import Truth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A candidate on the tuning images: which it gets right, and its log losses at its own best temperature.

    Where images show several classes, `measure` names what `value` measures, and no image is simply right.
    """

    hits: Bool[np.ndarray, "t"]
    losses: Float[np.ndarray, "t"]
    temperature: float
    measure: str = ""
    value: float = math.nan

    @property
    def right(self) -> int:
        """How many it gets right."""
        return int(self.hits.sum())

    @property
    def loss(self) -> float:
        """The mean log loss, in nats."""
        return float(self.losses.mean())


def judge(logits: Float[np.ndarray, "t k"], truth: Truth) -> Judged:
    """How a candidate does whose logits on the tuning images these are."""
    heat = calibration.temperature(logits, truth)
    if truth.ndim == 2:
        return Judged(
            hits=np.zeros(len(truth), np.bool_),
            losses=calibration.set_losses(logits.astype(np.float64) / heat, truth),
            temperature=heat,
            measure=labels.MEASURE,
            value=labels.mean_average_precision(logits, truth),
        )
    probabilities = calibration.probabilities(logits, heat)
    own = np.clip(probabilities[np.arange(len(truth)), truth].astype(np.float64), 1e-12, 1)
    return Judged(hits=logits.argmax(1) == truth, losses=-np.log(own), temperature=heat)


SURE = 2.0  # standard errors by which a challenger has to be better


def choose(judged: Mapping[str, Judged]) -> str:
    """The first candidate, unless another is surely better: by its log loss, or by what it gets right.

    The first is the simplest, and it learns from the tuning images too in the end; of the others the one with the
    smallest loss challenges it. It is surely better where the mean of the paired differences is more than `SURE` of
    their standard errors, in one of the two, and not below zero in the other. Few images settle the loss, in which
    one wrong answer that is sure of itself outweighs many right ones; more settle the answers.

    Source: after the standard-error rule of Breiman et al., Classification and Regression Trees (1984), section 3.4.3;
    of answers it is McNemar's test (1947).
    """
    first, *others = judged
    if not others:
        return first
    name = min(others, key=lambda name: judged[name].loss)
    before, after = judged[first], judged[name]
    cheaper = _sureness(before.losses - after.losses)
    righter = _sureness(after.hits.astype(np.float64) - before.hits)
    return name if max(cheaper, righter) > SURE and min(cheaper, righter) >= 0 else first


def _sureness(gains: Float[np.ndarray, "t"]) -> float:
    """The mean gain in its own standard errors; 0 where it cannot be told."""
    error = float(gains.std(ddof=1)) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return float(gains.mean()) / error if error > 0 else 0.0
