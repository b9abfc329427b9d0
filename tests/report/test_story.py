"""A run folder read back: each thing once, the latest word on it, and no score that its files do not bear out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convworks import events
from convworks.evaluation.result import Evaluation
from convworks.evaluation.verdicts import score
from convworks.report.story import read


def evaluation_of(right: int, of: int) -> Evaluation:
    answers = np.arange(of) >= right
    return Evaluation(
        root="pets",
        classes=("ant", "bee"),
        paths=tuple(f"{index}.png" for index in range(of)),
        truth=np.zeros(of, np.int64),
        probabilities=np.eye(2, dtype=np.float32)[answers.astype(int)],
        chosen_on="nothing",
    )


def written(folder: Path, *said: events.Event, evaluation: Evaluation | None = None) -> Path:
    text = "\n".join(events.encode(event, float(index)) for index, event in enumerate(said))
    (folder / "events.jsonl").write_text(text, encoding="utf-8")
    if evaluation:
        (folder / "evaluation.json").write_text(evaluation.to_json(), encoding="utf-8")
    return folder


def ended(number: int, tuning: float, epochs: int = 8) -> events.EpochEnded:
    return events.EpochEnded(
        stage="finetune",
        epoch=number,
        epochs=epochs,
        train_loss=1.0 / number,
        tuning_loss=tuning,
        right=5,
        of=10,
        learning_rate=0.1,
        seconds=1.0,
        remaining=0.0,
        best=number <= 3,
    )


def test_the_last_word_on_an_epoch_counts(tmp_path: Path) -> None:
    story = read(written(tmp_path, ended(1, 1.0), ended(2, 0.9), ended(2, 0.8), ended(3, 0.7)))
    assert [epoch.tuning_loss for epoch in story.epochs["finetune"]] == [1.0, 0.8, 0.7]


def test_a_finding_is_told_as_it_stood_at_the_end(tmp_path: Path) -> None:
    early = events.Finding(code="overfitting", level="warning", said="early", epoch=5)
    other = events.Finding(code="of-training", level="error", said="kept")
    curve = [1.0, 0.6, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    epochs = [ended(number, loss) for number, loss in enumerate(curve, 1)]
    story = read(written(tmp_path, *epochs[:5], early, other, *epochs[5:]))
    assert [finding.code for finding in story.findings] == ["of-training", "overfitting"]
    assert "tuning rose 0.40 to 0.90" in story.findings[1].said


def test_a_new_evaluation_replaces_the_score_that_the_run_said(tmp_path: Path) -> None:
    old = score(evaluation_of(9, 10), {"ant": 5, "bee": 5})
    story = read(written(tmp_path, old, evaluation=evaluation_of(30, 40)))
    assert story.scored
    assert (story.scored.right, story.scored.of) == (30, 40)


def test_the_score_of_the_run_stands_where_there_is_no_evaluation(tmp_path: Path) -> None:
    old = score(evaluation_of(9, 10), {"ant": 5, "bee": 5})
    assert read(written(tmp_path, old)).scored == old


@pytest.mark.parametrize("text", ["", "{not json", '{"event": "FromLater", "time": 1}', "\x00\xff"])
def test_lines_that_are_no_events_are_passed_over(tmp_path: Path, text: str) -> None:
    run = written(tmp_path, ended(1, 1.0))
    with (run / "events.jsonl").open("a", encoding="utf-8") as log:
        log.write("\n" + text)
    assert len(read(run).events) == 1
