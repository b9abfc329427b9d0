"""The default detector: one stage, no anchors to choose, each cell of a light pyramid says what and where.

The towers are shared by the levels, each with its own batch norm (RTMDet, 2212.07784, section 3.2); the score is how
well the box is expected to fit (Generalized focal loss, 2006.04388); a static matching by ATSS (1912.02424) for the
first third of the training, then one aligned with the task (TOOD, 2108.07755), as in PP-YOLOE (2203.16250).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchvision.ops import box_iou

from convworks.backbones.contract import Stage
from convworks.detectors.answer import Answer, Truth, truths
from convworks.layers.conv_norm import normalised
from convworks.regions import matching
from convworks.regions.coding import LARGEST, from_distances
from convworks.regions.losses import generalised_overlap, overlap, quality_focal
from convworks.regions.pyramid import Pyramid
from convworks.regions.suppression import per_class, voted

WIDTH = 64  # channels of the pyramid and the towers
DEPTH = 2  # layers of a tower
REACH = 4.0  # strides from a cell to the edges of the box that it says before it has learned
PRIOR = 0.01  # the score of every cell and class before anything has been learned
STATIC = 1 / 3  # share of the training with a matching that does not look at what the net says
ROW = 7  # numbers of a cell before those of the classes: x, y, stride, and a box
LEAST = 0.01  # the lowest score that is told
CANDIDATES, MOST = 1_000, 300  # boxes before and after suppression
SUPPRESSED = 0.6  # IoU above which the worse of two boxes of a class goes
VOTES = 0.7  # IoU from which it has had a say in where the better one lies
SURE = 1e-6  # a score that is averaged is so far from 0 and 1, that it has a logit


class ConvDet(nn.Module):
    """For every cell of every level: x, y and stride in pixels, a box in pixels, and a logit for each class."""

    def __init__(
        self, info: Sequence[Stage], classes: int, dropout: float, *, finest: int = 8, coarsest: int = 32
    ) -> None:
        super().__init__()
        channels, strides = [stage.channels for stage in info], [stage.stride for stage in info]
        self.pyramid = Pyramid(channels, strides, finest=finest, coarsest=coarsest, width=WIDTH)
        levels = len(self.pyramid.strides)
        self.name_tower, self.place_tower = Tower(levels), Tower(levels)
        self.dropout = nn.Dropout2d(dropout / 2)
        self.classify = nn.Conv2d(WIDTH, classes, 1)
        self.locate = nn.Conv2d(WIDTH, 4, 1)
        for layer in (self.classify, self.locate):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]
        nn.init.constant_(self.classify.bias, -math.log((1 - PRIOR) / PRIOR))  # pyright: ignore[reportArgumentType]

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n cells row"]:
        """The rows of all cells, level after level, row after row."""
        return self.read(self.pyramid(maps))[0]

    def read(
        self, maps: Sequence[Float[Tensor, "n c _ _"]]
    ) -> tuple[Float[Tensor, "n cells row"], list[Float[Tensor, "n c _ _"]]]:
        """The rows of all cells of a pyramid, and of each level what its boxes were read from."""
        found: list[Tensor] = []
        seen: list[Tensor] = []
        for level, here in enumerate(maps):
            stride = self.pyramid.strides[level]
            names = self.classify(self.dropout(self.name_tower(here, level))).flatten(2).mT.float()
            seen.append(self.place_tower(here, level))
            told = self.locate(seen[-1]).flatten(2).mT.float()
            place = cells(here.shape[-2], here.shape[-1], stride, here.device).expand(len(here), -1, -1)
            edges = told.clamp(max=LARGEST).exp() * (REACH * stride)
            found.append(torch.cat([place, from_distances(place[..., :2], edges), names], -1))
        return torch.cat(found, 1), seen


class Tower(nn.Module):
    """A row of 3x3 convolutions that every level goes through, with a batch norm of its own for each level."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False) for _ in range(DEPTH))
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(WIDTH) for _ in range(DEPTH)) for _ in range(levels)
        )

    def forward(self, x: Float[Tensor, "n c h w"], level: int) -> Float[Tensor, "n c h w"]:
        """The map of a level, made ready to be read."""
        norms = self.norms[level]
        assert isinstance(norms, nn.ModuleList)
        for conv, norm in zip(self.convs, norms, strict=True):
            x = normalised(x, conv, norm, "relu")
        return x


def cells(high: int, wide: int, stride: int, device: torch.device | str = "cpu") -> Float[Tensor, "cells 3"]:
    """The middle (x, y) of each cell of a map in pixels, and its stride.

    >>> cells(1, 2, 8).tolist()
    [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0]]
    """
    y = (torch.arange(high, device=device) + 0.5) * stride
    x = (torch.arange(wide, device=device) + 0.5) * stride
    places = torch.stack([x.repeat(high), y.repeat_interleave(wide)], -1)
    return torch.cat([places, places.new_full((high * wide, 1), float(stride))], -1)


