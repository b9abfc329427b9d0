"""A small net that slides over the map and says where objects may be: the R that makes Faster R-CNN faster.

Source: Faster R-CNN (1506.01497), section 3.1; with its approximate joint training no gradient goes through the
proposals' places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torchvision.ops import box_iou, nms

from convworks.regions.anchors import RATIOS, SCALES, anchors, base, inside
from convworks.regions.coding import deltas, from_deltas
from convworks.regions.losses import smooth_l1
from convworks.regions.matching import by_overlap
from convworks.regions.sampling import sampled

UNIT = (1.0, 1.0, 1.0, 1.0)
"""Deltas of anchors are not divided: the anchors are far from their objects, and the deltas about 1 as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many proposals stay before and after suppression, at which IoU, and their shortest side in pixels."""

    before: int = 6000
    after: int = 300
    overlap: float = 0.7
    side: float = 16.0


TRAINING, TESTING = Limits(before=12000, after=2000), Limits()


class RegionNetwork(nn.Module):
    """A 3x3 convolution, and for each anchor of a cell whether it holds an object and how it would fit it better."""

    cell: Tensor

    def __init__(
        self,
        channels: int,
        stride: int,
        *,
        scales: Sequence[float] = SCALES,
        ratios: Sequence[float] = RATIOS,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.register_buffer("cell", base(scales, ratios), persistent=False)
        count = len(self.cell)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness = nn.Conv2d(channels, count, 1)
        self.boxes = nn.Conv2d(channels, 4 * count, 1)
        for layer in (self.conv, self.objectness, self.boxes):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(
        self, features: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n 4"]]:
        """The logit and the four deltas of each anchor, in the order of `anchors`."""
        hidden = F.relu(self.conv(features))
        count = len(self.cell)
        logits = self.objectness(hidden).permute(0, 2, 3, 1).flatten(1)
        told = self.boxes(hidden).unflatten(1, (count, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3)
        return logits, told

    def anchors(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "n 4"]:
        """The anchors of a map."""
        return anchors((features.shape[2], features.shape[3]), self.stride, self.cell)


def proposed(
    logits: Float[Tensor, "n"],
    told: Float[Tensor, "n 4"],
    references: Float[Tensor, "n 4"],
    size: tuple[int, int],
    limits: Limits = TESTING,
) -> tuple[Float[Tensor, "p 4"], Float[Tensor, "p"]]:
    """The boxes of one picture of `size` (height, width) and their probabilities of an object, the best first."""
    best = logits.detach().topk(min(limits.before, len(logits)))
    boxes = from_deltas(references[best.indices], told.detach()[best.indices], UNIT)
    boxes = torch.stack([boxes[:, 0::2].clamp(0, size[1]), boxes[:, 1::2].clamp(0, size[0])], -1).flatten(1)
    large = ((boxes[:, 2:] - boxes[:, :2]) >= limits.side).all(1)
    boxes, scores = boxes[large], best.values[large]
    kept = nms(boxes, scores, limits.overlap)[: limits.after]
    return boxes[kept], scores[kept].sigmoid()


def region_loss(
    logits: Float[Tensor, "n"],
    told: Float[Tensor, "n 4"],
    references: Float[Tensor, "n 4"],
    truth: Float[Tensor, "m 4"],
    size: tuple[int, int],
    generator: Generator,
    *,
    count: int = 256,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The losses of objectness and of boxes for one picture, over `count` anchors, at most half with an object.

    An anchor has the object that it overlaps by .7, or that none overlaps more; below .3 it is background; anchors that
    cross the border are left out.
    """
    there = inside(references, size).nonzero()[:, 0]
    if not len(there):
        there = torch.arange(len(references), device=references.device)
    matches = by_overlap(box_iou(references[there], truth), 0.7, 0.3, best_of_each=True)
    chosen = sampled(matches, count=count, foreground=0.5, generator=generator)
    rows, found = there[chosen], matches[chosen]
    objects = found >= 0
    number = max(len(rows), 1)
    score = F.binary_cross_entropy_with_logits(logits[rows], objects.to(logits.dtype), reduction="sum")
    rows = rows[objects]
    wanted = deltas(references[rows], truth[found[objects]], UNIT)
    return score / number, smooth_l1(told[rows] - wanted, 1 / 9).sum() / number
