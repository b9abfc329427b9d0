"""How well scores put the images of a class before the others, where an image may show several classes.

A score that is the same for several images ranks none of them before another: what is counted is counted at the end of
each group of equals, so that the order of the files changes nothing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.stats import rankdata

Scores = Num[np.ndarray, "n"]
Truth = Bool[np.ndarray, "n"]


def average_precision(scores: Scores, truth: Truth) -> float:
    """The mean, over the images of the class, of the precision down to each; NaN of none.

    The area under the steps of precision over recall, without interpolation.
    Source: Buckley and Voorhees, Evaluating evaluation measure stability (2000).

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))
    0.8333...
    """
    return float(drawn_average_precisions(scores, truth, np.ones((1, len(truth)), np.int64))[0])


def drawn_average_precisions(
    scores: Scores, truth: Truth, counts: Int[np.ndarray, "m n"]
) -> Float[np.ndarray, "m"]:
    """The average precision for each of m ways of counting the images, a row of `counts` each: for a bootstrap.

    >>> drawn_average_precisions(np.array([0.9, 0.8]), np.array([False, True]), np.array([[1, 1], [0, 2], [1, 0]]))
    array([0.5, 1. , nan])
    """
    order, ends = _ranked(scores)
    weights = counts[:, order]
    hits = (weights * truth[order]).cumsum(1)[:, ends]
    said = weights.cumsum(1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    total = hits[:, -1] if ends.size else np.zeros(len(counts), np.int64)
    summed = (gained * hits / np.maximum(said, 1)).sum(1)
    return np.divide(summed, total, out=np.full(len(counts), np.nan), where=total > 0)


def area(scores: Scores, truth: Truth) -> float:
    """How often an image of the class scores above one that is not of it, equals counted half; NaN without a pair.

    The area under the receiver operating characteristic; 1/2 is guessing, however rare the class is.
    Source: Hanley and McNeil, The meaning and use of the area under a ROC curve (1982).

    >>> area(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))
    0.5
    """
    there = int(truth.sum())
    others = len(truth) - there
    if not there or not others:
        return float("nan")
    return float((rankdata(scores)[truth].sum() - there * (there + 1) / 2) / (there * others))


def precision_recall(
    scores: Scores, truth: Truth
) -> tuple[Num[np.ndarray, "c"], Float[np.ndarray, "c"], Float[np.ndarray, "c"]]:
    """Each distinct score from the highest on, with the precision and the recall of naming the class from it on.

    Recall is NaN where no image is of the class.

    >>> cuts, precision, recall = precision_recall(np.array([0.9, 0.7, 0.8]), np.array([True, True, False]))
    >>> cuts.tolist(), precision.round(2).tolist(), recall.tolist()
    ([0.9, 0.8, 0.7], [1.0, 0.5, 0.67], [0.5, 0.5, 1.0])
    """
    order, ends = _ranked(scores)
    hits = truth[order].cumsum()[ends]
    total = float(truth.sum())
    recall = hits / total if total else np.full(len(ends), np.nan)
    return scores[order][ends], hits / (ends + 1), recall


def best_cut(scores: Scores, truth: Truth) -> float:
    """The score from which on naming the class gives the highest F1: half-way to the next lower one.

    Of several the highest; NaN where no image is of the class.

    >>> best_cut(np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False]))
    0.5
    """
    order, ends = _ranked(scores)
    if not truth.any():
        return float("nan")
    hits = truth[order].cumsum()[ends]
    best = int((2 * hits / (ends + 1 + truth.sum())).argmax())
    values = np.asarray(scores, np.float64)[order][ends]
    return float(values[best] + values[min(best + 1, len(values) - 1)]) / 2


def set_counts(truth: Bool[np.ndarray, "n k"], answers: Bool[np.ndarray, "n k"]) -> Int[np.ndarray, "k 3"]:
    """By class: images named rightly, images named, images of the class; parts add up to the whole."""
    return np.stack([(truth & answers).sum(0), answers.sum(0), truth.sum(0)], 1)


def f1(counts: Int[np.ndarray, "*k 3"]) -> Float[np.ndarray, "*k"]:
    """The harmonic mean of precision and recall by class; NaN for a class neither there nor named.

    >>> f1(np.array([[2, 3, 5], [0, 0, 0]]))
    array([0.5, nan])
    """
    right, said, there = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    whole = said + there
    return np.divide(2 * right, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def mean_known(values: Float[np.ndarray, "k"]) -> float:
    """The mean of the values that are not NaN, NaN of none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _ranked(scores: Scores) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "c"]]:
    """The order from the highest score on, and where in it each group of equals ends."""
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    ranked = scores[order]
    return order, np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
