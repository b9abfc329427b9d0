"""Whole rounds of edges give what one after the other gives; parts are whole, large enough, and always the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from convworks.regions.superpixels import Graph, graph, segment, superpixels


def as_printed(edges: Graph, k: float, smallest: int) -> np.ndarray:
    """The algorithm of the paper: each edge in its turn."""
    count = edges.size[0] * edges.size[1]
    part, size, inner = list(range(count)), [1] * count, [0.0] * count
    turns = [(int(a), int(b), float(w)) for (a, b), w in zip(edges.ends.T, edges.weights, strict=True)]

    def join(kept: int, gone: int, weight: float) -> None:
        part[:] = [kept if name == gone else name for name in part]
        size[kept], inner[kept] = size[kept] + size[gone], weight

    for pixel, other, weight in turns:
        a, b = part[pixel], part[other]
        if a != b and weight <= min(inner[a] + k / size[a], inner[b] + k / size[b]):
            join(a, b, weight)
    for pixel, other, weight in turns:
        a, b = part[pixel], part[other]
        if a != b and min(size[a], size[b]) < smallest:
            join(a, b, weight)
    return np.array(part)


def numbered(parts: np.ndarray) -> np.ndarray:
    """Parts renamed in the order of their first pixels."""
    names: dict[int, int] = {}
    return np.array([names.setdefault(part, len(names)) for part in parts.ravel().tolist()]).reshape(
        parts.shape
    )


def picture(seed: int, shape: tuple[int, int] = (20, 27), channels: int = 3) -> np.ndarray:
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (4, 5, channels), dtype=np.uint8)
    smooth = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_NEAREST).reshape(*shape, channels)
    return (smooth + draw.normal(0, 15, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(12))
def test_whole_rounds_give_what_one_edge_after_the_other_gives(seed: int) -> None:
    draw = np.random.default_rng(100 + seed)
    edges = graph(picture(seed, channels=(1, 3)[seed % 2]), sigma=(0.0, 0.8)[seed % 3 > 0])
    k, smallest = float(10 ** draw.uniform(0, 3.5)), int(draw.integers(1, 60))
    parts = segment(edges, k=k, smallest=smallest)
    np.testing.assert_array_equal(parts, numbered(as_printed(edges, k, smallest).reshape(parts.shape)))


def test_ties_change_nothing_of_that() -> None:
    steps = (np.random.default_rng(0).integers(0, 3, (15, 15, 1)) * 10).astype(np.uint8)
    edges = graph(steps, sigma=0)
    for k in (5.0, 40.0, 300.0):
        parts = segment(edges, k=k, smallest=4)
        np.testing.assert_array_equal(parts, numbered(as_printed(edges, k, 4).reshape(parts.shape)))


def test_every_part_hangs_together_and_is_large_enough() -> None:
    parts = superpixels(picture(3, (60, 80)), k=50, sigma=0.8, smallest=30)
    assert np.bincount(parts.ravel()).min() >= 30
    for part in range(parts.max() + 1):
        assert ndimage.label(parts == part, np.ones((3, 3)))[1] == 1


def test_a_larger_k_makes_fewer_parts() -> None:
    edges = graph(picture(5, (60, 80)), sigma=0.8)
    counts = [segment(edges, k=k, smallest=1).max() + 1 for k in (5, 50, 500)]
    assert counts[0] > counts[1] > counts[2]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_the_smallest_images_have_parts(shape: tuple[int, int]) -> None:
    parts = superpixels(np.zeros((*shape, 3), np.uint8), k=1, sigma=0.8, smallest=1)
    np.testing.assert_array_equal(parts, np.zeros(shape))


def test_an_image_smaller_than_the_smallest_part_is_one_part() -> None:
    assert superpixels(picture(0), k=1, sigma=0, smallest=10_000).max() == 0
