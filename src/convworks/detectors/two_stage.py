"""The line from SPP to Faster R-CNN and beyond as one net: where to look, what to read there, what to say of it.

A `System` says which parts make a detector; the net, its loss and its answer are the same for all of them. Every system
computes the map of a picture once. Fast R-CNN (1504.08083), Faster R-CNN (1506.01497), R-CNN minus R (1506.06981) and
the loop of the multi-region CNN (1505.01749) differ in a line each: see `presets`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torchvision.ops import box_iou

from convworks.detectors.answer import Answer, Truth
from convworks.regions.coding import deltas, from_deltas
from convworks.regions.losses import smooth_l1
from convworks.regions.matching import BACKGROUND, IGNORED, by_overlap
from convworks.regions.refine import iterated, settled
from convworks.regions.region_network import TESTING, TRAINING, Limits, RegionNetwork, proposed, region_loss
from convworks.regions.sampling import sampled

Source = Literal["whole image", "grid", "clusters", "selective search", "region network", "given"]
Reader = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""Maps (b, c, h, w), boxes (n, 4) in pixels, their pictures (n,) cells a pixel, to features (n, ...) of one size."""

REGIONS, FOREGROUND = 64, 0.25
"""Regions of a picture that a step learns from, and the share of them with an object."""
OBJECT = 0.5
"""IoU with an object from which a region is to say its class; a region that nothing overlaps so much is background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Which parts make a detector.

    `source` says where boxes come from, `read` how a region becomes features of one size. With `moves` each class
    moves its box. In `rounds` beyond the first the moved boxes are read again; boxes that agree by IoU `vote` settle
    where the box lies, None for no vote; of two of a class that overlap by more than `suppress` the better stays.
    """

    source: Source
    read: Reader
    moves: bool = True
    rounds: int = 1
    vote: float | None = None
    suppress: float = 0.3
    training: Limits = TRAINING
    testing: Limits = TESTING
    scales: tuple[float, ...] = (128.0, 256.0, 512.0)


class TwoStage(nn.Module):
    """A body that gives one map of `channels` every `stride` pixels, and for each region a class and how it moves."""

    def __init__(
        self, system: System, body: nn.Module, channels: int, stride: int, classes: int, *, hidden: int = 256
    ) -> None:
        super().__init__()
        self.system, self.body, self.stride, self.classes = system, body, stride, classes
        with torch.no_grad():
            one = torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64)
            width = system.read(torch.zeros(1, channels, 4, 4), *one, 1 / stride).numel()
        self.hidden = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.names = nn.Linear(hidden, classes + 1)
        self.places = nn.Linear(hidden, 4 * classes) if system.moves else None
        nn.init.normal_(self.names.weight, std=0.01)
        if self.places is not None:
            nn.init.normal_(self.places.weight, std=0.001)
        network = system.source == "region network"
        self.regions = RegionNetwork(channels, stride, scales=system.scales) if network else None

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """The map of each picture, which all of its regions share."""
        return self.body(images)

    def judged(
        self, maps: Float[Tensor, "b d h w"], boxes: Float[Tensor, "n 4"], rows: Int[Tensor, "n"]
    ) -> tuple[Float[Tensor, "n k1"], Float[Tensor, "n k 4"]]:
        """The logits of each region, background last, and the deltas that each class would move it by."""
        seen = self.hidden(self.system.read(maps, boxes, rows, 1 / self.stride).flatten(1))
        if self.places is None:
            return self.names(seen), seen.new_zeros(len(boxes), self.classes, 4)
        return self.names(seen), self.places(seen).unflatten(1, (self.classes, 4))


