"""Which of several finished nets to keep, judged on the tuning images, which are few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from convworks.evaluation import calibration


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A candidate on the tuning images: how many are right, and its log losses at its own best temperature."""

    right: int
    losses: Float[np.ndarray, "t"]
    temperature: float

    @property
    def loss(self) -> float:
        """The mean log loss, in nats."""
        return float(self.losses.mean())


def judge(logits: Float[np.ndarray, "t k"], labels: Int[np.ndarray, "t"]) -> Judged:
    """How a candidate does whose logits on the tuning images these are."""
    heat = calibration.temperature(logits, labels)
    probabilities = calibration.probabilities(logits, heat)
    truth = np.clip(probabilities[np.arange(len(labels)), labels].astype(np.float64), 1e-12, 1)
    return Judged(right=int((logits.argmax(1) == labels).sum()), losses=-np.log(truth), temperature=heat)


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
