"""Boxes corrected by a linear map of a region's features, solved at once: the box regression of R-CNN.

Source: R-CNN (1311.2524), appendix C; the targets are whitened as its code does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convworks.errors import DataError

STRENGTH = 1000.0
"""The weight of the penalty against the sum over all pairs, as R-CNN's features want it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxRidge:
    """`features @ weight + bias` are the four deltas of a box from its proposal."""

    weight: Float[np.ndarray, "d 4"]
    bias: Float[np.ndarray, "4"]

    def deltas(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n 4"]:
        """The deltas that the features of some regions tell."""
        return features @ self.weight + self.bias


def fit(
    features: Float[np.ndarray, "n d"],
    deltas: Float[np.ndarray, "n 4"],
    strength: float = STRENGTH,
) -> BoxRidge:
    """The map with the smallest `|whitened error|^2 + strength |W|^2`, its bias free of the penalty.

    The pairs are those of a proposal and an object that it overlaps by .6 or more. The targets are centred and turned
    so that the four are of one size and none follows from the others. Raises DataError for no pair.
    """
    if not len(features):
        raise DataError(
            "There is no pair of a proposal and an object to learn box corrections from.",
            expected="at least one proposal with IoU .6 or more with an object of its class",
            fix="add boxes of the class, or proposals",
        )
    x, y = features.astype(np.float64), deltas.astype(np.float64)
    middle, centre = x.mean(0), y.mean(0)
    x, y = x - middle, y - centre
    values, vectors = np.linalg.eigh(y.T @ y / len(y))
    scale = np.sqrt(np.maximum(values, 0) + 0.001)
    white = y @ (vectors / scale) @ vectors.T
    n, d = x.shape
    if n < d:
        solved = x.T @ np.linalg.solve(x @ x.T + strength * np.eye(n), white)
    else:
        solved = np.linalg.solve(x.T @ x + strength * np.eye(d), x.T @ white)
    weight = solved @ (vectors * scale) @ vectors.T
    return BoxRidge(weight=weight.astype(np.float32), bias=(centre - middle @ weight).astype(np.float32))
