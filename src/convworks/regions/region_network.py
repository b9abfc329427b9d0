"""A small net that slides over the maps and says where objects may be: the R that makes Faster R-CNN faster.

Source: Faster R-CNN (1506.01497), section 3.1; with its approximate joint training no gradient goes through the
proposals' places. Anchors that cross the border learn as the others do, which the paper left out and its successors
do not. On a pyramid (1612.03144, section 4.1) one net slides over every map, each with its own scale of anchors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torchvision.ops import batched_nms, box_iou

from convworks.regions.anchors import RATIOS, SCALES, anchors, base
from convworks.regions.coding import deltas, from_deltas
from convworks.regions.heads import SHARP
from convworks.regions.losses import smooth_l1
from convworks.regions.matching import by_overlap, excused
from convworks.regions.sampling import sampled

UNIT = (1.0, 1.0, 1.0, 1.0)
"""Deltas of anchors are not divided: the anchors are far from their objects, and the deltas about 1 as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many proposals stay of each map before suppression and of a picture after it, at which IoU, and how small."""

    before: int = 6000
    after: int = 300
    overlap: float = 0.7
    side: float = 1.0


TRAINING, TESTING = Limits(before=12000, after=2000), Limits()


class RegionNetwork(nn.Module):
    """A 3x3 convolution, and for each anchor of a cell whether it holds an object and how it would fit it better.

    `strides` are those of the maps, `scales` the scales of the anchors of each, as many on one as on the other, and
    `centres` where the first cell of each looks (`anchors`).
    """

    cells: Tensor

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        *,
        scales: Sequence[Sequence[float]] = (SCALES,),
        ratios: Sequence[float] = RATIOS,
        centres: Sequence[float | None] | None = None,
    ) -> None:
        super().__init__()
        self.strides, self.centres = tuple(strides), tuple(centres or [None] * len(strides))
        cells = torch.stack([base(own, ratios) for _, own in zip(strides, scales, strict=True)])
        self.register_buffer("cells", cells, persistent=False)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.objectness = nn.Conv2d(channels, cells.shape[1], 1)
        self.boxes = nn.Conv2d(channels, 4 * cells.shape[1], 1)
        for layer in (self.conv, self.objectness, self.boxes):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(
        self, maps: Sequence[Float[Tensor, "b c _ _"]]
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n 4"]]:
        """The logit and the four deltas of each anchor, in the order of `anchors`."""
        logits: list[Tensor] = []
        told: list[Tensor] = []
        for here in maps:
            hidden = F.relu(self.conv(here))
            logits.append(self.objectness(hidden).permute(0, 2, 3, 1).flatten(1))
            told.append(self.boxes(hidden).permute(0, 2, 3, 1).reshape(len(here), -1, 4))
        return torch.cat(logits, 1), torch.cat(told, 1)

    def anchors(self, maps: Sequence[Float[Tensor, "b c _ _"]]) -> list[Float[Tensor, "_ 4"]]:
        """The anchors of each map."""
        parts = zip(maps, self.strides, self.cells, self.centres, strict=True)
        return [
            anchors((here.shape[2], here.shape[3]), stride, cell, centre)
            for here, stride, cell, centre in parts
        ]


def proposed(
    logits: Float[Tensor, "n"],
    told: Float[Tensor, "n 4"],
    references: Sequence[Float[Tensor, "_ 4"]],
    size: tuple[int, int],
    limits: Limits = TESTING,
) -> tuple[Float[Tensor, "p 4"], Float[Tensor, "p"]]:
    """The boxes of one picture of `size` (height, width) and their probabilities of an object, the best first.

    `references` are the anchors of each map; boxes of different maps don't suppress each other.
    """
    parts = logits.detach().split([len(own) for own in references])
    best = [part.topk(min(limits.before, len(part))) for part in parts]
    level = torch.cat([torch.full_like(one.indices, place) for place, one in enumerate(best)])
    boxes = [
        from_deltas(own[one.indices], tell[one.indices], UNIT)
        for own, tell, one in zip(
            references, told.detach().split([len(own) for own in references]), best, strict=True
        )
    ]
    whole, scores = within(torch.cat(boxes), size), torch.cat([one.values for one in best])
    large = ((whole[:, 2:] - whole[:, :2]) >= limits.side).all(1)
    whole, scores, level = whole[large], scores[large], level[large]
    kept = batched_nms(whole, scores, level, limits.overlap)[: limits.after]
    return whole[kept], scores[kept].sigmoid()


def within(boxes: Float[Tensor, "*n 4"], size: tuple[int, int]) -> Float[Tensor, "*n 4"]:
    """What lies of boxes in a frame of `size` (height, width).

    >>> within(torch.tensor([[-3.0, 2, 9, 99]]), (10, 20)).tolist()
    [[0.0, 2.0, 9.0, 10.0]]
    """
    height, width = size
    return boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))


def region_loss(
    logits: Float[Tensor, "b n"],
    told: Float[Tensor, "b n 4"],
    references: Float[Tensor, "n 4"],
    truths: Sequence[Float[Tensor, "_ 4"]],
    asides: Sequence[Float[Tensor, "_ 4"]],
    size: tuple[int, int],
    generator: Generator,
    *,
    count: int = 256,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The losses of objectness and of boxes over at most `count` anchors a picture, at most half with an object.

    The pictures are of one `size` (height, width); `truths` are the objects of each, `asides` the regions in which a
    find is neither right nor wrong. An anchor has the object that it overlaps by .7, or that none overlaps more; below
    .3 it is background.
    """
    score, place, number = logits.sum() * 0, told.sum() * 0, 0
    for logit, tell, truth, aside in zip(logits, told, truths, asides, strict=True):
        matches = by_overlap(box_iou(references, truth), 0.7, 0.3, best_of_each=True)
        matches = excused(matches, within(references, size), aside)
        rows = sampled(matches, count=count, foreground=0.5, generator=generator)
        found = matches[rows]
        objects = found >= 0
        wanted = objects.to(logit.dtype)
        score = score + F.binary_cross_entropy_with_logits(logit[rows], wanted, reduction="sum")
        aim = deltas(references[rows[objects]], truth[found[objects]], UNIT)
        place = place + smooth_l1(tell[rows[objects]] - aim, SHARP).sum()
        number += len(rows)
    return score / max(number, 1), place / max(number, 1)
