"""How well outlines agree, from one table of pixels by true class and answered class.

Source: Long et al., Fully convolutional networks for semantic segmentation (1411.4038), section 5.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8

from convworks.samples import IGNORE

Table = Int[np.ndarray, "k k"]


def class_counts(truth: UInt8[np.ndarray, "h w"], answer: UInt8[np.ndarray, "h w"], classes: int) -> Table:
    """Pixels by true class (row) and answered class (column); where the truth is 255 none counts.

    Raises ValueError for maps of two sizes.

    >>> class_counts(np.array([[0, 1, 255]], np.uint8), np.array([[0, 0, 0]], np.uint8), 2)
    array([[1, 0],
           [1, 0]])
    """
    if truth.shape != answer.shape:
        raise ValueError(f"a truth of {truth.shape} and an answer of {answer.shape}")
    pairs = truth.astype(np.int32) * classes + answer
    found = np.bincount(pairs[truth != IGNORE], minlength=classes * classes)
    return found[: classes * classes].reshape(classes, classes)


def cells(table: Table) -> Int[np.ndarray, "m 3"]:
    """The cells of a table that are not empty, as (true class, answered class, pixels): little, of many classes.

    >>> cells(np.array([[3, 0], [1, 0]])).tolist()
    [[0, 0, 3], [1, 0, 1]]
    """
    rows, columns = np.nonzero(table)
    return np.stack([rows, columns, table[rows, columns]], 1).astype(np.int64)


def table_of(cells: Int[np.ndarray, "m 3"], classes: int) -> Table:
    """The table of cells, of which several may be the same."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (cells[:, 0], cells[:, 1]), cells[:, 2])
    return table


def ious(table: Table) -> Float[np.ndarray, "k"]:
    """Intersection over union of each class; NaN for one that is neither there nor answered.

    >>> ious(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    array([0.75, 0.8 ,  nan])
    """
    hit = np.diagonal(table)
    union = table.sum(0) + table.sum(1) - hit
    return _shares(hit, union)


def pixel_accuracy(table: Table) -> float:
    """The share of the pixels that are answered right, NaN of none."""
    return float(_shares(np.trace(table), table.sum()))


def mean_accuracy(table: Table) -> float:
    """The mean over the classes that are there of the share of their pixels that is answered right."""
    return _mean(_shares(np.diagonal(table), table.sum(1)))


def mean_iou(table: Table) -> float:
    """The mean IoU over the classes that are there or answered, NaN of none."""
    return _mean(ious(table))


def weighted_iou(table: Table) -> float:
    """The IoU of the classes, weighted by how many pixels are of each."""
    sizes = table.sum(1)
    known = np.nan_to_num(ious(table))
    return float(_shares((sizes * known).sum(), sizes.sum()))


def _mean(values: Float[np.ndarray, "k"]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _shares(part: np.ndarray | np.generic, whole: np.ndarray | np.generic) -> np.ndarray:
    numerator, denominator = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)
