"""The belief is that of a Gaussian process, its slopes are true, and the search finds a box that was not proposed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from convworks.geometry.boxes import iou
from convworks.regions import bayes
from convworks.regions.bayes import Surface

SURFACE = Surface(mean=0.3, spread=0.8, noise=0.2, across=0.4, down=0.7, wide=0.5, tall=0.9, scale=20)


def known(count: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    low = draw.uniform(0, 30, (count, 2))
    return np.concatenate([low, low + draw.uniform(10, 40, (count, 2))], 1), draw.normal(size=count)


def covariance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    apart = (one[:, None] - other[None]) / np.array([8, 14, 0.5, 0.9])
    return 0.64 * np.exp(-0.5 * (apart**2).sum(-1))


def test_the_likelihood_is_that_of_a_normal_density() -> None:
    boxes, scores = known()
    told = bayes.vectors(boxes)
    density = multivariate_normal(np.full(6, 0.3), covariance(told, told) + 0.04 * np.eye(6))
    assert bayes.likelihood(SURFACE, told, scores) == pytest.approx(density.logpdf(scores), abs=1e-6)


def test_mean_and_deviation_are_those_of_conditioning() -> None:
    boxes, scores = known()
    told, box = bayes.vectors(boxes), bayes.vectors(known(1, 5)[0])
    mean, deviation, *_ = bayes.believed(SURFACE, told, scores).at(box[0])
    inverse = np.linalg.inv(covariance(told, told) + 0.04 * np.eye(6))
    across = covariance(box, told)
    assert mean == pytest.approx((0.3 + across @ inverse @ (scores - 0.3)).item(), abs=1e-6)
    assert deviation**2 == pytest.approx((0.64 - across @ inverse @ across.T).item(), abs=1e-6)


def test_the_expected_improvement_is_the_integral_and_its_slope_is_true() -> None:
    boxes, scores = known()
    belief, box = bayes.believed(SURFACE, bayes.vectors(boxes), scores), bayes.vectors(known(1, 5)[0])[0]
    mean, deviation, *_ = belief.at(box)
    value, slope = bayes.improvement(belief, box, 0.4)
    grid = np.linspace(0.4, mean + 10 * deviation, 20_001)
    integral = np.trapezoid((grid - 0.4) * norm(mean, deviation).pdf(grid), grid)
    assert value == pytest.approx(integral, rel=1e-4)
    for axis in range(4):
        step = 1e-5 * np.eye(4)[axis]
        rise = bayes.improvement(belief, box + step, 0.4)[0] - bayes.improvement(belief, box - step, 0.4)[0]
        assert slope[axis] == pytest.approx(rise / 2e-5, abs=1e-6)


def test_vectors_and_boxes_undo_each_other() -> None:
    boxes, _ = known(20)
    np.testing.assert_allclose(bayes.from_vectors(bayes.vectors(boxes)), boxes, atol=1e-9)


def test_the_scale_grows_with_the_picture() -> None:
    boxes, scores = known(12)
    one = bayes.scaled(SURFACE, bayes.vectors(boxes), scores)
    two = bayes.scaled(SURFACE, bayes.vectors(boxes * 2), scores)
    assert two.scale == pytest.approx(2 * one.scale)


def around(truth: np.ndarray, draw: np.random.Generator, count: int) -> np.ndarray:
    sides = np.tile(truth[2:] - truth[:2], 2)
    return truth + draw.normal(0, 0.17, (count, 4)) * sides


def surface_of(truth: np.ndarray, draw: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Scores of boxes as a detector gives them: the overlap, bent, with noise."""
    return lambda boxes: 3 * iou(boxes, truth[None])[:, 0] ** 1.5 - 1 + draw.normal(0, 0.05, len(boxes))


@pytest.mark.parametrize("trials", [8, pytest.param(40, marks=pytest.mark.slow)])
def test_a_search_finds_a_box_far_better_than_those_that_it_began_from(trials: int) -> None:
    draw = np.random.default_rng(0)
    searches = []
    for _ in range(6):
        truth = np.array([50.0, 40, 130, 150]) * draw.uniform(0.5, 2)
        boxes = around(truth, draw, 20)
        searches.append((boxes, surface_of(truth, draw)(boxes)))
    surface = bayes.learnt(searches, Surface())
    begun, ended = [], []
    for _ in range(trials):
        low = draw.uniform(0, 100, 2)
        truth = np.concatenate([low, low + draw.uniform(30, 150, 2)])
        boxes = around(truth, draw, 8)
        overlaps = iou(boxes, truth[None])[:, 0]
        boxes = boxes[overlaps < 0.68]
        scorer = surface_of(truth, draw)
        found, scores = bayes.searched(boxes, scorer(boxes), scorer, surface, patience=16)
        begun.append(iou(boxes, truth[None]).max())
        ended.append(iou(found[[scores.argmax()]], truth[None]).item())
    assert np.mean(begun) < 0.65
    assert np.mean(ended) >= 0.80
    assert min(ended) > 0.6


def test_a_search_ends_when_nothing_gets_better() -> None:
    boxes, _ = known(5)
    asked = []

    def never(tried: np.ndarray) -> np.ndarray:
        asked.append(tried)
        return np.full(len(tried), -5.0)

    found, scores = bayes.searched(boxes, np.zeros(5), never, replace(SURFACE, mean=0), trials=16, patience=4)
    assert len(asked) == 4
    assert found.shape == (9, 4)
    assert scores.max() == 0
