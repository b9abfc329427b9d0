"""Two models on the same images: counts by hand, McNemar against its reference, refusals in words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import binom

from convworks.errors import DataError
from convworks.evaluation.compare import compare
from convworks.evaluation.result import Evaluation


def evaluation_of(rights: list[bool], prefix: str = "") -> Evaluation:
    truth = np.zeros(len(rights), np.int64)
    answers = np.where(rights, 0, 1)
    return Evaluation(
        root="pets",
        classes=("a", "b"),
        paths=tuple(f"{prefix}{index}.png" for index in range(len(rights))),
        truth=truth,
        probabilities=np.eye(2, dtype=np.float32)[answers],
        chosen_on="nothing",
    )


def test_what_was_fixed_and_what_broke_is_named() -> None:
    found = compare(evaluation_of([True, True, False, False]), evaluation_of([True, False, True, False]))
    assert (found.n, found.both, found.neither) == (4, 1, 1)
    assert found.fixed == ("2.png",)
    assert found.broken == ("1.png",)
    assert found.difference == 0.0
    assert found.said.startswith("No difference: ")


@pytest.mark.parametrize(("gain", "loss"), [(9, 1), (3, 2), (0, 7), (12, 0)])
def test_p_is_the_exact_binomial_one(gain: int, loss: int) -> None:
    first = evaluation_of([False] * gain + [True] * loss + [True] * 20)
    second = evaluation_of([True] * gain + [False] * loss + [True] * 20)
    tail = binom.cdf(min(gain, loss), gain + loss, 0.5)
    found = compare(first, second)
    assert found.p == pytest.approx(min(1.0, 2 * tail))
    assert found.low < found.difference < found.high
    assert ("hardly luck" in found.said) == (found.p < 0.05)


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says() -> None:
    chosen = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        kind = chosen.choice(4, 80, p=[0.6, 0.2, 0.1, 0.1])  # both, fixed, broken, neither
        found = compare(
            evaluation_of(list(np.isin(kind, [0, 2]))), evaluation_of(list(np.isin(kind, [0, 1])))
        )
        held += found.low <= 0.1 <= found.high
    assert held >= 0.92 * 400


def test_images_that_only_one_answered_are_left_out() -> None:
    assert compare(evaluation_of([True] * 5), evaluation_of([True] * 3)).n == 3


def test_the_class_is_a_name_not_a_position() -> None:
    first = evaluation_of([True, True])
    swapped = dataclasses.replace(
        first, classes=("b", "a"), truth=1 - first.truth, probabilities=first.probabilities[:, ::-1]
    )
    assert compare(first, swapped).both == 2


def test_evaluations_of_other_images_or_labels_are_refused() -> None:
    first = evaluation_of([True, True])
    with pytest.raises(DataError, match="share no image"):
        compare(first, evaluation_of([True, True], "other"))
    with pytest.raises(DataError, match='is "a" in one evaluation and "b"'):
        compare(first, dataclasses.replace(first, truth=1 - first.truth))
