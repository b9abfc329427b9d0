"""Strides, field, input size and tiles follow from measured objects by the rules that are written down."""

from __future__ import annotations

import random

import pytest

from convworks.recipe.scales import (
    NEEDED,
    blocks,
    coarsest_stride,
    detector_input,
    field_needed,
    finest_stride,
)


@pytest.mark.parametrize(
    ("small", "stride"), [(4, 4), (31.9, 4), (32, 8), (63, 8), (64, 16), (122, 16), (900, 16)]
)
def test_the_finest_stride_is_the_largest_that_a_small_object_spans_four_times(
    small: float, stride: int
) -> None:
    assert finest_stride(small) == stride
    assert small >= 4 * stride or stride == 4


def test_the_coarsest_stride_is_the_first_of_which_eight_reach_half_a_large_object() -> None:
    for large in range(1, 2_000, 7):
        stride = coarsest_stride(large)
        assert 8 * stride >= large / 2
        assert stride == 4 or 8 * stride / 2 < large / 2


def test_the_field_is_twice_a_large_object_or_the_crop() -> None:
    assert field_needed(50.5) == 101
    assert field_needed(50, crop=320) == 320


def test_a_detectors_input_gives_small_objects_their_pixels_and_no_more_than_a_block_beyond() -> None:
    draw = random.Random(0)
    for _ in range(500):
        small = draw.uniform(4, 200)
        large = small * draw.uniform(1, 10)
        side = draw.uniform(large, 4_000)
        stride = draw.choice((4, 8, 16))
        found = detector_input(small, large, side, stride)
        assert found.side % 32 == 0
        assert small * found.scale >= NEEDED[stride] - 1e-6
        whole = found.tile or side
        assert found.side == 32 or (found.side - 32) / whole * small < NEEDED[stride]
        assert bool(found.tile) == (NEEDED[stride] / small > 2)
        if found.tile:
            assert found.overlap >= large
            assert found.tile > 2 * found.overlap or found.tile >= 4 * large


def test_bccd_is_half_its_resolution() -> None:
    """BENCH.md: objects of 81, 102 and 122 px at 640x480 need no more than half of that."""
    assert detector_input(81, 122, 480).side <= 240
    assert finest_stride(81) == 16


def test_blocks_are_multiples_of_32() -> None:
    assert [blocks(pixels) for pixels in (0, 32, 32.1, 96.0000001)] == [32, 32, 64, 96]
