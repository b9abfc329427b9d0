"""Whether a proposed net trains: `convworks design --for` beside ten random neighbours of its net, on synthetic sets.

    python bench/design.py                      every row that is not there yet, then the table
    python bench/design.py --only creatures --pace epochs

Each net learns from scratch through `convworks.train`, and is compared at two paces. By epochs all nets see every
image as often, as they would by the recipe of the set, which does not ask what a net costs. By work all nets compute as
much, so that a cheap one sees the images more often. The proposed net's epochs are about half of those of its recipe.
The best of ten noisy scores flatters its net: who is best is chosen with seed 0, and compared with the proposal on
seeds that chose nothing. A set that no net learns says nothing, and is marked so. Flat shapes of any colour on noise
are such a set, and are left out: of 800 pictures the proposed net learns nothing in all the epochs of its recipe (.35
of three classes). Rows are kept in `bench/results/design.json` as they are measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data import kept
from machine import RESULTS, described, write

Row = dict[str, Any]
Stages = tuple[tuple[tuple[int, int], ...], ...]
"""The (filter size, channels) of each layer of filters of each stage; a pooling lies between two stages."""

PACES = ("epochs", "work")
NEIGHBOURS = 10
CHOOSING, JUDGING = (0,), (1, 2)
MARGIN = 0.02
LEARNED = 0.1
"""Accuracy above chance from which a set says something of a net."""
SCRATCH = kept() / "design"


@dataclass(frozen=True, kw_only=True)
class Set:
    """A synthetic set: how it looks, how many images learn and measure, and the epochs of the proposed net."""

    style: str
    classes: int | list[str]
    side: int
    train: int
    measured: int
    epochs: int


SETS = {
    "creatures": Set(style="scenes", classes=4, side=40, train=800, measured=1_000, epochs=14),
    "textures": Set(
        style="scenes",
        classes=["bird", "crab", "flower", "snail"],
        side=72,
        train=400,
        measured=800,
        epochs=28,
    ),
}


def folder(name: str) -> Path:
    """The set on disk, written where it is not there yet."""
    from convworks.data import synthetic

    of = SETS[name]
    for part, seed, count in (("train", 0, of.train), ("val", 1, of.measured)):
        synthetic.write(
            SCRATCH / name / part,
            task="classification",
            count=count,
            classes=of.classes,
            size=(of.side, of.side),
            seed=seed,
            style=of.style,
            layout="flat",
        )
    return SCRATCH / name


def stages_of(notation: str) -> Stages:
    """The layers of filters of a proposed net, stage by stage."""
    from convworks.arithmetic.notation import parse
    from convworks.arithmetic.spec import Conv, Pool

    found: list[list[tuple[int, int]]] = [[]]
    for layer in parse(notation):
        if isinstance(layer, Pool):
            found.append([])
        elif isinstance(layer, Conv):
            found[-1].append((layer.kernel[0], layer.channels))
    return tuple(map(tuple, found))


def written(stages: Stages) -> str:
    """The notation of stages."""
    return " pool2 ".join(
        " ".join(f"conv{side}-{channels} p{side // 2} nobias bn relu" for side, channels in stage)
        for stage in stages
    )


def changed(stages: Stages, draw: random.Random) -> Stages:
    """A net with one thing changed: depth, filter size, channels, where a pooling lies, or the last stride."""
    found = [list(stage) for stage in stages]
    place = draw.randrange(len(found))
    match draw.choice(("deeper", "shallower", "filter", "channels", "pooling", "stride")):
        case "deeper":
            found[place].append(found[place][-1])
        case "shallower" if len(found[place]) > 1:
            found[place].pop()
        case "filter":
            found[place] = [(5 if side == 3 else 3, channels) for side, channels in found[place]]
        case "channels":
            factor = draw.choice((0.5, 0.75, 1.5, 2))
            found = [[(side, round(factor * channels)) for side, channels in stage] for stage in found]
        case "pooling" if place + 1 < len(found):
            earlier = draw.random() < 0.5 and len(found[place]) > 1
            if earlier:
                side, _ = found[place].pop()
                found[place + 1].append((side, found[place + 1][0][1]))
            elif len(found[place + 1]) > 1:
                side, _ = found[place + 1].pop()
                found[place].append((side, found[place][0][1]))
        case "stride" if draw.random() < 0.5:
            found.append([(side, 2 * channels) for side, channels in found[-1][:1]])
        case "stride" if len(found) > 2:
            found[-2:] = [found[-2] + [(side, found[-2][-1][1]) for side, _ in found[-1]]]
        case _:
            pass
    return tuple(map(tuple, found))


def neighbours(notation: str, count: int, seed: int) -> list[str]:
    """Nets that differ from this one by one or two random changes, each another."""
    draw = random.Random(seed)
    found: list[str] = []
    while len(found) < count:
        stages = stages_of(notation)
        for _ in range(draw.choice((1, 2))):
            stages = changed(stages, draw)
        if written(stages) not in (notation, *found):
            found.append(written(stages))
    return found


def trained(name: str, notation: str, side: int, epochs: int, seed: int) -> Row:
    """One training from scratch: its accuracy on the images that measure, and what it took."""
    import convworks
    from convworks.arithmetic.summary import design

    cost = design(notation, input=(side, side, 3))
    run = Path(tempfile.mkdtemp(prefix="design-"))
    began = time.process_time()
    try:
        convworks.train(
            SCRATCH / name,
            run=run / "run",
            backbone=notation,
            input_size=side,
            epochs=epochs,
            seed=seed,
            device="cpu",
            threads=1,
            workers=1,
            precision="bfloat16",
            channels_last=True,
            watch=lambda stream: stream,
        )
        found = json.loads((run / "run" / "evaluation.json").read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(run)
    answers = [max(range(len(row)), key=row.__getitem__) for row in found["probabilities"]]
    right = sum(answer == truth for answer, truth in zip(answers, found["truth"], strict=True))
    return {
        "net": notation,
        "accuracy": right / len(answers),
        "epochs": epochs,
        "multiply_adds": cost.multiply_adds,
        "parameters": cost.parameters,
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def measure(name: str, pace: str, rows: dict[str, Row], proposals: dict[str, Any]) -> None:
    """Every row of a set at a pace that is missing, kept one by one."""
    from convworks.arithmetic.summary import design
    from convworks.data.glance import propose_net

    found = propose_net(folder(name))
    side = found.aims.input.height
    nets = {"proposed": found.body}
    nets |= {f"neighbour {place}": net for place, net in enumerate(neighbours(found.body, NEIGHBOURS, 0), 1)}
    costs = {net: design(said, input=(side, side, 3)).multiply_adds for net, said in nets.items()}
    epochs = {
        net: max(1, round(SETS[name].epochs * costs["proposed"] / cost))
        if pace == "work"
        else SETS[name].epochs
        for net, cost in costs.items()
    }
    proposals[name] = {
        "net": found.body,
        "input": side,
        "choices": {choice.name: choice.value for choice in found.choices},
    }

    def keep(net: str, seed: int) -> None:
        key = f"{name}/{pace}/{net}/{seed}"
        same = [
            row
            for at, row in rows.items()
            if at.startswith(f"{name}/")
            and at.endswith(f"/{net}/{seed}")
            and row["net"] == nets[net]
            and row["epochs"] == epochs[net]
        ]
        if key not in rows or rows[key] not in same:
            rows[key] = same[0] if same else trained(name, nets[net], side, epochs[net], seed)
            print(f"{key:40} {rows[key]['accuracy']:.3f} {rows[key]['cpu_seconds']:6.1f} s", flush=True)
            save(rows, proposals)

    for seed in CHOOSING:
        for net in nets:
            keep(net, seed)
    for seed in JUDGING:
        keep("proposed", seed)
        keep(best(name, pace, rows), seed)


def mean(name: str, pace: str, net: str, rows: dict[str, Row], seeds: tuple[int, ...]) -> float:
    """The mean accuracy of a net over the seeds that are there; not a number where none is."""
    found = [rows[key]["accuracy"] for seed in seeds if (key := f"{name}/{pace}/{net}/{seed}") in rows]
    return statistics.mean(found) if found else float("nan")


def best(name: str, pace: str, rows: dict[str, Row]) -> str:
    """The neighbour with the highest accuracy on the seeds that choose."""
    every = [f"neighbour {place}" for place in range(1, NEIGHBOURS + 1)]
    nets = [net for net in every if f"{name}/{pace}/{net}/0" in rows]
    return max(nets, key=lambda net: mean(name, pace, net, rows, CHOOSING))


def verdicts(rows: dict[str, Row]) -> dict[str, Row]:
    """For each set and pace: the proposal and its best neighbour on seeds that chose nothing; is it within 2 points?"""
    found: dict[str, Row] = {}
    for name, pace in itertools.product(SETS, PACES):
        if not any(key.startswith(f"{name}/{pace}/neighbour") for key in rows):
            continue
        classes = SETS[name].classes if isinstance(SETS[name].classes, int) else len(SETS[name].classes)
        rival = best(name, pace, rows)
        scores = {
            net: {
                "choosing": round(mean(name, pace, net, rows, CHOOSING), 4),
                "judging": round(mean(name, pace, net, rows, JUDGING), 4),
            }
            for net in ("proposed", rival)
        }
        behind = scores[rival]["judging"] - scores["proposed"]["judging"]
        found[f"{name}, same {pace}"] = {
            **{
                ("proposed" if net == "proposed" else "best neighbour"): score
                for net, score in scores.items()
            },
            "which": rival,
            "points behind": round(100 * behind, 1),
            "learned": max(score["choosing"] for score in scores.values()) > 1 / classes + LEARNED,
            "within 2 points": behind <= MARGIN,
        }
    return found


def save(rows: dict[str, Row], proposals: dict[str, Any]) -> None:
    """Keep what was measured so far."""
    write(
        "design",
        {
            "machine": described("torch", "convworks"),
            "proposals": proposals,
            "verdicts": verdicts(rows),
            "rows": rows,
        },
    )


def main() -> None:
    """Measures what is missing and prints the verdicts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=SETS, help="one set")
    parser.add_argument("--pace", choices=PACES, help="one pace")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.simplefilter("ignore")
    target = RESULTS / "design.json"
    before = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    rows, proposals = before.get("rows", {}), before.get("proposals", {})
    sets, paces = [args.only] if args.only else SETS, [args.pace] if args.pace else PACES
    for name, pace in itertools.product(sets, paces):
        measure(name, pace, rows, proposals)
    for name, said in verdicts(rows).items():
        print(name, json.dumps(said))


if __name__ == "__main__":
    main()
