"""The ladder goes up on a tiny set, keeps its rows, goes on where it was stopped, and refuses what it cannot use."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convworks.data import synthetic
from convworks.data.record import DataSet
from convworks.errors import DataError, RecipeError, RunError
from convworks.events import Interrupted, Progress
from convworks.studies import ladder, settle
from convworks.studies.ladder import Begun, Measured
from convworks.studies.rows import Climb, kept
from convworks.studies.rungs import RUNGS, Work
from convworks.training import prepare

GIVEN: dict[str, Any] = {
    "model.backbone": "tiny",
    "model.weights": "none",
    "compute.threads": 1,
    "compute.workers": 1,
    "compute.precision": "float32",
    "compute.channels_last": True,
    "compute.device": "cpu",
    "data.input_size": 96,
}
NAMES = [rung.name for rung in RUNGS]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    root = tmp_path_factory.mktemp("boxes") / "shapes"
    synthetic.write(
        root, task="detection", count=20, classes=2, size=(96, 96), seed=0, style="shapes", workers=1
    )
    return prepare.read(root)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few proposals, few pictures, one pass."""
    for name, value in {"PROPOSALS": 12, "FEWEST": 4, "PASSES": 1, "EPOCHS": (1, 1)}.items():
        monkeypatch.setattr(settle, name, value)
    monkeypatch.setattr(ladder, "DRAWS", 10)


def gone_up(stream: Iterator[ladder.Said]) -> tuple[list[ladder.Said], Climb | None]:
    """All that is said, and what comes of it."""
    said: list[ladder.Said] = []
    while True:
        try:
            said.append(next(stream))
        except StopIteration as end:
            return said, end.value


@pytest.mark.usefixtures("tiny", "small")
def test_every_step_is_measured_and_a_ladder_that_was_climbed_is_not_climbed_again(
    shapes: DataSet, tmp_path: Path
) -> None:
    said, made = gone_up(ladder.climbed(shapes, tmp_path, GIVEN, minutes=0.001))
    assert made is not None
    assert [row.rung for row in made.rows] == NAMES
    assert [one.rung for one in said if isinstance(one, Begun)] == NAMES
    rows = {row.rung: row for row in made.rows}
    measure, learn = made.settled.measure, made.settled.learn
    assert (measure, learn) == (4, 4)
    for row in made.rows:
        assert 0 <= row.ap <= row.ap50 <= 1
        assert row.seconds > row.proposing >= 0
        assert row.training >= row.preparing >= 0
    # What each step computes for the measured pictures: that is what the history is about.
    boxes = rows["rcnn"].looking.proposals
    assert 0 < boxes <= 12 * measure
    assert rows["rcnn"].looking == Work(crops=boxes, proposals=boxes)
    for name in ("spp", "fast"):
        assert rows[name].looking == Work(maps=measure, reads=boxes, proposals=boxes)
    assert rows["faster"].looking.maps == rows["default"].looking.maps == measure
    assert rows["default"].looking == Work(maps=measure)
    assert rows["rcnn"].learning.crops > rows["rcnn"].learning.proposals > 0
    assert rows["fast"].learning.maps == learn
    assert rows["faster"].proposing == rows["default"].proposing == 0
    assert Climb.from_dict(json.loads((tmp_path / "ladder.json").read_text())).to_dict() == made.to_dict()
    assert not (tmp_path / "kept").exists()

    again, same = gone_up(ladder.climbed(shapes, tmp_path, GIVEN, minutes=0.001, rungs=["spp", "rcnn"]))
    assert same is not None and same.to_dict() == made.to_dict()
    assert all(one.kept for one in again if isinstance(one, Measured))
    assert not any(isinstance(one, Begun) for one in again)
    with pytest.raises(RunError, match="another minutes"):
        next(ladder.climbed(shapes, tmp_path, GIVEN, minutes=2))


@pytest.mark.usefixtures("tiny", "small")
def test_a_step_that_was_stopped_goes_on_with_what_it_had_computed(shapes: DataSet, tmp_path: Path) -> None:
    stream = ladder.climbed(shapes, tmp_path, GIVEN, minutes=0.001, rungs=["rcnn"], command="again")
    for one in stream:
        if isinstance(one, Progress) and one.stage.startswith("crops") and one.done == 2:
            os.kill(os.getpid(), signal.SIGINT)
        if isinstance(one, Interrupted):
            assert one == Interrupted(signal="SIGINT", command="again")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*.npz")}
    assert len(before) == 2 == len(list((tmp_path / "rcnn").rglob("*.npz")))
    assert kept(tmp_path, {}) is not None
    _, made = gone_up(ladder.climbed(shapes, tmp_path, GIVEN, minutes=0.001, rungs=["rcnn"]))
    assert made is not None and [row.rung for row in made.rows] == ["rcnn"]
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*.npz")}
    assert all(after[name] == when for name, when in before.items())


def test_what_cannot_be_climbed_is_said(shapes: DataSet, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match='no step of the ladder "fastr"'):
        next(ladder.climbed(shapes, tmp_path, {}, rungs=["fastr"]))
    with pytest.raises(RecipeError, match="minutes = 0"):
        next(ladder.climbed(shapes, tmp_path, {}, minutes=0))
    other = DataSet(root=tmp_path, source="folder", task="classification", classes=("a", "b"), records=())
    with pytest.raises(DataError, match="a set for classification"):
        next(ladder.climbed(other, tmp_path, {}))
    (tmp_path / "ladder.json").write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        next(ladder.climbed(shapes, tmp_path, {}))


def test_pictures_are_taken_evenly() -> None:
    rows = list(range(100))
    assert settle.spread(rows, 200) == rows
    assert settle.spread(rows, 1) == [0]
    some = settle.spread(rows, 12)
    assert len(set(some)) == 12 and some[0] == 0 and some[-1] == 99
    assert np.diff(some).max() - np.diff(some).min() <= 1
