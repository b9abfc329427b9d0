"""A Move says where every point of an image goes: one 3x3 matrix and the size of the new frame.

Any number of crops, flips and rotations compose into one Move, applied once to the image, the boxes, the
masks and the points, so that they stay together and the pixels are interpolated only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float

from convworks.geometry import boxes as boxes_
from convworks.geometry import outlines
from convworks.geometry.boxes import Size

Matrix = Float[np.ndarray, "3 3"]


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

    def boxes(self, boxes: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 4"]:
        """The upright boxes around the moved corners, not clipped to the frame."""
        return outlines.hull(self.points(outlines.corners(boxes)))

    def frame(self) -> Float[np.ndarray, "4 2"]:
        """Where the corners of the new frame lie in the old image, clockwise from the top left."""
        height, width = self.size
        return self.inverse(self.size).points(outlines.corners(np.array([0.0, 0.0, width, height])))

    def seen(
        self, boxes: Float[np.ndarray, "n 4"]
    ) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n"]]:
        """The box around what the new frame shows of each box, and the share of the box's area that it shows.

        A box that is not shown at all, or has no area, comes back as zeros with share 0.
        """
        if self.is_upright:
            moved = self.boxes(boxes)
            inside = boxes_.clip(moved, self.size)
            whole, rest = boxes_.area(moved), boxes_.area(inside)
            share = np.divide(rest, whole, out=np.zeros_like(rest), where=whole > 0)
            return np.where(share[:, None] > 0, inside, 0).astype(boxes.dtype), share
        found, share = np.zeros_like(boxes), np.zeros(len(boxes), boxes.dtype)
        around = outlines.corners(boxes)
        edges = self._edges()
        depths = around @ edges[:, :2].T + edges[:, 2]
        solid = boxes_.area(boxes) > 0
        whole = solid & (depths >= 0).all(axis=(1, 2))
        found[whole], share[whole] = outlines.hull(self.points(around[whole])), 1
        partly = solid & ~whole & (depths.max(axis=1) > 0).all(axis=1)
        for row in np.flatnonzero(partly):
            outline = outlines.cut(around[row].tolist(), edges.tolist())
            part = outlines.area(outline)
            if part > 0:
                found[row] = outlines.hull(self.points(np.array(outline)))
                share[row] = part / boxes_.area(boxes[row : row + 1])[0]
        return boxes_.clip(found, self.size), np.minimum(share, 1)

    def _edges(self) -> Float[np.ndarray, "4 3"]:
        """The frame's edges in the old image: a * x + b * y + c is not below 0 on the side that is shown."""
        across, down, depth = self.matrix
        height, width = self.size
        return np.stack([across, width * depth - across, down, height * depth - down])


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
    if move.is_affine:
        across, down = np.sqrt((move.matrix[:2, :2] ** 2).sum(axis=0)).tolist()
        return across, down
    height, width = move.size
    back = np.linalg.inv(move.matrix) @ np.array([width / 2, height / 2, 1])
    x, y = (back[:2] / back[2]).tolist()
    (a, b, c), (d, e, f), (g, h, i) = cast("list[list[float]]", move.matrix.tolist())
    depth = g * x + h * y + i
    u, v = (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
    along_x = np.hypot(a - u * g, d - v * g) / abs(depth)
    along_y = np.hypot(b - u * h, e - v * h) / abs(depth)
    return float(along_x), float(along_y)
