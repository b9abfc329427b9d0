"""Large pictures piece by piece: objects keep the size that they had when the net learned, and each is found once.

Neighbouring tiles share at least a large common object, so that every such object lies whole in one of them. A box
counts where its middle lies: each tile speaks for what is nearer to its own middle than to a neighbour's, and for a
little more, where the better of two equal boxes stays. No box that a tile's edge cut off is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from convworks.augmentation.resample import GREY
from convworks.detectors.answer import Answer
from convworks.geometry.boxes import Size
from convworks.regions.suppression import per_class

Pixels = UInt8[np.ndarray, "_ _ _"]
Look = Callable[[Sequence[Pixels]], Sequence[Answer]]
AT_ONCE = 4  # tiles
MARGIN = (
    1 / 8
)  # share of what two tiles have in common in which both speak; a cut box there keeps 3/4 of its object
SAME = 0.6  # IoU from which two boxes of a class in that margin are one


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin that cover `length` pixels, spread evenly, each sharing `overlap` or more with the next.

    A tile shares no more than three quarters of itself, however large objects are.

    >>> starts(1000, 320, 40), starts(320, 320, 40), starts(100, 320, 40)
    ([0, 227, 453, 680], [0], [0])
    """
    last = max(0, length - tile)
    steps = -(-last // (tile - min(overlap, 3 * tile // 4)))
    return [round(last * place / max(steps, 1)) for place in range(steps + 1)]


def found(look: Look, image: Pixels, tile: Size, overlap: int) -> Answer:
    """The objects of a whole picture, in its pixels, by falling score; `look` finds those of some tiles.

    `tile` is (height, width) of what the net sees, `overlap` pixels of a large object. What a tile reaches beyond the
    picture is grey.
    """
    down = list(_spans(image.shape[0], tile[0], overlap))
    across = list(_spans(image.shape[1], tile[1], overlap))
    places = list(product(down, across))
    parts: list[Answer] = []
    for first in range(0, len(places), AT_ONCE):
        group = places[first : first + AT_ONCE]
        answers = look([_cut(image, top, left, tile) for (top, *_), (left, *_) in group])
        for (rows, columns), answer in zip(group, answers, strict=True):
            boxes = answer.boxes + np.tile(np.array([columns[0], rows[0]], np.float32), 2)
            mine = _within(boxes[:, 1::2], rows) & _within(boxes[:, ::2], columns)
            parts.append(Answer(boxes=boxes[mine], scores=answer.scores[mine], labels=answer.labels[mine]))
    return parts[0] if len(parts) == 1 else _joined(parts)


Span = tuple[int, float, float]
"""Where a tile begins, and from where to where it speaks."""


def _spans(length: int, tile: int, overlap: int) -> Iterator[Span]:
    begins = starts(length, tile, overlap)
    for place, begin in enumerate(begins):
        low, high = -np.inf, np.inf
        if place:
            shared = begins[place - 1] + tile - begin
            low = begin + shared * (0.5 - MARGIN)
        if place + 1 < len(begins):
            shared = begin + tile - begins[place + 1]
            high = begin + tile - shared * (0.5 - MARGIN)
        yield begin, low, high


def _within(edges: Float[np.ndarray, "n 2"], span: Span) -> Bool[np.ndarray, "n"]:
    middles = edges.mean(axis=1)
    return (middles >= span[1]) & (middles < span[2])


def _cut(image: Pixels, top: int, left: int, tile: Size) -> Pixels:
    part = image[top : top + tile[0], left : left + tile[1]]
    below, right = tile[0] - part.shape[0], tile[1] - part.shape[1]
    if not (below or right):
        return part
    grey = (GREY, GREY, GREY)
    return np.asarray(cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_CONSTANT, value=grey), np.uint8)


def _joined(parts: Sequence[Answer]) -> Answer:
    boxes = np.concatenate([one.boxes for one in parts])
    scores = np.concatenate([one.scores for one in parts])
    labels = np.concatenate([one.labels for one in parts])
    kept = per_class(
        torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(labels), SAME
    ).numpy()
    return Answer(boxes=boxes[kept], scores=scores[kept], labels=labels[kept])
