"""Selective search finds what stands out, joins the most alike first, and gives one order, whatever the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from convworks.data.synthetic import flat_scene
from convworks.geometry.boxes import iou
from convworks.regions.selective_search import (
    COLOURS,
    Regions,
    described,
    grouped,
    selective_search,
    textures,
)


def test_shapes_are_found_among_few_boxes() -> None:
    found = []
    for index in range(8):
        sample = flat_scene(0, index, task="detection", classes=["ellipse", "rectangle"], size=(96, 96))
        found.append(iou(selective_search(sample.image), sample.boxes).max(0))
    assert (np.concatenate(found) > 0.7).mean() > 0.95


def test_one_image_gives_one_order_and_no_box_twice() -> None:
    image = flat_scene(1, 0, task="detection", classes=["triangle"], size=(120, 90)).image
    boxes = selective_search(image)
    np.testing.assert_array_equal(boxes, selective_search(image))
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    other = selective_search(image, seed=1)
    assert {*map(tuple, boxes.tolist())} == {*map(tuple, other.tolist())}
    assert not np.array_equal(boxes, other)


def test_boxes_lie_in_the_image_and_are_wide_enough() -> None:
    image = flat_scene(2, 0, task="detection", classes=["ellipse"], size=(160, 100)).image
    boxes = selective_search(image, smallest=50)
    assert (boxes >= 0).all()
    assert (boxes <= [160, 100, 160, 100]).all()
    assert (boxes[:, 2:] - boxes[:, :2]).min() >= 50 * 160 / 500


def test_a_large_image_is_searched_at_one_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convworks.regions.selective_search.WIDTH", 100)
    image = flat_scene(3, 0, task="detection", classes=["ellipse"], size=(100, 60)).image
    twice = cv2.resize(image, (200, 120), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_allclose(selective_search(twice), 2 * selective_search(image), atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 9)])
def test_the_smallest_images_give_the_whole_of_themselves(shape: tuple[int, int]) -> None:
    boxes = selective_search(np.full((*shape, 3), 77, np.uint8))
    assert [0, 0, shape[1], shape[0]] in boxes.tolist()


def strips(likeness: list[int]) -> Regions:
    """Parts of 4 x 4 pixels in a row, each with all its colour in one bin."""
    count = len(likeness)
    histograms = np.zeros((count, 3 * COLOURS + 1), np.float32)
    histograms[np.arange(count), likeness] = 1
    left = 4 * np.arange(count)
    return Regions(
        sizes=np.full(count, 16),
        boxes=np.stack([left, np.zeros_like(left), left + 4, np.full_like(left, 4)], 1),
        histograms=histograms,
        touching=np.stack([np.arange(count - 1), np.arange(1, count)], 1),
    )


def test_parts_of_one_colour_join_before_others_and_colour_can_be_left_out() -> None:
    regions = strips([0, 1, 1, 2])
    assert grouped(regions, colour=True)[4].tolist() == [4, 0, 12, 4]
    assert grouped(regions, colour=False)[4].tolist() != [4, 0, 12, 4]


def test_every_hierarchy_ends_in_the_whole() -> None:
    joined = grouped(strips([0, 1, 2, 3, 4]), colour=True)
    assert joined.shape == (9, 4)
    assert joined[-1].tolist() == [0, 0, 20, 4]


def test_parts_are_described_by_what_is_in_them() -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    image[:, 3:] = 200
    parts = np.zeros((6, 8), np.int32)
    parts[:, 3:] = 1
    regions = described(image, textures(image), parts)
    assert regions.sizes.tolist() == [18, 30]
    assert regions.boxes.tolist() == [[0, 0, 3, 6], [3, 0, 8, 6]]
    assert regions.touching.tolist() == [[0, 1]]
    colours = regions.histograms[:, : 3 * COLOURS]
    np.testing.assert_allclose(colours[:, [0, 200 * COLOURS >> 8]], np.eye(2) / 3, atol=1e-6)
    np.testing.assert_allclose(regions.histograms.sum(1), 2, atol=1e-5)


def test_texture_is_the_same_turned_by_half_with_its_directions_swapped() -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 14, 3), dtype=np.uint8)
    turned = textures(np.ascontiguousarray(image[::-1, ::-1]))[:, ::-1, ::-1]
    there = textures(image)
    assert ((there + turned == 19) | (np.abs(there - turned) <= 1)).mean() > 0.99
