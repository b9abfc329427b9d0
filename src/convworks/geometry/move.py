"""A Move says where every point of an image goes: one 3x3 matrix and the size of the new frame.

Any number of crops, flips and rotations compose into one Move, applied once to the image, the boxes, the
masks and the points, so that they stay together and the pixels are interpolated only once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float

from convworks.geometry import boxes as boxes_
from convworks.geometry import outlines
from convworks.geometry.boxes import Size

Matrix = Float[np.ndarray, "3 3"]

NOTHING = [0.0] * 5
"""A box of which nothing is seen, and its share."""


def matrix(rows: list[list[float]]) -> Matrix:
    """A 3x3 matrix from its first two rows (or all three); (x, y, 1) in pixel edges on the right.

    >>> matrix([[2, 0, 5], [0, 2, 7]]).tolist()
    [[2.0, 0.0, 5.0], [0.0, 2.0, 7.0], [0.0, 0.0, 1.0]]
    """
    return np.array(rows if len(rows) == 3 else [*rows, [0, 0, 1]], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """Where points go: `matrix` on (x, y, 1), pixel edges, and the new frame's `size` (height, width).

    The pixel in the first row and column covers (0, 0) to (1, 1), so its middle is (0.5, 0.5). Points of the
    old image that fall inside the new frame must lie before the horizon of a perspective matrix.
    """

    matrix: Matrix
    size: Size

    def then(self, other: Move) -> Move:
        """This move, followed by `other`, as one."""
        return Move(other.matrix @ self.matrix, other.size)

    def inverse(self, size: Size) -> Move:
        """The way back into the frame of `size` that this move came from."""
        return Move(np.linalg.inv(self.matrix), size)

    @property
    def is_affine(self) -> bool:
        """Whether parallel lines stay parallel."""
        return self.matrix[2].tolist() == [0, 0, 1]

    @property
    def is_upright(self) -> bool:
        """Whether rows stay rows and columns stay columns: scale, shift and mirror only."""
        return self.is_affine and self.matrix[0, 1].item() == self.matrix[1, 0].item() == 0

    @property
    def mirrors(self) -> bool:
        """Whether left and right (or up and down) change places, as in one flip but not in two."""
        return bool(np.linalg.det(self.matrix) < 0)

    def points(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Where points (or the corners of a polygon) go, inside the frame or not; NaN stays NaN.

        >>> identity((4, 4)).points(np.array([[1.0, 3.0]])).tolist()
        [[1.0, 3.0]]
        """
        moved = points @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        if not self.is_affine:
            moved = moved / (points @ self.matrix[2, :2] + self.matrix[2, 2])[..., None]
        return moved.astype(points.dtype, copy=False)

    def boxes(self, boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
        """The upright boxes around the moved corners, not clipped to the frame."""
        if not self.is_affine:
            return outlines.hull(self.points(outlines.corners(boxes)))
        (a, b, x), (c, d, y), _ = self.matrix.tolist()
        # The lowest x of the corners is that of the left edge where a > 0, else of the right, and so on.
        low_a, low_b, low_c, low_d = max(a, 0), max(b, 0), max(c, 0), max(d, 0)
        high_a, high_b, high_c, high_d = min(a, 0), min(b, 0), min(c, 0), min(d, 0)
        moved = boxes @ np.array(
            [
                [low_a, low_c, high_a, high_c],
                [low_b, low_d, high_b, high_d],
                [high_a, high_c, low_a, low_c],
                [high_b, high_d, low_b, low_d],
            ]
        )
        moved += np.array([x, y, x, y])
        return moved.astype(boxes.dtype, copy=False)

    def reach(self) -> tuple[float, float, float, float]:
        """The upright box (xyxy) around what the new frame shows, in the old image or beyond it."""
        height, width = self.size
        if not self.is_affine:
            frame = outlines.corners(np.array([[0.0, 0.0, width, height]]))
            left, top, right, bottom = outlines.hull(self.inverse(self.size).points(frame))[0].tolist()
            return left, top, right, bottom
        (a, b, x), (c, d, y), _ = self.matrix.tolist()
        area = a * d - b * c
        x, y = width / 2 - x, height / 2 - y
        middle_x, middle_y = (d * x - b * y) / area, (a * y - c * x) / area
        half_x = (abs(d) * width + abs(b) * height) / abs(area) / 2
        half_y = (abs(c) * width + abs(a) * height) / abs(area) / 2
        return middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y

    def seen(
        self, boxes: Float[np.ndarray, "n 4"]
    ) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n"]]:
        """The box around what the new frame shows of each box, and the share of the box's area that it shows.

        A box that is not shown at all, or has no area, comes back as zeros with share 0.
        """
        if self.is_upright:
            return self._upright(boxes)
        rows, (height, width) = cast("list[list[float]]", self.matrix.tolist()), self.size
        edges = [] if self.is_affine else self._edges()
        frame = ((1.0, 0.0, 0.0), (-1.0, 0.0, width), (0.0, 1.0, 0.0), (0.0, -1.0, height))
        found: list[list[float]] = []
        for box, (left, top, right, bottom) in zip(boxes.tolist(), self.boxes(boxes).tolist(), strict=True):
            if not (box[2] > box[0] and box[3] > box[1]):
                found.append(NOTHING)
            elif edges:
                found.append(_glimpse(box, rows, edges, self.size))
            elif left >= 0 and top >= 0 and right <= width and bottom <= height:
                found.append([left, top, right, bottom, 1.0])
            elif right <= 0 or left >= width or bottom <= 0 or top >= height:
                found.append(NOTHING)
            else:
                crossed = itertools.compress(frame, (left < 0, right > width, top < 0, bottom > height))
                found.append(_part(box, rows, crossed, self.size))
        seen = np.array(found, boxes.dtype).reshape(-1, 5)
        return seen[:, :4], seen[:, 4]

    def _upright(
        self, boxes: Float[np.ndarray, "n 4"]
    ) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n"]]:
        """`seen` where boxes stay upright."""
        solid = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        found = boxes_.clip(self.boxes(boxes), self.size)
        scale = abs(self.matrix[0, 0] * self.matrix[1, 1])
        share = np.zeros(len(boxes), boxes.dtype)
        np.divide(boxes_.area(found), boxes_.area(boxes) * scale, out=share, where=solid)
        found[share <= 0] = 0
        return found, np.minimum(share, 1)

    def _edges(self) -> list[list[float]]:
        """The frame's edges in the old image: a * x + b * y + c is not below 0 on the side that is shown."""
        across, down, depth = self.matrix.tolist()
        height, width = self.size
        right = [width * w - x for w, x in zip(depth, across, strict=True)]
        bottom = [height * w - y for w, y in zip(depth, down, strict=True)]
        return [across, right, down, bottom]


def identity(size: Size) -> Move:
    """The move that leaves everything where it is."""
    return Move(np.eye(3), size)


def crop(box: tuple[float, float, float, float], size: Size) -> Move:
    """The move that brings `box` (xyxy, pixel edges) to a frame of `size`.

    >>> crop((2, 1, 4, 3), (2, 2)).matrix.tolist()
    [[1.0, 0.0, -2.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]]
    """
    left, top, right, bottom = box
    across, down = size[1] / (right - left), size[0] / (bottom - top)
    return Move(matrix([[across, 0, -left * across], [0, down, -top * down]]), size)


def scales(move: Move) -> tuple[float, float]:
    """New pixels an old pixel, along x and along y, at the middle of the new frame."""
    (a, b, c), (d, e, f), (g, h, i) = cast("list[list[float]]", move.matrix.tolist())
    if move.is_affine:
        return math.hypot(a, d), math.hypot(b, e)
    height, width = move.size
    back = np.linalg.inv(move.matrix) @ np.array([width / 2, height / 2, 1])
    x, y = (back[:2] / back[2]).tolist()
    depth = g * x + h * y + i
    u, v = (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
    return math.hypot(a - u * g, d - v * g) / abs(depth), math.hypot(b - u * h, e - v * h) / abs(depth)


def _part(
    box: list[float], rows: list[list[float]], edges: Iterable[Sequence[float]], size: Size
) -> list[float]:
    """The box around what a frame of `size` shows of one box, cut by `edges` of it; and the share that it shows."""
    (a, b, x), (c, d, y), _ = rows
    left, top, right, bottom = box
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    outline = outlines.cut([(a * u + b * v + x, c * u + d * v + y) for u, v in corners], edges)
    share = outlines.area(outline) / ((right - left) * (bottom - top) * abs(a * d - b * c))
    return _around(outline, share, size)


def _glimpse(box: list[float], rows: list[list[float]], edges: list[list[float]], size: Size) -> list[float]:
    """The same under perspective: the box is cut in the old image by the frame's `edges` there, before any horizon."""
    left, top, right, bottom = box
    outline = outlines.cut([(left, top), (right, top), (right, bottom), (left, bottom)], edges)
    share = outlines.area(outline) / ((right - left) * (bottom - top))
    (a, b, c), (d, e, f), (g, h, i) = rows
    moved = [
        ((a * x + b * y + c) / (g * x + h * y + i), (d * x + e * y + f) / (g * x + h * y + i))
        for x, y in outline
    ]
    return _around(moved, share, size)


def _around(outline: Sequence[outlines.Point], share: float, size: Size) -> list[float]:
    """The box around an outline inside a frame of `size`, and the share that it is, if it is any."""
    if share == 0:
        return NOTHING
    height, width = size
    across, down = zip(*outline, strict=True)
    return [
        max(min(across), 0.0),
        max(min(down), 0.0),
        min(max(across), width),
        min(max(down), height),
        min(share, 1.0),
    ]
