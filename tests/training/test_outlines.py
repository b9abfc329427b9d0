"""Outlines from files to a measured model: it learns, a stopped run goes on to the bit, masks lie on the pixels."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convworks import api
from convworks.cli.main import main
from convworks.data import raster, synthetic
from convworks.errors import RecipeError
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import EpochEnded, Event, Finding, Measured, Progress
from convworks.report import wording
from convworks.training import scenes

GIVEN: dict[str, Any] = {
    "backbone": "tiny",
    "weights": "none",
    "threads": 1,
    "workers": 1,
    "precision": "float32",
    "channels_last": False,
    "device": "cpu",
    "learning_rate": 0.005,
    "input_size": 96,
    "crop": 64,
    "batch": 4,
}
EPOCHS = {"pyramid": 5, "fcn8-staged": 3}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "shapes"
    return synthetic.write(
        root, task="segmentation", count=40, classes=2, size=(96, 80), seed=0, style="shapes", void=True
    )


@pytest.fixture(scope="module", params=EPOCHS)
def trained(
    request: pytest.FixtureRequest, tiny: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[api.Trained, list[Event]]:
    said: list[Event] = []

    def watch(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            said.append(event)
            yield event

    run = tmp_path_factory.mktemp("runs") / request.param
    decoder = request.param
    return api.train(data, run=run, watch=watch, epochs=EPOCHS[decoder], decoder=decoder, **GIVEN), said


def test_more_frozen_stages_than_there_are_is_a_mistake_in_words(tiny: Path, data: Path) -> None:
    with pytest.raises(RecipeError, match=r"transfer\.freeze = 9, but tiny has 4 stages"):
        api.propose(data, **{**GIVEN, "freeze": 9})


def test_it_learns_and_says_how_well_with_all_the_measures(trained: tuple[api.Trained, list[Event]]) -> None:
    made, said = trained
    [scored] = [event for event in said if isinstance(event, Measured)]
    assert list(dict(scored.measures)) == [
        "mean IoU",
        "pixel accuracy",
        "mean accuracy",
        "weighted IoU",
        "boundary IoU",
    ]
    assert scored.low <= scored.value <= scored.high
    losses = [event.tuning_loss for event in said if isinstance(event, EpochEnded)]
    assert losses[-1] < 0.9 * losses[0]
    assert "What stride costs you" in (made.run / "report.html").read_text(encoding="utf-8")


def test_a_saved_model_has_its_decoder_and_answers_as_it_was_measured(
    trained: tuple[api.Trained, list[Event]],
) -> None:
    made, _ = trained
    again = api.load(made.run)
    assert again.task.decoder == made.task.decoder
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    for path, evidence in zip(kept.paths[:3], kept.evidence, strict=False):
        found = again.predict(Path(kept.root) / path)
        assert found.class_map.shape == (80, 96)
        assert (found.class_map == evidence["answer"]).all()


@pytest.mark.parametrize("trained", ["pyramid"], indirect=True)
def test_evaluating_again_gives_the_same_score(
    trained: tuple[api.Trained, list[Event]], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, said = trained
    [scored] = [event for event in said if isinstance(event, Measured)]
    assert main(["evaluate", str(made.run), str(data), "--part", "val", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["measures"]["mean IoU"] == pytest.approx(scored.value)


@pytest.mark.parametrize("trained", ["pyramid"], indirect=True)
def test_masks_polygons_and_drawings_say_the_same(
    trained: tuple[api.Trained, list[Event]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _ = trained
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    picture = Path(kept.root) / kept.paths[0]
    folders = ["--masks", str(tmp_path / "masks"), "--draw", str(tmp_path / "drawn")]
    assert main(["predict", str(made.run), str(picture), *folders, "--json"]) == 0
    [answer] = json.loads(capsys.readouterr().out)["answers"]
    names = (tmp_path / "masks" / "classes.txt").read_text(encoding="utf-8").splitlines()
    assert names == list(made.classes)
    with Image.open(tmp_path / "masks" / f"{picture.stem}.png") as shown:
        assert shown.mode == "P"
        mask = np.asarray(shown)
    for place, name in enumerate(names):
        there = mask == place
        assert answer["shares"].get(name, 0) == pytest.approx(there.mean())
        rings = [tuple(ring) for ring in answer["polygons"].get(name, [])]
        assert (raster.from_polygons(rings, (80, 96)) == there).all()
    with Image.open(tmp_path / "drawn" / f"{picture.stem}.jpg") as drawn:
        assert drawn.size == (96, 80)
    assert main(["predict", str(made.run), str(picture), "--windows", "1.5"]) == 0
    assert "%" in capsys.readouterr().out


@pytest.mark.parametrize("trained", ["fcn8-staged"], indirect=True)
def test_a_stopped_run_goes_on_to_the_same_model(
    trained: tuple[api.Trained, list[Event]], data: Path, tmp_path: Path
) -> None:
    made, _ = trained

    def stopping(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, Progress) and event.stage == "train" and event.done == 8:
                signal.raise_signal(signal.SIGTERM)
            yield event

    run = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        api.train(data, run=run, watch=stopping, epochs=3, decoder="fcn8-staged", **GIVEN)
    api.resume(run, watch=lambda events: events)
    first, second = ((one / "model.safetensors").read_bytes() for one in (run, made.run))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_a_decoder_that_does_not_exist_is_refused_before_anything_is_read(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"decoder = 'fcn4'"):
        api.train(data, run=tmp_path / "run", decoder="fcn4", **GIVEN)


def test_of_many_epochs_some_are_judged_and_the_last_always(
    tiny: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "LOOKS", 2)
    monkeypatch.setattr(scenes, "JUDGING", 1e-6)
    said: list[EpochEnded] = []

    def watch(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            said.extend([event] if isinstance(event, EpochEnded) else [])
            yield event

    made = api.train(data, run=tmp_path / "run", watch=watch, epochs=5, **GIVEN)
    assert [bool(event.of) for event in said] == [True, False, True, False, True]
    assert not any(event.best for event in said if not event.of)
    assert "not judged" in wording.epoch(said[1])
    assert "Stage: train" in (made.run / "report.html").read_text(encoding="utf-8")


def test_looks_and_a_cut_are_kept_with_the_model_and_the_cut_only_where_it_gains(
    tiny: Path, data: Path, tmp_path: Path
) -> None:
    said: list[Event] = []

    def watch(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            said.append(event)
            yield event

    asked = {"looks": 2, "smoothing": 0.3, "outlining": "boundary", "class_weights": "square-root"}
    made = api.train(data, run=tmp_path / "run", watch=watch, epochs=2, **asked, **GIVEN)
    [found] = [event for event in said if isinstance(event, Finding) and event.code == "min-cut"]
    again = api.load(made.run)
    assert (again.looks, again.smoothing) == (2, 0.3 if "kept" in found.said else 0.0)
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    for again.smoothing in (0.0, made.smoothing):
        answer = again.predict(Path(kept.root) / kept.paths[0]).class_map
    assert (answer == kept.evidence[0]["answer"]).all()
    again.smoothing = 5.0
    cut = again.predict(Path(kept.root) / kept.paths[0]).class_map
    assert cut.shape == answer.shape
    edges = [(np.diff(one.astype(int), axis=1) != 0).sum() for one in (cut, answer)]
    assert edges[0] <= edges[1]
