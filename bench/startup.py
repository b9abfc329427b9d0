"""How long it takes to start: CPU seconds of whole processes, beside an empty Python and two peers.

    python bench/startup.py [n]

Claims: `convworks --help`, `import convworks` and `convworks design` within 5 times an empty Python, and no
torch loaded.
The runs alternate (A B C A B C ...), so that whatever else the machine does falls on all of them alike.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from machine import HERE, PEERS, described, peers, write

HEAVY = ("torch", "numpy", "torchvision", "timm", "rich", "scipy", "cv2", "PIL")
DESIGN = ["design", "conv5-16 relu pool2 conv5-32 relu pool2 fc10", "--input", "32x32x3"]
LIMIT = 5.0
# Bytecode is kept, as it is where packages are installed; a peer's remarks about its own imports are not of interest.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONWARNINGS": "ignore",
}


def commands() -> dict[str, list[str]]:
    """The processes to start; `design` where there is the verb, peers where they are there."""
    script = str(Path(sys.executable).parent / "convworks")
    found = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "convworks --help": [script, "--help"],
        "import convworks": [sys.executable, "-c", "import convworks"],
    }
    if find_spec("convworks.cli.design"):
        found["convworks design"] = [script, *DESIGN]
    if PEERS.exists():
        found["import fastai.vision.all"] = [str(PEERS), "-c", "from fastai.vision.all import *"]
        found["import ultralytics.YOLO"] = [str(PEERS), "-c", "from ultralytics import YOLO"]
        found["import torch"] = [str(PEERS), "-c", "import torch"]
    return found


def cpu_seconds(command: list[str]) -> float:
    """Processor time, user and system, of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def loaded(words: list[str]) -> list[str]:
    """Which of the heavy packages the command line `convworks WORDS` has loaded by its end."""
    code = (
        "import sys; from convworks.cli.main import main; main(sys.argv[1:]);"
        f"print('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return shown.stdout.rpartition("loaded:")[2].split()


def main() -> int:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    processes = commands()
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    for run in range(n + 1):
        for name, command in processes.items():
            if name.startswith("import ") and "convworks" not in name and run > 5:
                continue  # seconds each: five runs are enough
            taken = cpu_seconds(command)
            if run:  # the first run reads from the disk
                seconds[name].append(taken)

    empty = statistics.median(seconds["python -c pass"])
    rows = {
        name: {
            "cpu_seconds": round(statistics.median(taken), 4),
            "times_an_empty_python": round(statistics.median(taken) / empty, 2),
            "n": len(taken),
        }
        for name, taken in seconds.items()
    }
    heavy = {"--help": loaded(["--help"])}
    if "convworks design" in rows:
        heavy["design"] = loaded(DESIGN)
    result = {"claim": f"within {LIMIT} times an empty Python", "rows": rows, "heavy_packages_loaded": heavy}
    target = write(
        "startup",
        result | {"machine": described("convworks"), "peers": peers("torch", "fastai", "ultralytics")},
    )

    for name, row in rows.items():
        print(
            f"{name:28} {row['cpu_seconds']:8.4f} CPU-s  {row['times_an_empty_python']:7.2f} x   n={row['n']}"
        )
    print(f"written to {target.relative_to(HERE)}")
    ours = [row for name, row in rows.items() if "convworks" in name]
    slow = [row for row in ours if row["times_an_empty_python"] > LIMIT]
    return int(bool(slow) or any(heavy.values()))


if __name__ == "__main__":
    raise SystemExit(main())
