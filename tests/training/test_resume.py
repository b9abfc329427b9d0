"""A run that is killed at any moment and resumed is, bit for bit, the run that was never killed."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]
TIMES = ("seconds", "remaining", "time", "cpu_seconds")

SCRATCH = ("--mode", "scratch", "--epochs", "6")
FINETUNE = ("--mode", "finetune", "--freeze", "2", "--views", "2", "--epochs", "6", "--average", "0.9")


def options(*more: str) -> tuple[str, ...]:
    fixed = "--backbone tiny --weights none --threads 1 --precision float32 --channels-last false --batch 8"
    return (*fixed.split(), *more)


def outcome(run: Path) -> dict[str, Any]:
    """All that a run leaves that must be equal: weights, answers, the history of losses."""
    history = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    epochs = {event["epoch"]: event for event in history if event["event"] == "EpochEnded"}
    evaluation = json.loads((run / "evaluation.json").read_text())
    return {
        "weights": hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest(),
        "evaluation": {name: value for name, value in evaluation.items() if name not in TIMES},
        "epochs": [
            {name: value for name, value in epochs[number].items() if name not in TIMES}
            for number in sorted(epochs)
        ],
    }


def ended(process: Any, code: int = 0) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out + err


def until(process: Any, run: Path, word: str, count: int = 1) -> None:
    """Waits until the run has said `word` so many times."""
    log = run / "events.jsonl"
    while not (log.is_file() and log.read_text().count(word) >= count):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.mark.parametrize("mode", [SCRATCH, FINETUNE], ids=["scratch", "finetune"])
def test_a_killed_run_is_resumed_to_the_bit(
    mode: tuple[str, ...], tmp_path: Path, patterns: Callable[..., Path], start: Start
) -> None:
    data = patterns(tmp_path / "data")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    ended(start("train", data, "--run", whole, "--workers", "1", *options(*mode)))
    process = start("train", data, "--run", killed, "--workers", "2", *options(*mode))
    draw = random.Random(0)
    for kill in range(2):
        until(process, killed, "CheckpointSaved", 5 * kill + draw.randint(1, 5))
        process.kill()
        process.communicate()
        assert not (killed / "model.safetensors").exists(), "it was killed too late to show anything"
        process = start("train", "--resume", killed)
    said = ended(process)
    assert "Resumed" in said
    assert outcome(killed) == outcome(whole)
    assert not list(killed.rglob("*.tmp")), "a temporary file of a killed process is left"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_saves_and_leaves_with_its_code(
    number: signal.Signals, tmp_path: Path, patterns: Callable[..., Path], start: Start
) -> None:
    data, run = patterns(tmp_path / "data"), tmp_path / "run"
    long = options("--mode", "scratch", "--epochs", "500", "--workers", "1")
    process = start("train", data, "--run", run, *long)
    until(process, run, "EpochEnded", 2)
    began = time.monotonic()
    process.send_signal(number)
    said = ended(process, 128 + number)
    assert time.monotonic() - began < 10
    assert f"convworks train --resume {run}" in " ".join(said.split())
    assert "Traceback" not in said
    from convworks.training import checkpoint

    saved, note = checkpoint.latest(run / "checkpoints")
    assert saved is not None
    assert note == ""
    ended_epochs = (run / "events.jsonl").read_text().count('"EpochEnded"')
    assert saved.state["epoch"] == ended_epochs, "an epoch that had ended is lost"
    assert not (run / "model.safetensors").exists()


def test_a_second_signal_leaves_at_once_and_the_files_are_whole(
    tmp_path: Path, patterns: Callable[..., Path], start: Start
) -> None:
    data, run = patterns(tmp_path / "data"), tmp_path / "run"
    long = options("--mode", "scratch", "--epochs", "500", "--workers", "1")
    process = start("train", data, "--run", run, *long)
    until(process, run, "EpochEnded", 2)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode in (130, 143)
    from convworks.training import checkpoint

    saved, note = checkpoint.latest(run / "checkpoints")
    assert saved is not None
    assert note == ""
