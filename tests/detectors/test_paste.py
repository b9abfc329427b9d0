"""A map of how sure a net is becomes the pixels that it means, to half a pixel, whatever the way from the picture."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.augmentation import plan
from convworks.detectors.paste import pasted, pixels_in, window
from convworks.geometry.move import Move, crop


def ramp(size: tuple[int, int], slope: tuple[float, float, float]) -> np.ndarray:
    """Logits a x + b y + c at the middle of each cell of a map."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return (slope[0] * x + slope[1] * y + slope[2]).astype(np.float32)


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
@pytest.mark.parametrize("edge", [9.0, 11.5, 12.25, 15.9])
def test_an_edge_between_cells_falls_between_the_pixels_that_it_lies_between(
    stride: int, edge: float
) -> None:
    way = crop((0, 0, 32, 24), (24 // stride, 32 // stride))
    logits = ramp(way.size, (1.0, 0.0, -edge / stride))
    mask = pasted(logits, (0, 0), way, (0, 0, 32, 24))
    inside = np.arange(32) + 0.5 > edge
    middle = slice(stride, 32 - stride)
    np.testing.assert_array_equal(mask[:, middle], np.broadcast_to(inside, (24, 32))[:, middle])


@pytest.mark.parametrize("size_in", [(37, 53), (480, 640), (200, 90)])
def test_a_letterboxed_frame_gives_the_same_half_plane_back(size_in: tuple[int, int]) -> None:
    move = plan.fixed(size_in, (64, 96), "letterbox").move
    way = move.then(crop((0, 0, 96, 64), (16, 24)))
    a, b = 0.8, -0.6
    c = -(a * size_in[1] + b * size_in[0]) / 2
    back = np.linalg.inv(way.matrix)
    slope = np.array([a, b, c]) @ back  # the same line, of places in the map
    y, x = np.mgrid[: size_in[0], : size_in[1]] + 0.5
    distance = a * x + b * y + c
    mask = pasted(ramp((16, 24), tuple(slope.tolist())), (0, 0), way, (0, 0, size_in[1], size_in[0]))
    near = np.abs(distance) < 0.06 / way.matrix[0, 0]  # a thirty-second of a cell, and rounding
    cells = way.points(np.stack([x, y], -1))
    near |= ((cells < 0.5) | (cells > np.array([23.5, 15.5]))).any(-1)  # beyond the last middles
    np.testing.assert_array_equal(mask[~near], (distance > 0)[~near])
    assert near.mean() < 0.25


def test_a_part_of_a_map_and_of_a_picture_says_what_the_whole_says() -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(16, 24)).astype(np.float32)
    way = plan.fixed((75, 100), (64, 96), "letterbox").move.then(crop((0, 0, 96, 64), (16, 24)))
    whole = pasted(logits, (0, 0), way, (0, 0, 100, 75))
    for box in ((20.3, 31.0, 60.9, 50.2), (0.0, 0.0, 9.0, 75.0), (90.0, 60.0, 100.0, 75.0)):
        x0, y0, x1, y1 = window(box, way)
        pixels = pixels_in(box, (75, 100))
        part = pasted(logits[y0:y1, x0:x1], (x0, y0), way, pixels)
        np.testing.assert_array_equal(part, whole[pixels[1] : pixels[3], pixels[0] : pixels[2]])


def test_a_window_outside_the_map_still_has_a_cell() -> None:
    x0, y0, x1, y1 = window((900.0, 900.0, 950.0, 950.0), crop((0, 0, 64, 64), (16, 16)))
    assert 0 <= x0 < x1 <= 16
    assert 0 <= y0 < y1 <= 16


def test_a_box_has_the_pixels_whose_middles_it_holds() -> None:
    assert pixels_in((1.5, 0.0, 3.5, 2.0), (4, 5)) == (1, 0, 3, 2)
    assert pixels_in((1.51, -9.0, 99.0, 1.49), (4, 5)) == (2, 0, 5, 1)
    left, _, right, _ = pixels_in((2.6, 0.0, 3.4, 1.0), (4, 5))
    assert left >= right, "a sliver between two middles has none"
    assert isinstance(crop((0, 0, 4, 4), (2, 2)), Move)
