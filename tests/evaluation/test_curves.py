"""Overfitting is named in time and rarely cried: a thousand simulated curves of known kind hold the rates.

A simulated tuning loss decays towards a floor, as a loss does, and every epoch errs by a relative noise of
.5 to 3 % (4 to 12 % for the noisy kind). An overfitting one rises by 4 to 12 % an epoch from its onset on,
while training falls.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import pytest

from convworks.evaluation.curves import noise, overfitting, still_falling

HEALTHY = ("levels off", "falls slowly", "noisy", "learns nothing")
CURVES = 1000


@dataclass(frozen=True)
class Simulated:
    kind: str
    train: list[float]
    tuning: list[float]
    onset: int  # the epoch, from 1, of the lowest tuning loss without its noise


def simulate(kind: str, chosen: random.Random) -> Simulated:
    epochs = chosen.randint(8, 40)
    start, rate = chosen.uniform(0.7, 2.3), chosen.uniform(0.1, 0.6)
    floor = start * chosen.uniform(0.05, 0.5)
    jitter = chosen.uniform(0.04, 0.12) if kind == "noisy" else chosen.uniform(0.005, 0.03)
    onset = chosen.randint(3, epochs - 4) if kind == "overfits" else epochs
    slope = chosen.uniform(0.04, 0.12)
    train: list[float] = []
    tuning: list[float] = []
    for epoch in range(1, epochs + 1):
        decay = math.exp(-rate * min(epoch, onset))
        fitted, general = (
            start * (0.02 + 0.98 * math.exp(-rate * epoch / 2)),
            floor + (1.2 * start - floor) * decay,
        )
        if kind == "learns nothing":
            fitted, general = start, 1.02 * start
        elif kind == "falls slowly":
            slow = math.exp(-0.05 * epoch)
            fitted, general = start * (0.1 + 0.9 * slow), floor + (start - floor) * slow
        general *= 1 + slope * max(0, epoch - onset)
        train.append(fitted * (1 + chosen.gauss(0, 0.01)))
        tuning.append(general * (1 + chosen.gauss(0, jitter)))
    return Simulated(kind, train, tuning, onset)


def first_named(curve: Simulated) -> int | None:
    """The epoch after which overfitting was first said, asking after every epoch as training does."""
    for epoch in range(1, len(curve.tuning) + 1):
        if overfitting(curve.train[:epoch], curve.tuning[:epoch]):
            return epoch
    return None


def test_healthy_curves_are_called_overfitting_at_most_one_time_in_twenty() -> None:
    chosen = random.Random(0)
    alarms = dict.fromkeys(HEALTHY, 0)
    for index in range(CURVES):
        kind = HEALTHY[index % len(HEALTHY)]
        alarms[kind] += first_named(simulate(kind, chosen)) is not None
    assert sum(alarms.values()) <= 0.05 * CURVES, alarms
    assert alarms["learns nothing"] <= 0.01 * CURVES / len(HEALTHY), (
        "training did not fall, so nothing was fitted"
    )


def test_real_overfitting_is_named_within_three_epochs() -> None:
    chosen = random.Random(1)
    curves = [simulate("overfits", chosen) for _ in range(CURVES)]
    named = [(first_named(curve), curve.onset) for curve in curves]
    in_time = sum(first is not None and onset < first <= onset + 3 for first, onset in named)
    early = sum(first is not None and first <= onset for first, onset in named)
    assert in_time >= 0.95 * CURVES
    assert early <= 0.03 * CURVES


def test_the_epoch_named_is_the_one_before_the_rise() -> None:
    chosen = random.Random(2)
    wrong = 0
    for _ in range(200):
        curve = simulate("overfits", chosen)
        seen = overfitting(curve.train, curve.tuning)
        wrong += seen is None or abs(seen.since - curve.onset) > 3
    assert wrong <= 15


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_fewer_than_three_epochs_say_nothing(epochs: int) -> None:
    assert overfitting([1.0, 0.5][:epochs], [1.0, 2.0][:epochs]) is None
    assert still_falling([1.0, 0.5][:epochs]) is None


def test_a_tuning_loss_that_rises_with_the_training_loss_is_not_overfitting() -> None:
    assert overfitting([0.5, 0.4, 0.6, 0.9, 1.4], [0.5, 0.4, 0.6, 0.9, 1.4]) is None


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_says_nothing_of_overfitting(lost: float) -> None:
    train, tuning = [1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.01], [1.0, 0.5, lost, 0.9, 1.0, 1.1, 1.2]
    assert overfitting(train, tuning) is None
    assert still_falling(tuning) is None


def test_a_loss_of_zero_is_survived() -> None:
    assert overfitting([1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]) is None


def test_noise_is_recovered_from_a_falling_curve() -> None:
    chosen = random.Random(3)
    levels = [math.exp(-0.3 * epoch) + chosen.gauss(0, 0.05) for epoch in range(60)]
    assert noise(levels) == pytest.approx(0.05, rel=0.25)


def test_curves_that_still_fall_are_told_from_level_ones() -> None:
    chosen = random.Random(4)
    falling = [simulate("falls slowly", chosen) for _ in range(200)]
    level = [simulate("learns nothing", chosen) for _ in range(200)]
    assert sum(still_falling(curve.tuning) is not None for curve in level) <= 10
    assert sum(still_falling(curve.tuning) is not None for curve in falling) >= 100
