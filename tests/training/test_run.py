"""A run folder belongs to one process at a time, and says who has it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from convworks.errors import RunError, StorageError
from convworks.events import CheckpointSaved, Progress, decode
from convworks.recipe.options import Recipe
from convworks.training import run as runs

EVENT = CheckpointSaved(stage="train", epoch=1, step=0, path="x")


def test_a_folder_that_is_taken_is_refused_and_free_again_after(tmp_path: Path) -> None:
    first = runs.start(tmp_path / "run")
    with pytest.raises(RunError, match=r"being written to by process \d+"):
        runs.start(tmp_path / "run")
    first.close()
    runs.start(tmp_path / "run").close()


def test_the_lock_of_a_process_that_was_killed_holds_nobody_up(
    tmp_path: Path, patterns: Callable[..., Path], start: Callable[..., Any]
) -> None:
    words = [
        "--backbone",
        "tiny",
        "--weights",
        "none",
        "--threads",
        "1",
        "--mode",
        "scratch",
        "--epochs",
        "500",
    ]
    run = tmp_path / "run"
    process = start("train", patterns(tmp_path / "data"), "--run", run, *words)
    while not (run / "recipe.toml").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    with pytest.raises(RunError, match="being written to by process"):
        runs.resume(run)
    second = start("train", "--resume", run)
    _, said = second.communicate()
    assert second.returncode == 2
    assert "is being written to by process" in said
    assert len(said.splitlines()) <= 6
    process.kill()
    process.communicate()
    runs.resume(run).close()


def test_a_lock_that_its_owner_has_just_removed_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / runs.LOCK
    with path.open("a+") as gone:
        path.unlink()
        path.touch()
        assert not runs._take(gone, path)


def test_a_run_is_not_begun_over_another_and_none_is_resumed_where_none_is(tmp_path: Path) -> None:
    place = runs.start(tmp_path / "pets")
    place.write_recipe(Recipe())
    place.close()
    with pytest.raises(RunError, match=r"holds a run already.*\n.*--resume"):
        runs.start(tmp_path / "pets")
    with pytest.raises(RunError, match=r"holds no run.*\n.*pets"):
        runs.resume(tmp_path / "pet")


def test_what_a_killed_process_left_is_swept_at_the_start(tmp_path: Path) -> None:
    (tmp_path / ".recipe.toml.x.tmp").write_text("half")
    runs.start(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_events_are_lines_that_can_be_read_and_progress_is_not_kept(tmp_path: Path) -> None:
    said = [EVENT, Progress(stage="x", done=1, total=2), EVENT]
    with closing(runs.start(tmp_path)) as place:
        assert list(place.say(event for event in said)) == said
    lines = [decode(line) for line in (tmp_path / runs.LOG).read_text().splitlines()]
    assert [line.event for line in lines if line] == [EVENT, EVENT]


def test_a_line_cut_short_by_a_kill_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / runs.LOG).write_text('{"event": "Epo')
    with closing(runs.start(tmp_path)) as place:
        list(place.say(event for event in [EVENT]))
    lines = [decode(line) for line in (tmp_path / runs.LOG).read_text().splitlines()]
    assert [line and line.event for line in lines] == [None, EVENT]


def test_a_log_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / runs.LOG).mkdir()
    with closing(runs.start(tmp_path)) as place, pytest.raises(StorageError, match=r"events.jsonl"):
        list(place.say(event for event in [EVENT]))


def test_what_it_learned_from_is_kept_and_damage_is_said(tmp_path: Path) -> None:
    with closing(runs.start(tmp_path)) as place:
        place.write_data({"classes": ["ä"]})
        assert place.read_data() == {"classes": ["ä"]}
        (tmp_path / runs.DATA).write_text(json.dumps({"classes": 1})[:-3])
        with pytest.raises(RunError, match=r"data.json cannot be read"):
            place.read_data()


def test_a_new_folder_has_a_free_and_harmless_name(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    assert runs.free_folder(tmp_path, "pets").name == "pets-2"
    assert runs.free_folder(tmp_path, "../..").name == "run"
