"""Intervals against their closed forms, and what knowing nothing scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from convworks.evaluation.uncertainty import bootstrap, chance, half_width, majority, wilson


@given(st.integers(1, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_equals_the_reference(case: tuple[int, int]) -> None:
    right, of = case
    reference = stats.binomtest(right, of).proportion_ci(method="wilson")
    assert wilson(right, of) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_nothing_tried_leaves_everything_open() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert half_width(0) == 0.5


def test_none_and_all_right_stay_inside_the_unit_interval() -> None:
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
    assert wilson(10, 10)[0] > 0.7


def test_half_width_is_half_of_the_widest_interval() -> None:
    for of in (2, 10, 54, 200):
        low, high = wilson(of // 2, of)
        assert half_width(of) == pytest.approx((high - low) / 2)


def test_wilson_holds_the_true_share_about_as_often_as_it_says() -> None:
    chosen = np.random.default_rng(0)
    for share in (0.1, 0.5, 0.9):
        intervals = [wilson(int(right), 54) for right in chosen.binomial(54, share, 2000)]
        held = np.mean([low <= share <= high for low, high in intervals])
        assert 0.92 <= held <= 0.985


def test_bootstrap_of_a_mean_agrees_with_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    low, high = bootstrap(np.mean, values)
    error = values.std() / math.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error + 0.02)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error + 0.02)


def test_bootstrap_repeats_by_its_seed_and_leaves_undefined_draws_out() -> None:
    rows = np.arange(6.0)

    def undefined_without_the_last(drawn: np.ndarray) -> float:
        return float(drawn.mean()) if 5.0 in drawn else math.nan

    assert bootstrap(np.mean, rows, seed=3) == bootstrap(np.mean, rows, seed=3)
    assert not math.isnan(bootstrap(undefined_without_the_last, rows)[0])
    assert all(math.isnan(bound) for bound in bootstrap(np.mean, np.zeros(0)))
    assert all(math.isnan(bound) for bound in bootstrap(lambda _: math.nan, rows))


def test_what_knowing_nothing_scores() -> None:
    assert chance(3) == pytest.approx(1 / 3)
    assert majority({"b": 5, "a": 5}, {"a": 1, "b": 3}) == ("a", 0.25)
    name, share = majority({"a": 1}, {})
    assert name == "a"
    assert math.isnan(share)
