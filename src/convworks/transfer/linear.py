"""A linear classifier on kept features: the guide's "replace it with your own classifier", solved to its optimum.

Multinomial logistic regression with an L2 penalty is convex, so there is one answer and no learning rate: what
DeCAF (1310.1531) and Razavian et al. (1403.6382) put on the features of a pretrained net. Where an image may show
several classes, each is a logistic regression of its own against all others, with one strength for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from scipy.special import expit, logsumexp

Truth = Int[np.ndarray, "n"] | Bool[np.ndarray, "n k"]
"""What images show: the one class of each, or of every class whether it is there."""

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C that are tried: the weight of the data against the penalty, for standardised features."""

RIDGES = (1e-2, 1e-1, 1.0, 10.0)
"""Penalties that `ridge_right` tries, against the mean eigenvalue of the features' inner products."""

EXACTLY: Mapping[str, float] = {"maxiter": 300, "gtol": 1e-5, "ftol": 1e-9}
ROUGHLY: Mapping[str, float] = {"maxiter": 60, "gtol": 1e-4, "ftol": 1e-6}
"""When to stop: for the classifier that is kept, and for those that only choose the strength."""

SMALLEST = 1e-4  # deviation, against the mean of all, under which a feature says nothing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """`features @ weight.T + bias` are the logits; the standardising of the features is already inside."""

    weight: Float[np.ndarray, "k d"]
    bias: Float[np.ndarray, "k"]

    def logits(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """The logits of some features."""
        return features @ self.weight.T + self.bias


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Basis:
    """Standardised features in an orthogonal basis of their span: same inner products, fewer numbers."""

    mean: Float[np.ndarray, "d"]
    scale: Float[np.ndarray, "d"]
    directions: Float[np.ndarray, "r d"]

    @classmethod
    def of(cls, features: Float[np.ndarray, "n d"]) -> tuple[_Basis, Float[np.ndarray, "n r"]]:
        mean, deviation = features.mean(0), features.std(0)
        scale = np.where(
            deviation > SMALLEST * max(deviation.mean(), 1e-30), 1 / np.maximum(deviation, 1e-30), 0
        )
        standard = (features - mean) * scale
        gram = standard @ standard.T if len(standard) < standard.shape[1] else standard.T @ standard
        values, vectors = np.linalg.eigh(gram)
        kept = values > values.max(initial=0) * 1e-10
        if len(standard) < standard.shape[1]:
            directions = (vectors[:, kept] / np.sqrt(values[kept])).T @ standard
        else:
            directions = vectors[:, kept].T
        basis = cls(mean=mean, scale=scale, directions=directions)
        return basis, standard @ directions.T

    def __call__(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n r"]:
        return ((features - self.mean) * self.scale) @ self.directions.T


@dataclass(slots=True, eq=False)
class _Fold:
    """The images that are left out, features to learn from and to judge, and the last solution."""

    out: Bool[np.ndarray, "n"]
    learn: Float[np.ndarray, "l r"]
    judge: Float[np.ndarray, "o r"]
    labels: Int[np.ndarray, "l"] | Bool[np.ndarray, "l k"]
    solved: Float[np.ndarray, "k r1"] | None = None


def fit(
    features: Float[np.ndarray, "n d"],
    labels: Truth,
    classes: int,
    strength: float,
    *,
    weights: Float[np.ndarray, "n"] | None = None,
) -> Linear:
    """The linear classifier with the smallest `mean log loss + |W|^2 / (2 strength n)` on standardised features.

    `strength` is C of other libraries. `weights` counts some images more than others (mean 1 is natural).
    """
    basis, small = _Basis.of(np.asarray(features, np.float64))
    solved = _solve(small, labels, classes, strength, weights)
    weight = (solved[:, :-1] @ basis.directions) * basis.scale
    return Linear(
        weight=weight.astype(np.float32), bias=(solved[:, -1] - weight @ basis.mean).astype(np.float32)
    )


def cross_validate(
    features: Float[np.ndarray, "n d"],
    labels: Truth,
    classes: int,
    folds: Int[np.ndarray, "n"],
    strengths: Sequence[float] = STRENGTHS,
) -> dict[float, Float[np.ndarray, "n k"]]:
    """For each strength, the logits of every image from a classifier that did not learn from its fold.

    Strengths are tried from the weakest on, until the log loss rises; those after it are left out.
    """
    held: list[_Fold] = []
    for fold in np.unique(folds):
        out = folds == fold
        basis, small = _Basis.of(np.asarray(features[~out], np.float64))
        held.append(_Fold(out, small, basis(np.asarray(features[out], np.float64)), labels[~out]))
    found: dict[float, Float[np.ndarray, "n k"]] = {}
    best = np.inf
    for strength in sorted(strengths):
        logits = np.zeros((len(labels), classes))
        for fold in held:
            fold.solved = _solve(fold.learn, fold.labels, classes, strength, None, fold.solved, ROUGHLY)
            logits[fold.out] = fold.judge @ fold.solved[:, :-1].T + fold.solved[:, -1]
        found[strength] = logits
        loss = log_loss(logits, labels)
        if loss > best:
            break
        best = loss
    return found


def ridge_right(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, "n"],
    classes: int,
    folds: Int[np.ndarray, "n"],
) -> int:
    """How many images a ridge classifier gets right, cross-validated: see `ridge`."""
    said = ridge(features, np.eye(classes)[labels], folds)
    return int((said.argmax(1) == labels).sum())


def ridge(
    features: Float[np.ndarray, "n d"], truth: Float[np.ndarray, "n k"], folds: Int[np.ndarray, "n"]
) -> Float[np.ndarray, "n k"]:
    """What a ridge regression says of each image that its fold was left out for, at the best of `RIDGES` by squared
    error; `truth` is 1 where a class is there.

    One decomposition serves all strengths and folds: with hat matrix H, the residuals of a fold f that was left out
    are (I - H_ff)^-1 (y - H y)_f (Allen's PRESS, by blocks). A quick stand-in for `cross_validate` where only the
    order of several sets of features matters.
    """
    standard = np.asarray(features, np.float64) - features.mean(0)
    deviation = standard.std(0)
    standard *= np.where(
        deviation > SMALLEST * max(deviation.mean(), 1e-30), 1 / np.maximum(deviation, 1e-30), 0
    )
    values, vectors = np.linalg.eigh(standard @ standard.T)
    middle = truth.mean(0)
    centred = truth - middle
    turned = vectors.T @ centred
    scale = max(values.mean(), 1e-30)
    best = (np.inf, truth)
    for strength in RIDGES:
        shrunk = np.maximum(values, 0) / (np.maximum(values, 0) + strength * scale)
        residual = centred - vectors @ (shrunk[:, None] * turned)
        left_out = np.empty_like(residual)
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            hat = (vectors[rows] * shrunk) @ vectors[rows].T
            left_out[rows] = np.linalg.solve(np.eye(len(rows)) - hat, residual[rows])
        error = float((left_out**2).sum())
        best = min(best, (error, centred - left_out + middle), key=lambda pair: pair[0])
    return best[1]


def log_loss(logits: Float[np.ndarray, "n k"], labels: Truth) -> float:
    """The mean negative log probability of the true class, in nats; of sets, summed over the classes."""
    if labels.ndim == 2:
        return float((np.logaddexp(0, logits) - logits * labels).sum(1).mean())
    return float((logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]).mean())


