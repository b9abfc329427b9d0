"""The main road by the command line: train, evaluate, predict, propose, and what each leaves."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_words import QUICK

Start = Callable[..., Any]
Patterns = Callable[..., Path]
EXTRACT = (*QUICK, "--mode", "extract", "--views", "1")


def ended(process: Any, code: int = 0) -> tuple[str, str]:
    out, err = process.communicate()
    assert process.returncode == code, err
    return out, err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, patterns: Patterns, start: Start) -> Path:
    place = tmp_path_factory.mktemp("road")
    ended(start("train", patterns(place / "data", 16), "--run", place / "run", *EXTRACT))
    return place / "run"


def test_a_run_leaves_what_repeats_it_measures_it_and_shows_it(run: Path) -> None:
    assert {path.name for path in run.iterdir()} >= {
        *("recipe.toml", "events.jsonl", "data.json", "model.safetensors", "model.json", "evaluation.json"),
        "report.html",
    }
    assert not (run / "run.lock").exists()
    assert "auto" not in [
        line.split(" = ")[-1].strip('"')
        for line in (run / "recipe.toml").read_text().split("\n")
        if not line.startswith(("input_size", "freeze", "micro_batch"))
    ]
    facts = json.loads((run / "model.json").read_text())
    assert facts["command"].startswith("convworks train ")
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["chosen_on"] == "nothing"


def test_the_recipe_of_a_run_repeats_it_to_the_bit(run: Path, tmp_path: Path, start: Start) -> None:
    words = ("train", run.parent / "data", "--run", tmp_path / "again", "--recipe", run / "recipe.toml")
    ended(start(*words))
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    ours, theirs = ((each / "recipe.toml").read_text() for each in (tmp_path / "again", run))
    assert ours == theirs, "the reasons are kept too"


def test_without_a_name_a_run_is_named_after_its_data_and_none_is_written_over(
    run: Path, tmp_path: Path, start: Start
) -> None:
    for name in ("data", "data-2"):
        ended(start("train", run.parent / "data", *EXTRACT, folder=tmp_path))
        assert (tmp_path / "runs" / name / "model.json").is_file()


def test_events_as_json_are_the_lines_of_the_log(run: Path, tmp_path: Path, start: Start) -> None:
    out, err = ended(start("train", run.parent / "data", "--run", tmp_path / "r", *EXTRACT, "--json"))
    shown = [json.loads(line) for line in out.splitlines()]
    kept = [json.loads(line) for line in (tmp_path / "r" / "events.jsonl").read_text().splitlines()]
    for event in (*shown, *kept):
        del event["time"]
    assert shown == kept
    assert shown[-1]["event"] == "Finished"
    assert err == ""


def test_answers_on_screen_as_csv_and_as_json_are_the_same(run: Path, tmp_path: Path, start: Start) -> None:
    dots = run.parent / "data" / "dots"
    screen, _ = ended(start("predict", run, dots))
    assert len(screen.splitlines()) == 16
    assert screen.startswith(f"{dots / '000.png'}: ")
    ended(start("predict", run, dots, "--to", tmp_path / "a.csv"))
    table = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    out, _ = ended(start("predict", run, dots, "--json"))
    document = json.loads(out)
    assert [row["class"] for row in table] == [each["class"] for each in document["answers"]]
    for row, each, line in zip(table, document["answers"], screen.splitlines(), strict=True):
        assert float(row["probability"]) == pytest.approx(each["probability"], abs=1e-6)
        assert float(row["dots"]) == pytest.approx(each["probabilities"]["dots"], abs=1e-6)
        assert line.endswith(f"{each['class']} {each['probability']:.2f}")


def test_a_bad_file_is_named_counted_and_holds_nobody_up(run: Path, tmp_path: Path, start: Start) -> None:
    data = Path(shutil.copytree(run.parent / "data", tmp_path / "data"))
    (data / "dots" / "bad.png").write_bytes(b"no picture")
    out, err = ended(start("predict", run, data / "dots"), 1)
    assert len(out.splitlines()) == 16
    assert "bad.png" in err
    assert "1 of 17 pictures could not be read" in err
    out, err = ended(start("evaluate", run, data, "--json"))
    assert json.loads(out)["of"] == 48
    assert "1 of 49 pictures set aside" in err
    assert "bad.png" in err
    shutil.rmtree(data)
    for name in ("bars", "dots"):
        (data / name).mkdir(parents=True)
        (data / name / "bad.png").write_bytes(b"no picture")
    _, err = ended(start("evaluate", run, data), 2)
    assert "bad.png" in err


def test_an_evaluation_says_its_score_with_interval_and_chance(
    run: Path, tmp_path: Path, start: Start
) -> None:
    out, _ = ended(start("evaluate", run, run.parent / "data", "--to", tmp_path / "all.json"))
    assert "of 48 right" in out
    assert "chance (0.33)" in out
    found = json.loads((tmp_path / "all.json").read_text())
    assert len(found["paths"]) == 48
    out, _ = ended(start("evaluate", run, run.parent / "data", "--json"))
    scored = json.loads(out)
    right = sum(
        max(range(3), key=row.__getitem__) == truth
        for row, truth in zip(found["probabilities"], found["truth"], strict=True)
    )
    assert scored["right"] == right
    assert scored["low"] < scored["accuracy"] < scored["high"] or scored["accuracy"] in (0, 1)
    assert set(scored["recall"]) == {"bars", "dots", "rings"}


def test_a_score_on_images_that_made_the_model_is_said_to_flatter(
    run: Path, tmp_path: Path, start: Start
) -> None:
    told = json.loads((run / "data.json").read_text())
    made = [path for path, _, part, _ in told["images"] if part != "measure"]
    out, err = ended(start("evaluate", run, run.parent / "data"))
    assert f"{len(made)} of 48 pictures made this model" in err
    assert "flatters" in out
    data = Path(shutil.copytree(run.parent / "data", tmp_path / "data"))
    for path in made:
        (data / path).unlink()
    out, err = ended(start("evaluate", run, data))
    assert "made this model" not in err
    assert "chose nothing" in out


def test_a_proposal_is_a_recipe_that_can_be_followed(run: Path, tmp_path: Path, start: Start) -> None:
    out, _ = ended(start("propose", run.parent / "data", *EXTRACT, "--to", tmp_path / "recipe.toml"))
    assert "data.input_size" in out
    words = ("train", run.parent / "data", "--recipe", tmp_path / "recipe.toml", "--run", tmp_path / "r")
    ended(start(*words))
    assert (tmp_path / "r" / "model.json").is_file()


def test_nothing_of_the_users_is_written_to(run: Path, tmp_path: Path, start: Start) -> None:
    data = Path(shutil.copytree(run.parent / "data", tmp_path / "data"))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in data.rglob("*")}
    ended(start("train", data, "--run", tmp_path / "r", *EXTRACT))
    ended(start("evaluate", tmp_path / "r", data))
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in data.rglob("*")} == before
