"""Losses of pixels: their closed forms, their gradients, and nothing where nothing is known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from convworks.metrics import overlap
from convworks.samples import IGNORE
from convworks.tasks import pixel_losses
from convworks.tasks.pixel_losses import PixelLoss

WEIGHTS = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
LOSSES: dict[str, PixelLoss] = {
    "cross-entropy": pixel_losses.cross_entropy,
    "weighted": partial(pixel_losses.cross_entropy, weights=WEIGHTS),
    "focal": pixel_losses.focal,
    "dice": pixel_losses.dice,
    "tversky": pixel_losses.tversky,
    "lovasz": pixel_losses.lovasz,
    "boundary": pixel_losses.boundary,
    "summed": pixel_losses.CROSS_ENTROPY_AND_DICE,
}
AREAS = [name for name in LOSSES if name != "boundary"]


def pictures(n: int = 3, classes: int = 3, size: tuple[int, int] = (5, 7)) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(classes)
    logits = torch.randn(n, classes, *size, generator=draw, dtype=torch.float64)
    wanted = torch.randint(0, classes, (n, *size), generator=draw)
    wanted[torch.rand(wanted.shape, generator=draw) < 0.2] = IGNORE
    wanted[0][wanted[0] == 1] = 0  # a class that the first picture does not have
    return logits, wanted


def sure(wanted: Tensor, classes: int, factor: float = 60.0) -> Tensor:
    known = wanted.where(wanted != IGNORE, 0)
    return factor * F.one_hot(known, classes).permute(0, 3, 1, 2).double()


@pytest.mark.parametrize("name", LOSSES)
def test_its_gradient_is_that_of_its_values(name: str) -> None:
    logits, wanted = pictures()
    assert torch.autograd.gradcheck(lambda x: LOSSES[name](x, wanted), logits.requires_grad_(True))


@pytest.mark.parametrize("name", LOSSES)
def test_an_image_of_which_nothing_is_known_costs_nothing_and_teaches_nothing(name: str) -> None:
    logits, wanted = pictures()
    wanted[1] = IGNORE
    logits.requires_grad_(True)
    losses = LOSSES[name](logits, wanted)
    assert losses[1] == 0
    losses.sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[1] == 0).all()
    assert (logits.grad[0] != 0).any()


@pytest.mark.parametrize("name", LOSSES)
def test_pixels_that_do_not_count_change_nothing(name: str) -> None:
    logits, wanted = pictures()
    other = torch.where(wanted[:, None] == IGNORE, logits + 3 * torch.randn_like(logits), logits)
    torch.testing.assert_close(LOSSES[name](logits, wanted), LOSSES[name](other, wanted))


@pytest.mark.parametrize("name", AREAS)
def test_the_truth_costs_nothing_and_its_opposite_most(name: str) -> None:
    _, wanted = pictures()
    right, wrong = sure(wanted, 3), sure((wanted + 1) % 3, 3)
    assert (LOSSES[name](right, wanted) < 1e-6).all()
    assert (LOSSES[name](wrong, wanted) > 0.5).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("classes", [2, 200])
def test_few_and_many_classes(name: str, classes: int) -> None:
    if name == "weighted":
        return
    logits, wanted = pictures(classes=classes, size=(9, 11))
    assert torch.isfinite(LOSSES[name](logits, wanted)).all()


def test_focal_without_its_factor_is_cross_entropy() -> None:
    logits, wanted = pictures()
    torch.testing.assert_close(
        pixel_losses.focal(logits, wanted, gamma=0.0), pixel_losses.cross_entropy(logits, wanted)
    )
    easy = torch.tensor([0.0, 2.0], dtype=torch.float64).view(1, 2, 1, 1)
    p = float(torch.tensor(2.0).sigmoid())
    found = pixel_losses.focal(easy, torch.ones(1, 1, 1, dtype=torch.int64), gamma=2.0)
    assert float(found) == pytest.approx(-((1 - p) ** 2) * np.log(p), rel=1e-5)


def test_tversky_by_hand() -> None:
    wanted = torch.tensor([[[0, 0, 0, 1]]])
    said = torch.tensor([[[0, 0, 1, 1]]])
    of_0 = (2 + 0.5) / (2 + 0.7 + 0.5)  # one missed, none invented
    of_1 = (1 + 0.5) / (1 + 0.3 + 0.5)  # one invented, none missed
    found = pixel_losses.tversky(sure(said, 2), wanted, invented=0.3, missed=0.7)
    assert float(found) == pytest.approx(1 - (of_0 + of_1) / 2)


def test_lovasz_of_sure_answers_is_one_minus_the_mean_iou_of_what_is_there() -> None:
    draw = torch.Generator().manual_seed(5)
    wanted = torch.randint(0, 3, (1, 12, 9), generator=draw)
    said = wanted.where(torch.rand(wanted.shape, generator=draw) < 0.7, (wanted + 1) % 3)
    table = overlap.class_counts(wanted[0].numpy().astype(np.uint8), said[0].numpy().astype(np.uint8), 3)
    found = pixel_losses.lovasz(sure(said, 3, 300.0), wanted)
    assert float(found) == pytest.approx(1 - overlap.mean_iou(table))


def test_the_boundary_loss_of_half_planes_by_hand() -> None:
    wanted = torch.tensor([[[0, 0, 1, 1]]])
    # Distances to the edge are 1.5 and .5 pixels of 4; each class has all of its mass inside.
    assert float(pixel_losses.boundary(sure(wanted, 2), wanted)) == pytest.approx(-(1.5 + 0.5) / 4 / 4)
    assert float(pixel_losses.boundary(sure(1 - wanted, 2), wanted)) == pytest.approx((1.5 + 0.5) / 4 / 4)


@pytest.mark.parametrize("name", LOSSES)
def test_over_pixels_takes_outputs_of_any_stride_and_sums_over_images(name: str) -> None:
    logits, wanted = pictures(size=(21, 18))
    small = F.avg_pool2d(logits, 4, ceil_mode=True).float()
    each = partial(LOSSES[name])
    whole = pixel_losses.over_pixels(small, {"class_map": wanted.to(torch.uint8)}, 0.0, each)
    parts = [
        pixel_losses.over_pixels(small[[n]], {"class_map": wanted[[n]].to(torch.uint8)}, 0.0, each)
        for n in range(3)
    ]
    torch.testing.assert_close(
        whole.total, sum((part.total for part in parts), torch.zeros(())).to(whole.total)
    )
    assert float(whole.weight) == 3
