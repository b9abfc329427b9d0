"""Several labels an image, from files to a model that names them: on scenes of several things, as annotated."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convworks import api
from convworks.cli.main import main
from convworks.data import sources, synthetic
from convworks.errors import DataError
from convworks.evaluation.labels import LabelEvaluation
from convworks.events import Candidate, DataFound, DepthProbed, EpochEnded, Event, Measured, SplitMade
from convworks.samples import MultiLabel
from quick_words import QUICK

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
    "views": 2,
    "crop_scale": 0.8,
}


def scenes(root: Path, count: int, side: int, classes: int) -> Path:
    """A table of what synthetic scenes show, made of their boxes, beside the pictures."""
    synthetic.write(
        root / "boxes",
        task="detection",
        count=count,
        classes=classes,
        size=(side, side),
        seed=0,
        style="scenes",
    )
    boxes = sources.read(root / "boxes")
    records = [
        replace(record, boxes=(), size=(0, 0), labels=tuple(sorted({one.name for one in record.boxes})))
        for record in boxes.records
    ]
    sources.write(replace(boxes, task="multilabel", records=records), root / "sets", source="csv")
    return root / "sets" / "labels.csv"


@pytest.fixture(scope="module")
def marks(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of stripes across, stripes down and discs, any of them or none, and a column a class."""
    root = tmp_path_factory.mktemp("marks")
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    rows = [["path", "across", "disc", "down"]]
    for number in range(96):
        across, disc, down = shows = draw.random(3) < 0.4
        a, b, c, d = draw.uniform(-6, 6, 4)
        wave = across * np.sin(0.9 * y + a) + down * np.sin(0.9 * x + b)
        wave = wave + 1.5 * disc * (np.hypot(x - 16 - c, y - 16 - d) < 8)
        noisy = 110 + 50 * wave[..., None] * draw.uniform(0.6, 1, 3) + draw.normal(0, 10, (32, 32, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(root / f"{number:03}.png")
        rows.append([f"{number:03}.png", *(str(int(one)) for one in shows)])
    (root / "labels.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    return root / "labels.csv"


@pytest.fixture(scope="module")
def trained(marks: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[api.Trained, list[Event]]:
    said: list[Event] = []

    def watch(events):
        for event in events:
            said.append(event)
            yield event

    run = tmp_path_factory.mktemp("runs") / "marks"
    made = api.train(marks, run=run, watch=watch, mode="finetune", epochs=3, **GIVEN)
    return made, said


def of(kind: type, said: list[Event]) -> list[Any]:
    return [event for event in said if isinstance(event, kind)]


def test_what_is_said_counts_images_and_not_labels(trained: tuple[api.Trained, list[Event]]) -> None:
    _, said = trained
    (found,), (split,) = of(DataFound, said), of(SplitMade, said)
    assert found.images == 96 < sum(found.counts.values()) + 30
    assert split.train + split.tuning + split.held_out == 96
    assert 0.25 < split.chance < 0.55, "the mean share of images that show a class"


def test_epochs_candidates_and_depth_are_told_by_measures_of_an_order(
    trained: tuple[api.Trained, list[Event]],
) -> None:
    _, said = trained
    assert {event.measure for event in of(EpochEnded, said)} == {"mean average precision"}
    candidates = of(Candidate, said)
    assert [one.name for one in candidates][:2] == ["probe", "fine-tuned"]
    assert sum(one.chosen for one in candidates) == 1
    assert all(0 <= one.value <= 1 for one in candidates)
    (depth,) = of(DepthProbed, said)
    assert "ROC" in depth.measure
    assert all(0.4 < share <= 1 for _, share in depth.stages)


def test_it_learns_and_the_score_is_that_of_the_images_that_chose_nothing(
    trained: tuple[api.Trained, list[Event]], marks: Path
) -> None:
    made, said = trained
    (scored,) = of(Measured, said)
    kept = LabelEvaluation.read(made.run / "evaluation.json")
    assert scored.value > kept.baseline + 0.2
    assert scored.low <= scored.value <= scored.high
    parts = {path: part for path, _, part, _ in json.loads((made.run / "data.json").read_text())["images"]}
    assert {parts[path] for path in kept.paths} == {"measure"}
    with pytest.warns(UserWarning, match="flatters"):
        again = api.evaluate(made, marks)
    rows = {path: row for row, path in enumerate(again.paths)}
    order = [rows[path] for path in kept.paths]
    assert isinstance(again, LabelEvaluation)
    assert (again.truth[order] == kept.truth).all()
    np.testing.assert_allclose(again.probabilities[order], kept.probabilities, atol=1e-5)


def test_a_saved_model_names_what_it_named_before(
    trained: tuple[api.Trained, list[Event]], marks: Path
) -> None:
    made, _ = trained
    assert len(made.thresholds) == 3
    picture = marks.parent / "007.png"
    before, after = made.predict(picture), api.load(made.run).predict(picture)
    assert isinstance(before, MultiLabel)
    assert before.thresholds == after.thresholds == made.thresholds
    assert before.probabilities == pytest.approx(after.probabilities)


def test_the_command_line_writes_a_column_a_class(
    trained: tuple[api.Trained, list[Event]], marks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _ = trained
    assert main(["predict", str(made.run), str(marks.parent), "--to", str(tmp_path / "a.csv")]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert list(rows[0]) == ["path", "classes", "across", "disc", "down"]
    for row in rows:
        named = {
            name for name, cut in zip(made.classes, made.thresholds, strict=True) if float(row[name]) >= cut
        }
        assert set(filter(None, row["classes"].split("|"))) == named
    capsys.readouterr()
    assert main(["predict", str(made.run), str(marks.parent / "003.png")]) == 0
    assert str(made.predict(marks.parent / "003.png")) in capsys.readouterr().out
    assert main(["evaluate", str(made.run), str(marks), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["classes"]) == {"across", "disc", "down"}
    assert told["low"] <= told["measures"]["mean average precision"] <= told["high"]


def test_the_report_shows_score_classes_and_mistakes(trained: tuple[api.Trained, list[Event]]) -> None:
    made, _ = trained
    page = (made.run / "report.html").read_text()
    for part in ('id="score"', 'id="classes"', 'id="mistakes"', 'id="confusion"', "What is shown together"):
        assert part in page
    assert "Precision over recall of disc" in page
    assert ">0 of 1" not in page, "what is not right or wrong is not counted as such"


def test_few_images_get_a_linear_model_with_thresholds_of_its_own(marks: Path, tmp_path: Path) -> None:
    made = api.train(marks, run=tmp_path / "few", watch=lambda events: events, mode="extract", **GIVEN)
    assert len(made.thresholds) == 3
    kept = LabelEvaluation.read(made.run / "evaluation.json")
    assert kept.measures["mean average precision"] > kept.baseline + 0.15


def test_one_class_an_image_is_no_measure_of_several(
    trained: tuple[api.Trained, list[Event]], tmp_path: Path
) -> None:
    for name in ("across", "disc"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (32, 32)).save(tmp_path / name / "a.png")
    with pytest.raises(DataError, match="several classes"):
        api.evaluate(trained[0], tmp_path)


def test_a_class_that_nothing_shows_where_it_learns_is_refused(
    tiny: Path, marks: Path, tmp_path: Path
) -> None:
    table = tmp_path / "labels.csv"
    rows = [f"{marks.parent / f'{number:03}.png'}" for number in range(24)]
    for path in rows:
        (tmp_path / Path(path).name).write_bytes(Path(path).read_bytes())
    lines = [
        f"{Path(path).name},{'a' if n % 2 else 'b'}{'|c' if n > 20 else ''},{'val' if n > 15 else 'train'}"
        for n, path in enumerate(rows)
    ]
    table.write_text("path,labels,split\n" + "\n".join(lines) + "\n")
    with pytest.raises(DataError, match="nothing to learn c from"):
        api.train(table, run=tmp_path / "run", watch=lambda events: events, **GIVEN)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_model(
    marks: Path, tmp_path: Path, start: Callable[..., Any]
) -> None:
    words = [*QUICK, "--device", "cpu", "--epochs", "6", "--batch", "16", "--views", "2"]
    whole = start("train", marks, "--run", tmp_path / "whole", "--mode", "full", *words)
    assert whole.communicate()[0]
    assert whole.returncode == 0
    killed = start("train", marks, "--run", tmp_path / "killed", "--mode", "full", *words)
    while not list((tmp_path / "killed" / "checkpoints").glob("*")) and killed.poll() is None:
        pass
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    again = start("train", "--resume", tmp_path / "killed")
    again.communicate()
    assert again.returncode == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]
    facts = [json.loads((tmp_path / name / "model.json").read_text()) for name in ("whole", "killed")]
    assert facts[0]["thresholds"] == facts[1]["thresholds"]


@pytest.mark.slow
def test_the_pretrained_net_names_what_scenes_show(tmp_path: Path) -> None:
    table = scenes(tmp_path, 120, 160, 4)
    made = api.train(
        table, run=tmp_path / "run", watch=lambda events: events, device="cpu", mode="extract", views=1
    )
    kept = LabelEvaluation.read(made.run / "evaluation.json")
    assert kept.low > kept.baseline, kept.measures
    assert kept.measures["micro F1"] > 0.5, kept.measures