def loss(
    net: TwoStage,
    images: Float[Tensor, "b c h w"],
    truths: Sequence[Truth],
    given: Sequence[Float[Tensor, "_ 4"]],
    generator: Generator,
) -> dict[str, Tensor]:
    """What a step makes small, by name, each a mean over pictures or regions.

    `given` are the boxes (pixels of the input) of each picture from a source without weights; those of a region network
    are its own, and the given ones are not looked at.
    """
    maps, size = net(images), (images.shape[2], images.shape[3])
    parts: dict[str, Tensor] = {}
    if net.regions is not None:
        logits, told = net.regions(maps)
        references = net.regions.anchors(maps)
        pairs = [
            region_loss(logit, tell, references, truth.boxes, size, generator)
            for logit, tell, truth in zip(logits, told, truths, strict=True)
        ]
        parts["objectness"], parts["proposals"] = (
            torch.stack(part).mean() for part in zip(*pairs, strict=True)
        )
        given = [
            proposed(logit, tell, references, size, net.system.training)[0]
            for logit, tell in zip(logits, told, strict=True)
        ]
    chosen = [
        _chosen(boxes, truth, net.classes, generator) for boxes, truth in zip(given, truths, strict=True)
    ]
    rows = torch.cat([torch.full((len(one[0]),), row) for row, one in enumerate(chosen)]).to(maps.device)
    boxes, labels, wanted = (torch.cat(part) for part in zip(*chosen, strict=True))
    names, moves = net.judged(maps, boxes, rows)
    number = max(len(boxes), 1)
    parts["names"] = F.cross_entropy(names, labels, reduction="sum") / number
    if net.places is not None:
        objects = (labels < net.classes).nonzero()[:, 0]
        error = moves[objects, labels[objects]] - deltas(boxes[objects], wanted[objects])
        parts["places"] = smooth_l1(error).sum() / number
    return parts


@torch.no_grad()
def answered(
    net: TwoStage,
    images: Float[Tensor, "b c h w"],
    given: Sequence[Float[Tensor, "_ 4"]],
    least: float = 0.05,
) -> list[Answer]:
    """What the net finds in each picture, in pixels of the input."""
    maps, size = net(images), (images.shape[2], images.shape[3])
    if net.regions is not None:
        logits, told = net.regions(maps)
        references = net.regions.anchors(maps)
        given = [
            proposed(logit, tell, references, size, net.system.testing)[0]
            for logit, tell in zip(logits, told, strict=True)
        ]
    edges = maps.new_tensor([size[1], size[0], size[1], size[0]])
    found: list[Answer] = []
    for row, boxes in enumerate(given):

        def judge(regions: Tensor, row: int = row) -> tuple[Tensor, Tensor]:
            rows = torch.full((len(regions),), row, device=maps.device)
            names, moves = net.judged(maps, regions, rows)
            moved = from_deltas(regions[:, None].expand_as(moves), moves)
            return names.softmax(1)[:, :-1], moved.clamp(min=0).minimum(edges)

        system = net.system
        candidates = iterated(boxes, judge, rounds=system.rounds, least=least)
        places, scores, labels = settled(*candidates, suppress=system.suppress, vote=system.vote)
        found.append(
            Answer(boxes=places.cpu().numpy(), scores=scores.cpu().numpy(), labels=labels.cpu().numpy())
        )
    return found


def _chosen(
    boxes: Float[Tensor, "_ 4"], truth: Truth, classes: int, generator: Generator
) -> tuple[Float[Tensor, "s 4"], Int[Tensor, "s"], Float[Tensor, "s 4"]]:
    """Regions of one picture to learn from, their classes (`classes` for background), and their objects' boxes.

    The objects' own boxes are among the regions; a region inside what does not count is no background.
    """
    boxes = torch.cat([boxes, truth.boxes])
    matches = by_overlap(box_iou(boxes, truth.boxes), OBJECT, OBJECT)
    if len(truth.aside):
        within = box_iou(boxes, truth.aside).amax(1) >= OBJECT
        matches = torch.where(within & (matches == BACKGROUND), IGNORED, matches)
    rows = sampled(matches, count=REGIONS, foreground=FOREGROUND, generator=generator)
    matches = matches[rows]
    labels, wanted = matches.new_full(matches.shape, classes), boxes[rows].clone()
    objects = matches >= 0
    labels[objects] = truth.labels[matches[objects]]
    wanted[objects] = truth.boxes[matches[objects]]
    return boxes[rows], labels, wanted
