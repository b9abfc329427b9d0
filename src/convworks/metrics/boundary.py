"""How well outlines agree along their edges, where small objects and careful annotators show.

Source: Cheng et al., Boundary IoU (2103.16562), section 4, with distances by the larger of rows and columns.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from convworks.geometry.boxes import Size
from convworks.samples import IGNORE

SHARE = 0.02  # of the picture's diagonal, that an edge is wide


def width_of(size: Size) -> int:
    """How wide an edge is in a picture of `size` (height, width), in pixels: 2 % of its diagonal, at least 1.

    >>> width_of((360, 480))
    12
    """
    return max(1, round(SHARE * math.hypot(*size)))


def band(class_map: UInt8[np.ndarray, "h w"], width: int) -> Bool[np.ndarray, "h w"]:
    """The pixels that have another class, or the outside of the picture, at most `width` pixels away."""
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    near = np.asarray(cv2.erode(class_map, square) != cv2.dilate(class_map, square))
    near[:width] = near[-width:] = True
    near[:, :width] = near[:, -width:] = True
    return near


def boundary_counts(
    truth: UInt8[np.ndarray, "h w"], answer: UInt8[np.ndarray, "h w"], classes: int, width: int
) -> Int[np.ndarray, "2 k"]:
    """Pixels of the edges of each class: in both maps, then in either. Where the truth is 255 none counts.

    What has no truth gets none for an edge either: there it is taken to be as it was answered.
    """
    known = truth != IGNORE
    truth = np.where(known, truth, answer)
    of_truth, of_answer = band(truth, width) & known, band(answer, width) & known
    both = np.bincount(truth[of_truth & of_answer & (truth == answer)], minlength=classes)
    either = np.bincount(truth[of_truth], minlength=classes) + np.bincount(
        answer[of_answer], minlength=classes
    )
    return np.stack([both, either - both])


def boundary_ious(counts: Int[np.ndarray, "2 k"]) -> Float[np.ndarray, "k"]:
    """The boundary IoU of each class from counts that may be summed over pictures; NaN where there is no edge.

    >>> boundary_ious(np.array([[3, 0], [4, 0]]))
    array([0.75,  nan])
    """
    both, either = counts.astype(np.float64)
    return np.divide(both, either, out=np.full(both.shape, np.nan), where=either > 0)


def mean_boundary_iou(counts: Int[np.ndarray, "2 k"]) -> float:
    """The mean over the classes that have an edge in truth or answer, NaN of none."""
    known = boundary_ious(counts)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else float("nan")
