"""What stride costs: the best that a net could do which tells classes apart only every so many pixels.

A net of output stride s says one row of scores for a square of s x s pixels, and enlarges those. Given the true masks
themselves, averaged over such squares and enlarged the same way, this is what is left of them.
Source: the upper bounds of Long et al., Fully convolutional networks (1411.4038), section 4.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Int, UInt8

from convworks.metrics.overlap import class_counts
from convworks.samples import IGNORE

STRIDES = (4, 8, 16, 32)


def coarse(truth: UInt8[np.ndarray, "h w"], stride: int) -> UInt8[np.ndarray, "h w"]:
    """The class map as squares of `stride` pixels can say it, enlarged as scores are; 255 where nothing is known."""
    height, width = truth.shape
    rows, columns = -(-height // stride), -(-width // stride)
    best = np.zeros(truth.shape, np.float32)
    said = np.full(truth.shape, IGNORE, np.uint8)
    for one in np.unique(truth).tolist():
        if one == IGNORE:
            continue
        padded = np.zeros((rows * stride, columns * stride), np.float32)
        padded[:height, :width] = truth == one
        share = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)
        grown = cv2.resize(share, padded.shape[::-1], interpolation=cv2.INTER_LINEAR)[:height, :width]
        better = grown > best
        said[better] = one
        best[better] = grown[better]
    return said


def stride_counts(
    truth: UInt8[np.ndarray, "h w"], classes: int, strides: tuple[int, ...] = STRIDES
) -> Int[np.ndarray, "s 3 k"]:
    """Pixels of each class at each stride: hit, true, answered. Summed over pictures they give `best_ious`."""
    rows: list[np.ndarray] = []
    for stride in strides:
        table = class_counts(truth, coarse(truth, stride), classes)
        rows.append(np.stack([np.diagonal(table), table.sum(1), table.sum(0)]))
    return np.stack(rows)


def best_ious(counts: Int[np.ndarray, "s 3 k"]) -> list[float]:
    """The mean IoU that the masks leave a net at each stride, NaN of no pixels.

    >>> best_ious(np.array([[[2, 1], [2, 2], [3, 1]]]))
    [0.583...]
    """
    means: list[float] = []
    for hit, true, answered in counts.astype(np.float64):
        union = true + answered - hit
        known = union > 0
        means.append(float((hit[known] / union[known]).mean()) if known.any() else float("nan"))
    return means
