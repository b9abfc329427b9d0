"""Transfer learning beside fastai and a plain loop: the same images, the same backbone, the same weights.

    python bench/transfer.py                         every row that is not there yet, then the table
    python bench/transfer.py --task ants_bees --only "fastai frozen" --seeds 1

A row is one tool on one task with one seed, in a process of its own. Rows are kept in `bench/results/transfer.json`
as soon as they are measured: an interrupted bench goes on where it was. Tasks: the ants-and-bees pack, and 1,000
training and 2,000 test images of CIFAR-10 at 224 pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data import TASKS, lite0_weights
from machine import HERE, PEERS, RESULTS, described, peers, write

Row = dict[str, Any]

FASTAI = HERE / "bench" / "peers" / "fastai_transfer.py"
OURS = HERE / "bench" / "ours_transfer.py"
LOOP = HERE / "bench" / "peers" / "loop_transfer.py"


def peer(script: Path, folder: Path, seed: int, *options: str) -> Row:
    """One peer's run as a row: its epochs, its best and last accuracy, its seconds with and without start-up."""
    command = [str(PEERS), "-W", "ignore", str(script), str(folder), "--weights", str(lite0_weights())]
    shown = subprocess.run(
        [*command, "--seed", str(seed), *options], stdout=subprocess.PIPE, text=True, check=True
    )
    events = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("{")]
    epochs = [{key: value for key, value in event.items() if key != "event"} for event in events[1:-1]]
    return {**events[-1], "startup": events[0], "epochs": epochs}


def ours(folder: Path, seed: int, *options: str) -> Row:
    """One run of Convworks as a row."""
    command = [sys.executable, "-W", "ignore", str(OURS), str(folder), "--seed", str(seed), *options]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(shown.stdout.splitlines()[-1])


TOOLS: dict[str, Callable[[Path, int], Row]] = {
    "fastai frozen": lambda folder, seed: peer(FASTAI, folder, seed, "--mode", "frozen"),
    "fastai fine_tune": lambda folder, seed: peer(FASTAI, folder, seed, "--mode", "finetune"),
    "loop frozen": lambda folder, seed: peer(LOOP, folder, seed),
    "convworks frozen": lambda folder, seed: ours(
        folder, seed, "--mode", "extract", "--views", "1", "--size", "224"
    ),
    "convworks 5 views": lambda folder, seed: ours(
        folder, seed, "--mode", "extract", "--views", "5", "--size", "224"
    ),
    "convworks train": lambda folder, seed: ours(folder, seed),
}
"""What is compared: name -> one run on a folder with a seed."""


def kept() -> dict[str, Row]:
    """The rows that were measured before."""
    target = RESULTS / "transfer.json"
    return json.loads(target.read_text(encoding="utf-8"))["rows"] if target.exists() else {}


def table(rows: dict[str, Row]) -> str:
    """Medians over the seeds, a line a task and tool."""
    lines = [
        f"{'task':10} {'tool':18} {'best':>6} {'last':>6} {'wall s':>8} {'CPU s':>8} {'+ start-up':>10}  n"
    ]
    for task in TASKS:
        for tool in TOOLS:
            found = [row for key, row in rows.items() if key.rpartition("/")[0] == f"{task}/{tool}"]
            if found:
                best, last = (statistics.median(row[key] for row in found) for key in ("best", "last"))
                wall, cpu = (
                    statistics.median(row["training"][unit] for row in found) for unit in ("wall", "cpu")
                )
                whole = statistics.median(row["with_startup"]["wall"] for row in found)
                lines.append(
                    f"{task:10} {tool:18} {best:6.3f} {last:6.3f} {wall:8.1f} {cpu:8.1f} {whole:10.1f}  {len(found)}"
                )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=TASKS, action="append", help="one of the tasks (all)")
    parser.add_argument("--only", choices=TOOLS, action="append", help="one of the tools (all)")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 on")
    parser.add_argument("--again", action="store_true", help="measure rows anew that are there")
    args = parser.parse_args()
    rows = kept()
    for task in args.task or TASKS:
        folder = TASKS[task]()
        for seed in range(args.seeds):
            for tool in args.only or TOOLS:
                key = f"{task}/{tool}/{seed}"
                if key in rows and not args.again:
                    continue
                print(f"{key} ...", flush=True)
                rows[key] = TOOLS[tool](folder, seed)
                machine = described("convworks", "torch", "torchvision", "timm")
                if machine["cores"] != os.cpu_count():
                    rows[key]["cores"] = machine["cores"]
                write(
                    "transfer", {"rows": rows, "machine": machine, "peers": peers("fastai", "torch", "timm")}
                )
    print(table(rows))


if __name__ == "__main__":
    main()
