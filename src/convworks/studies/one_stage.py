"""The default on the same frozen body, by the usual training: augmented frames, epochs, the best of them chosen."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

from convworks.detectors.answer import Answer
from convworks.events import EpochEnded, Interrupted, Progress, decode
from convworks.model import Model
from convworks.studies.material import Material, Scene
from convworks.studies.rungs import Budget, Learned, Place, Work
from convworks.tasks.detection import DETECTION
from convworks.training import run as runs
from convworks.training.fit import fit
from convworks.training.signals import Stopping
from convworks.training.team import Team


def learn_default(material: Material, budget: Budget, place: Place) -> Generator[Progress, None, Learned]:
    """One net says for every cell what it sees and where that ends; the body runs anew on every augmented frame."""
    recipe = material.recipe.replace(
        transfer__mode="full",
        transfer__freeze=len(material.body.stages),
        optimiser__epochs=budget.epochs,
        model__finest=min(material.stride, 8),
        model__coarsest=material.stride,
    )
    made = Model.create(
        material.body,
        material.classes,
        material.preprocessing,
        task=DETECTION,
        dropout=recipe.model.dropout,
        settings=DETECTION.settings(recipe.model),
    )
    folder = place.folder
    run = runs.opened(folder, Team(), new=not (folder / runs.RECIPE).is_file())
    assert run is not None
    run.write_recipe(recipe)
    try:
        for event in run.say(fit(made, material.prepared, recipe, run=run)):
            if isinstance(event, Interrupted):
                raise Stopping
            if isinstance(event, EpochEnded):
                yield Progress(
                    stage="epochs of the usual training",
                    done=event.epoch,
                    total=event.epochs,
                    remaining=event.remaining,
                )
    finally:
        run.close()
    epochs, seconds = _said(folder)
    shutil.rmtree(run.checkpoints, ignore_errors=True)

    def find(scene: Scene) -> tuple[Answer, Work]:
        (answer,) = made.task.decode(made.outputs(material.image(scene)[None]), made.classes)
        return answer, Work(maps=1)

    return Learned(
        find=find,
        seconds=seconds,
        preparing=0.0,
        work=Work(maps=epochs * len(material.learn)),
        proposes=False,
    )


def _said(folder: Path) -> tuple[int, float]:
    """How many epochs a run had, and the seconds that they took."""
    lines = (folder / runs.LOG).read_text(encoding="utf-8").splitlines()
    said = [line.event for text in lines if (line := decode(text)) is not None]
    epochs = {event.epoch: event.seconds for event in said if isinstance(event, EpochEnded)}
    return len(epochs), sum(epochs.values())
