"""Which of several finished nets to keep, judged on the tuning images, which are few."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convworks.evaluation import calibration, labels
from convworks.evaluation.calibration import Truth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A candidate on the tuning images: how many are right, and its log losses at its own best temperature.

    Where images show several classes, `measure` names what `value` measures, and `right` is 0.
    """

    right: int
    losses: Float[np.ndarray, "t"]
    temperature: float
    measure: str = ""
    value: float = math.nan

    @property
    def loss(self) -> float:
        """The mean log loss, in nats."""
        return float(self.losses.mean())


def judge(logits: Float[np.ndarray, "t k"], truth: Truth) -> Judged:
    """How a candidate does whose logits on the tuning images these are."""
    heat = calibration.temperature(logits, truth)
    if truth.ndim == 2:
        return Judged(
            right=0,
            losses=calibration.set_losses(logits.astype(np.float64) / heat, truth),
            temperature=heat,
            measure=labels.MEASURE,
            value=labels.mean_average_precision(logits, truth),
        )
    probabilities = calibration.probabilities(logits, heat)
    own = np.clip(probabilities[np.arange(len(truth)), truth].astype(np.float64), 1e-12, 1)
    return Judged(right=int((logits.argmax(1) == truth).sum()), losses=-np.log(own), temperature=heat)


SURE = 2.0  # standard errors by which a challenger has to be better


def choose(judged: Mapping[str, Judged]) -> str:
    """The first candidate, unless another is better by more than `SURE` standard errors of the paired difference.

    The first is the simplest, and it learns from the tuning images too in the end; of the others the one with the
    smallest loss challenges it. Source: after the standard-error rule of Breiman et al., Classification and
    Regression Trees (1984), section 3.4.3.
    """
    first, *others = judged
    if not others:
        return first
    challenger = min(others, key=lambda name: judged[name].loss)
    gains = judged[first].losses - judged[challenger].losses
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else float("inf")
    return challenger if float(gains.mean()) > SURE * error else first
