"""The main road uses no network: a folder becomes a model, an answer and a report while every socket is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

BLOCKED = """
import sys

def refuse(event, given):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        print("NETWORK", event, given, file=sys.stderr, flush=True)
        raise OSError(101, "the network was used")

sys.addaudithook(refuse)
from convworks.cli.main import main

data, run = sys.argv[1:]
quick = "--epochs 1 --freeze 8 --views 1 --threads 1 --workers 1 --input-size 64 --precision float32"
for words in (
    ["train", data, "--run", run, "--mode", "finetune", "--channels-last", "true", *quick.split()],
    ["predict", run, data + "/dots/000.png"],
    ["evaluate", run, data],
    ["report", run],
):
    code = main(words)
    assert code == 0, (words, code)
"""


def test_the_main_road_with_the_default_net_opens_no_socket(
    tmp_path: Path, patterns: Callable[..., Path]
) -> None:
    data, run = patterns(tmp_path / "data", 14), tmp_path / "run"
    shown = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(data), str(run)], capture_output=True, text=True, timeout=250
    )
    assert shown.returncode == 0, shown.stderr
    assert "NETWORK" not in shown.stderr
    assert "efficientnet-lite0" in shown.stdout
    assert "Apache-2.0" in shown.stdout
    assert (run / "report.html").stat().st_size > 1000
