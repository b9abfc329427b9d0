"""Whether a probability can be taken at its word: of the answers given with .8, are 80 % right?

Sums are kept as whole numbers, confidences in steps of 2^-32, so that any split over batches or ranks gives
exactly the same. Source: C. Guo et al., On calibration of modern neural networks (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

BINS = 15
STEPS = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The answers with a confidence in (low, high]: how many, how many right, and the mean confidence."""

    low: float
    high: float
    n: int
    right: int
    confidence: float

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return self.right / self.n


def calibration_counts(
    probabilities: Float[np.ndarray, "n k"], truth: Int[np.ndarray, "n"], bins: int = BINS
) -> Int[np.ndarray, "bins 3"]:
    """Images, right answers and summed confidence (in 2^-32) by confidence; parts add up to the whole.

    >>> calibration_counts(np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([1, 1]), bins=2) / [1, 1, STEPS]
    array([[1.  , 0.  , 0.5 ],
           [1.  , 1.  , 0.75]])
    """
    confidence = probabilities.max(1).astype(np.float64)
    where = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    columns = (
        np.ones(len(truth), np.int64),
        (probabilities.argmax(1) == truth).astype(np.int64),
        np.rint(confidence * STEPS).astype(np.int64),
    )
    counts = np.zeros((bins, 3), np.int64)
    for column, values in enumerate(columns):
        np.add.at(counts[:, column], where, values)
    return counts


def reliability(counts: Int[np.ndarray, "bins 3"]) -> list[Bin]:
    """The bins that hold answers, from the least confident on."""
    bins = len(counts)
    return [
        Bin(
            low=index / bins,
            high=(index + 1) / bins,
            n=int(n),
            right=int(right),
            confidence=total / STEPS / n,
        )
        for index, (n, right, total) in enumerate(counts.tolist())
        if n
    ]


def calibration_error(counts: Int[np.ndarray, "bins 3"]) -> float:
    """The expected calibration error: |right - confidence| a bin, weighted by its answers; NaN of no answers.

    >>> calibration_error(calibration_counts(np.array([[0.25, 0.75]] * 4), np.array([1, 1, 1, 0])))
    0.0
    """
    total = int(counts[:, 0].sum())
    if total == 0:
        return float("nan")
    return float(np.abs(counts[:, 1] - counts[:, 2] / STEPS).sum() / total)
