"""Masks kept by their own box are the masks that they were, wherever in the picture they lie."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.data.raster import box, from_polygons, from_runs, to_runs
from convworks.data.run_lengths import part_of, rings, runs_of

SIZE = (9, 7)


def masks() -> list[np.ndarray]:
    draw = np.random.default_rng(1)
    made = [np.ones(SIZE, np.bool_), np.zeros(SIZE, np.bool_)]
    for y, x in ((0, 0), (8, 6), (0, 6), (8, 0), (4, 3)):
        one = np.zeros(SIZE, np.bool_)
        one[y, x] = True
        made.append(one)
    return [*made, *(draw.random((20, *SIZE)) < 0.5), *(draw.random((20, *SIZE)) < 0.08)]


@pytest.mark.parametrize("mask", masks(), ids=lambda mask: str(int(mask.sum())))
def test_run_lengths_come_back_from_the_pixels_of_their_box(mask: np.ndarray) -> None:
    part, (left, top) = part_of(to_runs(mask), SIZE)
    x0, y0, x1, y1 = box(mask)
    np.testing.assert_array_equal(part, mask[y0:y1, x0:x1])
    assert (left, top) == (x0, y0)
    assert runs_of(part, (left, top), SIZE) == to_runs(mask)
    wider = np.pad(part, 1) if part.size and x0 and y0 and x1 < 7 and y1 < 9 else part
    grown = (left - 1, top - 1) if wider is not part else (left, top)
    assert runs_of(wider, grown, SIZE) == to_runs(mask), "pixels that are not the object's change nothing"
    np.testing.assert_array_equal(from_polygons(rings(to_runs(mask), SIZE), SIZE), mask)


def test_zeros_between_ones_that_have_no_length_are_read_over() -> None:
    part, corner = part_of((0, 1, 0, 1, 4), (3, 2))
    assert part.tolist() == [[True], [True]]
    assert corner == (0, 0)
    np.testing.assert_array_equal(from_runs((0, 1, 0, 1, 4), (3, 2))[:2, :1], part)
