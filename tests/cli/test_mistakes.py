"""The commonest mistakes, each through the real command line: what, where and the fix, in at most six lines."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quick_words import QUICK

EXTRACT = (*QUICK, "--mode", "extract", "--views", "1")
Start = Callable[..., Any]
Patterns = Callable[..., Path]


def refused(process: Any, code: int, *words: str) -> str:
    """What a process says on standard error that ends with `code`: short, and naming all of `words`."""
    _, said = process.communicate()
    assert process.returncode == code, said
    assert said.startswith("Error: ")
    assert len(said.splitlines()) <= 6, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, said
    return said


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, patterns: Patterns, start: Start) -> Path:
    """A finished run; tests copy it before they change it."""
    place = tmp_path_factory.mktemp("finished")
    process = start("train", patterns(place / "data"), "--run", place / "run", *EXTRACT)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return place / "run"


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "run"))


def test_no_such_folder(tmp_path: Path, start: Start) -> None:
    (tmp_path / "shapes").mkdir()
    refused(start("train", tmp_path / "shape"), 2, str(tmp_path / "shape"), "Fix:")


def test_no_images(tmp_path: Path, start: Start) -> None:
    (tmp_path / "data" / "cat").mkdir(parents=True)
    (tmp_path / "data" / "cat" / "notes.txt").write_text("none")
    refused(start("train", tmp_path / "data", "--run", tmp_path / "r"), 2, "data", "Fix:")
    assert not (tmp_path / "r").exists()


def test_one_class(tmp_path: Path, patterns: Patterns, start: Start) -> None:
    data = patterns(tmp_path / "data", 4)
    shutil.rmtree(data / "dots")
    shutil.rmtree(data / "rings")
    refused(start("train", data, "--run", tmp_path / "r", *EXTRACT), 2, "bars", "Fix:")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--epoch", "3"), ("--epoch", "did you mean --epochs?")),
        (("--epochs", "many"), ("optimiser.epochs", "'many'", "whole number")),
        (("--epochs", "0"), ("optimiser.epochs", "1 to 10000")),
        (("--lr", "0.1"), ("--lr", "--learning-rate")),
        (("--backbone", "resnet5o"), ("resnet5o",)),
        (("--mode", "finetun"), ("transfer.mode", "finetun", "finetune")),
        ((*EXTRACT[:-4], "--freeze", "9"), ("transfer.freeze = 9", "tiny has 4 stages", "0 to 4")),
    ],
)
def test_an_option_typed_wrong(
    words: tuple[str, ...], named: tuple[str, ...], tmp_path: Path, patterns: Patterns, start: Start
) -> None:
    data = patterns(tmp_path / "data", 2)
    refused(start("train", data, "--run", tmp_path / "r", *words), 2, *named)


def test_an_unreadable_recipe(tmp_path: Path, patterns: Patterns, start: Start) -> None:
    data, recipe = patterns(tmp_path / "data", 2), tmp_path / "recipe.toml"
    refused(start("train", data, "--recipe", recipe), 2, str(recipe))
    recipe.write_text("[optimiser\nepochs = 3")
    refused(start("train", data, "--recipe", recipe), 2, str(recipe), "Fix:")
    recipe.write_text("[optimiser]\nepoch = 3")
    refused(
        start("train", data, "--recipe", recipe), 2, str(recipe), "epoch", 'did you mean "optimiser.epochs"'
    )


def test_no_weights_and_no_network(tmp_path: Path, patterns: Patterns, start: Start) -> None:
    data = patterns(tmp_path / "data", 2)
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    words = ("--backbone", "timm/resnet10t", "--weights", "hub")
    refused(start("train", data, "--run", tmp_path / "r", *words, **offline), 2, "resnet10t", "Fix:")
    missing = tmp_path / "missing.safetensors"
    words = ("--backbone", "tiny", "--weights", str(missing))
    refused(start("train", data, "--run", tmp_path / "r", *words), 2, str(missing))


def test_a_full_disk(tmp_path: Path, patterns: Patterns, start: Start) -> None:
    """A limit on the size of files stands for a disk: the system refuses the same write in another word."""
    data, run = patterns(tmp_path / "data"), tmp_path / "run"
    words = (*EXTRACT[:-4], "--mode", "full", "--epochs", "60", "--batch", "8")
    process = start("train", data, "--run", run, *words)
    while not (run / "checkpoints").is_dir() or len(list((run / "checkpoints").glob("*.safetensors"))) < 2:
        assert process.poll() is None, process.communicate()
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    refused(process, 3, "could not be written", "MB are free", "what was saved before is intact")
    from convworks.training import checkpoint

    saved, note = checkpoint.latest(run / "checkpoints")
    assert saved is not None
    assert note == ""
    assert not list(run.rglob("*.tmp"))


def test_a_read_only_folder(tmp_path: Path, patterns: Patterns, start: Start) -> None:
    data = patterns(tmp_path / "data", 4)
    if os.geteuid() == 0:  # whom no permission stops: a file where a folder should be does
        (tmp_path / "taken").write_text("")
        refused(start("train", data, "--run", tmp_path / "taken" / "run", *EXTRACT), 3, "taken", "Fix:")
        return
    place = tmp_path / "place"
    place.mkdir(mode=0o500)
    refused(start("train", data, "--run", place / "run", *EXTRACT), 3, str(place), "Fix:")


def test_a_run_folder_that_holds_a_run(run: Path, start: Start) -> None:
    words = ("train", run.parent / "data", "--run", run, *EXTRACT)
    refused(start(*words), 2, str(run), "holds a run already", "--resume")


@pytest.mark.parametrize("kind", ["gone", "new", "of another class", "changed"])
def test_resuming_on_data_that_changed(kind: str, tmp_path: Path, patterns: Patterns, start: Start) -> None:
    data, run = patterns(tmp_path / "data", 8), tmp_path / "run"
    start("train", data, "--run", run, *EXTRACT).communicate()
    before = {path: part for path, _, part, _ in json.loads((run / "data.json").read_text())["images"]}
    extra = patterns(tmp_path / "extra", 2, seed=9) / "dots" / "000.png"
    match kind:
        case "gone":
            (data / "bars" / "003.png").unlink()
            named = ("bars/003.png",)
        case "new":
            shutil.copy(extra, data / "dots" / "new.png")
            named = ("dots/new.png",)
        case "changed":
            shutil.copy(extra, data / "dots" / "003.png")
            named = ("dots/003.png",)
        case _:
            (data / "dots" / "003.png").rename(data / "bars" / "moved.png")
            kind, named = "gone", ("dots/003.png", "bars/moved.png")
    refused(start("train", "--resume", run), 2, f"1 images {kind}", *named, "--accept-change")
    process = start("train", "--resume", run, "--accept-change")
    _, said = process.communicate()
    assert process.returncode == 0, said
    after = {path: part for path, _, part, _ in json.loads((run / "data.json").read_text())["images"]}
    assert all(after[path] == part for path, part in before.items() if path in after), (
        "an image changed its part"
    )
    if "bars/moved.png" in after:
        assert after["bars/moved.png"] == before["dots/003.png"]


def test_resuming_with_other_classes_is_refused_in_any_case(
    tmp_path: Path, patterns: Patterns, start: Start
) -> None:
    data, run = patterns(tmp_path / "data", 8), tmp_path / "run"
    start("train", data, "--run", run, *EXTRACT).communicate()
    (data / "dots").rename(data / "spots")
    refused(start("train", "--resume", run, "--accept-change"), 2, "spots", "cannot change its classes")


def test_a_best_epoch_that_was_judged_on_other_pictures_is_judged_again(
    tmp_path: Path, patterns: Patterns, start: Start
) -> None:
    data, run = patterns(tmp_path / "data", 10), tmp_path / "run"
    words = (*EXTRACT[:-4], "--mode", "full", "--epochs", "300", "--batch", "8")
    process = start("train", data, "--run", run, *words)
    log = run / "events.jsonl"
    while not (log.exists() and "EpochEnded" in log.read_text()):
        assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    recipe = run / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 300", "epochs = 3"))
    parts = {path: part for path, _, part, _ in json.loads((run / "data.json").read_text())["images"]}
    gone = next(path for path, part in parts.items() if part == "tune")
    (data / gone).unlink()
    process = start("train", "--resume", run, "--accept-change")
    _, said = process.communicate()
    assert process.returncode == 0, said


@pytest.mark.parametrize("device", ["cuda:7", "gpu"])
def test_a_wrong_device(device: str, run: Path, tmp_path: Path, start: Start) -> None:
    words = ("train", run.parent / "data", "--run", tmp_path / "r", *EXTRACT, "--device", device)
    refused(start(*words), 2, device, "cpu")
    refused(start("predict", run, run.parent / "data", "--device", device), 2, device, "cpu")


def test_a_model_of_another_version(copy: Path, run: Path, start: Start) -> None:
    facts = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({**facts, "format": 99}))
    refused(start("predict", copy, run.parent / "data"), 2, "format 99", "Fix: upgrade")


def test_a_run_that_has_no_model_yet(tmp_path: Path, start: Start) -> None:
    refused(start("predict", tmp_path, tmp_path), 2, "Error")
    refused(start("train", "--resume", tmp_path / "none"), 2, "holds no run")


def test_a_picture_that_is_not_there(run: Path, tmp_path: Path, start: Start) -> None:
    refused(start("predict", run, tmp_path / "cat.jpg"), 2, str(tmp_path / "cat.jpg"))


def test_a_class_that_the_model_does_not_know(
    run: Path, tmp_path: Path, patterns: Patterns, start: Start
) -> None:
    data = patterns(tmp_path / "data", 2)
    (data / "dots").rename(data / "spots")
    refused(start("evaluate", run, data), 2, "does not know spots", "bars, dots, rings")


def test_a_rate_at_which_nothing_can_learn(tmp_path: Path, patterns: Patterns, start: Start) -> None:
    data, run = patterns(tmp_path / "data"), tmp_path / "run"
    wild = (
        "--mode",
        "full",
        "--algorithm",
        "sgd",
        "--clip-norm",
        "0",
        "--learning-rate",
        "100",
        "--momentum",
        "0.99",
    )
    process = start("train", data, "--run", run, *EXTRACT[:-4], *wild, "--epochs", "200", "--warmup", "0")
    out, said = process.communicate()
    if process.returncode == 0:
        pytest.skip("this machine's rounding survived it")
    assert process.returncode == 3, said
    assert len(said.splitlines()) <= 6
    assert "not finite" in said
    assert "learning-rate" in said
    assert "The batch: " in out
    assert not (run / "model.safetensors").exists()
