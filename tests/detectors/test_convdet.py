"""The default detector works where there is nothing, much, or something tiny to find, and learns what it is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from convworks.backbones.contract import Stage
from convworks.detectors import convdet
from convworks.detectors.answer import padded, truths
from convworks.samples import CROWD, DIFFICULT, Sample

INFO = [Stage(name=str(stride), channels=8, stride=stride) for stride in (4, 8, 16)]
SIDE = 64


def maps(n: int, high: int = SIDE, wide: int = SIDE) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(n, 8, high // one.stride, wide // one.stride, generator=draw) for one in INFO]


def sample(
    boxes: list[list[float]], labels: list[int] | None = None, aside: list[int] | None = None
) -> Sample:
    return Sample(
        image=np.zeros((SIDE, SIDE, 3), np.uint8),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels or [0] * len(boxes), np.int64),
        aside=np.array(aside or [0] * len(boxes), np.uint8),
    )


def rows(net: convdet.ConvDet, n: int = 1) -> Tensor:
    return net(maps(n))


def many(n: int) -> list[list[float]]:
    corners = np.random.default_rng(0).uniform(0, SIDE - 4, (n, 2))
    return np.concatenate([corners, corners + 4], 1).tolist()


@pytest.mark.parametrize("progress", [0.0, 0.9])
@pytest.mark.parametrize(
    "case",
    [
        sample([]),
        sample([[10, 10, 11, 11]]),
        sample([[63, 63, 64, 64]]),
        sample([[0, 0, 64, 64]]),
        sample(many(500)),
        sample([[5, 5, 30, 30]], aside=[CROWD]),
        sample([[5, 5, 30, 30], [9, 9, 40, 40]], aside=[DIFFICULT, 0]),
        sample([[5, 5, 30, 30], [5, 5, 30, 30]], [0, 1]),
    ],
)
def test_whatever_there_is_gives_a_finite_loss_and_slope(case: Sample, progress: float) -> None:
    net = convdet.ConvDet(INFO, 3, 0.0, finest=8)
    total, weight = convdet.loss(rows(net, 2), padded([case, sample([[8, 8, 40, 40]])]), progress)
    (total / weight).backward()
    assert float(weight) >= 2
    assert all(bool(torch.isfinite(one.grad).all()) for one in net.parameters() if one.grad is not None)
    assert net.classify.weight.grad is not None


@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_every_object_that_counts_is_learned_by_some_cell(progress: float) -> None:
    net = convdet.ConvDet(INFO, 2, 0.0, finest=4)
    here = sample([[2, 2, 3, 3], [10, 10, 34, 40], [0, 0, 64, 64], [50, 3, 60, 9]], [0, 1, 0, 1])
    [truth] = truths(padded([here]))
    found, quality = convdet.matched(rows(net)[0].detach(), truth, progress)
    assert set(found.tolist()) == {-1, 0, 1, 2, 3}
    assert float(quality[found < 0].abs().sum()) == 0


def test_in_a_crowd_nothing_is_wrong() -> None:
    net = convdet.ConvDet(INFO, 2, 0.0, finest=8).eval()
    given = rows(net).detach().requires_grad_(True)
    total, _ = convdet.loss(given, padded([sample([[0, 0, 32, 64]], aside=[CROWD])]), 0.9)
    total.backward()
    assert given.grad is not None
    left = given.detach()[0, :, 0] < 32
    assert float(given.grad[0, left].abs().sum()) == 0
    assert float(given.grad[0, ~left, 7:].abs().min()) > 0


@pytest.mark.parametrize(("finest", "coarsest", "cells"), [(8, 8, 64), (4, 16, 256 + 64 + 16), (16, 32, 16)])
def test_there_is_a_row_for_every_cell_of_every_level(finest: int, coarsest: int, cells: int) -> None:
    net = convdet.ConvDet(INFO, 5, 0.0, finest=finest, coarsest=coarsest)
    found = rows(net, 2).detach()
    assert found.shape == (2, cells, 7 + 5)
    first = found[0, 0, :3].tolist()
    assert first == [finest / 2, finest / 2, finest]
    assert float(found[..., 7:].sigmoid().max()) < 0.2, "nothing is said to be there before it has learned"


def said(boxes: list[list[float]], scores: list[float], labels: list[int]) -> Tensor:
    found = torch.full((1, len(boxes), 7 + 3), -20.0)
    found[0, :, 3:7] = torch.tensor(boxes)
    for row, (score, label) in enumerate(zip(scores, labels, strict=True)):
        found[0, row, 7 + label] = torch.tensor(score).logit()
    return found


def test_of_boxes_that_say_the_same_the_best_stays() -> None:
    boxes = [[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10], [30, 30, 40, 40]]
    [answer] = convdet.decode(said(boxes, [0.6, 0.9, 0.5, 0.001], [0, 0, 1, 0]))
    assert answer.labels.tolist() == [0, 1]
    assert answer.scores.tolist() == pytest.approx([0.9, 0.5])
    assert answer.boxes[:, :3].tolist() == [[0, 0, 10], [0, 0, 10]]


def test_a_box_lies_where_those_that_said_the_same_put_it() -> None:
    boxes = [[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 2], [0, 0, 10, 8]]
    [answer] = convdet.decode(said(boxes, [0.6, 0.3, 0.2, 0.3], [0, 0, 1, 1]))
    assert answer.boxes[0].tolist() == pytest.approx([0, 0, 10, (0.6 * 10 + 0.3 * 9) / 0.9])
    assert answer.boxes[1].tolist() == pytest.approx([0, 0, 10, 8]), "another class has no say"


@pytest.mark.parametrize(("finest", "coarsest"), [(8, 8), (4, 16)])
def test_what_a_mirror_says_is_brought_back_to_its_cells(finest: int, coarsest: int) -> None:
    net = convdet.ConvDet(INFO, 2, 0.0, finest=finest, coarsest=coarsest).eval()
    here = rows(net).detach()
    turned: list[Tensor] = []
    begin = 0
    for stride in net.pyramid.strides:
        side = SIDE // stride
        level = here[:, begin : begin + side**2].unflatten(1, (side, side)).flip(2).flatten(1, 2)
        left, right = SIDE - level[..., 5], SIDE - level[..., 3]
        turned.append(
            torch.cat(
                [SIDE - level[..., :1], level[..., 1:3], left[..., None], level[..., 4:5], right[..., None],
                 level[..., 6:]], -1,
            )
        )  # fmt: skip
        begin += side**2
    given = iter([here, torch.cat(turned, 1)] * 2)

    def outputs(frames: Tensor) -> Tensor:
        return next(given)

    frames = torch.zeros(1, 3, SIDE, SIDE)
    torch.testing.assert_close(convdet.averaged(outputs, frames, 2), here, atol=1e-4, rtol=1e-4)
    surer = here.clone()
    surer[..., 7:] += 3
    given = iter([surer, torch.cat(turned, 1)])
    mean = convdet.averaged(outputs, frames, 2)
    wanted = (here[..., 7:].sigmoid() + surer[..., 7:].sigmoid()) / 2
    torch.testing.assert_close(mean[..., 7:].sigmoid(), wanted, atol=1e-4, rtol=1e-4)


def test_nothing_said_is_nothing_found_and_much_is_cut() -> None:
    [none] = convdet.decode(torch.full((1, 30, 9), -20.0))
    assert none.boxes.shape == (0, 4)
    corners = torch.arange(500.0)[:, None] * 20
    boxes = torch.cat([corners, corners, corners + 10, corners + 10], 1).tolist()
    [much] = convdet.decode(said(boxes, [0.5] * 500, [0] * 500))
    assert len(much.boxes) == convdet.MOST


def test_a_norm_that_is_part_of_its_convolution_says_the_same() -> None:
    net = convdet.ConvDet(INFO, 2, 0.0, finest=8)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
    for _ in range(9):
        net(maps(4))
    net.eval()
    x = torch.randn(2, convdet.WIDTH, 7, 5)
    tower, plain = net.name_tower, x
    norms = tower.norms[0]
    assert isinstance(norms, torch.nn.ModuleList)
    for conv, norm in zip(tower.convs, norms, strict=True):
        plain = norm(conv(plain)).relu()
    torch.testing.assert_close(tower(x, 0), plain, atol=1e-4, rtol=1e-4)


def test_padding_is_taken_off_again() -> None:
    first, second = truths(
        padded([sample([[1, 1, 9, 9]], [2]), sample([[0, 0, 5, 5], [2, 2, 8, 8]], aside=[CROWD, 0])])
    )
    assert first.labels.tolist() == [2]
    assert second.boxes.tolist() == [[2, 2, 8, 8]]
    assert second.aside.tolist() == [[0, 0, 5, 5]]
