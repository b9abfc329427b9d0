"""Boxes as four numbers from the top left corner of the image: their area, overlap, clipping and spellings.

The readers of the guide ask how four numbers become a box, relative to what: here they are `xyxy`, pixel
edges, half-open, so that a box's width is x1 - x0 and its area is the number of pixels in it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float

Size = tuple[int, int]
Spelling = Literal["xyxy", "xywh", "cxcywh"]


def area(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n"]:
    """The area of each box in square pixels; 0 where a box is turned inside out.

    >>> area(np.array([[0, 0, 2, 3], [5, 5, 1, 1]], np.float32)).tolist()
    [6.0, 0.0]
    """
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def iou(first: Float[np.ndarray, "n 4"], second: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every box with every other, in [0, 1]; 0 where neither has an area.

    >>> iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]])).round(3).tolist()
    [[0.333]]
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    union = area(first)[:, None] + area(second)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def clip(boxes: Float[np.ndarray, "n 4"], size: Size) -> Float[np.ndarray, "n 4"]:
    """The part of each box inside a frame of `size` (height, width); a box outside shrinks to nothing.

    >>> clip(np.array([[-2, 1, 4, 9]], np.float32), (5, 3)).tolist()
    [[0.0, 1.0, 3.0, 5.0]]
    """
    height, width = size
    return np.minimum(np.maximum(boxes, 0), np.array([width, height, width, height], boxes.dtype))


def convert(boxes: Float[np.ndarray, "n 4"], source: Spelling, target: Spelling) -> Float[np.ndarray, "n 4"]:
    """The same boxes spelt another way: edges, corner and size, or centre and size.

    >>> convert(np.array([[10, 20, 30, 60]], np.float32), "xyxy", "cxcywh").tolist()
    [[20.0, 40.0, 20.0, 40.0]]
    """
    first, second = boxes[..., :2], boxes[..., 2:]
    if source == "xyxy":
        corner, sides = first, second - first
    elif source == "xywh":
        corner, sides = first, second
    else:
        corner, sides = first - second / 2, second
    if target == "xyxy":
        parts = (corner, corner + sides)
    elif target == "xywh":
        parts = (corner, sides)
    else:
        parts = (corner + sides / 2, sides)
    return np.concatenate(parts, axis=-1)
