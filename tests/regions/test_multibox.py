"""The assignment is the cheapest of all, the loss the paper's, and a trained net beats its own priors."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import box_iou, nms

from convworks.data.synthetic import flat_scene
from convworks.regions.multibox import BALANCE, MultiBox, assigned, multibox_loss
from convworks.regions.proposals import clustered


def total(logits: torch.Tensor, boxes: torch.Tensor, truth: torch.Tensor, chosen: tuple[int, ...]) -> float:
    """F of the paper for objects 0, 1, ... being those of the boxes `chosen`."""
    sure = logits.sigmoid()
    cost = -sum(float((1 - sure[box]).log()) for box in range(len(boxes)) if box not in chosen)
    for number, box in enumerate(chosen):
        cost += float(BALANCE / 2 * (boxes[box] - truth[number]).square().sum() - sure[box].log())
    return cost


@pytest.mark.parametrize("seed", range(10))
def test_no_other_assignment_costs_less(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    count, objects = 5, 1 + seed % 4
    boxes, truth = (torch.rand(n, 4, generator=generator, dtype=torch.float64) * 3 for n in (count, objects))
    logits = torch.randn(count, generator=generator, dtype=torch.float64)
    matches = assigned(boxes, truth, logits)
    chosen = tuple(int((matches == number).nonzero()[0, 0]) for number in range(objects))
    best = min(total(logits, boxes, truth, other) for other in permutations(range(count), objects))
    assert total(logits, boxes, truth, chosen) == pytest.approx(best)
    score, place = multibox_loss(logits, boxes, matches, truth)
    assert float(score + place) == pytest.approx(best)


def test_pictures_without_objects_and_with_too_many() -> None:
    boxes, logits = torch.rand(3, 4), torch.zeros(3, requires_grad=True)
    none = assigned(boxes, torch.zeros(0, 4))
    assert none.tolist() == [-1, -1, -1]
    score, place = multibox_loss(logits, boxes, none, torch.zeros(0, 4))
    (score + place).backward()
    assert float(place) == 0
    assert sorted(assigned(boxes, torch.rand(9, 4)).tolist())[0] >= 0


def test_an_untrained_net_names_its_priors() -> None:
    priors = torch.rand(7, 4)
    logits, boxes = MultiBox(8, priors)(torch.randn(2, 8, 5, 9))
    assert logits.shape == (2, 7)
    assert torch.equal(boxes, priors.expand(2, 7, 4))


def recall(boxes: torch.Tensor, truth: torch.Tensor) -> float:
    return float((box_iou(boxes[:10], truth).amax(0) >= 0.5).float().mean())


@pytest.mark.slow
def test_a_trained_net_recalls_three_times_what_its_priors_do() -> None:
    torch.manual_seed(0)
    classes = ["ellipse", "rectangle", "triangle"]
    drawn = [flat_scene(7, index, task="detection", classes=classes, size=(96, 96)) for index in range(1400)]
    images = torch.stack([torch.from_numpy(one.image).permute(2, 0, 1).float() / 128 - 1 for one in drawn])
    truths = [torch.from_numpy(one.boxes) / 96 for one in drawn]
    priors = torch.from_numpy(clustered(np.concatenate([one.numpy() for one in truths[:1200]]), 48)).float()
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((3, 16, 2), (16, 32, 2), (32, 48, 2), (48, 64, 1)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    net = nn.Sequential(*layers, MultiBox(64, priors, cells=12))
    steps = 700
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(0, 1200, (16,), generator=torch.Generator().manual_seed(step)).tolist()
        logits, boxes = net(images[rows])
        losses = [
            sum(multibox_loss(logit, box * 10, assigned(priors, truths[row]), truths[row] * 10))
            for logit, box, row in zip(logits, boxes, rows, strict=True)
        ]
        optimiser.zero_grad()
        (sum(losses) / 16).backward()
        optimiser.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        logits, boxes = net(images[1200:])
    found, raw = [], []
    for logit, box, truth in zip(logits, boxes, truths[1200:], strict=True):
        found.append(recall(box[nms(box, logit, 0.5)], truth))
        raw.append(recall(priors, truth))
    print(f"recall of ten: {np.mean(found):.3f}, of ten priors {np.mean(raw):.3f}")
    assert np.mean(found) >= 3 * np.mean(raw)
