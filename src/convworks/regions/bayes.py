"""Where to look next: the box whose score is expected to improve most on the best so far, by a Gaussian process.

A detector scores a few hundred boxes; the best box is seldom among them. The scores that are known say, with the
doubt that belongs to it, what a box between them would score, and the one that promises most is scored next.

Source: Zhang et al., Improving object detection with deep convolutional networks via Bayesian optimization and
structured prediction (1504.03293), section 3; the GP: Rasmussen and Williams, 2006, sections 2.2 and 5.4.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import ndtr

Boxes = Float[np.ndarray, "n 4"]
Scores = Float[np.ndarray, "n"]

TRIALS, PATIENCE = 16, 4
"""Boxes that are scored at most, and how many without an improvement end the search."""
STARTS = 2
"""Boxes from which the search for the most promising one begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """What is believed of a score over boxes before any is known: a GP with a constant mean.

    `spread` is the deviation of the scores, `noise` that of one score given its box; `across`, `down`, `wide`, `tall`
    are how far apart boxes may be and still tell of each other: the centre as a share of `scale` (pixels, the size
    of what is looked at, fitted anew in each search), the sides as differences of logarithms.
    """

    mean: float = 0.0
    spread: float = 1.0
    noise: float = 0.1
    across: float = 0.5
    down: float = 0.5
    wide: float = 0.5
    tall: float = 0.5
    scale: float = 1.0

    @property
    def lengths(self) -> Float[np.ndarray, "4"]:
        """The four lengths in the order of `vectors`, those of the centre in pixels."""
        return np.array([self.across * self.scale, self.down * self.scale, self.wide, self.tall])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """What is believed once some scores are known."""

    surface: Surface
    known: Boxes
    weights: Scores
    factor: tuple[np.ndarray, bool]

    def at(self, box: Float[np.ndarray, "4"]) -> tuple[float, float, np.ndarray, np.ndarray]:
        """Mean and deviation of the score of a box told as a vector, and their slopes."""
        lengths = self.surface.lengths
        apart = (self.known - box) / lengths
        like = self.surface.spread**2 * np.exp(-0.5 * (apart**2).sum(1))
        slopes = like[:, None] * apart / lengths
        solved = np.asarray(cho_solve(self.factor, like))
        variance = max(self.surface.spread**2 - float(like @ solved), 1e-12)
        deviation = math.sqrt(variance)
        mean = self.surface.mean + float(like @ self.weights)
        return mean, deviation, self.weights @ slopes, -(solved @ slopes) / deviation


def vectors(boxes: Boxes) -> Boxes:
    """Boxes (xyxy, pixels) as centre x, centre y, log width, log height.

    >>> vectors(np.array([[0.0, 0, 2, 1]])).round(3).tolist()
    [[1.0, 0.5, 0.693, 0.0]]
    """
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, np.log(sides)], 1)


def from_vectors(told: Boxes) -> Boxes:
    """The boxes of `vectors`."""
    half = np.exp(told[:, 2:]) / 2
    return np.concatenate([told[:, :2] - half, told[:, :2] + half], 1)


def believed(surface: Surface, told: Boxes, scores: Scores) -> Belief:
    """What boxes, told as vectors, and their scores say of all others."""
    factor, error = _factor(surface, told), scores - surface.mean
    return Belief(surface=surface, known=told, weights=np.asarray(cho_solve(factor, error)), factor=factor)


def likelihood(surface: Surface, told: Boxes, scores: Scores) -> float:
    """The logarithm of the density of the scores under a surface."""
    factor, error = _factor(surface, told), scores - surface.mean
    volume = 2 * float(np.log(np.diagonal(factor[0])).sum())
    return -0.5 * (
        float(error @ np.asarray(cho_solve(factor, error))) + volume + len(error) * math.log(2 * math.pi)
    )


def scaled(surface: Surface, told: Boxes, scores: Scores) -> Surface:
    """The surface at the `scale` that makes the scores most likely; between 1/8 and 8 times the boxes' own size."""
    size = float(np.exp(told[:, 2:].mean()))
    trials = size * 2.0 ** np.arange(-3, 3.5, 0.5)
    return max(
        (replace(surface, scale=float(trial)) for trial in trials),
        key=lambda one: likelihood(one, told, scores),
    )


