"""From the frame in which a camera stored a picture to the one in which it is shown: EXIF orientations 1 to 8."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped

from convworks.geometry.move import Move, matrix


def turned(pixels: Shaped[np.ndarray, "h w *c"], turn: int) -> Shaped[np.ndarray, "_ _ *c"]:
    """Stored pixels, upright.

    >>> turned(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    sideways = turn >= 5
    upside_down, mirrored = turn in (3, 4, 7, 6), turn in (2, 3, 7, 8)
    pixels = pixels[::-1] if upside_down else pixels
    pixels = pixels[:, ::-1] if mirrored else pixels
    return pixels.swapaxes(0, 1) if sideways else pixels


def move(turn: int, size: tuple[int, int]) -> Move:
    """Where points of a stored image go whose upright `size` is (height, width).

    >>> move(6, (3, 1)).points(np.array([[0.0, 1.0]])).tolist()
    [[0.0, 0.0]]
    """
    height, width = size
    rows: dict[int, list[list[float]]] = {
        2: [[-1, 0, width], [0, 1, 0]],
        3: [[-1, 0, width], [0, -1, height]],
        4: [[1, 0, 0], [0, -1, height]],
        5: [[0, 1, 0], [1, 0, 0]],
        6: [[0, -1, width], [1, 0, 0]],
        7: [[0, -1, width], [-1, 0, height]],
        8: [[0, 1, 0], [-1, 0, height]],
    }
    return Move(matrix(rows.get(turn, [[1, 0, 0], [0, 1, 0]])), size)
