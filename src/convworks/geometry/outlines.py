"""Outlines as rows of points: their hull, their area, and what a tilted frame shares with upright boxes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float


def corners(boxes: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 4 2"]:
    """The four corners of each box, clockwise from the top left.

    >>> corners(np.array([[0.0, 0, 2, 1]])).tolist()
    [[[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]]
    """
    return boxes[..., [[0, 1], [2, 1], [2, 3], [0, 3]]]


def hull(outlines: Float[np.ndarray, "*n k 2"]) -> Float[np.ndarray, "*n 4"]:
    """The smallest upright box around each outline.

    >>> hull(np.array([[3.0, 0], [0, 1], [2, 5]])).tolist()
    [0.0, 0.0, 3.0, 5.0]
    """
    return np.concatenate([outlines.min(axis=-2), outlines.max(axis=-2)], axis=-1)


def area(outlines: Float[np.ndarray, "n k 2"]) -> Float[np.ndarray, "n"]:
    """The area inside each outline, by the shoelace formula; positive whichever way round it runs.

    >>> area(np.array([[[0.0, 0], [4, 0], [0, 3]]])).tolist()
    [6.0]
    """
    x, y = outlines[..., 0], outlines[..., 1]
    doubled = x * np.roll(y, -1, axis=-1) - y * np.roll(x, -1, axis=-1)
    return np.abs(doubled.sum(axis=-1)) / 2


def shared(
    frame: Float[np.ndarray, "4 2"], boxes: Float[np.ndarray, "n 4"]
) -> tuple[Float[np.ndarray, "n 24 2"], Bool[np.ndarray, "n"]]:
    """The outline of what a convex `frame` of four corners shares with each box, and whether there is any.

    Each outline runs round its shape; of its 24 points most are repeated. Rows without anything hold NaN.
    """
    edges = np.roll(frame, -1, axis=0) - frame
    turn = np.sign(_cross(edges[:1], edges[1:2]))
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    of_frame = np.broadcast_to(frame, (len(boxes), 4, 2))
    of_boxes = corners(boxes)
    sides = _cross(edges[None, None], of_boxes[:, :, None] - frame[None, None]) * turn
    crossings = _crossings(frame, edges, boxes)
    points = np.concatenate([of_frame, of_boxes, crossings], axis=1)
    slack = 1e-9 * (1 + np.abs(boxes).max(initial=0))
    within_box = ((points >= low - slack) & (points <= high + slack)).all(axis=2)
    present = np.concatenate([within_box[:, :4], (sides >= 0).all(axis=2), within_box[:, 8:]], axis=1)
    found = np.asarray(present.any(axis=1))
    one = points[np.arange(len(points)), present.argmax(axis=1)]
    points = np.where(present[..., None], points, np.where(found[:, None], one, np.nan)[:, None])
    around = points - points.mean(axis=1, keepdims=True)
    order = np.argsort(np.arctan2(around[..., 1], around[..., 0]), axis=1)
    return np.take_along_axis(points, order[..., None], axis=1), found


def _cross(first: Float[np.ndarray, "*#n 2"], second: Float[np.ndarray, "*#n 2"]) -> Float[np.ndarray, "*#n"]:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def _crossings(
    frame: Float[np.ndarray, "4 2"], edges: Float[np.ndarray, "4 2"], boxes: Float[np.ndarray, "n 4"]
) -> Float[np.ndarray, "n 16 2"]:
    """Where the frame's edges meet the lines x0, y0, x1, y1 of each box; NaN where they never do."""
    along = np.where(edges == 0, np.nan, edges)[:, [0, 1, 0, 1]]
    share = (boxes[:, None, :] - frame[:, [0, 1, 0, 1]]) / along
    share = np.where((share >= 0) & (share <= 1), share, np.nan)
    points = frame[:, None] + share[..., None] * edges[:, None]
    points[:, :, [0, 2], 0] = np.where(np.isnan(share[..., [0, 2]]), np.nan, boxes[:, None, [0, 2]])
    points[:, :, [1, 3], 1] = np.where(np.isnan(share[..., [1, 3]]), np.nan, boxes[:, None, [1, 3]])
    return points.reshape(len(boxes), 16, 2)
