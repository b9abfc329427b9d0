"""Calibration error against its closed form; exact for any split over ranks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.metrics.calibration import calibration_counts, calibration_error, reliability


def answers(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.random.default_rng(seed)
    return chosen.dirichlet((1, 1, 1), n).astype(np.float32), chosen.integers(0, 3, n)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 200), max_size=5))
def test_any_split_gives_exactly_the_same(seed: int, cuts: list[int]) -> None:
    probabilities, truth = answers(seed)
    edges = [0, *sorted(cuts), 200]
    parts = [
        calibration_counts(probabilities[low:high], truth[low:high])
        for low, high in itertools.pairwise(edges)
    ]
    assert np.array_equal(sum(reversed(parts)), calibration_counts(probabilities, truth))


def test_the_error_is_that_of_the_definition() -> None:
    probabilities, truth = answers(1)
    confidence, right = probabilities.max(1).astype(float), probabilities.argmax(1) == truth
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration_error(calibration_counts(probabilities, truth)) == pytest.approx(expected, abs=1e-8)


def test_honest_probabilities_have_no_error_and_boasting_ones_all_of_it() -> None:
    certain = np.array([[0.0, 1.0]] * 10, np.float32)
    assert calibration_error(calibration_counts(certain, np.ones(10, np.int64))) == 0.0
    assert calibration_error(calibration_counts(certain, np.zeros(10, np.int64))) == 1.0
    assert math.isnan(calibration_error(calibration_counts(certain[:0], np.zeros(0, np.int64))))


def test_reliability_leaves_out_empty_bins_and_keeps_every_answer() -> None:
    probabilities, truth = answers(2)
    bins = reliability(calibration_counts(probabilities, truth))
    assert sum(each.n for each in bins) == 200
    assert all(each.low < each.confidence <= each.high for each in bins)
    assert all(each.accuracy == each.right / each.n for each in bins)
