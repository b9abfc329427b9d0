"""Large pictures through overlapping windows of the size that a net learned from, blended so that no seam shows.

Each window counts most in its middle and nothing at its edge, where a net sees only half of what is around. Scores are
gathered at the stride of the net, never at the size of the picture, so that memory does not grow with the classes.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from convworks.geometry.boxes import Size
from convworks.geometry.move import Move, crop

BLOCK = 32  # pixels; the coarsest stride of a net divides it
OVERLAP = 0.25  # share of a window that its neighbour sees too
COARSE = 4  # pixels a score at least: finer ones are averaged
AT_ONCE = 4  # windows

Outputs = Callable[[Float[np.ndarray, "n c h w"]], Tensor]
Normalise = Callable[[UInt8[np.ndarray, "h w c"]], Float[np.ndarray, "c h w"]]


def starts(length: int, window: int, overlap: float = OVERLAP) -> list[int]:
    """Where windows begin that cover `length` pixels, in multiples of 32, each overlapping the one before it.

    >>> starts(1000, 320), starts(320, 320)
    ([0, 192, 352, 512, 704], [0])
    """
    last = max(0, -(-(length - window) // BLOCK))
    gap = max(1, int(window * (1 - overlap)) // BLOCK)
    steps = -(-last // gap)
    return [BLOCK * round(last * place / max(steps, 1)) for place in range(steps + 1)]


def blended(
    outputs: Outputs, normalise: Normalise, image: UInt8[np.ndarray, "h w c"], window: Size
) -> tuple[Float[np.ndarray, "k h2 w2"], Move]:
    """The scores of a whole picture, and the move from the picture to the frame that they cover.

    `window` (height, width) is a multiple of 32. Beyond the picture's edge lies its mirror.
    """
    height, width = image.shape[:2]
    down, across = starts(height, window[0]), starts(width, window[1])
    frame = (down[-1] + window[0], across[-1] + window[1])
    total: Tensor | None = None
    weight = torch.zeros(0)
    places = [(top, left) for top in down for left in across]
    for first in range(0, len(places), AT_ONCE):
        group = places[first : first + AT_ONCE]
        views = [normalise(_view(image, top, left, window)) for top, left in group]
        for (top, left), scores in zip(group, outputs(np.stack(views)), strict=True):
            scores = _coarse(scores, window)
            stride = window[0] // scores.shape[1]
            if total is None:
                total = torch.zeros(len(scores), frame[0] // stride, frame[1] // stride)
                weight = torch.zeros(total.shape[1:])
            share = _share(scores.shape[1], scores.shape[2])
            rows = slice(top // stride, top // stride + scores.shape[1])
            columns = slice(left // stride, left // stride + scores.shape[2])
            total[:, rows, columns] += scores * share
            weight[rows, columns] += share
    assert total is not None
    return (total / weight).numpy(), Move(crop((0, 0, width, height), (height, width)).matrix, frame)


def _coarse(scores: Float[Tensor, "k h w"], window: Size) -> Float[Tensor, "k h2 w2"]:
    step = max(1, COARSE * scores.shape[1] // window[0])
    return F.avg_pool2d(scores[None], step)[0] if step > 1 else scores


def _view(
    image: UInt8[np.ndarray, "h w c"], top: int, left: int, window: Size
) -> UInt8[np.ndarray, "h2 w2 c"]:
    """A window of the picture, mirrored where it reaches beyond the edge, as often as it takes."""
    part = image[top : top + window[0], left : left + window[1]]
    below, right = window[0] - part.shape[0], window[1] - part.shape[1]
    if not (below or right):
        return part
    return np.asarray(cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REFLECT), np.uint8)


def _share(height: int, width: int) -> Float[Tensor, "h w"]:
    """How much each score of a window counts: it rises from the edges over the part that windows share."""
    return torch.outer(_rise(height), _rise(width))


def _rise(length: int) -> Float[Tensor, "l"]:
    from_edge = torch.arange(length) + 0.5
    from_edge = torch.minimum(from_edge, length - from_edge)
    return (from_edge / (length * OVERLAP)).clamp(max=1)
