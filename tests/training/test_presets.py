"""The detectors of history from files to a measured model, on data with everything that data can have wrong."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from convworks import api
from convworks.cli.main import main
from convworks.data import synthetic
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import EpochEnded, Event, Progress, StageStarted
from convworks.regions.selective_search import selective_search
from convworks.samples import Detection
from convworks.tasks import HEADS

GIVEN: dict[str, Any] = {
    "backbone": "tiny",
    "weights": "none",
    "threads": 1,
    "workers": 1,
    "precision": "float32",
    "channels_last": False,
    "device": "cpu",
    "learning_rate": 0.002,
    "input_size": 64,
    "batch": 4,
    "micro_batch": 4,
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVWORKS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def hard(tmp_path: Path) -> Path:
    """Shapes of which some pictures show none, one of a pixel, a crowd, and in val/ a class that train/ lacks."""
    root = tmp_path / "hard"
    synthetic.write(
        root, task="detection", count=20, classes=2, size=(64, 64), seed=1, style="shapes", workers=1
    )
    for name in ("train", "val"):
        path = root / f"{name}.json"
        told = json.loads(path.read_text())
        told["categories"].append({"id": 99, "name": "unseen"})
        bare = {image["id"] for image in told["images"][:2]}
        told["annotations"] = [one for one in told["annotations"] if one["image_id"] not in bare]
        told["annotations"][0] |= {"bbox": [10, 10, 1, 1], "area": 1, "segmentation": []}
        last = told["annotations"][-1]
        number = max(one["id"] for one in told["annotations"])
        crowd = {"counts": [0, 64 * 32, 64 * 32], "size": [64, 64]}
        told["annotations"].append(
            {**last, "id": number + 1, "iscrowd": 1, "segmentation": crowd, "bbox": [0, 0, 32, 64]}
        )
        if name == "val":
            told["annotations"].append({**last, "id": number + 2, "category_id": 99})
        path.write_text(json.dumps(told))
    return root


def trained(data: Path, run: Path, **given: Any) -> tuple[api.Trained, list[Event]]:
    said: list[Event] = []

    def watch(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            said.append(event)
            yield event

    return api.train(data, run=run, watch=watch, **{**GIVEN, **given}), said


def lives(made: api.Trained, said: list[Event], data: Path) -> None:
    """It has learned from every epoch, answers as it was measured, and is reported."""
    epochs = [event for event in said if isinstance(event, EpochEnded)]
    assert all(math.isfinite(one.train_loss) and math.isfinite(one.tuning_loss) for one in epochs)
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    again = api.load(made.run)
    assert again.task.decoder == made.task.decoder
    answer = again.predict(Path(kept.root) / kept.paths[0])
    if isinstance(answer, Detection):
        boxes = np.array([one.box for one in answer.found], np.float32).reshape(-1, 4)
        np.testing.assert_allclose(boxes, kept.evidence[0]["boxes"], atol=0.05)
    measured = again.evaluate(data, part="val")
    assert isinstance(measured, SceneEvaluation)
    assert measured.measures == pytest.approx(kept.measures, abs=1e-3, nan_ok=True)
    assert (made.run / "report.html").stat().st_size > 10_000


def test_the_cheapest_learns_from_data_with_everything_wrong(hard: Path, tiny: Path, tmp_path: Path) -> None:
    lives(*trained(hard, tmp_path / "run", detector="multibox", epochs=1), hard)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS["detection"])
def test_every_detector_learns_from_data_with_everything_wrong(
    name: str, hard: Path, tiny: Path, tmp_path: Path
) -> None:
    made, said = trained(hard, tmp_path / "run", detector=name, epochs=2)
    lives(made, said, hard)
    looked = [event for event in said if isinstance(event, StageStarted) and event.stage == "proposals"]
    assert bool(looked) == (made.settings.get("source") == "selective search")


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS["localization"])
def test_every_localizer_learns(name: str, tiny: Path, tmp_path: Path) -> None:
    data = synthetic.write(
        tmp_path / "data",
        task="localization",
        count=24,
        classes=2,
        size=(64, 64),
        seed=0,
        style="shapes",
        workers=1,
    )
    made, said = trained(data, tmp_path / "run", detector=name, epochs=2)
    lives(made, said, data)
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    for path in kept.paths[:3]:
        with Image.open(Path(kept.root) / path) as opened:
            image = np.asarray(opened.convert("RGB"))
        small, large = made.predict([image, np.repeat(np.repeat(image, 2, 0), 2, 1)])
        np.testing.assert_allclose(np.array(large.box) / 2, small.box, atol=0.02 * 64)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["grid", "clusters", "whole-image", "region-network", "file"])
def test_it_looks_where_it_is_told_to(source: str, hard: Path, tiny: Path, tmp_path: Path) -> None:
    if source == "file":
        source = str(tmp_path / "boxes.csv")
        images = [
            one
            for part in ("train", "val")
            for one in json.loads((hard / f"{part}.json").read_text())["images"]
        ]
        with Path(source).open("w", newline="") as file:
            csv.writer(file).writerows([["path", "x0", "y0", "x1", "y1"]])
            csv.writer(file).writerows([image["file_name"], 4, 4, 40, 60] for image in images)
    made, said = trained(hard, tmp_path / "run", detector="fast_rcnn", proposals=source, epochs=1)
    lives(made, said, hard)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast_rcnn", "faster_rcnn"])
def test_a_run_that_is_stopped_goes_on_to_the_same_model(
    name: str, hard: Path, tiny: Path, tmp_path: Path
) -> None:
    whole, _ = trained(hard, tmp_path / "whole", detector=name, epochs=2)

    def stop(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, Progress) and event.stage == "train" and event.done == 4:
                signal.raise_signal(signal.SIGTERM)
            yield event

    with pytest.raises(KeyboardInterrupt):
        api.train(hard, run=tmp_path / "stopped", watch=stop, detector=name, epochs=2, **GIVEN)
    api.resume(tmp_path / "stopped", watch=lambda events: events)
    first, second = (
        hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()
        for run in (whole.run, tmp_path / "stopped")
    )
    assert first == second


@pytest.mark.slow
def test_a_picture_is_searched_once_for_all_epochs_and_runs(
    hard: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convworks.regions import proposals
    from convworks.tasks import two_stage

    searched: list[str] = []

    def counted(image: np.ndarray) -> np.ndarray:
        searched.append(hashlib.sha256(image.tobytes()).hexdigest())
        return selective_search(image)

    monkeypatch.setattr(proposals, "selective_search", counted)
    two_stage._search.cache_clear()
    trained(hard, tmp_path / "one", detector="fast_rcnn", epochs=2)
    assert len(searched) == len(set(searched)) <= 20
    two_stage._search.cache_clear()
    trained(hard, tmp_path / "two", detector="spp", epochs=1)
    assert len(searched) == len(set(searched)), "the second run finds them on disk"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast_rcnn", "faster_rcnn"])
def test_two_processes_give_what_one_gives(
    name: str, hard: Path, tmp_path: Path, start: Callable[..., Any]
) -> None:
    words = [
        word for key, value in GIVEN.items() for word in (f"--{key.replace('_', '-')}", str(value).lower())
    ]
    words += ["--detector", name, "--epochs", "2", "--micro-batch", "2"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    alone = [start("train", hard, "--run", tmp_path / "one", *words)]
    both = [
        start(
            "train", hard, "--run", tmp_path / "two", *words, **shared, RANK=str(rank), LOCAL_RANK=str(rank)
        )
        for rank in range(2)
    ]
    for process in (*alone, *both):
        said = process.communicate(timeout=1_000)
        assert process.returncode == 0, said
    first, second = (load_file(tmp_path / run / "model.safetensors") for run in ("one", "two"))
    for key, value in first.items():
        if "num_batches" not in key:
            torch.testing.assert_close(second[key], value, rtol=1e-3, atol=1e-4, msg=key)


def test_a_source_that_is_none_is_refused_before_anything_is_decoded(
    hard: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(hard), "--run", str(tmp_path / "run"), "--backbone", "tiny", "--weights", "none"]
    assert main([*words, "--detector", "fast_rcnn", "--proposals", "selective-serach"]) == 2
    assert 'did you mean "selective-search"' in capsys.readouterr().err
    assert main([*words, "--detector", "vgg_localizer"]) == 2
    assert 'There is no detector "vgg_localizer"' in capsys.readouterr().err
