"""Each loss equals its formula or another implementation of it, and its slope is finite where boxes have no area."""

from __future__ import annotations

import pytest
import torch
import torchvision.ops as ops
from torch import Tensor

from convworks.regions import losses


def boxes(n: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(n, 2, generator=draw) * 20
    return torch.cat([corners, corners + torch.rand(n, 2, generator=draw) * 15], 1)


def test_overlaps_are_those_of_torchvision() -> None:
    first, second = boxes(100, 1), boxes(100, 2)
    theirs = ops.box_iou(first, second).diagonal()
    torch.testing.assert_close(losses.overlap(first, second), theirs)
    general = ops.generalized_box_iou(first, second).diagonal()
    torch.testing.assert_close(losses.generalised_overlap(first, second), general, atol=1e-5, rtol=1e-5)
    distant = ops.distance_box_iou(first, second).diagonal()
    torch.testing.assert_close(losses.distant_overlap(first, second), distant, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fit", [losses.overlap, losses.generalised_overlap, losses.distant_overlap])
def test_a_box_fits_itself_and_a_point_has_a_slope(fit: object) -> None:
    assert callable(fit)
    given = boxes(9, 3) + torch.tensor([0.0, 0, 1, 1])
    torch.testing.assert_close(fit(given, given), torch.ones(9))
    point = torch.full((1, 4), 3.0, requires_grad=True)
    fit(point, boxes(1, 4)).sum().backward()
    assert point.grad is not None
    assert bool(torch.isfinite(point.grad).all())


def test_focal_is_that_of_torchvision() -> None:
    logits, truth = torch.randn(50), (torch.rand(50) > 0.5).float()
    torch.testing.assert_close(losses.focal(logits, truth), ops.sigmoid_focal_loss(logits, truth))


def test_quality_focal_is_least_where_the_score_is_the_quality() -> None:
    quality = torch.tensor([0.0, 0.3, 0.8, 1.0])
    grid = torch.linspace(0.005, 0.995, 199)
    found = losses.quality_focal(grid.logit()[:, None].expand(-1, 4), quality.expand(199, 4))
    best = grid[found.argmin(0)]
    assert float((best - quality).abs().max()) < 0.006


def test_quality_focal_of_yes_and_no_is_focal_without_its_weights() -> None:
    logits, truth = torch.randn(50), (torch.rand(50) > 0.5).float()
    twice = 2 * losses.focal(logits, truth, alpha=0.5)
    torch.testing.assert_close(losses.quality_focal(logits, truth), twice)


def test_smooth_l1_is_torchs() -> None:
    difference = torch.linspace(-3, 3, 61)
    for beta in (0.0, 0.1, 1.0):
        theirs = torch.nn.functional.smooth_l1_loss(difference, torch.zeros(61), beta=beta, reduction="none")
        torch.testing.assert_close(losses.smooth_l1(difference, beta), theirs)


@pytest.mark.parametrize("wanted", [0.0, 2.25, 6.0, 7.0, 99.0])
def test_a_distribution_learns_the_number_that_is_wanted(wanted: float) -> None:
    logits = torch.zeros(1, 8, requires_grad=True)
    optimiser = torch.optim.Adam([logits], 0.3)
    for _ in range(150):
        optimiser.zero_grad()
        losses.distribution_focal(logits, torch.tensor([wanted])).sum().backward()
        optimiser.step()
    mean = (logits.detach().softmax(-1) * torch.arange(8)).sum()
    assert float(mean) == pytest.approx(min(wanted, 7.0), abs=0.1)
