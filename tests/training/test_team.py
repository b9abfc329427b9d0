"""Several processes give what one gives; when one is lost the others end, and say so, instead of waiting."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from convworks.cli.options import parser_of, verb_module
from convworks.training.team import Team
from quick_words import QUICK

Start = Callable[..., Any]
OPTIONS = (*QUICK, "--batch", "16", "--micro-batch", "4", "--device", "cpu")
SCRATCH = ("--mode", "scratch")
FROZEN = ("--mode", "full")


def team(start: Start, *words: str | Path, size: int = 2) -> list[Any]:
    """The processes that torchrun would start, in the environment that it would give them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1"}
    return [
        start(*words, **shared, MASTER_PORT=port, RANK=str(rank), LOCAL_RANK=str(rank))
        for rank in range(size)
    ]


def ended(processes: Sequence[Any], code: int = 0) -> list[tuple[str, str]]:
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [code] * len(processes), said
    return said


def losses(run: Path) -> list[float]:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [event["train_loss"] for event in events if event["event"] == "EpochEnded"]


def until_first_epoch(run: Path, process: Any) -> None:
    log = run / "events.jsonl"
    while not (log.is_file() and "EpochEnded" in log.read_text()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize("mode", [SCRATCH, FROZEN], ids=["live norms", "frozen norms"])
def test_two_processes_give_what_one_gives(
    mode: tuple[str, ...], tmp_path: Path, patterns: Callable[..., Path], start: Start
) -> None:
    data, one, two = patterns(tmp_path / "data"), tmp_path / "one", tmp_path / "two"
    words = (*OPTIONS, *mode, "--epochs", "3")
    ended([start("train", data, "--run", one, *words)])
    (_, follower) = ended(team(start, "train", data, "--run", two, *words))
    assert follower == ("", ""), "only the leader speaks"
    first, second = (load_file(run / "model.safetensors") for run in (one, two))
    for name, value in first.items():
        if "num_batches" not in name:  # sums over parts in another order: the last bits of float32
            torch.testing.assert_close(second[name], value, rtol=1e-4, atol=1e-5, msg=name)
    assert losses(two) == pytest.approx(losses(one), rel=1e-5)
    alone, shared = (json.loads((run / "evaluation.json").read_text()) for run in (one, two))
    for field in ("paths", "truth", "classes"):
        assert shared[field] == alone[field], "every picture is measured once"
    for ours, theirs in zip(shared["probabilities"], alone["probabilities"], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_a_process_that_is_killed_ends_the_other_which_says_how_to_go_on(
    tmp_path: Path, patterns: Callable[..., Path], start: Start
) -> None:
    data, run = patterns(tmp_path / "data"), tmp_path / "run"
    leader, other = team(start, "train", data, "--run", run, *OPTIONS, *SCRATCH, "--epochs", "5000")
    until_first_epoch(run, leader)
    other.kill()
    began = time.monotonic()
    _, said = leader.communicate(timeout=60)
    other.communicate()
    assert time.monotonic() - began < 60
    assert leader.returncode == 3
    assert "lost another process" in said
    assert len(said.splitlines()) <= 6
    recipe = run / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 5000", "epochs = 2"))
    ended([start("train", "--resume", run)])
    assert (run / "model.safetensors").is_file()


def test_a_process_that_fails_says_why_and_nobody_waits(
    tmp_path: Path, patterns: Callable[..., Path], start: Start
) -> None:
    data, run = patterns(tmp_path / "data"), tmp_path / "run"
    words = (*OPTIONS[2:], *SCRATCH, "--epochs", "5000")
    processes = team(start, "train", data, "--run", run, "--backbone", "faulty", *words)
    began = time.monotonic()
    (_, leader), (_, other) = ended(processes, 3)
    assert time.monotonic() - began < 60
    assert "a fault of this process alone" in other
    assert "process 1 of 2" in other
    assert "lost another process" in leader


def test_a_mistake_that_all_make_is_said_once(tmp_path: Path, start: Start) -> None:
    (_, leader), (_, other) = ended(team(start, "train", tmp_path / "nothing", *OPTIONS), 2)
    assert "nothing" in leader
    assert other == ""


def test_a_signal_to_one_stops_all_with_everything_saved(
    tmp_path: Path, patterns: Callable[..., Path], start: Start
) -> None:
    data, run = patterns(tmp_path / "data"), tmp_path / "run"
    leader, other = team(start, "train", data, "--run", run, *OPTIONS, *SCRATCH, "--epochs", "5000")
    until_first_epoch(run, leader)
    other.send_signal(signal.SIGTERM)
    ended([leader, other], 143)
    assert list((run / "checkpoints").iterdir())


@pytest.mark.slow
def test_under_torchrun_it_is_the_same(tmp_path: Path, patterns: Callable[..., Path], tiny: Path) -> None:
    data, run = patterns(tmp_path / "data"), tmp_path / "run"
    path = os.pathsep.join([str(tiny), os.environ.get("PYTHONPATH", "")])
    begun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "convworks"]
    words = ["train", data, "--run-folder", run, *OPTIONS, *SCRATCH, "--epochs", "2"]
    settings = {**os.environ, "PYTHONPATH": path, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    shown = subprocess.run(
        [*begun, *map(str, words)], env=settings, capture_output=True, text=True, timeout=200, check=True
    )
    assert shown.stdout.count("Score") == 1
    assert (run / "model.safetensors").is_file()


def test_torchrun_takes_no_option_of_ours_for_its_own() -> None:
    from torch.distributed.run import parse_args

    shown = parser_of("train", verb_module("train")).format_help()
    ours = sorted(set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--run", "--help"})
    assert len(ours) > 30
    words = [word for option in ours for word in (option, "value")]
    given = parse_args(["--nproc-per-node=2", "-m", "convworks", "train", "data", *words])
    assert given.training_script_args == ["train", "data", *words]


def test_a_team_of_one_has_no_special_case() -> None:
    alone = Team()
    assert alone.leads
    assert alone.share(3) == [0, 1, 2]
    assert Team(rank=1, size=3).share(7) == [1, 4]
    value = torch.tensor([1.0, 2.0])
    alone.sum([value])
    assert value.tolist() == [1, 2]
    assert alone.gather("x") == ["x"]
    assert alone.from_leader(5) == 5
    assert alone.any(True)
    assert not alone.any(False)
    assert alone.rows(torch.tensor([[2.0], [1.0]]), [1, 0], 2).tolist() == [[1], [2]]


def test_pieces_are_shared_without_gap_or_overlap() -> None:
    for size in (1, 2, 3, 5):
        pieces = [piece for rank in range(size) for piece in Team(rank=rank, size=size).share(11)]
        assert sorted(pieces) == list(range(11))
        for rank in range(size):
            numbers = Team(rank=rank, size=size).places()
            assert [next(numbers) for _ in range(3)] == [rank, rank + size, rank + 2 * size]
