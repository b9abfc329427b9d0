"""Where images show several classes: what is measured, how well it is known, and what is said of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from convworks.evaluation.label_verdicts import diagnose_sets
from convworks.evaluation.labels import (
    FEW,
    KIND,
    LabelEvaluation,
    baseline,
    confused,
    interval,
    losses,
    mean_average_precision,
    thresholds,
    together,
)

NAMES = ("ant", "bee", "cow")


def drawn(n: int = 60, seed: int = 0, skill: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """What some images show, and probabilities that know it by `skill` standard deviations."""
    draw = np.random.default_rng(seed)
    truth = draw.random((n, 3)) < (0.5, 0.3, 0.2)
    scores = skill * truth + draw.normal(size=truth.shape)
    return truth, (1 / (1 + np.exp(-scores))).astype(np.float32)


def evaluation(truth: np.ndarray, probabilities: np.ndarray, cuts=(0.5, 0.5, 0.5), chosen_on="nothing"):
    return LabelEvaluation.of(
        root="set",
        classes=NAMES,
        paths=[f"{row}.png" for row in range(len(truth))],
        truth=truth,
        probabilities=probabilities,
        thresholds=cuts,
        chosen_on=chosen_on,
        seconds=1.5,
    )


def test_what_is_written_is_read_back() -> None:
    found = evaluation(*drawn())
    text = found.to_json()
    again = LabelEvaluation.from_json(text)
    assert f'"kind": "{KIND}"' in text[:99]
    assert again.measured() == found.measured()
    assert (again.truth == found.truth).all()
    assert again.thresholds == found.thresholds
    empty = evaluation(*(one[:0] for one in drawn()))
    assert json.loads(empty.to_json())["interval"] == [None, None]
    assert LabelEvaluation.from_json(empty.to_json()).truth.shape == (0, 3)


def test_the_measures_are_those_of_a_count_by_hand() -> None:
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], bool)
    said = np.array([[0.9, 0.1, 0.6], [0.8, 0.7, 0.1], [0.2, 0.4, 0.1], [0.3, 0.6, 0.1]], np.float32)
    measures = evaluation(truth, said).measures
    assert measures["mean average precision"] == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)
    assert measures["macro F1"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert measures["micro F1"] == pytest.approx(2 * 3 / (5 + 4))
    assert measures["whole sets right"] == 0.25
    assert evaluation(truth, said).baseline == 0.5


def test_the_interval_holds_the_true_value_about_as_often_as_it_says() -> None:
    true = mean_average_precision(*reversed(drawn(20_000, 99)))
    held = sum(
        low <= true <= high for low, high in (interval(*reversed(drawn(80, seed))) for seed in range(30))
    )
    assert held >= 25


def test_an_order_by_chance_scores_how_common_the_classes_are() -> None:
    truth, said = drawn(20_000, 3, skill=0.0)
    assert mean_average_precision(said, truth) == pytest.approx(baseline(truth), abs=0.01)


def test_a_class_of_few_images_shares_the_threshold_of_all() -> None:
    truth, said = drawn(200)
    rare = truth.copy()
    rare[:, 2] = False
    rare[: FEW - 1, 2] = True
    cuts = thresholds(said, rare)
    assert cuts[2] not in cuts[:2]
    assert thresholds(said[:, ::-1], rare[:, ::-1])[0] == cuts[2], "whatever the order of the classes"
    assert thresholds(said, np.zeros_like(truth)) == (0.5, 0.5, 0.5)


def test_pairs_are_counted_image_by_image() -> None:
    truth = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 1]], bool)
    said = np.array([[0, 1, 0], [0, 1, 1], [0, 1, 1]], np.float32)
    assert confused(evaluation(truth, said)) == [(0, 1, 2, 2)]
    assert together(truth).tolist() == [[2, 0, 1], [0, 1, 1], [1, 1, 2]]


def test_a_sure_mistake_costs_most_and_is_finite() -> None:
    each = losses(np.array([[1.0, 0.5, 0.0]]), np.array([[False, True, False]]))[0]
    assert np.isfinite(each).all()
    assert each.argmax() == 0
    assert each[1] == pytest.approx(np.log(2))


def codes(found: LabelEvaluation) -> set[str]:
    return {finding.code for finding in diagnose_sets(found)}


def test_each_verdict_is_given_where_it_holds_and_nowhere_else() -> None:
    truth, said = drawn(400)
    assert codes(evaluation(truth, said)) == set()
    assert "nothing-learned" in codes(evaluation(*drawn(60, 1, skill=0.0)))
    assert codes(evaluation(truth, said, chosen_on="tuning")) == {"same-images"}
    assert codes(evaluation(truth, said, (0.5, 1.5, 0.5))) == {"class-never-answered"}
    assert "small-set" in codes(evaluation(*drawn(20)))
    assert codes(evaluation(truth[:0], said[:0])) == set()
