"""1x1 convolutions, colour, a filter on a part of the input, and the four numbers of a box."""

import numpy as np
import pytest
import torch

from convworks.explanation.box_numbers import numbers, read_back, told
from convworks.explanation.colour import explained, fit, kept
from convworks.explanation.material import picture
from convworks.explanation.part import part
from convworks.explanation.pointwise import FILTERS, pointwise


def test_a_1x1_is_one_matrix_a_pixel_whatever_the_order_of_the_pixels() -> None:
    found = pointwise(picture(64))
    assert found.linear < 1e-6
    assert found.shuffled < 1e-6
    assert found.undone < 1e-6
    np.testing.assert_allclose(found.products.sum(1), found.sums, atol=1e-6)
    np.testing.assert_allclose(found.products, np.array(list(FILTERS.values())) * found.pixel, atol=1e-6)


def test_ridge_explains_a_line_and_nothing_of_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(400, 4, generator=generator) for _ in range(2))
    y = x @ torch.tensor([[1.0], [2.0], [0.0], [-1.0]]) + 3
    assert explained(fit(x[:200], y[:200], 1e-6), x[200:], y[200:]) == pytest.approx(1)
    assert explained(fit(noise[:200], y[:200], 1.0), noise[200:], y[200:]) < 0.1


def test_the_first_stage_keeps_colour_and_the_last_does_not() -> None:
    found = kept(count=9)
    assert found[0].colour > 0.95
    assert found[-1].colour < 0.3
    assert min(each.low for each in found) < 0


@pytest.mark.parametrize("random", [False, True])
def test_the_readers_three_of_ten_columns(random: bool) -> None:
    given = part(random=random, bias=0.5).given
    (sliced,), masked, partial = given["slice"], given["mask"], given["partial"]
    assert len(masked) == len(partial) == len(sliced.values) == 8
    np.testing.assert_allclose(masked[0].values, sliced.values, rtol=1e-5)
    np.testing.assert_allclose(partial[0].values, sliced.values, rtol=1e-5)
    for mixed, scaled, share in ((masked[1], partial[1], 2 / 3), (masked[2], partial[2], 1 / 3)):
        np.testing.assert_allclose((scaled.values - 0.5) * share, mixed.values - 0.5, rtol=1e-4, atol=1e-5)
    assert all((each.values == 0.5).all() and each.sort == "bias only" for each in masked[3:])
    assert all((each.values == 0).all() and each.sort == "nothing" for each in partial[3:])


def test_every_telling_gives_the_box_back_and_only_pixels_of_the_picture_change_with_its_size() -> None:
    found = numbers()
    assert found.back < 1e-9
    first, *others = zip(found.tellings, found.doubled, strict=True)
    np.testing.assert_allclose(first[1].numbers, 2 * first[0].numbers)
    for once, twice in others:
        np.testing.assert_allclose(once.numbers, twice.numbers)


def test_a_telling_of_any_box_is_read_back() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        size = (int(draw.integers(20, 900)), int(draw.integers(20, 900)))
        box = np.sort(draw.uniform(0, 1, (2, 2)), 0).ravel() * np.array([*size, *size])
        for telling in told(box, size, 224):
            np.testing.assert_allclose(read_back(telling, size, 224), box, atol=1e-9)
