"""Which class is taken for which: a table of counts that adds up over batches and ranks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def confusion(
    truth: Int[np.ndarray, "n"], answers: Int[np.ndarray, "n"], classes: int
) -> Int[np.ndarray, "k k"]:
    """Counts by true class (row) and answered class (column); ValueError for an id outside the classes.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    for ids in (truth, answers):
        if ids.size and not 0 <= ids.min() <= ids.max() < classes:
            raise ValueError(f"class ids {ids.min()} to {ids.max()} do not fit {classes} classes")
    return np.bincount(truth * classes + answers, minlength=classes * classes).reshape(classes, classes)


def recall(table: Int[np.ndarray, "k k"]) -> Float[np.ndarray, "k"]:
    """The share of each true class that is answered right; NaN for a class without images.

    >>> recall(np.array([[3, 1], [0, 0]]))
    array([0.75,  nan])
    """
    return _shares(np.diagonal(table), table.sum(1))


def precision(table: Int[np.ndarray, "k k"]) -> Float[np.ndarray, "k"]:
    """The share of the answers of each class that are right; NaN for a class that is never answered.

    >>> precision(np.array([[3, 1], [0, 1]]))
    array([1. , 0.5])
    """
    return _shares(np.diagonal(table), table.sum(0))


def balanced_accuracy(table: Int[np.ndarray, "k k"]) -> float:
    """The mean recall of the classes that have images, so that small classes count as much as large ones.

    >>> balanced_accuracy(np.array([[90, 0], [5, 5]]))
    0.75
    """
    shares = recall(table)
    there = ~np.isnan(shares)
    return float(shares[there].mean()) if there.any() else float("nan")


def most_confused(table: Int[np.ndarray, "k k"]) -> list[tuple[int, int, int]]:
    """The wrong cells (true class, answered class, count), the largest count first.

    >>> most_confused(np.array([[5, 1], [3, 5]]))
    [(1, 0, 3), (0, 1, 1)]
    """
    wrong = [(int(t), int(a), int(table[t, a])) for t, a in np.argwhere(table) if t != a]
    return sorted(wrong, key=lambda cell: (-cell[2], cell[0], cell[1]))


def _shares(part: Int[np.ndarray, "k"], whole: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
