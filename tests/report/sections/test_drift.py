"""How far the net moved, as a chart and a table: what stayed frozen is said to be exactly 0."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from convworks.events import DriftMeasured, Event
from convworks.report.drawing import NARROW, WIDE
from convworks.report.markup import join
from convworks.report.pictures import Album
from convworks.report.sections.drift import _bars, drift
from convworks.report.story import Story

STAGES = (("stem", 0.0, 1.0), ("blocks1", 0.004, 0.99), ("a stage of a long name", 0.08, math.nan))


def story_of(*events: Event) -> Story:
    return Story(
        run=Path("runs/x"), events=events, recipe=None, model={}, evaluation=None, album=Album("nowhere")
    )


def test_a_run_without_unfreezing_has_no_such_section() -> None:
    assert drift(story_of()) == ""


def test_what_was_frozen_moved_by_exactly_0_and_the_rest_by_what_was_measured() -> None:
    said = drift(story_of(DriftMeasured(candidate="fine-tuned", stages=STAGES, n=40, said="It moved")))
    assert said.count("frozen: exactly 0") == 1
    assert "0.4\xa0%" in said
    assert "8\xa0%" in said
    assert "unknown" in said
    assert "It moved." in said


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_longest_bar_ends_inside_the_frame_and_the_others_stand_in_proportion(width: int) -> None:
    drawn = join(_bars(STAGES, width))
    found = [(float(x), float(w)) for x, w in re.findall(r'<rect x="([\d.]+)"[^>]*width="([\d.]+)"', drawn)]
    assert max(x + w for x, w in found) < width
    assert found[1][1] / found[0][1] == pytest.approx(20, rel=0.05)
