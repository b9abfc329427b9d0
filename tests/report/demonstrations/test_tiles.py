"""Maps as pictures: zero is pale, signs have their own hue, lightness rises with the value, edges lie on edges."""

import base64
import io

import numpy as np
from PIL import Image

from convworks.report.demonstrations.tiles import data, outline, photo, ramp, signed


def test_the_ramp_grows_lighter_with_the_value() -> None:
    pixels = ramp(np.linspace(0, 1, 30)[None], 0, 1)[0].astype(float)
    light = pixels @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(light) > 0).all()


def test_below_zero_is_orange_above_is_blue_and_zero_is_pale() -> None:
    below, zero, above = signed(np.array([[-1.0, 0.0, 1.0]]), 1.0)[0].astype(int)
    assert below[0] > below[2] + 80
    assert above[2] > above[0] + 80
    assert zero.min() > 230


def test_a_map_is_written_without_loss_and_enlarged_by_whole_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 4, 3), np.uint8)
    image = Image.open(io.BytesIO(base64.b64decode(data(pixels, enlarge=3).partition(",")[2])))
    assert image.size == (12, 15)
    assert (np.asarray(image.convert("RGB"))[::3, ::3] == pixels).all()


def test_a_photo_is_no_larger_than_asked() -> None:
    image = Image.open(
        io.BytesIO(base64.b64decode(photo(np.zeros((400, 800, 3), np.uint8), 200).partition(",")[2]))
    )
    assert image.size == (200, 100)


def test_an_outline_runs_along_the_edge_of_its_mask() -> None:
    mask = np.zeros((10, 10), np.bool_)
    mask[2:5, 3:8] = True
    path = str(outline(mask)).partition('d="M')[2].partition("Z")[0]
    points = np.array([[float(number) for number in pair.split()] for pair in path.split("L")])
    assert abs(points.min(0) - [3, 2]).max() < 0.25
    assert abs(points.max(0) - [8, 5]).max() < 0.25


def test_a_mask_without_pixels_has_no_outline() -> None:
    assert 'd=""' in str(outline(np.zeros((4, 4), np.bool_)))
