"""The loss chart: what is drawn is what was measured."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from convworks.events import Candidate, EpochEnded
from convworks.report.pictures import Album
from convworks.report.sections.curves import _stage, curves
from convworks.report.story import Story


def epochs_of(train: list[float], tuning: list[float]) -> list[EpochEnded]:
    best = tuning.index(min(tuning))
    return [
        EpochEnded(
            stage="finetune",
            epoch=number,
            epochs=len(train),
            train_loss=a,
            tuning_loss=b,
            right=3,
            of=4,
            learning_rate=0.1,
            seconds=1.0,
            remaining=0.0,
            best=number - 1 <= best,
        )
        for number, (a, b) in enumerate(zip(train, tuning, strict=True), 1)
    ]


OVERFITTED = epochs_of([1.1, 0.8, 0.6, 0.44, 0.30, 0.20, 0.12], [1.1, 0.7, 0.5, 0.41, 0.46, 0.55, 0.63])


def points(html: str, kind: str) -> list[tuple[float, float]]:
    path = re.search(rf'<path d="M([^"]*)" class="line {kind}"', html)
    assert path
    return [(float(x), float(y)) for x, y in (point.split() for point in path[1].split("L"))]


@pytest.mark.parametrize("kind", ["one", "other"])
def test_the_line_falls_and_rises_with_the_loss(kind: str) -> None:
    heights = [y for _, y in points(_stage("finetune", OVERFITTED, 3, "kept"), kind)]
    losses = [epoch.train_loss if kind == "one" else epoch.tuning_loss for epoch in OVERFITTED]
    slope = (heights[0] - heights[3]) / (losses[0] - losses[3])
    for height, loss in zip(heights, losses, strict=True):
        assert height - heights[0] == pytest.approx(slope * (loss - losses[0]), abs=0.2)


def test_the_overfitting_span_begins_at_the_kept_epoch() -> None:
    html = _stage("finetune", OVERFITTED, 3, "kept")
    span = re.search(r'<rect x="([\d.]+)"[^>]*class="overfitted"', html)
    kept = re.search(r'<line x1="([\d.]+)"[^>]*class="kept"', html)
    assert span
    assert kept
    assert span[1] == kept[1]
    assert "kept: epoch 4" in html


def test_where_the_probe_was_kept_no_epoch_is_said_to_be() -> None:
    told = (
        *OVERFITTED,
        Candidate(name="probe", right=4, of=4, loss=0.1, chosen=True),
        Candidate(name="fine-tuned", right=3, of=4, loss=0.41, chosen=False),
    )
    story = Story(run=Path(), events=told, recipe=None, model={}, evaluation=None, album=Album("."))
    html = curves(story)
    assert "best: epoch 4" in html
    assert "kept" not in re.sub(r'class="[^"]*"', "", html)


def test_a_run_that_does_not_overfit_is_not_shaded() -> None:
    assert "overfitted" not in _stage(
        "finetune", epochs_of([1.0, 0.8, 0.7, 0.6], [1.0, 0.9, 0.8, 0.8]), 3, "kept"
    )


@pytest.mark.parametrize(
    "losses", [([1.0], [1.0]), ([1.0, math.nan, 0.5], [1.0, math.inf, 0.9]), ([90.0, 1.0], [0.0, 0.0])]
)
def test_few_extreme_and_lost_values_are_drawn_inside_the_frame(
    losses: tuple[list[float], list[float]],
) -> None:
    html = _stage("finetune", epochs_of(*losses), 2, "kept")
    assert "nan" not in re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "", html)
    for at in re.findall(r' (?:cy|y1|y2)="([-\d.]+)"', html):
        assert 0 <= float(at) <= 300
