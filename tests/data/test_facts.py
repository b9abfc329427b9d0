"""Borders are measured where they were drawn, and not seen where a picture is merely plain at its edges."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from convworks.data import facts
from convworks.data.duplicates import brightness
from convworks.data.facts import is_gray


def border(image: np.ndarray) -> float:
    return facts.border(brightness(image))


def noise(height: int = 120, width: int = 160) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("width", [1, 3, 12, 30])
def test_the_width_of_a_frame_is_a_share_of_the_side_that_it_cuts(width: int) -> None:
    image = noise()
    image[:width] = image[-width:] = image[:, :width] = image[:, -width:] = (200, 30, 30)
    assert border(image) == pytest.approx(width / 120)


def test_bars_at_two_sides_count_and_one_bar_does_not() -> None:
    bars = noise()
    bars[:, :20] = bars[:, -20:] = 0
    assert border(bars) == pytest.approx(20 / 160)
    one = noise()
    one[:20] = 0
    assert border(one) == 0


def test_a_frame_survives_encoding() -> None:
    image = np.asarray(Image.fromarray(noise(15, 20)).resize((160, 120), Image.Resampling.BICUBIC)).copy()
    image[:8] = image[-8:] = image[:, :8] = image[:, -8:] = (30, 60, 200)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=80)
    assert border(np.array(Image.open(file))) == pytest.approx(8 / 120, abs=0.02)


def test_two_plain_sides_of_other_colours_are_no_border() -> None:
    image = noise()
    image[:20], image[-20:] = 255, 0
    assert border(image) == 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 400, 3), (400, 1, 3), (3, 3, 3)])
def test_any_shape_has_one(shape: tuple[int, int, int]) -> None:
    assert 0 <= border(np.zeros(shape, np.uint8)) <= 1
    assert is_gray(np.zeros(shape, np.uint8))
