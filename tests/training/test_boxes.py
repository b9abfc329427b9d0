"""Boxes from files to a measured model: it learns, goes on to the bit after a stop, and answers in the picture."""

from __future__ import annotations

import hashlib
import json
import math
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convworks import api
from convworks.cli.main import main
from convworks.data import synthetic
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import EpochEnded, Event, Measured, Progress
from convworks.geometry.boxes import iou
from convworks.samples import Detection, Localization

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
    "batch": 4,
}
TASKS = {"localization": 5, "detection": 4}  # epochs


def shapes(root: Path, task: str) -> Path:
    synthetic.write(root, task=task, count=56, classes=2, size=(96, 96), seed=0, style="shapes", workers=1)
    return root


def weights(run: Path) -> str:
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module", params=TASKS)
def trained(
    request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[api.Trained, list[Event], Path]:
    data = shapes(tmp_path_factory.mktemp("data") / request.param, request.param)
    said: list[Event] = []

    def watch(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            said.append(event)
            yield event

    run = tmp_path_factory.mktemp("runs") / request.param
    return api.train(data, run=run, watch=watch, epochs=TASKS[request.param], **GIVEN), said, data


def test_it_learns_and_is_measured_on_images_that_chose_nothing(
    trained: tuple[api.Trained, list[Event], Path],
) -> None:
    made, said, _ = trained
    epochs = [event for event in said if isinstance(event, EpochEnded)]
    assert epochs[-1].tuning_loss < epochs[0].tuning_loss
    [scored] = [event for event in said if isinstance(event, Measured)]
    first = {"localization": "mean IoU", "detection": "AP"}[made.task.name]
    assert scored.measure == first == epochs[0].measure
    assert 0 < scored.low <= scored.value <= scored.high < 1
    parts = {path: part for path, _, part, _ in json.loads((made.run / "data.json").read_text())["images"]}
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    assert {parts[path] for path in kept.paths} == {"measure"}


def test_a_saved_model_says_the_same_and_evaluates_to_the_same(
    trained: tuple[api.Trained, list[Event], Path],
) -> None:
    made, _, _ = trained
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    again = api.load(made.run)
    assert again.settings == ({} if again.task.name == "localization" else {"finest": 8, "coarsest": 8})
    paths = [Path(kept.root) / path for path in kept.paths[:4]]
    for path, evidence in zip(paths, kept.evidence, strict=False):
        answer = again.predict(path)
        if isinstance(answer, Detection):
            boxes = np.array([one.box for one in answer.found], np.float32).reshape(-1, 4)
            np.testing.assert_allclose(boxes, evidence["boxes"], atol=0.05)
        else:
            np.testing.assert_allclose(np.array(answer.box), evidence["boxes"][0, 0], atol=0.05)


def test_a_picture_of_twice_the_size_has_its_boxes_at_twice_the_place(
    trained: tuple[api.Trained, list[Event], Path], tmp_path: Path
) -> None:
    made, _, _ = trained
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    shares: list[float] = []
    for path in kept.paths[:9]:
        with Image.open(Path(kept.root) / path) as opened:
            image = np.asarray(opened.convert("RGB"))
        small, large = made.predict([image, np.repeat(np.repeat(image, 2, 0), 2, 1)])
        assert large.size == tuple(2 * side for side in small.size)
        boxes = [one.box if isinstance(one, Localization) else one.found[0].box for one in (small, large)]
        shares.append(iou(np.array(boxes[:1]), np.array(boxes[1:]) / 2)[0, 0].item())
    assert np.median(shares) > 0.6, "the surest box, in most pictures, though so little was learned"


def test_what_is_predicted_is_printed_tabled_and_drawn(
    trained: tuple[api.Trained, list[Event], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _, _ = trained
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    picture = str(Path(kept.root) / kept.paths[0])
    words = ["predict", str(made.run), picture, "--above", "0", "--draw", str(tmp_path / "drawn")]
    assert main([*words, "--json"]) == 0
    [answer] = json.loads(capsys.readouterr().out)["answers"]
    assert answer["size"] == [96, 96]
    boxes = [one["box"] for one in answer["found"]] if "found" in answer else [answer["box"]]
    assert all(0 <= edge <= 96 and math.isfinite(edge) for box in boxes for edge in box)
    [drawn] = (tmp_path / "drawn").iterdir()
    with Image.open(drawn) as shown:
        assert shown.size == (96, 96)


@pytest.mark.parametrize("trained", ["detection"], indirect=True)
def test_pictures_in_tiles_and_in_a_mirror_are_answered(
    trained: tuple[api.Trained, list[Event], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _, _ = trained
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    assert api.load(made.run).preprocessing.learned == (96, 96)
    one = Path(kept.root) / kept.paths[0]
    with Image.open(one) as opened:
        image = np.asarray(opened.convert("RGB"))
    Image.fromarray(np.tile(image, (2, 3, 1))).save(tmp_path / "wide.png")
    words = ["predict", str(made.run), str(one), str(tmp_path / "wide.png"), "--above", "0", "--json"]
    found: list[list[dict[str, Any]]] = []
    for more in ([], ["--tiles"], ["--looks", "2"]):
        assert main([*words, *more]) == 0
        found.append(json.loads(capsys.readouterr().out)["answers"])
    plain, tiled, mirrored = found
    assert tiled[0] == plain[0], "one tile is the whole picture"
    assert tiled[1]["size"] == [288, 192]
    assert max(box["box"][2] for box in tiled[1]["found"]) > 200
    assert mirrored[0] != plain[0]


@pytest.mark.parametrize("trained", ["detection"], indirect=True)
def test_a_detectors_run_that_is_stopped_goes_on_to_the_same_model(
    trained: tuple[api.Trained, list[Event], Path], tmp_path: Path
) -> None:
    made, _, data = trained

    def stop(after: int) -> Callable[[Iterator[Event]], Iterator[Event]]:
        def watch(events: Iterator[Event]) -> Iterator[Event]:
            for event in events:
                if isinstance(event, Progress) and event.stage == "train" and event.done == after:
                    signal.raise_signal(signal.SIGTERM)
                yield event

        return watch

    run = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        api.train(data, run=run, watch=stop(13), epochs=TASKS["detection"], **GIVEN)
    assert not (run / "model.safetensors").exists()
    api.resume(run, watch=lambda events: events)
    assert weights(run) == weights(made.run)


@pytest.mark.slow
@pytest.mark.packs
def test_one_animal_is_found_and_named(packs: Path, tmp_path: Path) -> None:
    run = tmp_path / "animal"
    made = api.train(packs / "one_animal", run=run, watch=lambda events: events, threads=1, workers=1)
    measures = SceneEvaluation.read(made.run / "evaluation.json").measures
    assert measures["mean IoU"] >= 0.75
    assert measures["found"] >= 0.9
    assert measures["class accuracy"] >= 0.97


@pytest.mark.slow
@pytest.mark.packs
def test_blood_cells_are_found_at_half_their_resolution(packs: Path, tmp_path: Path) -> None:
    run = tmp_path / "cells"
    given: dict[str, Any] = {"epochs": 10, "input_size": 320, "threads": 1, "workers": 1}
    made = api.train(packs / "bccd", run=run, watch=lambda events: events, **given)
    measures = SceneEvaluation.read(made.run / "evaluation.json").measures
    assert measures["AP50"] >= 0.8
    assert measures["AP"] >= 0.47
