"""Enlarging and the default loss are the plain operations, values and gradients, at every size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from convworks.samples import IGNORE
from convworks.tasks import pixel_losses
from convworks.tasks.enlarging import cross_entropy_and_dice, enlarged, laid

SIZES = [((5, 7), (20, 28)), ((5, 7), (18, 25)), ((6, 4), (6, 4)), ((1, 3), (9, 2)), ((8, 8), (5, 6))]


@pytest.mark.parametrize(("small", "large"), SIZES)
def test_enlarging_is_the_librarys_and_so_is_its_way_back(
    small: tuple[int, int], large: tuple[int, int]
) -> None:
    logits = torch.randn(2, 3, *small, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, *large, dtype=torch.float64)
    plain = F.interpolate(logits, large, mode="bilinear", align_corners=False)
    torch.testing.assert_close(enlarged(logits, large), plain)
    (expected,) = torch.autograd.grad((plain * weights).sum(), logits)
    (found,) = torch.autograd.grad((enlarged(logits, large) * weights).sum(), logits)
    torch.testing.assert_close(found, expected)


def wanted_maps(n: int, classes: int, size: tuple[int, int]) -> Tensor:
    draw = torch.Generator().manual_seed(classes)
    wanted = torch.randint(0, classes, (n, *size), generator=draw, dtype=torch.uint8)
    wanted[:, : size[0] // 3] = IGNORE
    wanted[0][wanted[0] == 1] = 0
    wanted[-1] = IGNORE
    return wanted


@pytest.mark.parametrize(("small", "large"), SIZES)
@pytest.mark.parametrize("classes", [2, 11, 200])
@pytest.mark.parametrize("dice", [0.5, 0.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_quick_loss_is_the_plain_one(
    small: tuple[int, int], large: tuple[int, int], classes: int, dice: float, weighted: bool
) -> None:
    draw = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(3, classes, *small, generator=draw)
    targets = {"class_map": wanted_maps(3, classes, large)}
    weights = torch.rand(classes, generator=draw) + 0.5 if weighted else None
    plain, quick = logits.clone().requires_grad_(), logits.clone().requires_grad_()

    def each(logits: Tensor, wanted: Tensor) -> Tensor:
        entropy = pixel_losses.cross_entropy(logits, wanted, weights)
        return entropy + dice * pixel_losses.dice(logits, wanted)

    expected = pixel_losses.over_pixels(plain, targets, 0.0, each)
    found = cross_entropy_and_dice(quick, targets, 0.0, dice, weights)
    torch.testing.assert_close(found.total, expected.total)
    (2 * expected.total).backward()
    (2 * found.total).backward()
    torch.testing.assert_close(quick.grad, plain.grad, rtol=1e-4, atol=1e-6)
    assert quick.grad is not None
    assert (quick.grad[-1] == 0).all(), "an image that is all unknown teaches nothing"


def test_nothing_is_computed_for_a_gradient_that_nobody_asks_for() -> None:
    logits, targets = torch.randn(2, 3, 4, 4), {"class_map": wanted_maps(2, 3, (16, 16))}
    with torch.no_grad():
        without = cross_entropy_and_dice(logits, targets, 0.0)
    with_it = cross_entropy_and_dice(logits.requires_grad_(), targets, 0.0)
    torch.testing.assert_close(without.total, with_it.total.detach())


def test_a_loss_that_is_not_finite_says_so() -> None:
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 0, 0, 0] = torch.inf
    wanted = torch.zeros(1, 4, 4, dtype=torch.uint8)
    assert not torch.isfinite(cross_entropy_and_dice(logits, {"class_map": wanted}, 0.0).total)


@pytest.mark.parametrize("every", [2, 3])
def test_of_every_so_many_pixels_it_is_the_loss_of_the_others_unknown(every: int) -> None:
    draw = torch.Generator().manual_seed(1)
    logits, wanted = torch.randn(2, 4, 5, 6, generator=draw), wanted_maps(2, 4, (20, 23))
    turn = every + 1  # the second pixel of the second row, and on
    known = torch.full_like(wanted, IGNORE)
    known[:, 1::every, 1::every] = wanted[:, 1::every, 1::every]
    some, all_of_them = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    found = cross_entropy_and_dice(some, {"class_map": wanted}, 0.0, every=every, turn=turn)
    expected = cross_entropy_and_dice(all_of_them, {"class_map": known}, 0.0)
    torch.testing.assert_close(found.total, expected.total)
    found.total.backward()
    expected.total.backward()
    torch.testing.assert_close(some.grad, all_of_them.grad)


def test_a_map_is_read_where_it_is_asked() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4).repeat(2, 1, 1, 1)
    torch.testing.assert_close(laid(x, (3, 4), 0.0, 1.0), x)
    torch.testing.assert_close(
        laid(x, (6, 8), -0.25, 0.5), F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    )
    shifted = laid(x, (3, 4), 0.5, 1.0)
    assert shifted[0, 0, 0].tolist() == [
        2.5,
        3.5,
        4.5,
        5.0,
    ]  # half a row and half a column on; then the border
    assert laid(torch.zeros(0, 3, 4, 5), (8, 10), 0.0, 0.5).shape == (0, 3, 8, 10)


def test_what_was_read_while_predicting_can_be_trained_with() -> None:
    with torch.inference_mode():
        laid(torch.zeros(1, 2, 7, 9), (14, 18), -0.25, 0.5)
    x = torch.zeros(1, 2, 7, 9, requires_grad=True)
    laid(x, (14, 18), -0.25, 0.5).sum().backward()
    assert x.grad is not None
    assert float(x.grad.sum()) == pytest.approx(2 * 14 * 18)
