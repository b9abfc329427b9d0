"""Outlines as rows of points: their hull, their area, and what straight edges leave of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

Point = Sequence[float]


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


def area(outline: Sequence[Point]) -> float:
    """The area inside an outline, by the shoelace formula; positive whichever way round it runs.

    >>> area([(0, 0), (4, 0), (0, 3)])
    6.0
    """
    doubled = 0.0
    old_x, old_y = outline[-1] if outline else (0.0, 0.0)
    for x, y in outline:
        doubled += old_x * y - old_y * x
        old_x, old_y = x, y
    return abs(doubled) / 2


def cut(outline: Sequence[Point], edges: Iterable[Sequence[float]]) -> list[Point]:
    """What of an outline lies where a * x + b * y + c >= 0 for every (a, b, c) of `edges`; empty for nothing.

    Source: Sutherland and Hodgman, Reentrant polygon clipping, 1974.

    >>> cut([(0, 0), (2, 0), (2, 2), (0, 2)], [(1, 0, -1)])
    [(1.0, 0.0), (2, 0), (2, 2), (1.0, 2.0)]
    """
    left = list(outline)
    for a, b, c in edges:
        if not left:
            break
        passed: list[Point] = []
        old_x, old_y = left[-1]
        before = a * old_x + b * old_y + c
        for x, y in left:
            depth = a * x + b * y + c
            if (before < 0) != (depth < 0):
                share = before / (before - depth)
                passed.append((old_x + share * (x - old_x), old_y + share * (y - old_y)))
            if depth >= 0:
                passed.append((x, y))
            old_x, old_y, before = x, y, depth
        left = passed
    return left
