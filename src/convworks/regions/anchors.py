"""Boxes of several scales and shapes at every cell of a map: what a region network corrects and scores.

Source: Faster R-CNN (1506.01497), section 3.1.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

SCALES = (128.0, 256.0, 512.0)
"""Square roots of the areas in pixels."""
RATIOS = (0.5, 1.0, 2.0)
"""Heights over widths."""


def base(scales: Sequence[float] = SCALES, ratios: Sequence[float] = RATIOS) -> Float[Tensor, "a 4"]:
    """The anchors of one cell about the origin, to whole pixels: all scales of the first ratio, then of the next.

    >>> base((8, 4), (4,)).tolist()
    [[-2.0, -8.0, 2.0, 8.0], [-1.0, -4.0, 1.0, 4.0]]
    """
    sides = [(scale / math.sqrt(ratio), scale * math.sqrt(ratio)) for ratio in ratios for scale in scales]
    half = (torch.tensor(sides) / 2).round()
    return torch.cat([-half, half], 1)


def anchors(
    shape: tuple[int, int], stride: int, cell: Float[Tensor, "a 4"], centre: float | None = None
) -> Float[Tensor, "n 4"]:
    """The anchors of a map of `shape` (height, width), about what its cells see: cell by cell, line by line.

    `centre` is the middle of what the first cell sees, in pixels from the picture's edge; that of its square if None.

    >>> anchors((1, 2), 8, base((4,), (1,))).tolist()
    [[2.0, 2.0, 6.0, 6.0], [10.0, 2.0, 14.0, 6.0]]
    """
    first = stride / 2 if centre is None else centre
    down = torch.arange(shape[0], device=cell.device) * stride + first
    across = torch.arange(shape[1], device=cell.device) * stride + first
    y, x = torch.meshgrid(down, across, indexing="ij")
    centres = torch.stack([x, y, x, y], -1).reshape(-1, 1, 4)
    return (centres + cell).reshape(-1, 4)
