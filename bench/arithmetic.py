"""A net of a hundred layers checked, in processor time after start-up, and what each tool says of nets with faults.

    python bench/arithmetic.py [rounds]

Claims: a hundred layers are checked in under 5 ms; of a layer that leaves rows unread, of a receptive field, of
what would mend it and of a linear layer written for another size, torchinfo and torch-scan say nothing or a wrong
number. The same modules go to all of them, on the processor. Runs alternate (A B C A B C ...) in one process with one
thread; figures are medians of CPU seconds. With .bench-env, made by `make bench-env`, everything runs in there.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import statistics
import sys
import time
from collections.abc import Callable

from machine import HERE, PEERS, described, write

LIMIT = 0.005
INPUT = (32, 32, 3)
NOTATION = " ".join(["conv3-16 p1 bn relu"] * 33 + ["fc10"])
FAULTY = "conv5-16 p2 pool2 conv3-32 s3 pool2"
FIELDS = [5, 6, 10, 16]
"""What the units of FAULTY's layers see, as the gradient says."""


def hundred(torch):
    """33 convolutions of 3x3, each with a batch norm and a ReLU, and a linear layer."""
    nn = torch.nn
    parts, channels = [], INPUT[2]
    for _ in range(33):
        parts += [nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
        channels = 16
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(16 * INPUT[0] * INPUT[1], 10))


def faulty(torch, features: int):
    """A convolution with stride 3 that leaves a row unread, and a linear layer for `features` numbers."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, padding=2),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, stride=3),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(features, 10),
    )


def contestants(torch) -> dict[str, Callable[[object], str]]:
    """Name -> what a tool says of a module, as text."""
    height, width, channels = INPUT

    def ours(module) -> str:
        import convworks

        return str(convworks.check(module, input=INPUT))

    def info(module) -> str:
        from torchinfo import summary

        return str(summary(module, input_size=(1, channels, height, width), verbose=0))

    def scan(module) -> str:
        from torchscan import summary

        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            summary(module, (channels, height, width), receptive_field=True)
        return said.getvalue()

    found: dict[str, Callable[[object], str]] = {"convworks, module": ours}
    if importlib.util.find_spec("torchinfo"):
        found["torchinfo"] = info
    if importlib.util.find_spec("torchscan"):
        found["torch-scan"] = scan
    return found


def timed(torch, rounds: int) -> dict[str, float]:
    """Median CPU seconds of a check of a hundred layers, as a notation and as a module, and of the peers' tables."""
    import convworks

    net = hundred(torch).eval()
    runs: dict[str, Callable[[], object]] = {
        "convworks, notation": lambda: convworks.check(NOTATION, input=INPUT),
        "convworks, module": lambda: convworks.check(net, input=INPUT),
    }
    for name, tell in contestants(torch).items():
        if name not in runs:
            runs[name] = lambda tell=tell: tell(net)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            began = time.process_time()
            run()
            if number:  # the first run imports
                seconds[name].append(time.process_time() - began)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def reported(torch) -> dict[str, dict[str, str]]:
    """What each tool says of nets with faults: rows unread, the field of the last pool, a fix, a wrong linear layer."""
    table: dict[str, dict[str, str]] = {}
    for name, tell in contestants(torch).items():
        said, wrong = tell(faulty(torch, 128).eval()), failing(tell, faulty(torch, 2048).eval())
        low = said.lower()
        table[name] = {
            "rows never read": "said" if "never read" in low or "unread" in low else "not said",
            "receptive field": field(name, said),
            "smallest fix": "said" if "padding 1 gives" in said else "not said",
            "linear written for another size": wrong,
        }
    return table


def field(name: str, said: str) -> str:
    """The receptive field that a tool gives for the last pool, and whether it is right."""
    if name.startswith("convworks"):
        right = all(f" {size} " in said for size in FIELDS)
        return f"{FIELDS[-1]} px" if right else "wrong"
    if name != "torch-scan":
        return "not said"
    rows = [line.split() for line in said.splitlines() if "MaxPool2d" in line]
    last = rows[-1][-1] if rows else "?"
    return f"{last} px" + ("" if last == str(FIELDS[-1]) else f", which is wrong: {FIELDS[-1]}")


def failing(tell: Callable[[object], str], module: object) -> str:
    """How a tool says that a linear layer gets 128 numbers and was written for 2048."""
    try:
        said = tell(module)
    except Exception as error:  # that is how the peers say it
        import traceback

        text = "".join(traceback.format_exception(error))
        sizes = "names both sizes" if "1x128 and 2048x10" in text else "names no sizes"
        fix = "what to write" if "Linear(128" in text else "not what to write"
        return f"a traceback of {len(text.splitlines())} lines, which {sizes} and {fix}"
    return "one line, with Linear(128, 10)" if "Linear(128, 10) gives" in said else "not said"


def main() -> int:
    if PEERS.exists() and importlib.util.find_spec("torchinfo") is None and not os.environ.get("AGAIN"):
        # PyTorch and Convworks are borrowed from where this was called.
        os.environ.update(AGAIN="1", PYTHONPATH=str(HERE / "src"), OMP_NUM_THREADS="1")
        os.execv(PEERS, [str(PEERS), "-W", "ignore", __file__, *sys.argv[1:]])
    import torch

    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    seconds, table = timed(torch, rounds), reported(torch)
    result = {
        "claim": f"a hundred layers checked in under {1000 * LIMIT:g} ms",
        "rounds": rounds,
        "milliseconds": {name: round(1000 * taken, 2) for name, taken in seconds.items()},
        "reported": table,
        "machine": described("convworks", "torch", "torchinfo", "torchscan"),
    }
    target = write("arithmetic", result)
    for name, taken in seconds.items():
        print(f"{name:24} {1000 * taken:8.2f} ms CPU, a hundred layers, n={rounds}")
    for what in next(iter(table.values())):
        print(f"\n{what}")
        for name, said in table.items():
            print(f"  {name:24} {said[what]}")
    print(f"\nwritten to {target.relative_to(HERE)}")
    return int(any(taken > LIMIT for name, taken in seconds.items() if name.startswith("convworks")))


if __name__ == "__main__":
    raise SystemExit(main())
