"""What every detector lives with: pictures without objects, crowds, boxes of a pixel, none and 500 of them.

A preset joins by existing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convworks.backbones.contract import Stage
from convworks.detectors import convdet, multibox, two_stage
from convworks.detectors.answer import NOBODY, Answer, Truth
from convworks.detectors.presets import PRESETS
from convworks.detectors.two_stage import System, TwoStage
from convworks.regions.heads import SIGMOID, overlapping
from convworks.regions.proposals import grid

SIDE, CLASSES = 64, 3
EVERYWHERE, NONE = torch.tensor([[0.0, 0, SIDE, SIDE]]), torch.zeros(0, 4)
STAGES = [Stage(name=f"map{stride}", channels=16, stride=stride) for stride in (8, 16, 32)]


class Maps(nn.Module):
    """Maps of stride 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 16, 9, 8, 4), nn.ReLU())
        self.second, self.third = (nn.Sequential(nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU()) for _ in range(2))

    def forward(self, x: Tensor) -> list[Tensor]:
        first = self.first(x)
        second = self.second(first)
        return [first, second, self.third(second)]


@dataclass(frozen=True)
class Detector:
    """A net, the sum of its losses, and its answer."""

    net: nn.Module
    loss: Callable[[Tensor, Sequence[Truth], int], Tensor]
    answer: Callable[[Tensor], list[Answer]]


