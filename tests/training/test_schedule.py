"""The learning rate is a closed form of the step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from convworks.training.schedule import average_decay, rate


@given(some.integers(1, 2000), some.floats(0, 0.9))
def test_it_rises_to_its_peak_and_falls_to_nothing(steps: int, warmup: float) -> None:
    rates = [rate(step, steps, warmup) for step in range(steps)]
    rise = round(steps * warmup)
    assert all(0 <= value <= 1 for value in rates)
    assert rates[:rise] == sorted(rates[:rise])
    assert rates[rise:] == sorted(rates[rise:], reverse=True)
    assert rate(min(rise, steps - 1), steps, warmup) == pytest.approx(1) or rise >= steps


def test_half_way_down_it_is_half() -> None:
    assert rate(50, 100, 0) == pytest.approx(0.5)
    assert rate(25, 100, 0) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    assert rate(4, 100, 0.1) == pytest.approx(0.5)


def test_the_average_forgets_its_first_weights_soon() -> None:
    assert average_decay(0, 0.99) == pytest.approx(0.1)
    assert average_decay(10_000, 0.99) == 0.99
    assert average_decay(10_000, 0.0) == 0.0
