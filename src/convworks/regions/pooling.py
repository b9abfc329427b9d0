"""Regions of any size as features of one size: cut from the picture, or pooled from maps that are computed once.

R-CNN warps each region's pixels and runs the net on each; SPP and Fast R-CNN run it once and pool each region from its
map, to within a cell; RoI align reads the map between its cells. Boxes are xyxy in pixels of the net's input; `rows`
tells which picture of the batch each box is of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import roi_align, roi_pool

WARP, CONTEXT = 227, 16
"""Pixels that R-CNN's net reads of a region, and how many of them on each side are what surrounds it."""
LEVELS = (6, 3, 2, 1)
"""Cells a side of the grids of a spatial pyramid: 50 bins together."""


def with_context(
    boxes: Float[Tensor, "n 4"], side: int = WARP, context: int = CONTEXT
) -> Float[Tensor, "n 4"]:
    """Boxes grown about their centres so that, warped to `side`, `context` pixels on each side surround them.

    >>> with_context(torch.tensor([[0.0, 0, 195, 195]])).tolist()
    [[-16.0, -16.0, 211.0, 211.0]]
    """
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    half = half * (side / (side - 2 * context))
    return torch.cat([middle - half, middle + half], 1)


def warped(
    images: Float[Tensor, "b c h w"],
    boxes: Float[Tensor, "n 4"],
    rows: Int[Tensor, "n"],
    *,
    side: int = WARP,
    context: int = CONTEXT,
) -> Float[Tensor, "n c s s"]:
    """Each region with its context, warped to a square; 0, the mean of normalised pixels, where the picture ends.

    Bilinear between the centres of pixels. Source: R-CNN (1311.2524), appendix A.
    """
    height, width = images.shape[-2:]
    grown = with_context(boxes, side, context)
    step = (torch.arange(side, device=boxes.device, dtype=boxes.dtype) + 0.5) / side
    size = boxes.new_tensor([width, height])
    low, reach = grown[:, None, :2], grown[:, None, 2:] - grown[:, None, :2]
    places = (low + reach * step[None, :, None]) / size * 2 - 1
    grid = torch.stack(
        [
            places[:, None, :, 0].expand(-1, side, -1),
            places[:, :, None, 1].expand(-1, -1, side),
        ],
        -1,
    )
    cut = [
        F.grid_sample(images[row][None], part[None], padding_mode="zeros", align_corners=False)
        for row, part in zip(rows.tolist(), grid, strict=True)
    ]
    return torch.cat(cut) if cut else images.new_zeros(0, images.shape[1], side, side)


def pooled(
    features: Float[Tensor, "b c h w"],
    boxes: Float[Tensor, "n 4"],
    rows: Int[Tensor, "n"],
    *,
    scale: float,
    size: tuple[int, int] = (7, 7),
) -> Float[Tensor, "n c p q"]:
    """The largest value of each bin of each region; `scale` is cells a pixel.

    The corners are rounded to cells, both of which belong to the region; bins begin at the cell that their edge falls
    in and end after the one that their end falls in, so neighbours may share cells. A bin without a cell gives 0.

    Source: Fast R-CNN (1504.08083), section 2.1, with the rounding of its code; torchvision's operator.
    """
    regions = torch.cat([rows.to(boxes.dtype)[:, None], boxes], 1)
    return roi_pool(features, regions.to(features.dtype), size, scale)


def pyramid_pooled(
    features: Float[Tensor, "b c h w"],
    boxes: Float[Tensor, "n 4"],
    rows: Int[Tensor, "n"],
    *,
    scale: float,
    levels: Sequence[int] = LEVELS,
) -> Float[Tensor, "n d"]:
    """Grids of several sizes over each region, the largest value of every bin, one after the other.

    Source: SPP-net (1406.4729), section 2.2.
    """
    grids = [pooled(features, boxes, rows, scale=scale, size=(side, side)).flatten(1) for side in levels]
    return torch.cat(grids, 1)


def aligned(
    features: Float[Tensor, "b c h w"],
    boxes: Float[Tensor, "n 4"],
    rows: Int[Tensor, "n"],
    *,
    scale: float,
    size: tuple[int, int] = (7, 7),
    samples: int = 2,
) -> Float[Tensor, "n c p q"]:
    """The mean of `samples` x `samples` values of each bin, read between the cells and never rounded.

    What is thinner than a cell is read as one cell.

    Source: Mask R-CNN (1703.06870), section 3; torchvision's operator, its half-pixel shift on.
    """
    far = torch.maximum(boxes[:, 2:], boxes[:, :2] + 1 / scale)
    regions = torch.cat([rows.to(boxes.dtype)[:, None], boxes[:, :2], far], 1)
    return roi_align(features, regions.to(features.dtype), size, scale, samples, aligned=True)


def level(boxes: Float[Tensor, "n 4"], strides: Sequence[int]) -> Int[Tensor, "n"]:
    """The map of a pyramid from which each region is read: one of 224 pixels a side from that of stride 16.

    A region twice as large is read from the next coarser map. `strides` double from map to map.

    Source: Feature pyramid networks (1612.03144), equation 1.

    >>> level(torch.tensor([[0.0, 0, 224, 224], [0, 0, 111, 112], [0, 0, 9, 9]]), (4, 8, 16, 32)).tolist()
    [2, 0, 0]
    """
    side = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1).sqrt()
    place = torch.floor(4 + torch.log2(side / 224) + 1e-6) - math.log2(strides[0])
    return place.clamp(0, len(strides) - 1).long()
