"""The flat shapes, the small net and the training that every claim about detectors is tried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from convworks.backbones.contract import Stage
from convworks.data.synthetic import flat_scene
from convworks.detectors.answer import Answer, Truth
from convworks.detectors.two_stage import System, TwoStage, answered, loss
from convworks.metrics.average_precision import table
from convworks.metrics.matches import coco_matches
from convworks.regions import pooling
from convworks.regions.proposals import clustered
from convworks.regions.region_network import Limits

CLASSES, SIDE = ["ellipse", "rectangle", "triangle"], 96
MAP = Stage(name="map", channels=64, stride=8, centre=0.5)
"""What `body` gives: paddings alike on both sides let its first cell look at the first pixel."""


def five(maps: Tensor, boxes: Tensor, rows: Tensor, scale: float) -> Tensor:
    """RoI align to 5 x 5."""
    return pooling.aligned(maps, boxes, rows, scale=scale, size=(5, 5))


FIXED = System(source="clusters", read=five)
NETWORK = System(
    source="region network",
    read=five,
    scales=(16, 32, 48),
    testing=Limits(before=600, after=60, side=4),
)


def body() -> nn.Sequential:
    """Seven convolutions, one map every 8 pixels."""
    layers: list[nn.Module] = []
    widths = ((3, 16, 2), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1), (64, 64, 1))
    for inputs, outputs, stride in widths:
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


@cache
def shapes(count: int, seed: int) -> tuple[Tensor, list[Truth]]:
    """Pictures of one to three shapes of three classes."""
    drawn = [
        flat_scene(seed, index, task="detection", classes=CLASSES, size=(SIDE, SIDE))
        for index in range(count)
    ]
    images = torch.stack([torch.from_numpy(one.image).permute(2, 0, 1).float() / 128 - 1 for one in drawn])
    truths = [
        Truth(boxes=torch.from_numpy(one.boxes), labels=torch.from_numpy(one.labels), aside=torch.zeros(0, 4))
        for one in drawn
    ]
    return images, truths


def nameless(truths: Sequence[Truth]) -> list[Truth]:
    """The same objects, all of one class: what is measured then is where they are."""
    return [replace(truth, labels=torch.zeros_like(truth.labels)) for truth in truths]


@cache
def priors() -> Tensor:
    """200 boxes that stand for those of the training pictures."""
    boxes = np.concatenate([truth.boxes.numpy() for truth in shapes(800, 0)[1]]) / SIDE
    return torch.from_numpy(clustered(boxes, 200)).float() * SIDE


def untrained(system: System, classes: int = len(CLASSES)) -> TwoStage:
    """A net of a system, its weights the same each time."""
    torch.manual_seed(0)
    return TwoStage(system, body(), [MAP], classes)


@cache
def trained(system: System) -> TwoStage:
    """A net of a system after the shared training, in which all objects are of one class."""
    net, generator = untrained(system, 1), torch.Generator().manual_seed(1)

    def losses(images: Tensor, truths: list[Truth]) -> Mapping[str, Tensor]:
        return loss(net, images, nameless(truths), [priors()] * len(images), generator)

    learned(net, losses)
    return net


def learned(
    net: nn.Module, losses: Callable[[Tensor, list[Truth]], Mapping[str, Tensor]], steps: int = 400
) -> None:
    """The shared training: 800 pictures, 8 a step."""
    images, truths = shapes(800, 0)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    order = torch.Generator().manual_seed(2)
    net.train()
    for _ in range(steps):
        rows = torch.randint(0, len(images), (8,), generator=order).tolist()
        optimiser.zero_grad()
        torch.stack(list(losses(images[rows], [truths[row] for row in rows]).values())).sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10)
        optimiser.step()
        schedule.step()
    net.eval()


def precision(net: TwoStage, system: System) -> tuple[float, float]:
    """AP at .5 and .7 of a net, its parts put together as `system` says, on 150 unseen pictures."""
    whole, places = net.system, net.places
    net.system, net.places = system, places if system.moves else None
    found = [
        one for part in shapes(150, 1)[0].split(10) for one in answered(net, part, [priors()] * len(part))
    ]
    net.system, net.places = whole, places
    return measured(found)


def measured(found: list[Answer]) -> tuple[float, float]:
    """AP at .5 and .7 of what was found in the 150 unseen pictures, whatever their classes."""
    seen = [
        coco_matches(
            *(one.boxes, one.scores, one.labels),
            *(
                truth.boxes.numpy(),
                np.zeros(len(truth.boxes), np.int64),
                np.zeros(len(truth.boxes), np.uint8),
            ),
        )
        for one, truth in zip(found, shapes(150, 1)[1], strict=True)
    ]
    at = np.nanmean(table(seen, 1).precision[:, :, 0], 1)
    return float(at[0]), float(at[4])
