"""The claim: kill training a hundred times at random moments, and nothing is lost, unreadable or different.

Each trial starts `convworks train`, kills it with SIGKILL at a random moment, resumes it, kills that too at random
moments, and lets it end; then its weights, answers and losses are compared bit for bit with those of a run that was
never killed. Between a kill and the resumption every checkpoint is read, and the epochs that had ended are counted.
Processes are forked from one that has loaded torch, so that a kill lands in the run and not in its imports.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import described, write

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["CONVWORKS_CHECKPOINT_SECONDS"] = "0"  # after every step, so that many kills land in a save

RECIPES = {
    "scratch": "--mode scratch --epochs 4 --workers 2",
    "fine-tuning": "--mode finetune --freeze 2 --views 2 --epochs 4 --workers 0",
}
FIXED = "--backbone nin --weights none --threads 1 --precision float32 --channels-last false --batch 8 --input-size 32"
TIMES = ("seconds", "remaining", "time")


def main() -> int:
    """Runs the trials and prints the table; 1 where something went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="(default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    args = parser.parse_args()
    _load()
    draw, found = random.Random(args.seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="convworks-soak-") as name:
        work = Path(name)
        data = _pictures(work / "data")
        whole: dict[str, tuple[dict[str, Any], float]] = {}
        for recipe in RECIPES:
            began = time.monotonic()
            _ended(_start("train", data, "--run", work / recipe, *_options(recipe)), work / recipe)
            whole[recipe] = outcome(work / recipe), time.monotonic() - began
        trial = 0
        while found["kills"] < args.kills:
            recipe = list(RECIPES)[trial % len(RECIPES)]
            run = work / f"trial-{trial}"
            reference, seconds = whole[recipe]
            _trial(data, run, recipe, seconds, min(3, args.kills - found["kills"]), draw, found)
            found["runs"] += 1
            found["runs not identical"] += outcome(run) != reference
            found["temporary files left"] += len(list(run.rglob("*.tmp")))
            trial += 1
            print(f"\r{found['kills']} of {args.kills} kills", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    rows = ("kills", "kills within a save", "runs", "checkpoints read after a kill", *BAD)
    for row in rows:
        print(f"{row:<32}{found[row]:>6}")
    write("soak", {**{row.replace(" ", "_"): found[row] for row in rows}, "machine": described("torch")})
    return 1 if any(found[row] for row in BAD) else 0


BAD = ("checkpoints unreadable", "finished epochs lost", "runs not identical", "temporary files left")


def _trial(
    data: Path, run: Path, recipe: str, seconds: float, kills: int, draw: random.Random, found: Counter[str]
) -> None:
    """One run with `kills` kills at moments that are uniform over the time that it takes."""
    words: list[str | Path] = ["train", data, "--run", run, *_options(recipe)]
    for _ in range(kills):
        child = _start(*words)
        time.sleep(draw.uniform(0, seconds))
        over = os.waitpid(child, os.WNOHANG)[0] != 0
        if over:
            return
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found["kills"] += 1
        found["kills within a save"] += bool(list(run.rglob("*.tmp")))
        _inspect(run, found)
        if (run / "recipe.toml").exists():
            words = ["train", "--resume", run]
    _ended(_start(*words), run)


def _inspect(run: Path, found: Counter[str]) -> None:
    """Reads every checkpoint that a kill left, and looks whether an epoch that was said to be saved is there."""
    from convworks.errors import ModelFileError
    from convworks.training import checkpoint

    newest = 0
    for path in sorted((run / "checkpoints").glob(checkpoint.PATTERN)):
        found["checkpoints read after a kill"] += 1
        try:
            newest = max(newest, checkpoint.read(path).state["epoch"])
        except ModelFileError:
            found["checkpoints unreadable"] += 1
    said = [event for event in _events(run) if event["event"] == "CheckpointSaved"]
    found["finished epochs lost"] += max((event["epoch"] for event in said), default=0) > newest


def outcome(run: Path) -> dict[str, Any]:
    """All that a run leaves that must be equal: weights, answers, the history of losses."""
    epochs = {event["epoch"]: event for event in _events(run) if event["event"] == "EpochEnded"}
    evaluation = json.loads((run / "evaluation.json").read_text())
    return {
        "weights": hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest(),
        "evaluation": {name: value for name, value in evaluation.items() if name not in TIMES},
        "epochs": {
            number: {name: value for name, value in epoch.items() if name not in TIMES}
            for number, epoch in epochs.items()
        },
    }


def _events(run: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    log = run / "events.jsonl"
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # the line that was being written when the process was killed
    return found


def _options(recipe: str) -> Sequence[str]:
    return [*FIXED.split(), *RECIPES[recipe].split()]


def _load() -> None:
    """Everything that a run imports, once."""
    from importlib import import_module

    for module in (
        "convworks.api",
        "convworks.cli.train",
        "convworks.report.html",
        "convworks.backbones.nin",
    ):
        import_module(module)


def _start(*words: str | Path) -> int:
    child = os.fork()
    if child:
        return child
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(quiet, number)
    from convworks.cli.main import main as command

    os._exit(command([str(word) for word in words]))


def _ended(child: int, run: Path) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        sys.exit(f"{run.name} ended with exit code {code}")


def _pictures(folder: Path) -> Path:
    from convworks.cli.main import main as command

    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(
            command(
                [
                    "sample-data",
                    str(folder),
                    "--count",
                    "48",
                    "--classes",
                    "3",
                    "--size",
                    "32x32",
                    "--layout",
                    "flat",
                    "--workers",
                    "1",
                ]
            )
        )
    _ended(child, folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