def learnt(
    searches: Sequence[tuple[Float[np.ndarray, "_ 4"], Float[np.ndarray, "_"]]], start: Surface
) -> Surface:
    """The surface that makes the scores of boxes (xyxy) around several objects most likely, scales of their own apart.

    By L-BFGS on the logarithms of all but mean and scale; what a detector learns once, from its training pictures.
    """
    told = [(vectors(boxes), scores) for boxes, scores in searches]
    names = ("spread", "noise", "across", "down", "wide", "tall")

    def surface(numbers: np.ndarray) -> Surface:
        positive = dict(zip(names, np.exp(np.clip(numbers[1:], -7, 4)).tolist(), strict=True))
        return replace(start, mean=float(numbers[0]), **positive)

    def unlikelihood(numbers: np.ndarray) -> float:
        found = surface(numbers)
        return -sum(
            likelihood(replace(found, scale=float(np.exp(boxes[:, 2:].mean()))), boxes, scores)
            for boxes, scores in told
        )

    first = np.array([start.mean, *(math.log(getattr(start, name)) for name in names)])
    return surface(minimize(unlikelihood, first, method="L-BFGS-B", options={"maxiter": 60}).x)


def improvement(belief: Belief, box: Float[np.ndarray, "4"], best: float) -> tuple[float, np.ndarray]:
    """By how much a box, told as a vector, is expected to beat `best`, and the slope of that.

    >>> belief = believed(Surface(), np.zeros((1, 4)), np.zeros(1))
    >>> round(improvement(belief, np.full(4, 99.0), 0.0)[0], 4)  # nothing is known there: 1 / sqrt(2 pi)
    0.3989
    """
    mean, deviation, mean_slope, deviation_slope = belief.at(box)
    surprise = (mean - best) / deviation
    below, density = float(ndtr(surprise)), math.exp(-0.5 * surprise**2) / math.sqrt(2 * math.pi)
    return (mean - best) * below + deviation * density, below * mean_slope + density * deviation_slope


def searched(
    boxes: Boxes,
    scores: Scores,
    scorer: Callable[[Boxes], Scores],
    surface: Surface,
    *,
    trials: int = TRIALS,
    patience: int = PATIENCE,
) -> tuple[Float[np.ndarray, "m 4"], Float[np.ndarray, "m"]]:
    """Boxes (xyxy, pixels) around one object and those that were tried beside them, with their scores.

    At most `trials` boxes are scored, fewer when the last `patience` did not beat the best. `boxes` are a local best
    and its neighbours, three at least.
    """
    told, scores, stalled = vectors(boxes), np.asarray(scores, np.float64), 0
    for _ in range(trials):
        belief = believed(scaled(surface, told, scores), told, scores)
        chosen = _most_promising(belief, float(scores.max()), scores)
        score = np.asarray(scorer(from_vectors(chosen[None])), np.float64)
        stalled = 0 if score[0] > scores.max() else stalled + 1
        told, scores = np.concatenate([told, chosen[None]]), np.concatenate([scores, score])
        if stalled == patience:
            break
    return np.concatenate([boxes, from_vectors(told[len(boxes) :])]), scores


def _most_promising(belief: Belief, best: float, scores: Scores) -> Float[np.ndarray, "4"]:
    """The box, told as a vector, of the largest expected improvement, sought from the best boxes that are known."""

    def loss(box: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = improvement(belief, origin + box * lengths, best)
        return -value * unit, -slope * lengths * unit

    lengths, unit = belief.surface.lengths, 1 / belief.surface.spread
    found: list[tuple[float, np.ndarray]] = []
    best_first = np.argsort(-scores, kind="stable")[: 2 * STARTS]
    top, weight = belief.known[best_first], np.exp((scores[best_first] - best) * unit)
    for origin in (*top[:STARTS], (weight @ top) / weight.sum()):
        # A known box is where the slope vanishes: the search begins a little beside it.
        beside = 0.1 * np.sign(top[0] - origin + 1e-12)
        solved = minimize(
            loss, beside, jac=True, method="L-BFGS-B", bounds=[(-3, 3)] * 4, options={"maxiter": 25}
        )
        found.append((float(solved.fun), origin + solved.x * lengths))
    return min(found, key=lambda pair: pair[0])[1]


def _factor(surface: Surface, told: Boxes) -> tuple[np.ndarray, bool]:
    """The Cholesky factor of the covariance of the scores of some boxes."""
    apart = told / surface.lengths
    squared = ((apart[:, None] - apart[None]) ** 2).sum(-1)
    covariance = surface.spread**2 * np.exp(-0.5 * squared)
    covariance[np.diag_indices(len(told))] += surface.noise**2 + 1e-9
    return cho_factor(covariance, lower=True)
