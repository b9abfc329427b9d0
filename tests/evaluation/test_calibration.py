"""A temperature that is put in is found again, and it changes no answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.evaluation.calibration import (
    COLDEST,
    HOTTEST,
    expected_calibration_error,
    log_loss,
    probabilities,
    temperature,
)
from convworks.evaluation.result import Evaluation


def answers(true_temperature: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their probabilities at a temperature."""
    chosen = np.random.default_rng(0)
    logits = chosen.normal(0, 3, (n, 4))
    shares = probabilities(logits, true_temperature).cumsum(1)
    return logits, (chosen.random((n, 1)) > shares).sum(1).clip(max=3)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_behind_the_labels_is_recovered(true_temperature: float) -> None:
    assert temperature(*answers(true_temperature)) == pytest.approx(true_temperature, rel=0.06)


def test_no_neighbour_has_a_lower_loss() -> None:
    logits, truth = answers(1.7)
    best = temperature(logits, truth)
    least = log_loss(logits / best, truth)
    assert all(log_loss(logits / (best * factor), truth) > least for factor in (0.9, 0.99, 1.01, 1.1))


def test_it_makes_boasting_probabilities_honest() -> None:
    logits, truth = answers(3.0)

    def error(at: float) -> float:
        shares = probabilities(logits, at).astype(np.float32)
        return expected_calibration_error(
            Evaluation(
                root="",
                classes=("a", "b", "c", "d"),
                paths=tuple(map(str, range(len(truth)))),
                truth=truth,
                probabilities=shares,
                chosen_on="nothing",
            )
        )

    assert error(temperature(logits, truth)) < 0.03 < 0.15 < error(1.0)


@given(st.floats(COLDEST, HOTTEST))
def test_a_temperature_changes_no_answer(at: float) -> None:
    logits, _ = answers(1.0, 50)
    shares = probabilities(logits, at)
    assert np.array_equal(shares.argmax(1), logits.argmax(1))
    assert np.allclose(shares.sum(1), 1)


def test_answers_that_are_all_right_stay_within_the_range() -> None:
    logits, _ = answers(1.0, 20)
    assert COLDEST <= temperature(logits, logits.argmax(1)) < 0.1
    assert temperature(logits[:0], np.zeros(0, np.int64)) == 1.0
