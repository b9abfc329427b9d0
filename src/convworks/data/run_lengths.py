"""Masks of objects by the part of the picture that they lie in: nothing as large as the picture is laid out for each.

A mask is kept as run lengths of the whole picture, as COCO writes them (down the columns, zeros first). Its pixels are
those of its own box.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from convworks.data.raster import Ring, box, to_polygons, to_runs
from convworks.geometry.boxes import Size

Corner = tuple[int, int]
"""Left and top of a part, in pixels of the picture."""


def runs_of(part: Bool[np.ndarray, "h w"], corner: Corner, size: Size) -> tuple[int, ...]:
    """The run lengths of a picture of `size` (height, width) in which a mask has only these pixels, from `corner` on.

    >>> runs_of(np.array([[True], [True]]), (1, 0), (3, 2))
    (3, 2, 1)
    """
    (height, width), (left, top) = size, corner
    high, wide = part.shape
    if not part.any():
        return (height * width,)
    columns = np.zeros((height, wide), np.bool_)
    columns[top : top + high] = part
    first, *middle = to_runs(columns)
    runs, after = [first + left * height, *middle], (width - left - wide) * height
    if len(runs) % 2:
        runs[-1] += after
    elif after:
        runs.append(after)
    return tuple(runs)


def part_of(runs: Sequence[int], size: Size) -> tuple[Bool[np.ndarray, "h w"], Corner]:
    """The pixels of a mask in its own box, and where that begins; (0, 0) and no pixels of an empty mask.

    >>> part, corner = part_of((3, 2, 1), (3, 2))
    >>> part.tolist(), corner
    ([[True], [True]], (1, 0))
    """
    height = size[0]
    edges = np.cumsum(np.asarray(runs, np.int64))
    lengths = np.diff(edges, prepend=0)[1::2]
    ends = edges[1::2][lengths > 0]
    if not len(ends):
        return np.zeros((0, 0), np.bool_), (0, 0)
    starts = ends - lengths[lengths > 0]
    left, right = int(starts[0]) // height, (int(ends[-1]) - 1) // height + 1
    turns = np.zeros((right - left) * height + 1, np.int8)
    np.add.at(turns, starts - left * height, 1)
    np.add.at(turns, ends - left * height, -1)
    columns = (np.cumsum(turns[:-1], dtype=np.int8) > 0).reshape(right - left, height).T
    x0, y0, x1, y1 = box(columns)
    return np.ascontiguousarray(columns[y0:y1, x0:x1]), (left + x0, y0)


def rings(runs: Sequence[int], size: Size) -> tuple[Ring, ...]:
    """Outlines along the edges of a mask's pixels, x, y, x, y, ... in the picture.

    >>> rings((3, 2, 1), (3, 2))
    ((1.0, 0.0, 2.0, 0.0, 2.0, 2.0, 1.0, 2.0),)
    """
    part, (left, top) = part_of(runs, size)
    if not part.size:
        return ()
    return tuple(
        tuple(edge + (left, top)[place % 2] for place, edge in enumerate(ring)) for ring in to_polygons(part)
    )