def two_staged(system: System, given: Tensor) -> Detector:
    """Looks at the `given` boxes of every picture, unless it finds its own."""
    system = replace(system, regions=12, scales=(16.0, 24.0, 32.0, 48.0) if system.pyramid else (16.0, 32.0))
    maps = Maps()
    body, stages = (maps, STAGES) if system.pyramid else (maps.first, STAGES[:1])
    net = TwoStage(system, body, stages, CLASSES, hidden=16)

    def loss(images: Tensor, truths: Sequence[Truth], seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        parts = two_stage.loss(net, images, truths, [given] * len(images), generator)
        return torch.stack(list(parts.values())).sum()

    return Detector(net, loss, lambda x: two_stage.answered(net, x, [given] * len(x), least=0.0))


def one_staged() -> Detector:
    """The default."""
    net = nn.Sequential(Maps(), convdet.ConvDet(STAGES, CLASSES, 0.0))

    def loss(images: Tensor, truths: Sequence[Truth], seed: int) -> Tensor:
        most = max(1, *(len(truth.boxes) + len(truth.aside) for truth in truths))
        targets = {
            "boxes": torch.zeros(len(truths), most, 4),
            "labels": torch.full((len(truths), most), NOBODY),
            "aside": torch.zeros(len(truths), most, dtype=torch.bool),
        }
        for row, truth in enumerate(truths):
            every = torch.cat([truth.boxes, truth.aside])
            targets["boxes"][row, : len(every)] = every
            targets["labels"][row, : len(every)] = 0
            targets["labels"][row, : len(truth.labels)] = truth.labels
            targets["aside"][row, len(truth.labels) : len(every)] = True
        total, weight = convdet.loss(net(images), targets, seed / 2)
        return total / weight.detach()

    @torch.no_grad()
    def answer(images: Tensor) -> list[Answer]:
        return convdet.decode(net(images))

    return Detector(net, loss, answer)


def whole_image() -> Detector:
    """MultiBox, whose boxes are shares of the frame's sides."""
    net = nn.Sequential(Maps().first, multibox.MultiBoxDetector(16, CLASSES, 0.0, BOXES / SIDE, hidden=16))

    def loss(images: Tensor, truths: Sequence[Truth], seed: int) -> Tensor:
        shares = [replace(one, boxes=one.boxes / SIDE, aside=one.aside / SIDE) for one in truths]
        parts = [multibox.loss(rows, one) for rows, one in zip(net(images), shares, strict=True)]
        return torch.stack(parts).sum()

    @torch.no_grad()
    def answer(images: Tensor) -> list[Answer]:
        found = [multibox.decode(rows) for rows in net(images)]
        return [replace(one, boxes=one.boxes * SIDE) for one in found]

    return Detector(net, loss, answer)


BOXES = torch.from_numpy(grid((0.3, 0.6), (1.0,))).float() * SIDE


def made(name: str, given: Tensor = BOXES) -> Detector:
    torch.manual_seed(0)
    if name in ALONE:
        return ALONE[name]()
    return two_staged(SYSTEMS[name], given)


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def many(count: int) -> Tensor:
    """Boxes of every size, those of one pixel among them, some at the borders and some alike."""
    draw = torch.Generator().manual_seed(2)
    low = (torch.rand(count, 2, generator=draw) * (SIDE - 1)).round()
    boxes = torch.cat([low, (low + 1 + torch.rand(count, 2, generator=draw) ** 4 * SIDE).clamp(max=SIDE)], 1)
    boxes[: count // 3, 2:] = boxes[: count // 3, :2] + 1
    boxes[-2:] = boxes[-1]
    return boxes


def truth(boxes: Tensor, aside: Tensor = NONE, classes: int = CLASSES) -> Truth:
    return Truth(boxes=boxes, labels=torch.arange(len(boxes)) % classes, aside=aside)


CASES = {
    "no objects": [truth(NONE), truth(NONE)],
    "objects in one picture": [truth(NONE), truth(many(3))],
    "boxes of one pixel": [truth(torch.tensor([[0.0, 0, 1, 1]])), truth(torch.tensor([[63.0, 31, 64, 32]]))],
    "a box of all the picture": [truth(EVERYWHERE), truth(EVERYWHERE)],
    "500 objects": [truth(many(500)), truth(many(1))],
    "a class without a box": [truth(many(4), classes=1), truth(many(2), classes=1)],
    "crowds alone": [truth(NONE, EVERYWHERE), truth(NONE, many(5))],
    "objects in a crowd": [truth(many(4), EVERYWHERE), truth(many(4), many(2))],
}
SYSTEMS = {
    **PRESETS,
    "an expert's": replace(PRESETS["faster_rcnn"], naming=SIGMOID, fit=overlapping),
}
ALONE = {"convdet": one_staged, "multibox": whole_image}
NAMES = [*ALONE, *SYSTEMS]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_picture_has_a_finite_loss_and_slope(name: str, case: str) -> None:
    detector = made(name)
    for seed in (0, 1):
        total = detector.loss(images(), CASES[case], seed)
        total.backward()
        assert bool(torch.isfinite(total))
    slopes = [one.grad for one in detector.net.parameters() if one.grad is not None]
    assert slopes
    assert all(bool(torch.isfinite(slope).all()) for slope in slopes)
    if case == "no objects":
        assert any(float(slope.abs().max()) > 0 for slope in slopes), "background teaches something"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_set_aside_is_no_background(name: str) -> None:
    detector = made(name)
    assert float(detector.loss(images(), [truth(NONE, EVERYWHERE)] * 2, 1).detach()) == 0
    assert float(detector.loss(images(), [truth(NONE)] * 2, 1).detach()) > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_the_loss(name: str) -> None:
    detector = made(name)
    first, again = (float(detector.loss(images(), CASES["500 objects"], 0).detach()) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_sorted_inside_and_the_same_each_time(name: str) -> None:
    detector = made(name)
    detector.net.eval()
    found, again = detector.answer(images(3)), detector.answer(images(3))
    assert len(found) == 3
    for one, other in zip(found, again, strict=True):
        assert 0 < len(one.scores) <= 300
        assert one.boxes.shape == (len(one.scores), 4)
        assert one.labels.shape == one.scores.shape
        assert (np.diff(one.scores) <= 0).all()
        assert ((one.scores >= 0) & (one.scores <= 1)).all()
        assert ((one.labels >= 0) & (one.labels < CLASSES)).all()
        assert (one.boxes[:, 2:] > one.boxes[:, :2]).all()
        if name in SYSTEMS:  # those of the others are cut when they are put back into the original picture
            assert (one.boxes >= 0).all()
            assert (one.boxes <= SIDE).all()
        for part in ("boxes", "scores", "labels"):
            np.testing.assert_array_equal(getattr(one, part), getattr(other, part))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_picture_in_which_nothing_is_proposed_has_a_loss_and_an_empty_answer(name: str) -> None:
    detector = made(name, NONE)
    total = detector.loss(images(), CASES["objects in one picture"], 0)
    total.backward()
    assert bool(torch.isfinite(total))
    if SYSTEMS[name].source != "region network":
        for one in detector.answer(images()):
            assert one.boxes.shape == (0, 4)
            assert one.scores.shape == one.labels.shape == (0,)
