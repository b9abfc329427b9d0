"""The score's bar: everything on it lies inside the frame, for any score and both widths."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.evaluation.uncertainty import wilson
from convworks.events import Scored
from convworks.report.drawing import NARROW, WIDE
from convworks.report.markup import join
from convworks.report.sections.score import LABEL, _bar


def scored_of(right: int, of: int, majority: float, name: str = "a class") -> Scored:
    low, high = wilson(right, of)
    return Scored(
        right=right,
        of=of,
        accuracy=right / of,
        low=low,
        high=high,
        chance=0.1,
        majority=majority,
        majority_class=name,
        chosen_on="nothing",
        said="",
    )


@given(
    st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))),
    st.floats(0, 1),
    st.sampled_from([WIDE, NARROW]),
)
def test_nothing_leaves_the_frame(case: tuple[int, int], majority: float, width: int) -> None:
    drawn = join(_bar(scored_of(*case, majority), width))
    for at in re.findall(r' (?:x|x1|x2|cx)="([-\d.]+)"', drawn):
        assert 0 <= float(at) <= width
    for at, said in re.findall(r'<text x="([-\d.]+)"[^>]*class="label"[^>]*>([^<]*)', drawn):
        half = LABEL * len(said) / 2
        assert half - 1 <= float(at) <= width - half + 1


def test_chance_and_majority_are_one_mark_where_they_are_the_same() -> None:
    assert "guessing, or always" in join(_bar(scored_of(9, 10, 0.1), WIDE))
    assert join(_bar(scored_of(9, 10, 0.4), WIDE)).count('class="always"') == 1


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_long_class_name_is_shortened(width: int) -> None:
    drawn = join(_bar(scored_of(9, 10, 0.9, "a class with a name as long as a sentence"), width))
    assert "a class with a na…" in drawn
