"""Run lengths as COCO writes them: text that equals its tools' own, and faults that are said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.data.sources import runs
from convworks.data.sources.confine import Refused

KNOWN = json.loads(Path(__file__).with_name("coco_masks.json").read_text())


@pytest.mark.parametrize("known", KNOWN, ids=range(len(KNOWN)))
def test_text_area_and_box_equal_those_of_cocos_tools(known: dict[str, object]) -> None:
    height, width = known["size"]  # type: ignore[misc]
    lengths = runs.checked(runs.unpacked(str(known["counts"])), (width, height))
    assert runs.packed(lengths) == known["counts"]
    assert runs.area(lengths) == known["area"]
    x0, y0, x1, y1 = runs.extent(lengths, height)
    assert [x0, y0, x1 - x0, y1 - y0] == known["bbox"]


@given(st.lists(st.integers(0, 1 << 26), min_size=1, max_size=30))
def test_numbers_of_any_size_come_back(lengths: list[int]) -> None:
    assert runs.unpacked(runs.packed(lengths)) == tuple(lengths)


@given(st.text(max_size=40))
def test_any_text_is_run_lengths_or_is_refused(text: str) -> None:
    try:
        assert all(isinstance(run, int) for run in runs.unpacked(text))
    except Refused as refusal:
        assert str(refusal)


@pytest.mark.parametrize(
    ("lengths", "reason"),
    [
        ((), "no run lengths"),
        ((3, -1, 4), "below 0"),
        ((5,), "5 pixels in an image of 2x3"),
    ],
)
def test_runs_that_do_not_fill_their_image_are_refused(lengths: tuple[int, ...], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        runs.checked(lengths, (2, 3))
