"""Orders of images are scored as a count by hand scores them, whatever the order of the files."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.metrics.ranking import (
    area,
    average_precision,
    best_cut,
    drawn_average_precisions,
    f1,
    mean_known,
    precision_recall,
    set_counts,
)

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30)


def split(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in pairs], float), np.array([there for _, there in pairs], bool)


def precision_by_hand(scores: np.ndarray, truth: np.ndarray) -> float:
    """The mean over the images of a class of the share of it among all that score no lower."""
    return float(np.mean([truth[scores >= score].mean() for score in scores[truth]]))


@given(PAIRS)
def test_average_precision_is_the_mean_precision_down_to_each_image_of_the_class(pairs: list) -> None:
    scores, truth = split(pairs)
    found = average_precision(scores, truth)
    if truth.any():
        assert found == pytest.approx(precision_by_hand(scores, truth))
    else:
        assert np.isnan(found)


@given(PAIRS)
def test_the_area_is_the_share_of_pairs_in_the_right_order(pairs: list) -> None:
    scores, truth = split(pairs)
    both = list(itertools.product(scores[truth], scores[~truth]))
    if both:
        assert area(scores, truth) == pytest.approx(np.mean([(a > b) + (a == b) / 2 for a, b in both]))
    else:
        assert np.isnan(area(scores, truth))


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_files_changes_nothing(pairs: list, chance) -> None:
    scores, truth = split(pairs)
    order = list(range(len(pairs)))
    chance.shuffle(order)
    for measure in (average_precision, area, best_cut):
        np.testing.assert_allclose(measure(scores[order], truth[order]), measure(scores, truth))


@given(PAIRS, st.integers(0, 99))
def test_counting_an_image_twice_is_having_it_twice(pairs: list, seed: int) -> None:
    scores, truth = split(pairs)
    counts = np.random.default_rng(seed).integers(0, 3, (4, len(pairs)))
    for row, found in zip(counts, drawn_average_precisions(scores, truth, counts), strict=True):
        np.testing.assert_allclose(found, average_precision(scores.repeat(row), truth.repeat(row)))


@given(PAIRS)
def test_no_other_cut_names_a_class_with_a_higher_f1(pairs: list) -> None:
    scores, truth = split(pairs)
    cut = best_cut(scores, truth)
    if not truth.any():
        assert np.isnan(cut)
        return

    def named(at: float) -> float:
        return float(f1(set_counts(truth[:, None], (scores >= at)[:, None]))[0])

    assert named(cut) == pytest.approx(max(named(score) for score in scores))


@given(PAIRS)
def test_precision_and_recall_are_those_of_naming_from_each_score_on(pairs: list) -> None:
    scores, truth = split(pairs)
    cuts, precision, recall = precision_recall(scores, truth)
    assert cuts.tolist() == sorted(set(scores.tolist()), reverse=True)
    for cut, exact, found in zip(cuts, precision, recall, strict=True):
        assert exact == pytest.approx(truth[scores >= cut].mean())
        if truth.any():
            assert found == pytest.approx((scores[truth] >= cut).mean())
        else:
            assert np.isnan(found)


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    draw = np.random.default_rng(0)
    truth, answers = draw.random((2, 20, 4)) < 0.4
    parts = set_counts(truth[:7], answers[:7]) + set_counts(truth[7:], answers[7:])
    assert (parts == set_counts(truth, answers)).all()
    right, named, there = parts.T
    np.testing.assert_allclose(f1(parts), 2 / (named / right + there / right))


def test_of_nothing_nothing_is_known() -> None:
    none = np.zeros(0)
    assert np.isnan(average_precision(none, none > 0))
    assert np.isnan(area(none, none > 0))
    assert np.isnan(mean_known(np.array([np.nan])))
    assert np.isnan(f1(np.zeros((1, 3), int))[0])
