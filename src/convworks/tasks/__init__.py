"""Classification, localization, detection, segmentation: each a value, in a plain dict."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from convworks.errors import RecipeError, unknown

if TYPE_CHECKING:
    from convworks.recipe.options import ModelOptions
    from convworks.tasks.contract import Task

TASKS = {
    "classification": "convworks.tasks.classification:CLASSIFICATION",
    "multilabel": "convworks.tasks.multilabel:MULTILABEL",
    "localization": "convworks.tasks.localization:LOCALIZATION",
    "detection": "convworks.tasks.detection:DETECTION",
    "segmentation": "convworks.tasks.segmentation:SEGMENTATION",
    "instances": "convworks.tasks.instances:INSTANCES",
}
HEADS: dict[str, dict[str, str]] = {
    "localization": {
        "vgg_localizer": "convworks.tasks.vgg_localizer:SINGLE",
        "vgg_localizer_per_class": "convworks.tasks.vgg_localizer:PER_CLASS",
    },
    "detection": {
        "spp": "convworks.tasks.two_stage:SPP",
        "fast_rcnn": "convworks.tasks.two_stage:FAST_RCNN",
        "faster_rcnn": "convworks.tasks.two_stage:FASTER_RCNN",
        "faster_rcnn_pyramid": "convworks.tasks.two_stage:FASTER_RCNN_PYRAMID",
        "rcnn_minus_r": "convworks.tasks.two_stage:RCNN_MINUS_R",
        "multi_region": "convworks.tasks.two_stage:MULTI_REGION",
        "multibox": "convworks.tasks.multibox:MULTIBOX",
    },
    "segmentation": {
        "fcn32": "convworks.tasks.segmentation:FCN32",
        "fcn16": "convworks.tasks.segmentation:FCN16",
        "fcn8": "convworks.tasks.segmentation:FCN8",
        "fcn8-staged": "convworks.tasks.segmentation:FCN8_STAGED",
    },
}
"""The heads of a task besides its own, each a task of the same name."""


def find(name: str, head: str = "") -> Task:
    """The task of a name, with the head of another name where it has several ("segmentation", "fcn8").

    Raises RecipeError naming the nearest where there is none.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    task, others = _value(TASKS[name]), HEADS.get(name, {})
    if head in ("", task.decoder) or not others:
        return task
    if head not in others:
        raise unknown(
            "detector" if name != "segmentation" else "decoder",
            head,
            [*filter(None, [task.decoder]), *others],
        )
    return _value(others[head])


def chosen(name: str, options: ModelOptions) -> Task:
    """The task of a name with the head that a recipe chooses for it.

    Raises RecipeError for a detector where no boxes are asked for.
    """
    boxes = name in ("localization", "detection")
    if not boxes and options.detector != "default":
        raise RecipeError(
            f"{options.detector} draws boxes, but the task is {name}.",
            fix="leave --detector away, or give images with boxes",
        )
    if not boxes:
        return find(name, options.decoder)
    return find(name, "" if options.detector == "default" else options.detector)


def _value(place: str) -> Task:
    module, _, value = place.partition(":")
    return getattr(import_module(module), value)
