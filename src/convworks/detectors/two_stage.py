"""The line from SPP to Faster R-CNN and beyond as one net: where to look, what to read there, what to say of it.

A `System` says which parts make a detector; the net, its loss and its answer are the same for all of them. Every system
computes the maps of a picture once. Fast R-CNN (1504.08083), Faster R-CNN (1506.01497), its pyramid (1612.03144),
R-CNN minus R (1506.06981) and the loop of the multi-region CNN (1505.01749) differ in a line each: see `presets`.
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

from convworks.backbones.contract import Stage
from convworks.detectors.answer import Answer, Truth
from convworks.geometry.boxes import Size
from convworks.regions.coding import from_deltas
from convworks.regions.heads import SOFTMAX, Fit, Naming, straight
from convworks.regions.matching import by_overlap, excused
from convworks.regions.pooling import level
from convworks.regions.refine import iterated, settled
from convworks.regions.region_network import (
    TESTING,
    TRAINING,
    Limits,
    RegionNetwork,
    proposed,
    region_loss,
    within,
)
from convworks.regions.sampling import sampled

Source = Literal["whole image", "grid", "clusters", "selective search", "region network", "given"]
Reader = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""Maps (b, c, h, w), boxes (n, 4) in pixels, their pictures (n,) cells a pixel, to features (n, ...) of one size."""

FOREGROUND = 0.25
"""The share with an object of the regions that a step learns from."""
OBJECT = 0.5
"""IoU with an object from which a region is to say its class; a region that nothing overlaps so much is background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Which parts make a detector.

    `source` says where boxes come from, `read` how a region becomes features of one size. With a `pyramid` there are
    maps of several strides, and a region is read from that which its size wants. With `standardised`, what is read of
    a region has mean 0 and deviation 1: features of which none is below 0 move a hidden unit by all of its weights at
    once, and many never answer again. `naming` is how logits tell the class; with `moves` each class moves its box,
    and learns to by `fit`. In `rounds` beyond the first the moved boxes are read again; boxes that agree by IoU `vote`
    settle where the box lies, None for no vote; of two of a class that overlap by more than `suppress` the better
    stays. A step learns from `regions` regions of a picture at most. `scales` are those of the anchors in pixels: all
    on one map, or one on each map of a pyramid and one on a map coarser by 2 than its last, from which nothing is read.
    """

    source: Source
    read: Reader
    pyramid: bool = False
    standardised: bool = True
    naming: Naming = SOFTMAX
    moves: bool = True
    fit: Fit = straight
    rounds: int = 1
    vote: float | None = None
    suppress: float = 0.5
    regions: int = 64
    training: Limits = TRAINING
    testing: Limits = TESTING
    scales: tuple[float, ...] = (128.0, 256.0, 512.0)


