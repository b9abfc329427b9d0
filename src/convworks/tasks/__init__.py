"""Classification, localization, detection, segmentation: each a value, in a plain dict."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from convworks.errors import unknown

if TYPE_CHECKING:
    from convworks.tasks.contract import Task

TASKS = {
    "classification": "convworks.tasks.classification:CLASSIFICATION",
    "multilabel": "convworks.tasks.multilabel:MULTILABEL",
    "localization": "convworks.tasks.localization:LOCALIZATION",
    "detection": "convworks.tasks.detection:DETECTION",
    "segmentation": "convworks.tasks.segmentation:SEGMENTATION",
    "instances": "convworks.tasks.instances:INSTANCES",
}


def find(name: str, decoder: str = "") -> Task:
    """The task of a name, with the head of another name where it has several ("segmentation", "fcn8").

    Raises RecipeError naming the nearest where there is none.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    module, _, value = TASKS[name].partition(":")
    home = import_module(module)
    task: Task = getattr(home, value)
    return home.with_decoder(decoder) if task.decoder and decoder not in ("", task.decoder) else task
