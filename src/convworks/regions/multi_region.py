"""Ten views of one region: the whole, its halves, its middle, its border and what surrounds it, pooled side by side.

A net that sees the whole alone learns the one part that tells a class best; views of parts make it use the others, and
those around the box make it notice when the box is too small or slips.

Source: Multi-region CNN (1505.01749), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from convworks.regions.pooling import aligned

Half = Literal["left", "right", "top", "bottom"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A box scaled about its centre by `outer`, without what lies in the one scaled by `inner`; or a half of it."""

    inner: float = 0.0
    outer: float = 1.0
    half: Half | None = None

    def box(self, boxes: Float[Tensor, "n 4"]) -> Float[Tensor, "n 4"]:
        """What is pooled."""
        return scaled(boxes, self.outer) if self.half is None else halved(boxes, self.half)

    def hidden(self, boxes: Float[Tensor, "n 4"]) -> Float[Tensor, "n 4"]:
        """What of it is not seen; empty for inner 0."""
        return scaled(boxes, self.inner)


VIEWS = (
    View(),
    View(half="left"),
    View(half="right"),
    View(half="top"),
    View(half="bottom"),
    View(outer=0.5),
    View(inner=0.3, outer=0.8),
    View(inner=0.5),
    View(inner=0.8, outer=1.5),
    View(inner=1.0, outer=1.8),
)
"""The ten of the paper."""


def scaled(boxes: Float[Tensor, "n 4"], scale: float) -> Float[Tensor, "n 4"]:
    """Boxes `scale` times as wide and high about the same centres.

    >>> scaled(torch.tensor([[0.0, 0, 4, 8]]), 0.5).tolist()
    [[1.0, 2.0, 3.0, 6.0]]
    """
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    return torch.cat([middle - scale * half, middle + scale * half], 1)


def halved(boxes: Float[Tensor, "n 4"], half: Half) -> Float[Tensor, "n 4"]:
    """One half of each box.

    >>> halved(torch.tensor([[0.0, 0, 4, 8]]), "bottom").tolist()
    [[0.0, 4.0, 4.0, 8.0]]
    """
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    low, high = boxes[:, :2].clone(), boxes[:, 2:].clone()
    axis = 0 if half in ("left", "right") else 1
    if half in ("left", "top"):
        high[:, axis] = middle[:, axis]
    else:
        low[:, axis] = middle[:, axis]
    return torch.cat([low, high], 1)


def multi_region(
    features: Float[Tensor, "b c h w"],
    boxes: Float[Tensor, "n 4"],
    rows: Int[Tensor, "n"],
    *,
    scale: float,
    size: int = 7,
    views: Sequence[View] = VIEWS,
) -> Float[Tensor, "n c2 p p"]:
    """Every view of each region, RoI-aligned to `size` x `size`, its channels after those of the view before.

    Bins whose centre lies in what a view does not see are 0, and so is their gradient.
    """
    found: list[Tensor] = []
    for view in views:
        seen = aligned(features, view.box(boxes), rows, scale=scale, size=(size, size))
        if view.inner > 0:
            seen = seen.masked_fill(hidden_bins(view, boxes, size)[:, None], 0)
        found.append(seen)
    return torch.cat(found, 1)


def hidden_bins(view: View, boxes: Float[Tensor, "n 4"], size: int) -> Bool[Tensor, "n p p"]:
    """The bins of a view whose centres lie inside what it does not see."""
    outer, inner = view.box(boxes), view.hidden(boxes)
    step = (torch.arange(size, device=boxes.device, dtype=boxes.dtype) + 0.5) / size
    places = outer[:, None, :2] + (outer[:, None, 2:] - outer[:, None, :2]) * step[None, :, None]
    inside = (places > inner[:, None, :2]) & (places < inner[:, None, 2:])
    return inside[:, :, None, 1] & inside[:, None, :, 0]