class TwoStage(nn.Module):
    """A body that gives a map for each of `stages`, and for each region a class and how it moves.

    The body gives one map, or a sequence of maps of the same channels, each twice as coarse as the one before, to a
    system with a pyramid. Raises ValueError where maps and scales don't go together.
    """

    def __init__(
        self, system: System, body: nn.Module, stages: Sequence[Stage], classes: int, *, hidden: int = 256
    ) -> None:
        super().__init__()
        self.system, self.body, self.stages, self.classes = system, body, tuple(stages), classes
        channels = stages[0].channels
        with torch.no_grad():
            one = torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64)
            width = system.read(torch.zeros(1, channels, 4, 4), *one, 1 / stages[0].stride).numel()
        self.hidden = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.names = nn.Linear(hidden, classes + system.naming.spare)
        self.places = nn.Linear(hidden, 4 * classes) if system.moves else None
        nn.init.normal_(self.names.weight, std=0.01)
        if self.places is not None:
            nn.init.normal_(self.places.weight, std=0.001)
        self.regions = _region_network(system, stages) if system.source == "region network" else None

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b d _ _"]]:
        """The maps of each picture, which all of its regions share."""
        maps = self.body(images)
        return [maps] if isinstance(maps, Tensor) else list(maps)

    def searched(
        self, maps: Sequence[Float[Tensor, "b d _ _"]]
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n 4"], list[Float[Tensor, "_ 4"]]]:
        """What the region network says of each anchor: logit, deltas; and the anchors of each map."""
        assert self.regions is not None
        if self.system.pyramid:
            maps = [*maps, maps[-1][:, :, ::2, ::2]]
        return *self.regions(maps), self.regions.anchors(maps)

    def judged(
        self, maps: Sequence[Float[Tensor, "b d _ _"]], boxes: Float[Tensor, "n 4"], rows: Int[Tensor, "n"]
    ) -> tuple[Float[Tensor, "n _"], Float[Tensor, "n k 4"]]:
        """The logits of each region, and the deltas that each class would move it by."""
        features = self.seen(maps, boxes, rows, self.system.read).flatten(1)
        if self.system.standardised:
            features = F.layer_norm(features, features.shape[1:])
        seen = self.hidden(features)
        if self.places is None:
            return self.names(seen), seen.new_zeros(len(boxes), self.classes, 4)
        return self.names(seen), self.places(seen).unflatten(1, (self.classes, 4))

    def seen(
        self,
        maps: Sequence[Float[Tensor, "b d _ _"]],
        boxes: Float[Tensor, "n 4"],
        rows: Int[Tensor, "n"],
        read: Reader,
    ) -> Float[Tensor, "n ..."]:
        """What `read` gives of each region, from the map that its size wants."""
        place = level(boxes, [stage.stride for stage in self.stages])
        parts: list[Tensor] = []
        for number, (here, stage) in enumerate(zip(maps, self.stages, strict=True)):
            mine = place == number
            # A reader takes a cell to look at the middle of its square.
            shift = 0.0 if stage.centre is None else stage.stride / 2 - stage.centre
            parts.append(read(here, boxes[mine] + shift, rows[mine], 1 / stage.stride))
        back = place.argsort(stable=True).argsort()
        return torch.cat(parts)[back]


def _region_network(system: System, stages: Sequence[Stage]) -> RegionNetwork:
    """The net that finds the regions of a system on its maps."""
    strides, centres = [stage.stride for stage in stages], [stage.centre for stage in stages]
    scales = [system.scales]
    if system.pyramid:
        scales = [(scale,) for scale in system.scales]
        # Every second cell of the coarsest map: what its first cell sees stays the same.
        last = stages[-1]
        strides.append(2 * last.stride)
        centres.append(last.stride / 2 if last.centre is None else last.centre)
    if len(scales) != len(strides):
        raise ValueError(f"{len(strides)} maps to search but {len(scales)} rows of scales of anchors")
    return RegionNetwork(stages[0].channels, strides, scales=scales, centres=centres)


def loss(
    net: TwoStage,
    images: Float[Tensor, "b c h w"],
    truths: Sequence[Truth],
    given: Sequence[Float[Tensor, "_ 4"]],
    generator: Generator,
) -> dict[str, Tensor]:
    """What a step makes small, by name, each a mean over the regions of all pictures.

    `given` are the boxes (pixels of the input) of each picture from a source without weights; those of a region network
    are its own, and the given ones are not looked at.
    """
    return step(net, net(images), (images.shape[2], images.shape[3]), truths, given, generator)[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regions:
    """Regions that a step learned from: their pictures, their classes (the last for none), their objects' boxes."""

    boxes: Float[Tensor, "n 4"]
    rows: Int[Tensor, "n"]
    labels: Int[Tensor, "n"]
    wanted: Float[Tensor, "n 4"]


def step(
    net: TwoStage,
    maps: Sequence[Float[Tensor, "b d _ _"]],
    size: Size,
    truths: Sequence[Truth],
    given: Sequence[Float[Tensor, "_ 4"]],
    generator: Generator,
) -> tuple[dict[str, Tensor], Regions]:
    """The `loss` of pictures of `size` (height, width) by their maps, and the regions that were learned from."""
    parts: dict[str, Tensor] = {}
    if net.regions is not None:
        logits, told, references = net.searched(maps)
        objects, asides = [truth.boxes for truth in truths], [truth.aside for truth in truths]
        parts["objectness"], parts["proposals"] = region_loss(
            logits, told, torch.cat(references), objects, asides, size, generator
        )
        given = [
            proposed(logit, tell, references, size, net.system.training)[0]
            for logit, tell in zip(logits, told, strict=True)
        ]
    chosen = [_chosen(boxes, truth, net, generator) for boxes, truth in zip(given, truths, strict=True)]
    rows = torch.cat([torch.full((len(one[0]),), row) for row, one in enumerate(chosen)]).to(maps[0].device)
    boxes, labels, wanted = (torch.cat(part) for part in zip(*chosen, strict=True))
    names, moves = net.judged(maps, boxes, rows)
    number = max(len(boxes), 1)
    parts["names"] = net.system.naming.loss(names, labels).sum() / number
    if net.places is not None:
        objects = (labels < net.classes).nonzero()[:, 0]
        told = moves[objects, labels[objects]]
        parts["places"] = net.system.fit(boxes[objects], told, wanted[objects]).sum() / number
    return parts, Regions(boxes=boxes, rows=rows, labels=labels, wanted=wanted)


@torch.no_grad()
def answered(
    net: TwoStage,
    images: Float[Tensor, "b c h w"],
    given: Sequence[Float[Tensor, "_ 4"]],
    least: float = 0.05,
) -> list[Answer]:
    """What the net finds in each picture, in pixels of the input."""
    return found_on(net, net(images), (images.shape[2], images.shape[3]), given, least)


@torch.no_grad()
def found_on(
    net: TwoStage,
    maps: Sequence[Float[Tensor, "b d _ _"]],
    size: Size,
    given: Sequence[Float[Tensor, "_ 4"]],
    least: float = 0.05,
) -> list[Answer]:
    """What the net finds in pictures of `size` (height, width) by their maps."""
    if net.regions is not None:
        logits, told, references = net.searched(maps)
        given = [
            proposed(logit, tell, references, size, net.system.testing)[0]
            for logit, tell in zip(logits, told, strict=True)
        ]
    system, found = net.system, list[Answer]()
    for row, boxes in enumerate(given):

        def judge(regions: Tensor, row: int = row) -> tuple[Tensor, Tensor]:
            rows = torch.full((len(regions),), row, device=regions.device)
            names, moves = net.judged(maps, regions, rows)
            moved = from_deltas(regions[:, None].expand_as(moves), moves)
            return system.naming.scores(names), within(moved, size)

        candidates = iterated(boxes, judge, rounds=system.rounds, least=least)
        places, scores, labels = settled(*candidates, suppress=system.suppress, vote=system.vote)
        found.append(
            Answer(boxes=places.cpu().numpy(), scores=scores.cpu().numpy(), labels=labels.cpu().numpy())
        )
    return found


def _chosen(
    boxes: Float[Tensor, "_ 4"], truth: Truth, net: TwoStage, generator: Generator
) -> tuple[Float[Tensor, "s 4"], Int[Tensor, "s"], Float[Tensor, "s 4"]]:
    """Regions of one picture to learn from, their classes (`net.classes` for background), and their objects' boxes.

    The objects' own boxes are among the regions; a region inside what does not count is no background.
    """
    boxes = torch.cat([boxes, truth.boxes])
    matches = excused(by_overlap(box_iou(boxes, truth.boxes), OBJECT, OBJECT), boxes, truth.aside)
    rows = sampled(matches, count=net.system.regions, foreground=FOREGROUND, generator=generator)
    matches = matches[rows]
    labels, wanted = matches.new_full(matches.shape, net.classes), boxes[rows].clone()
    objects = matches >= 0
    labels[objects] = truth.labels[matches[objects]]
    wanted[objects] = truth.boxes[matches[objects]]
    return boxes[rows], labels, wanted
