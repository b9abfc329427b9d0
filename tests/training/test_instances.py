"""Outlines of objects from files to a measured model: it learns, tells what it found in every form, and resumes."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convworks import api
from convworks.cli.main import main
from convworks.data import sources, synthetic
from convworks.data.raster import from_polygons, from_runs
from convworks.data.sources.runs import unpacked
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import Event, Measured, Progress
from convworks.samples import Detection

GIVEN: dict[str, Any] = {
    "task": "instances",
    "backbone": "tiny",
    "weights": "none",
    "threads": 1,
    "workers": 1,
    "precision": "float32",
    "channels_last": False,
    "device": "cpu",
    "learning_rate": 0.005,
    "input_size": 64,
    "batch": 4,
}


def shapes(root: Path, count: int = 18, **more: Any) -> Path:
    given = {"classes": 2, "size": (64, 64), "seed": 0, "style": "shapes", "outlines": "maps", **more}
    return synthetic.write(root, task="instances", count=count, workers=1, **given)


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[api.Trained, list[Event], Path]:
    data = shapes(tmp_path_factory.mktemp("data") / "objects")
    said: list[Event] = []

    def watch(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            said.append(event)
            yield event

    run = tmp_path_factory.mktemp("runs") / "objects"
    return api.train(data, run=run, watch=watch, epochs=2, **GIVEN), said, data


def test_masks_are_what_counts_and_boxes_stand_beside_them(
    trained: tuple[api.Trained, list[Event], Path],
) -> None:
    made, said, _ = trained
    [scored] = [event for event in said if isinstance(event, Measured)]
    names = [name for name, _ in scored.measures]
    assert scored.measure == names[0] == "mask AP"
    assert len([name for name in names if name.startswith("mask ")]) == 12
    assert "box AP" in names
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    assert kept.evidence[0]["true objects"].max() >= 1
    page = (made.run / "report.html").read_text(encoding="utf-8")
    assert "Worst pictures" in page
    assert "Masks" in page


def test_what_is_found_is_the_same_in_every_form_and_reads_back_as_data(
    trained: tuple[api.Trained, list[Event], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _, data = trained
    picture = tmp_path / "a.png"
    shutil.copy(sorted((data / "val" / "images").iterdir())[0], picture)
    answer = made.predict(picture)
    assert isinstance(answer, Detection)
    assert answer.found
    words = ["predict", str(made.run), str(picture), "--above", "0"]
    for name in ("a.json", "a.csv", "a.coco.json"):
        assert main([*words, "--to", str(tmp_path / name), "--draw", str(tmp_path / "drawn")]) == 0
    capsys.readouterr()
    [plain] = json.loads((tmp_path / "a.json").read_text())["answers"]
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    [record] = sources.read(tmp_path / "a.coco.json").records
    assert len(plain["found"]) == len(rows) == len(record.boxes) == len(answer.found)
    for one, said, row, note in zip(answer.found, plain["found"], rows, record.boxes, strict=True):
        mask = from_runs(one.runs, (64, 64))
        assert int(row["pixels"]) == mask.sum() > 0
        assert unpacked(row["mask"]) == note.runs == tuple(said["mask"]["counts"]) == one.runs
        np.testing.assert_array_equal(from_polygons(said["polygons"], (64, 64)), mask)
        x0, y0, x1, y1 = one.box
        y, x = np.nonzero(mask)
        assert x0 <= x.min() + 0.5, "nothing of a mask lies outside its box"
        assert x.max() + 0.5 <= x1
        assert y0 <= y.min() + 0.5
        assert y.max() + 0.5 <= y1
    [drawn] = {path.name for path in (tmp_path / "drawn").iterdir()}
    with Image.open(tmp_path / "drawn" / drawn) as shown:
        assert shown.size == (64, 64)


def test_a_data_set_is_measured_by_its_outlines_without_asking(
    trained: tuple[api.Trained, list[Event], Path],
) -> None:
    made, _, data = trained
    again = api.load(made.run).evaluate(data, part="val")
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    assert isinstance(again, SceneEvaluation)
    assert again.measures["mask AP"] == pytest.approx(kept.measures["mask AP"], abs=1e-6)
    assert again.measures["box AP"] == pytest.approx(kept.measures["box AP"], abs=1e-6)


@pytest.mark.slow
def test_a_run_that_is_stopped_goes_on_to_the_same_model(
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
        api.train(data, run=run, watch=stop(4), epochs=2, **GIVEN)
    api.resume(run, watch=lambda events: events)
    first, second = (
        hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() for folder in (run, made.run)
    )
    assert first == second


@pytest.mark.slow
def test_shapes_are_outlined_after_two_minutes(tmp_path: Path) -> None:
    """240 pictures of three shapes, 151 to learn from; the figure is in docs/instances.md."""
    data = shapes(tmp_path / "shapes", 240, classes=3, size=(96, 96), outlines="runs")
    given: dict[str, Any] = {"epochs": 16, "threads": 1, "workers": 1, "precision": "float32"}
    made = api.train(data, run=tmp_path / "run", task="instances", watch=lambda events: events, **given)
    measures = SceneEvaluation.read(made.run / "evaluation.json").measures
    print({name: round(value, 3) for name, value in measures.items()})
    assert measures["mask AP50"] >= 0.80
    assert measures["mask AP"] >= 0.65