def loss(
    outputs: Float[Tensor, "n cells row"],
    targets: Mapping[str, Tensor],
    progress: float,
    fit: float = 2.0,
    beta: float = 2.0,
    known: Sequence[Match] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Quality focal loss of the scores and `fit` x (1 - GIoU) of the boxes, and what to divide their sum by.

    `targets` are those of `answer.padded`. That is the sum of the qualities that are wanted in an image, at least 1.
    `known` are the `matches`, where they are known.
    """
    total, weight = outputs.new_zeros(()), outputs.new_zeros(())
    known = matches(outputs, targets, progress) if known is None else known
    for rows, truth, (found, quality) in zip(outputs, truths(targets), known, strict=True):
        places, said, logits = rows[:, :2], rows[:, 3:ROW], rows[:, ROW:]
        learns = (found >= 0).nonzero()[:, 0]
        wanted = torch.zeros_like(logits)
        wanted[learns, truth.labels[found[learns]]] = quality[learns]
        unsure = matching.reachable(places, truth.aside).any(1) & (found < 0)
        scores = quality_focal(logits, wanted, beta).sum(1).masked_fill(unsure, 0.0)
        poor = 1 - generalised_overlap(said[learns], truth.boxes[found[learns]])
        total = total + scores.sum() + fit * (quality[learns] * poor).sum()
        weight = weight + quality.sum().clamp(min=1)
    return total, weight


Match = tuple[Int[Tensor, "cells"], Float[Tensor, "cells"]]
"""The object that each cell of a frame learns, -1 for none, and the score that it should have for that, in [0, 1]."""


@torch.no_grad()
def matches(
    outputs: Float[Tensor, "n cells row"], targets: Mapping[str, Tensor], progress: float
) -> list[Match]:
    """What the cells of each frame learn."""
    return [matched(rows, truth, progress) for rows, truth in zip(outputs, truths(targets), strict=True)]


def matched(rows: Float[Tensor, "cells row"], truth: Truth, progress: float) -> Match:
    """What the cells of a frame learn."""
    places, strides, said = rows[:, :2], rows[:, 2], rows[:, 3:ROW]
    if progress < STATIC:
        found = matching.adaptive(places, strides, truth.boxes)
        quality = torch.zeros_like(strides)
        learns = (found >= 0).nonzero()[:, 0]
        quality[learns] = overlap(said[learns], truth.boxes[found[learns]])
        return found, quality
    scores = rows[:, ROW:].sigmoid()[:, truth.labels]
    inside = matching.reachable(places, truth.boxes)
    return matching.task_aligned(scores, box_iou(said, truth.boxes), inside)


def decode(outputs: Float[Tensor, "n cells row"]) -> list[Answer]:
    """What is found in each frame: the best cells, less those that say what a better one of their class said.

    A box that stays lies where those that said the same put it, on the mean by their scores.
    """
    return [told(rows)[0] for rows in outputs]


def averaged(
    outputs: Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n cells row"]],
    frames: Float[Tensor, "n c h w"],
    looks: int,
) -> Float[Tensor, "n cells row"]:
    """Boxes and scores of some frames, each the mean of a cell's own and of those of its mirror image.

    The mirror is the only look besides the first. The coarsest stride divides the width of the frames.
    """
    here = outputs(frames)
    return here if looks == 1 else _with_mirror(here, outputs(frames.flip(-1)), frames.shape[-1])


def _with_mirror(
    here: Float[Tensor, "n cells row"], mirrored: Float[Tensor, "n cells row"], width: int
) -> Float[Tensor, "n cells row"]:
    places = mirrored[0, :, :3].numpy()
    order = np.lexsort((-places[:, 0], places[:, 1], places[:, 2]))
    back = mirrored[:, torch.from_numpy(order)]
    left, top, right, bottom = back[..., 3:ROW].unbind(-1)
    boxes = torch.stack([width - right, top, width - left, bottom], -1)
    scores = (here[..., ROW:].sigmoid() + back[..., ROW:].sigmoid()) / 2
    return torch.cat([here[..., :3], (here[..., 3:ROW] + boxes) / 2, scores.logit(SURE)], -1)


def told(rows: Float[Tensor, "cells row"]) -> tuple[Answer, Int[Tensor, "n"]]:
    """What is found in a frame, and the cell that says each of it."""
    cell, scores, labels = _candidates(rows)
    boxes = rows[cell, 3:ROW]
    kept = per_class(boxes, scores, labels, SUPPRESSED, MOST)
    settled = voted(boxes[kept], labels[kept], boxes, scores, labels, VOTES)
    answer = Answer(boxes=settled.numpy(), scores=scores[kept].numpy(), labels=labels[kept].numpy())
    return answer, cell[kept]


def _candidates(
    rows: Float[Tensor, "cells row"],
) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"], Int[Tensor, "n"]]:
    """The cells, once for each class, that score at all, by falling score, with their scores and classes."""
    scores = rows[:, ROW:].sigmoid()
    classes = scores.shape[1]
    best, order = scores.flatten().topk(min(CANDIDATES, scores.numel()))
    order = order[best > LEAST]
    cell, labels = order // classes, order % classes
    return cell, scores[cell, labels], labels
