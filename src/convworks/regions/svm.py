"""One linear support vector machine a class on the features of regions, taught by what it gets wrong: R-CNN's head.

Of the thousands of background regions of every picture few teach anything. The machine learns from some, looks
through the pictures for background that it takes for an object or nearly does, learns again, and forgets what has
become easy.

Source: R-CNN (1311.2524), section 2.3 and appendix B; the constants are those of its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize

STRENGTH = 1e-3
"""C: what a unit of hinge costs against the penalty, for features of a mean norm of 20."""
NORM = 20.0
BIAS = 10.0
"""The bias is the weight of a feature that is always this: the larger, the less it is held back."""
POSITIVE = 2.0
"""What an error on an object costs against one on background."""
HARD, EASY = -1.0001, -1.2
"""Background that scores above the first is learned from, and below the second it is forgotten."""
ENOUGH = 2000
"""New hard background after which the machine learns again."""
NEGATIVE = 0.3
"""Regions that overlap an object of the class by less than this IoU are its background; its objects alone, with their
own boxes, are what it shall find."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machines:
    """`features @ weight.T + bias` are the scores of each class: above 0 it is there; the scale is inside."""

    weight: Float[np.ndarray, "k d"]
    bias: Float[np.ndarray, "k"]

    def scores(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """The scores of some regions."""
        return features @ self.weight.T + self.bias


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """What one picture offers: features of its regions, and the IoU of each with the nearest object of each class."""

    features: Float[np.ndarray, "n d"]
    overlaps: Float[np.ndarray, "n k"]


def scale_to(parts: Sequence[Float[np.ndarray, "_ d"]], norm: float = NORM) -> float:
    """What to multiply features by, so that the mean norm over all parts is `norm`; 1 where all are 0.

    >>> scale_to([np.array([[3.0, 4.0]]), np.array([[0.0, 5.0]])])
    4.0
    """
    total = sum(float(np.linalg.norm(part, axis=1).sum(dtype=np.float64)) for part in parts)
    count = sum(len(part) for part in parts)
    return norm * count / total if total > 0 else 1.0


def fit(
    positives: Float[np.ndarray, "p d"], negatives: Float[np.ndarray, "n d"], strength: float = STRENGTH
) -> Float[np.ndarray, "d1"]:
    """The weights, then the bias, with the smallest `|w|^2 / 2 + C sum of hinges`, objects counting twice.

    The bias is held back as the weights are, so that the dual problem has bounds alone, and is solved as such.
    """
    x = np.concatenate([positives, -negatives]).astype(np.float64)
    sign = np.repeat([1.0, -1.0], [len(positives), len(negatives)])
    x = np.concatenate([x, BIAS * sign[:, None]], 1)
    bounds = np.where(sign > 0, POSITIVE * strength, strength)

    def dual(alpha: Float[np.ndarray, "m"]) -> tuple[float, Float[np.ndarray, "m"]]:
        w = alpha @ x
        return float(0.5 * w @ w - alpha.sum()), x @ w - 1

    solved = minimize(
        dual,
        np.zeros(len(x)),
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([np.zeros(len(x)), bounds], 1),
        options={"maxiter": 2000, "maxfun": 4000, "gtol": 1e-4, "ftol": 1e-12, "maxcor": 20},
    )
    w = solved.x @ x
    return np.append(w[:-1], w[-1] * BIAS)


def mined(
    positives: Float[np.ndarray, "p d"],
    pictures: Iterable[Float[np.ndarray, "_ d"]],
    strength: float = STRENGTH,
    enough: int = ENOUGH,
) -> Float[np.ndarray, "d1"]:
    """The weights, then the bias, after one pass over the background of all pictures.

    All background of the first picture that has any begins; of every later one what is hard joins. Whenever `enough`
    has joined, and at the end, the machine learns again and what has become easy is forgotten.
    """
    width = positives.shape[1]
    kept, waiting = np.zeros((0, width)), np.zeros((0, width))
    solved: Float[np.ndarray, "d1"] | None = None
    for features in pictures:
        hard = features if solved is None else features[features @ solved[:-1] + solved[-1] > HARD]
        waiting = np.concatenate([waiting, hard])
        if len(waiting) >= enough or (solved is None and len(waiting)):
            kept = np.concatenate([kept, waiting])
            solved, waiting = fit(positives, kept, strength), waiting[:0]
            kept = kept[kept @ solved[:-1] + solved[-1] > EASY]
    if solved is not None and not len(waiting):
        return solved
    return fit(positives, np.concatenate([kept, waiting]), strength)


def one_against_rest(
    objects: Float[np.ndarray, "m d"],
    labels: Int[np.ndarray, "m"],
    pictures: Sequence[Region],
    classes: int,
    strength: float = STRENGTH,
) -> Machines:
    """A machine a class, from the features of the objects' own boxes and the regions of every picture.

    A class without an object gets weights of 0 and a bias of -1: it is never found.
    """
    scale = scale_to([objects, *(picture.features for picture in pictures)])
    weight, bias = np.zeros((classes, objects.shape[1])), np.full(classes, -1.0)
    for label in range(classes):
        mine: Bool[np.ndarray, "m"] = labels == label
        if mine.any():
            background = (
                picture.features[picture.overlaps[:, label] < NEGATIVE] * scale for picture in pictures
            )
            solved = mined(objects[mine] * scale, background, strength)
            weight[label], bias[label] = solved[:-1] * scale, solved[-1]
    return Machines(weight=weight.astype(np.float32), bias=bias.astype(np.float32))
