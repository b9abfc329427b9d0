"""Counts of right answers agree with argmax and add up over any split."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convworks.metrics.accuracy import ranks, right_among_first


def answers(seed: int, n: int = 60, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.random.default_rng(seed)
    probabilities = chosen.integers(0, 4, (n, k)) / 4  # few levels: many ties
    return probabilities.astype(np.float32), chosen.integers(0, k, n)


@given(st.integers(0, 10_000))
def test_the_first_rank_agrees_with_argmax_also_in_ties(seed: int) -> None:
    probabilities, truth = answers(seed)
    assert right_among_first(probabilities, truth) == int((probabilities.argmax(1) == truth).sum())


@given(st.integers(0, 10_000))
def test_ranks_are_those_of_a_stable_sort(seed: int) -> None:
    probabilities, truth = answers(seed)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    assert np.array_equal(ranks(probabilities, truth), (order == truth[:, None]).argmax(1))


@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(1, 5))
def test_parts_add_up_to_the_whole(seed: int, cut: int, first: int) -> None:
    probabilities, truth = answers(seed)
    parts = sum(
        right_among_first(probabilities[part], truth[part], first) for part in (slice(cut), slice(cut, None))
    )
    assert parts == right_among_first(probabilities, truth, first)


def test_all_are_right_among_all_classes_and_none_of_no_images() -> None:
    probabilities, truth = answers(0)
    assert right_among_first(probabilities, truth, 5) == 60
    assert right_among_first(probabilities[:0], truth[:0]) == 0
