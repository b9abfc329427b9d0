"""From a small map of how sure a net is of an object to the pixels of the picture that the object has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from convworks.augmentation.resample import FROM_MIDDLES, TO_MIDDLES
from convworks.data.run_lengths import runs_of
from convworks.detectors.answer import Answer
from convworks.geometry import boxes as boxes_
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move, matrix
from convworks.samples import Detection, Found

Pixels = tuple[int, int, int, int]
"""Of a picture: from the first column and row to before the last."""

MARGIN = 2  # cells around what a box covers of a map, between which values are read


def pixels_in(box: Sequence[float], size: Size) -> Pixels:
    """The pixels (xyxy) of a picture of `size` (height, width) whose middle lies in a box.

    >>> pixels_in((0.4, 0.6, 3.5, 9.0), (5, 5))
    (0, 1, 3, 5)
    """
    left, top, right, bottom = (int(np.ceil(edge - 0.5)) for edge in box)
    (height, width) = size
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def window(box: Sequence[float], way: Move) -> tuple[int, int, int, int]:
    """The cells (xyxy) of a map that are read for a box of the picture from which `way` leads to the map.

    >>> window((8, 8, 16, 16), Move(matrix([[0.25, 0, 0], [0, 0.25, 0]]), (8, 8)))
    (0, 0, 6, 6)
    """
    height, width = way.size
    ((left, top, right, bottom),) = way.boxes(np.array([box], np.float64)).tolist()
    x0 = min(max(int(np.floor(left)) - MARGIN, 0), width - 1)
    y0 = min(max(int(np.floor(top)) - MARGIN, 0), height - 1)
    x1 = max(min(int(np.ceil(right)) + MARGIN, width), x0 + 1)
    y1 = max(min(int(np.ceil(bottom)) + MARGIN, height), y0 + 1)
    return x0, y0, x1, y1


def pasted(
    logits: Float[np.ndarray, "h w"], corner: tuple[int, int], way: Move, pixels: Pixels
) -> Bool[np.ndarray, "h2 w2"]:
    """Which of the `pixels` (xyxy) of a picture are the object's: where logits are above 0, read between their middles.

    `logits` are those of a part of a map that begins at the cell `corner` (x, y); `way` leads from the picture to the
    map.
    """
    left, top, right, bottom = pixels
    shift, back = matrix([[1, 0, left], [0, 1, top]]), matrix([[1, 0, -corner[0]], [0, 1, -corner[1]]])
    on_middles = TO_MIDDLES @ back @ way.matrix @ shift @ FROM_MIDDLES
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (right - left, bottom - top)
    grown = cv2.warpAffine(
        np.ascontiguousarray(logits), on_middles[:2], size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return grown > 0


def finds(
    answer: Answer,
    move: Move,
    size: Size,
    names: Sequence[str],
    draw: Callable[[int, Pixels], Bool[np.ndarray, "h w"]],
) -> Detection:
    """The objects of an answer in the original picture of `size`, from which `move` led to the frame.

    `draw(place, pixels)` says which of the pixels of its box an object has; one without any is left out.
    """
    boxes = boxes_.clip(move.inverse(size).boxes(answer.boxes), size)
    found: list[Found] = []
    for place, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        pixels = pixels_in((x0, y0, x1, y1), size)
        if pixels[0] >= pixels[2] or pixels[1] >= pixels[3]:
            continue
        mask = draw(place, pixels)
        if mask.any():
            found.append(
                Found(
                    name=names[int(answer.labels[place])],
                    probability=float(answer.scores[place]),
                    box=(x0, y0, x1, y1),
                    runs=runs_of(mask, pixels[:2], size),
                )
            )
    return Detection(found=tuple(found), size=(size[1], size[0]))
