"""The arithmetic of charts: labels that do not overlap, round ticks, long series thinned, gaps left."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.report.drawing import apart, curve, figure, meter, text, thinned, ticks

places = st.lists(st.floats(0, 300), min_size=1, max_size=6)


@given(places)
def test_labels_are_apart_and_keep_their_order(wanted: list[float]) -> None:
    moved = apart(wanted, 16)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    for before, after in itertools.pairwise(order):
        assert moved[after] - moved[before] >= 16 - 1e-6


@given(places)
def test_labels_that_have_room_stay(wanted: list[float]) -> None:
    spread = [index * 1000 + place for index, place in enumerate(wanted)]
    assert apart(spread, 16) == spread


@given(st.floats(1e-3, 1e4))
def test_ticks_are_round_few_and_reach_the_top(top: float) -> None:
    marks = ticks(top)
    assert marks[0] == 0
    assert 2 <= len(marks) <= 6
    assert marks[-1] <= top * 1.001
    assert top - marks[-1] <= marks[1] * 1.001


def test_a_long_series_keeps_its_ends() -> None:
    points = [(float(index), 0.0) for index in range(12345)]
    kept = thinned(points)
    assert (len(kept), kept[0], kept[-1]) == (600, points[0], points[-1])


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    assert 'd="M0 1L1 1M3 1"' in curve([(0, 1), (1, 1), (2, math.nan), (3, 1)], "line")


def test_a_figure_is_drawn_for_two_widths_with_the_same_words() -> None:
    made = figure("what it says", lambda width: (10, [text(0, 0, f"{width}")]), "below")
    assert made.count('aria-label="what it says"') == 2
    assert 'class="wide"' in made
    assert 'class="narrow"' in made


@pytest.mark.parametrize(("share", "width"), [(0.5, "80"), (2.0, "160"), (-1.0, "0"), (math.nan, "0")])
def test_a_meter_stays_within_its_track(share: float, width: str) -> None:
    assert f'width="{width}" height="8" class="one"' in meter(share, "one")
