"""Pictures of several bands train, are saved with how they are read, and are predicted from the same kind of files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convworks import api
from convworks.data import bands
from convworks.errors import DataError, DecodeError
from convworks.evaluation.result import Evaluation
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import Event, WeightsLoaded

GIVEN: dict[str, Any] = {
    "backbone": "tiny",
    "weights": "none",
    "threads": 1,
    "workers": 1,
    "precision": "float32",
    "channels_last": False,
    "device": "cpu",
    "batch": 16,
    "learning_rate": 0.01,
    "epochs": 8,
    "views": 2,
    "crop_scale": 0.8,
}


def write(root: Path, count: int = 32, *, invisible: int = 4) -> Path:
    """Noise in five bands of 16 bits; only in one of them the classes differ."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    for name, phase in (("across", x), ("down", y)):
        (root / name).mkdir(parents=True)
        for number in range(count):
            values = draw.normal(3_000, 250, (32, 32, 5))
            values[..., invisible] += 900 * np.sin(0.9 * phase + draw.uniform(0, 6))
            np.save(root / name / f"{number:03}.npy", values.clip(0, 65_535).astype(np.uint16))
    return root


@pytest.fixture(scope="module")
def data(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bands"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[api.Trained, list[Event]]:
    said: list[Event] = []

    def watch(events):
        for event in events:
            said.append(event)
            yield event

    run = tmp_path_factory.mktemp("runs") / "bands"
    return api.train(data, run=run, watch=watch, mode="finetune", **GIVEN), said


def test_what_lies_in_the_fifth_band_is_learned(trained: tuple[api.Trained, list[Event]]) -> None:
    made, _ = trained
    found = Evaluation.read(made.run / "evaluation.json")
    assert found.accuracy >= 0.9, "no one can tell the classes by the first three bands"
    assert (made.run / "report.html").is_file()


def test_what_became_of_the_first_layer_is_said(trained: tuple[api.Trained, list[Event]]) -> None:
    made, said = trained
    (loaded,) = (event for event in said if isinstance(event, WeightsLoaded))
    assert loaded.notes[0].startswith("5 bands: the first layer's filters")
    assert "measured over the training images" in loaded.notes[1]
    recipe = (made.run / "recipe.toml").read_text()
    assert "colour = 0.0" in recipe
    assert "have no colours to turn" in recipe
    assert "freeze = 0" in recipe


def test_a_saved_model_reads_the_same_files_the_same_way(
    trained: tuple[api.Trained, list[Event]], data: Path
) -> None:
    made, _ = trained
    assert len(json.loads((made.run / "model.json").read_text())["input"]["bands"]) == 5
    again = api.load(made.run)
    assert again.preprocessing == made.preprocessing
    path = data / "down" / "003.npy"
    assert again.predict(path).probabilities == pytest.approx(made.predict(path).probabilities)
    assert again.predict(np.load(path)).probabilities == pytest.approx(made.predict(path).probabilities)
    with pytest.warns(UserWarning, match="flatters"):
        assert again.evaluate(data).n == 64


def test_the_frame_is_the_file_scaled_and_standardised(
    trained: tuple[api.Trained, list[Event]], data: Path
) -> None:
    made, _ = trained
    values = np.load(data / "across" / "001.npy")
    low, high = np.array(made.preprocessing.bands).T
    wanted = ((values - low) / (high - low)).clip(0, 1) - np.array(made.preprocessing.mean)
    wanted /= np.array(made.preprocessing.deviation)
    frame = made.preprocessing(bands.scaled(values, made.preprocessing.bands))
    np.testing.assert_allclose(frame.transpose(1, 2, 0), wanted, atol=0.02)
    every = np.stack(
        [
            made.preprocessing(bands.scaled(np.load(path), made.preprocessing.bands))
            for path in data.rglob("*.npy")
        ]
    )
    assert np.abs(every.mean((0, 2, 3))).max() < 0.1
    assert every.std((0, 2, 3)) == pytest.approx(np.ones(5), abs=0.1)


def test_other_files_are_refused(trained: tuple[api.Trained, list[Event]], tmp_path: Path) -> None:
    made, _ = trained
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", np.zeros((32, 32, 7), np.uint16))
    for name in ("a.png", "b.npy"):
        with pytest.raises(DecodeError, match="the model reads 5 bands"):
            made.predict(tmp_path / name)
    with pytest.raises(DataError, match="reads 5 bands"):
        made.predict(np.zeros((32, 32, 3), np.uint8))


def test_a_set_of_two_kinds_of_files_is_refused_by_name(data: Path, tmp_path: Path) -> None:
    root = write(tmp_path / "mixed", 8)
    np.save(root / "down" / "odd.npy", np.random.default_rng(1).integers(0, 9, (32, 32, 4)).astype(np.uint16))
    with pytest.raises(
        DataError, match=r"down/odd\.npy is 4 bands of uint16; 16 of 17 images are 5 bands of uint16"
    ):
        api.train(root, run=tmp_path / "run", watch=lambda events: events, **GIVEN)


def test_a_net_of_colours_refuses_bands(tiny: Path, patterns, tmp_path: Path) -> None:
    made = api.train(
        patterns(tmp_path / "p", 8), run=tmp_path / "run", watch=lambda e: e, mode="extract", **GIVEN
    )
    np.save(tmp_path / "b.npy", np.zeros((32, 32, 5), np.uint16))
    with pytest.raises(DecodeError, match="5 bands of uint16, where the model reads red, green and blue"):
        made.predict(tmp_path / "b.npy")


def scenes(root: Path, kind: str, count: int = 40) -> Path:
    """A square or a disc in five bands of 16 bits, seen in the fifth alone; where it is, as boxes or as masks."""
    draw = np.random.default_rng(0)
    rows = ["path,x0,y0,x1,y1,label"]
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    y, x = np.mgrid[:64, :64] + 0.5
    for number in range(count):
        side = draw.uniform(20, 30)
        left, top = draw.uniform(2, 62 - side, 2)
        name = ("square", "disc")[number % 2]
        inside = (abs(x - left - side / 2) < side / 2) & (abs(y - top - side / 2) < side / 2)
        if name == "disc":
            inside = np.hypot(x - left - side / 2, y - top - side / 2) < side / 2
        values = draw.normal(3_000, 250, (64, 64, 5))
        values[..., 4] += 2_000 * inside
        np.save(root / "images" / f"{number:03}.npy", values.clip(0, 65_535).astype(np.uint16))
        if kind == "masks":
            Image.fromarray(inside.astype(np.uint8)).save(root / "masks" / f"{number:03}.png")
        rows.append(f"images/{number:03}.npy,{left:.0f},{top:.0f},{left + side:.0f},{top + side:.0f},{name}")
        if kind == "detection" and number == 0:
            rows.append("images/000.npy,0,0,5,5,square")
    if kind == "masks":
        (root / "classes.txt").write_text("background\nthing\n")
    else:
        (root / "masks").rmdir()
        (root / "boxes.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.parametrize(
    ("kind", "task", "least"),
    [
        ("masks", "segmentation", 0.8),
        pytest.param("localization", "localization", 0.35, marks=pytest.mark.slow),
        pytest.param("detection", "detection", 0.3, marks=pytest.mark.slow),
    ],
)
def test_where_things_are_is_learned_from_the_fifth_band(
    kind: str, task: str, least: float, tiny: Path, tmp_path: Path
) -> None:
    data = scenes(tmp_path / "data", kind)
    said: list[Event] = []

    def watch(events):
        for event in events:
            said.append(event)
            yield event

    given = {
        **GIVEN,
        "batch": 8,
        "epochs": 12 if task != "localization" else 30,
        "input_size": 64,
        "crop": 0,
        "finest": 4,
        "coarsest": 8,
    }
    made = api.train(data, run=tmp_path / "run", watch=watch, **given)
    assert made.task.name == task
    (loaded,) = (event for event in said if isinstance(event, WeightsLoaded))
    assert loaded.notes[0].startswith("5 bands: the first layer's filters")
    assert len(made.preprocessing.bands) == made.net.backbone.channels == 5
    value = next(iter(SceneEvaluation.read(made.run / "evaluation.json").measures.values()))
    assert value > least, value
    again, path = api.load(made.run), data / "images" / "003.npy"
    assert str(again.predict(path)) == str(made.predict(path)) == str(made.predict(np.load(path)))
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    with pytest.raises(DecodeError, match="the model reads 5 bands"):
        made.predict(tmp_path / "a.png")
    if task == "segmentation":
        assert made.predict_in_windows(path).class_map.shape == (64, 64)
