"""The confusion table counts what it should, adds up, and refuses ids that are no class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.metrics.confusion import balanced_accuracy, confusion, most_confused, precision, recall

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=80)


def table_of(cases: list[tuple[int, int]]) -> np.ndarray:
    array = np.array(cases, np.int64).reshape(-1, 2)
    return confusion(array[:, 0], array[:, 1], 4)


@given(pairs)
def test_each_cell_counts_its_pairs(cases: list[tuple[int, int]]) -> None:
    table = table_of(cases)
    assert all(
        table[truth, answer] == cases.count((truth, answer)) for truth in range(4) for answer in range(4)
    )


@given(pairs, pairs)
def test_tables_of_parts_add_up_to_the_table_of_the_whole(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    assert np.array_equal(table_of(one) + table_of(other), table_of(one + other))


@pytest.mark.parametrize("wrong", [-1, 2])
def test_an_id_that_is_no_class_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="do not fit 2 classes"):
        confusion(np.array([0, wrong]), np.array([0, 1]), 2)


def test_recall_and_precision_of_a_table_by_hand() -> None:
    table = np.array([[8, 2, 0], [1, 3, 0], [0, 0, 0]])
    assert recall(table).tolist()[:2] == [0.8, 0.75]
    assert precision(table).tolist()[:2] == pytest.approx([8 / 9, 0.6])
    assert np.isnan(recall(table)[2])
    assert np.isnan(precision(table)[2])
    assert balanced_accuracy(table) == pytest.approx(0.775)
    assert np.isnan(balanced_accuracy(np.zeros((2, 2), np.int64)))


def test_the_most_confused_pairs_come_first() -> None:
    assert most_confused(np.array([[5, 1, 4], [0, 5, 0], [4, 0, 5]])) == [(0, 2, 4), (2, 0, 4), (0, 1, 1)]