def folds_of(labels: Truth, groups: Int[np.ndarray, "n"], seed: int, most: int = 5) -> Int[np.ndarray, "n"]:
    """A fold for every image, at most `most`: classes spread evenly, copies (equal `groups`) in one fold."""
    generator = np.random.default_rng(seed)
    folds = np.zeros(len(labels), np.int64)
    _, first = np.unique(groups, return_index=True)
    heads = first[generator.permutation(len(first))]
    number = min(most, len(heads))
    if labels.ndim == 2:
        by_group = dict(zip(groups[heads].tolist(), _spread(labels[heads], number), strict=True))
    else:
        heads = heads[np.argsort(labels[heads], kind="stable")]
        by_group = {int(groups[head]): place % number for place, head in enumerate(heads)}
    for row, group in enumerate(groups.tolist()):
        folds[row] = by_group[group]
    return folds


def _spread(truth: Bool[np.ndarray, "n k"], number: int) -> list[int]:
    """A fold for each of some sets: the rarest class first, each image to the fold that has the fewest of it.

    Source: Sechidis et al., On the stratification of multi-label data (2011).
    """
    fold = np.full(len(truth), -1)
    held = np.zeros((number, truth.shape[1]), np.int64)
    sizes = np.zeros(number, np.int64)
    for place in [*np.argsort(truth.sum(0), kind="stable").tolist(), None]:
        waiting = fold < 0 if place is None else (fold < 0) & truth[:, place]
        for row in np.flatnonzero(waiting).tolist():
            fewest = sizes if place is None else held[:, place] * (len(truth) + 1) + sizes
            fold[row] = chosen = int(fewest.argmin())
            held[chosen] += truth[row]
            sizes[chosen] += 1
    return fold.tolist()


def _solve(
    x: Float[np.ndarray, "n r"],
    labels: Truth,
    classes: int,
    strength: float,
    weights: Float[np.ndarray, "n"] | None,
    start: Float[np.ndarray, "k r1"] | None = None,
    options: Mapping[str, float] = EXACTLY,
) -> Float[np.ndarray, "k r1"]:
    n, r = x.shape
    once = np.ones(n) if weights is None else weights
    several = labels.ndim == 2
    truth = np.zeros((n, classes))
    truth[labels if several else (np.arange(n), labels)] = 1

    def objective(flat: Float[np.ndarray, "p"]) -> tuple[float, Float[np.ndarray, "p"]]:
        w = flat.reshape(classes, r + 1)
        logits = x @ w[:, :-1].T + w[:, -1]
        if several:
            loss = (once * (np.logaddexp(0, logits) - logits * truth).sum(1)).sum() / n
            slope = once[:, None] * (expit(logits) - truth) / n
        else:
            normal = np.asarray(logsumexp(logits, axis=1, keepdims=True))
            loss = (once * (normal[:, 0] - (logits * truth).sum(1))).sum() / n
            slope = once[:, None] * (np.exp(logits - normal) - truth) / n
        gradient = np.concatenate([slope.T @ x, slope.sum(0)[:, None]], 1)
        penalty = 1 / (strength * n)
        gradient[:, :-1] += penalty * w[:, :-1]
        return float(loss + 0.5 * penalty * (w[:, :-1] ** 2).sum()), gradient.ravel()

    zero = np.zeros((classes, r + 1)) if start is None else start
    solved = minimize(
        objective,
        zero.ravel(),
        jac=True,
        method="L-BFGS-B",
        options=dict(options),
    )
    return solved.x.reshape(classes, r + 1)
