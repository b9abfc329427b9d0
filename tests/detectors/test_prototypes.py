"""Outlines mixed of prototypes: their loss is what the formula says, each object keeps to itself, nothing breaks it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from convworks.augmentation import plan
from convworks.backbones.contract import Stage
from convworks.data.raster import from_runs
from convworks.data.synthetic import flat_scene
from convworks.detectors.convdet import ROW
from convworks.detectors.prototypes import (
    FINEST,
    ConvOutline,
    Outlined,
    Said,
    decode,
    loss,
    outline_loss,
    restore,
    targets,
)
from convworks.geometry.move import identity
from convworks.samples import CROWD, Sample

CLASSES = ["ellipse", "rectangle", "triangle"]
SIDE = 64
INFO = [Stage(name=str(stride), channels=8, stride=stride) for stride in (4, 8, 16)]


def maps(n: int, high: int = SIDE, wide: int = SIDE) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(n, 8, high // one.stride, wide // one.stride, generator=draw) for one in INFO]


def sample(boxes: list[list[int]], aside: int = 0) -> Sample:
    masks = np.zeros((len(boxes), SIDE, SIDE), np.bool_)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    return Sample(
        image=np.zeros((SIDE, SIDE, 3), np.uint8),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.zeros(len(boxes), np.int64),
        aside=np.full(len(boxes), aside, np.uint8),
        masks=masks,
    )


@pytest.mark.parametrize("progress", [0.0, 0.9])
@pytest.mark.parametrize(
    "case",
    [
        sample([]),
        sample([[10, 10, 11, 11]]),
        sample([[63, 63, 64, 64]]),
        sample([[0, 0, 64, 64], [20, 20, 40, 44]]),
        sample([[5, 5, 30, 30]], aside=CROWD),
    ],
    ids=["nothing", "a pixel", "the last pixel", "two", "a crowd"],
)
def test_whatever_there_is_gives_a_finite_loss_and_slope(case: Sample, progress: float) -> None:
    torch.manual_seed(0)
    net = ConvOutline(INFO, 2, 0.0)
    total, weight = loss(net(maps(2)), targets([case, sample([[8, 8, 40, 40]])]), progress)
    assert math.isfinite(float((total / weight).detach()))
    total.backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in net.draw.parameters())
    assert float(net.share.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]


def test_prototypes_are_twice_as_fine_as_the_map_that_they_are_drawn_from() -> None:
    said = ConvOutline(INFO, 2, 0.0).eval()(maps(2, 32, 64))
    assert said.prototypes.shape[2:] == (8, 16)
    assert said.rows.shape[1] == said.shares.shape[1] == 4 * 8 + 2 * 4
    fine = ConvOutline(INFO, 2, 0.0, finest=4).eval()(maps(2, 32, 64))
    assert fine.prototypes.shape[2:] == (8, 16)


def test_a_target_is_the_share_of_each_cell() -> None:
    found = targets([sample([[4, 4, 12, 10]]), sample([])])["masks"]
    assert found.shape == (2, 1, SIDE // FINEST, SIDE // FINEST)
    assert found[0, 0, 1:3, 1:3].tolist() == [[255, 255], [128, 128]]
    assert int((found > 0).sum()) == 4


def test_the_loss_of_no_opinion_is_that_of_a_coin_and_half_of_dice() -> None:
    wanted = torch.zeros(1, 8, 8)
    wanted[0, 2:4, 2:6] = 1
    boxes = torch.tensor([[2.0, 2, 6, 6]])
    found = float(outline_loss(torch.zeros(1, 8, 8), wanted, boxes))
    dice = (2 * 0.5 * 8 + 1) / (16 * 0.25 + 8 + 1)
    assert found == pytest.approx(math.log(2) + 1 - dice, abs=1e-6)


def test_beyond_the_cells_that_a_box_touches_anything_may_be_said() -> None:
    draw = torch.Generator().manual_seed(3)
    wanted = (torch.rand(1, 8, 8, generator=draw) > 0.5).float()
    boxes = torch.tensor([[1.5, 2.0, 4.2, 7.0]])
    logits = torch.randn(1, 8, 8, generator=draw)
    other = torch.full((1, 8, 8), 9.0)
    other[:, 2:7, 1:5] = logits[:, 2:7, 1:5]
    assert float(outline_loss(other, wanted, boxes)) == float(outline_loss(logits, wanted, boxes))


@pytest.mark.parametrize("size", [(96, 96), (150, 210), (70, 60)])
def test_shares_of_cells_give_the_outline_back_in_the_original_picture(size: tuple[int, int]) -> None:
    """Each object has a prototype of its own, which says what was wanted; the picture is letterboxed into a frame."""
    move = plan.fixed(size, (160, 160), "letterbox")
    for index in range(3):
        whole = flat_scene(5, index, task="detection", classes=CLASSES, size=size[::-1])
        framed = plan.apply(move, whole)
        wanted = targets([framed])["masks"][0].numpy() / 255 - 0.5
        answer = Outlined(
            boxes=framed.boxes,
            scores=np.ones(len(wanted), np.float32),
            labels=framed.labels,
            shares=np.eye(len(wanted), dtype=np.float32),
            prototypes=wanted.astype(np.float32),
        )
        found = restore(answer, move.move, size, CLASSES).found
        assert [one.name for one in found] == [CLASSES[label] for label in whole.labels.tolist()]
        for one, mask in zip(found, whole.masks, strict=True):
            again = from_runs(one.runs, size)
            assert (again & mask).sum() / (again | mask).sum() > 0.9


def test_two_objects_of_a_class_that_overlap_keep_their_own_pixels() -> None:
    rows = torch.full((1, 2, ROW + 1), -50.0)
    rows[0, :, 3:ROW] = torch.tensor([[8.0, 8, 40, 40], [24, 24, 56, 56]])
    rows[0, :, ROW] = torch.tensor([50.0, 40.0])
    own = torch.full((1, 2, 16, 16), -5.0)
    own[0, 0, 2:8, 2:8] = own[0, 1, 8:14, 8:14] = 5.0
    (answer,) = decode(Said(rows=rows, shares=torch.eye(2)[None], prototypes=own))
    first, second = restore(answer, identity((SIDE, SIDE)), (SIDE, SIDE), ["cat"]).found
    masks = [from_runs(one.runs, (SIDE, SIDE)) for one in (first, second)]
    assert not (masks[0] & masks[1]).any()
    assert masks[0][8:32, 8:32].mean() > 0.99
    assert masks[1][32:56, 32:56].mean() > 0.99


def test_a_find_without_a_pixel_of_its_own_is_left_out() -> None:
    rows = torch.full((1, 1, ROW + 1), 50.0)
    rows[0, 0, 3:ROW] = torch.tensor([8.0, 8, 40, 40])
    (answer,) = decode(
        Said(rows=rows, shares=torch.ones(1, 1, 1), prototypes=torch.full((1, 1, 16, 16), -1.0))
    )
    assert restore(answer, identity((SIDE, SIDE)), (SIDE, SIDE), ["cat"]).found == ()
