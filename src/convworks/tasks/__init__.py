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
    "segmentation": "convworks.tasks.segmentation:SEGMENTATION",
}


def find(name: str) -> Task:
    """The task of a name; raises RecipeError naming the nearest where there is none."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    module, _, value = TASKS[name].partition(":")
    return getattr(import_module(module), value)
