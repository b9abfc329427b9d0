"""One net, one loss, many systems: what each part is worth, on shapes, with the same training for all."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import box_iou

from convworks.backbones.contract import Stage
from convworks.data.synthetic import flat_scene
from convworks.detectors.answer import Truth
from convworks.detectors.two_stage import System, TwoStage, answered, loss
from convworks.metrics.average_precision import table
from convworks.metrics.matches import coco_matches
from convworks.regions import pooling
from convworks.regions.proposals import clustered
from convworks.regions.region_network import Limits, proposed

MAP = [Stage(name="map", channels=64, stride=8)]
CLASSES, SIDE = ["ellipse", "rectangle", "triangle"], 96


def five(maps: torch.Tensor, boxes: torch.Tensor, rows: torch.Tensor, scale: float) -> torch.Tensor:
    return pooling.aligned(maps, boxes, rows, scale=scale, size=(5, 5))


FIXED = System(source="clusters", read=five)
NETWORK = System(
    source="region network", read=five, scales=(16, 32, 48), testing=Limits(before=600, after=60, side=4)
)


def body() -> nn.Sequential:
    """Seven convolutions, one map every 8 pixels."""
    layers: list[nn.Module] = []
    widths = ((3, 16, 2), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1), (64, 64, 1))
    for inputs, outputs, stride in widths:
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


@cache
def shapes(count: int, seed: int) -> tuple[torch.Tensor, list[Truth]]:
    """Pictures of shapes, all of one class: what is measured here is where they are."""
    drawn = [
        flat_scene(seed, index, task="detection", classes=CLASSES, size=(SIDE, SIDE))
        for index in range(count)
    ]
    images = torch.stack([torch.from_numpy(one.image).permute(2, 0, 1).float() / 128 - 1 for one in drawn])
    truths = [
        Truth(
            boxes=torch.from_numpy(one.boxes),
            labels=torch.zeros(len(one.boxes), dtype=torch.int64),
            aside=torch.zeros(0, 4),
        )
        for one in drawn
    ]
    return images, truths


@cache
def priors() -> torch.Tensor:
    boxes = np.concatenate([truth.boxes.numpy() for truth in shapes(800, 0)[1]]) / SIDE
    return torch.from_numpy(clustered(boxes, 200)).float() * SIDE


@cache
def trained(system: System, steps: int = 400) -> TwoStage:
    """The shared trainer: 800 shapes, 8 a step."""
    torch.manual_seed(0)
    images, truths = shapes(800, 0)
    net = TwoStage(system, body(), MAP, 1)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        rows = torch.randint(0, len(images), (8,), generator=generator).tolist()
        parts = loss(net, images[rows], [truths[row] for row in rows], [priors()] * 8, generator)
        optimiser.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10)
        optimiser.step()
        schedule.step()
    return net.eval()


def counted(truth: Truth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return truth.boxes.numpy(), truth.labels.numpy(), np.zeros(len(truth.boxes), np.uint8)


def precision(net: TwoStage, system: System) -> tuple[float, float]:
    """AP at .5 and .7 on 150 unseen shapes."""
    images, truths = shapes(150, 1)
    whole, net.system = net.system, system
    places = net.places
    net.places = places if system.moves else None
    found = [one for part in images.split(10) for one in answered(net, part, [priors()] * len(part))]
    net.system, net.places = whole, places
    seen = [
        coco_matches(*(one.boxes, one.scores, one.labels), *objects)
        for one, objects in zip(found, map(counted, truths), strict=True)
    ]
    measured = np.nanmean(table(seen, 1).precision[:, :, 0], 1)
    return float(measured[0]), float(measured[4])


@pytest.mark.slow
@pytest.mark.xfail(reason="after 400 steps the gain is .24: AP70 .20 without, .43 with")
def test_a_box_head_makes_up_for_boxes_that_are_the_same_in_every_picture() -> None:
    net = trained(FIXED)
    without, moved = precision(net, replace(FIXED, moves=False)), precision(net, FIXED)
    print(f"fixed boxes, AP50 and AP70: without a box head {without}, with {moved}")
    assert moved[1] >= without[1] + 0.30


@pytest.mark.slow
def test_rounds_and_votes_sharpen_fixed_boxes() -> None:
    net = trained(FIXED)
    once, twice = precision(net, FIXED), precision(net, replace(FIXED, rounds=2, vote=0.5))
    print(f"fixed boxes, AP50 and AP70: one round {once}, two and a vote {twice}")
    assert twice[1] >= once[1] + 0.03


@pytest.mark.slow
@pytest.mark.xfail(reason="after 400 steps recall is .971, but AP50 .88 of the .95 to reach")
def test_a_region_network_finds_nearly_all_with_sixty_boxes() -> None:
    net = trained(NETWORK)
    images, truths = shapes(150, 1)
    assert net.regions is not None
    with torch.no_grad():
        logits, told, references = net.searched(net(images))
    reached = [
        box_iou(proposed(logit, tell, references, (SIDE, SIDE), NETWORK.testing)[0], truth.boxes).amax(0)
        for logit, tell, truth in zip(logits, told, truths, strict=True)
    ]
    recall = float((torch.cat(reached) >= 0.5).float().mean())
    measured = precision(net, NETWORK)
    print(f"region network: recall of 60 {recall:.3f}, AP50 and AP70 {measured}")
    assert recall >= 0.97
    assert measured[0] >= 0.95


def test_a_picture_whose_net_is_sure_is_answered_by_its_objects() -> None:
    """Heads set by hand: every region is a triangle and moves nowhere, so the given boxes come back."""
    net = TwoStage(System(source="given", read=five), body(), MAP, 3, hidden=8).eval()
    assert net.places is not None
    for layer in (net.names, net.places):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    with torch.no_grad():
        net.names.bias[2] = 9
    boxes = torch.tensor([[4.0, 8, 40, 48], [50, 50, 90, 80]])
    (found,) = answered(net, shapes(4, 3)[0][:1], [boxes])
    np.testing.assert_allclose(np.sort(found.boxes, 0), np.sort(boxes.numpy(), 0), atol=1e-4)
    assert found.labels.tolist() == [2, 2]
