"""Abstractions at a proper scale: strides, field, input size and tiles from the measured sizes of objects.

Sizes are square roots of box areas in pixels; `small`, `middle` and `large` are the 10th percentile, the median and
the 90th. `BENCH.md` calls these rules recipes to start from: each is then tested against its neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BLOCK = 32
"""Inputs are multiples of this, so that five halvings lose no row."""
STEPS = 4
"""A small object spans at least so many cells of the finest map that looks for it."""
CELLS = 4
"""The last map is at least so many cells high and wide."""
NEEDED = {4: 16, 8: 32, 16: 64}
"""Finest stride -> pixels that a small object needs."""


def finest_stride(small: float) -> int:
    """The largest of 4, 8 and 16 of which a small object spans four; 4 where it spans none.

    >>> finest_stride(81), finest_stride(40), finest_stride(9)
    (16, 8, 4)
    """
    return max((stride for stride in (8, 16) if small >= STEPS * stride), default=4)


def coarsest_stride(large: float) -> int:
    """The stride of the coarsest level: the smallest power of two of which eight reach half a large object.

    >>> coarsest_stride(122), coarsest_stride(300), coarsest_stride(10)
    (8, 32, 4)
    """
    return max(4, 2 ** math.ceil(math.log2(max(large, 1.0) / 16)))


def field_needed(large: float, crop: int = 0) -> int:
    """Pixels that a cell of the deepest map must see: twice a large object, and for segmentation the crop.

    >>> field_needed(32), field_needed(32, crop=320)
    (64, 320)
    """
    return max(math.ceil(2 * large), crop)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSize:
    """The side of the net's input, how much the picture is enlarged for it, and the tiles where it is cut.

    `tile` and `overlap` are pixels of the original; `tile` is 0 where the picture stays whole.
    """

    side: int
    scale: float
    tile: int = 0
    overlap: int = 0


def detector_input(small: float, large: float, side: float, stride: int = 8) -> InputSize:
    """The smallest input in which a small object has the pixels that a detector of this finest stride needs.

    `side` is the picture's. Where it would have to be more than twice as large, the picture is cut into tiles that
    overlap by a large object, so that each lies whole in one.

    >>> detector_input(81, 122, 640)
    InputSize(side=256, scale=0.4, tile=0, overlap=0)
    >>> detector_input(8, 20, 1280)
    InputSize(side=640, scale=4.0, tile=160, overlap=20)
    """
    wanted = NEEDED[stride] / small
    if wanted <= 2:
        whole = blocks(wanted * side)
        return InputSize(side=whole, scale=whole / side)
    tile = blocks(max(4 * large, 5 * BLOCK))
    enlarged = blocks(wanted * tile)
    return InputSize(side=enlarged, scale=enlarged / tile, tile=tile, overlap=math.ceil(large))


def blocks(pixels: float) -> int:
    """The smallest multiple of 32 that is at least `pixels`, and at least 32.

    >>> blocks(3), blocks(64), blocks(64.5)
    (32, 64, 96)
    """
    return BLOCK * max(1, math.ceil(round(pixels / BLOCK, 6)))
