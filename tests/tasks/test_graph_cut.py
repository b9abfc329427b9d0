"""Minimum cut: exact where everything can be tried, and worth it where pixels are noise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from convworks.tasks.graph_cut import UNIT, cut, expanded, likeness, refined


def energy(answer: np.ndarray, costs: np.ndarray, alike: tuple[np.ndarray, np.ndarray]) -> float:
    height, width = answer.shape
    unary = costs[answer, np.arange(height)[:, None], np.arange(width)].sum()
    right, below = answer[:, 1:] != answer[:, :-1], answer[1:] != answer[:-1]
    return float(unary + (alike[0] * right).sum() + (alike[1] * below).sum())


def grid(
    draw: np.random.Generator, classes: int, side: int
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    costs = draw.integers(0, 3000, (classes, side, side)) / UNIT
    alike = draw.integers(0, 1500, (side, side - 1)) / UNIT, draw.integers(0, 1500, (side - 1, side)) / UNIT
    return costs, alike


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_on_4_by_4_pixels_are_cut_as_the_best_of_all_answers(seed: int) -> None:
    costs, alike = grid(np.random.default_rng(seed), 2, 4)
    every = ((np.arange(2**16)[:, None] >> np.arange(16)) & 1).reshape(-1, 4, 4)
    sums = np.where(every, costs[1], costs[0]).sum((1, 2))
    sums += ((every[:, :, 1:] != every[:, :, :-1]) * alike[0]).sum((1, 2))
    sums += ((every[:, 1:] != every[:, :-1]) * alike[1]).sum((1, 2))
    found = expanded(costs, alike)
    assert energy(found, costs, alike) == pytest.approx(sums.min(), abs=1e-9)


def test_what_is_asked_of_a_cut_may_depend_on_the_direction() -> None:
    draw = np.random.default_rng(0)
    first, second = map(np.array, zip(*itertools.permutations(range(5), 2), strict=True))
    for _ in range(20):
        cost, weight = draw.integers(-50, 50, 5), draw.integers(0, 30, len(first))
        every = (np.arange(32)[:, None] >> np.arange(5)) & 1
        sums = every @ cost + ((1 - every[:, first]) * every[:, second]) @ weight
        found = cut(cost, first, second, weight).astype(int)
        assert found @ cost + ((1 - found[first]) * found[second]) @ weight == sums.min()


def test_of_three_classes_the_answer_is_near_the_best_and_no_pixel_alone_lowers_it() -> None:
    draw = np.random.default_rng(4)
    for _ in range(2):
        costs, alike = grid(draw, 3, 3)
        answers = (np.array(one).reshape(3, 3) for one in itertools.product(range(3), repeat=9))
        best = min(energy(one, costs, alike) for one in answers)
        found = expanded(costs, alike)
        reached = energy(found, costs, alike)
        assert reached <= 1.1 * best  # twice is what the method promises
        for row, column, other in itertools.product(range(3), repeat=3):
            changed = found.copy()
            changed[row, column] = other
            assert energy(changed, costs, alike) >= reached - 1e-9


def test_a_disc_in_noise_is_found_by_cutting_where_a_threshold_fails() -> None:
    rows, columns = np.mgrid[:96, :96]
    disc = (rows - 48) ** 2 + (columns - 48) ** 2 < 15**2
    seen = disc + np.random.default_rng(0).normal(0, 0.8, disc.shape)

    def iou(found: np.ndarray) -> float:
        return float((found & disc).sum() / (found | disc).sum())

    costs = np.stack([seen**2, (seen - 1) ** 2]) / (2 * 0.8**2)
    alike = np.full((96, 95), 1.5), np.full((95, 96), 1.5)
    assert iou(seen > 0.5) < 0.4
    assert iou(expanded(costs - costs.min(0), alike) == 1) >= 0.9


def test_the_weight_of_an_edge_is_smallest_where_colours_differ() -> None:
    picture = np.zeros((3, 4, 6), np.float32)
    picture[:, :, 3:] = 1
    right, below = likeness(picture, 2.0)
    assert right.shape == (4, 5)
    assert below.shape == (3, 6)
    assert (np.delete(right, 2, 1) == 2).all()
    assert (right[:, 2] < 0.05).all()
    assert (below == 2).all()


def test_nothing_is_changed_without_weight_and_one_pixel_is_enough() -> None:
    scores = np.random.default_rng(1).normal(0, 2, (5, 7, 9)).astype(np.float32)
    picture = np.random.default_rng(2).normal(0, 1, (3, 7, 9)).astype(np.float32)
    assert (refined(scores, picture, 0.0).argmax(0) == scores.argmax(0)).all()
    assert refined(scores[:, :1, :1], picture[:, :1, :1], 1.0).sum() == 1


def test_a_speck_goes_and_an_edge_moves_to_where_colours_change() -> None:
    picture = np.zeros((3, 20, 20), np.float32)
    picture[:, :, 10:] = 1
    scores = np.zeros((2, 20, 20), np.float32)
    scores[1, :, 8:] = 1.0  # the net says the edge two pixels early
    scores[0, :, :8] = 1.0
    scores[1, 5, 3] = 3.0  # and a speck
    scores[1, :, 8:10] = 0.2
    found = refined(scores, picture, 3.0).argmax(0)
    assert (found == (np.arange(20) >= 10)).all()
