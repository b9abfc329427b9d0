"""The plan of a run: the data measured, the recipe proposed, and a model with a new last layer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from convworks import backbones, tasks
from convworks.augmentation import mix
from convworks.augmentation.plan import kept
from convworks.augmentation.preprocess import Preprocessing
from convworks.backbones import adapt
from convworks.backbones.contract import Backbone
from convworks.backbones.expectations import notice
from convworks.data.bands import Scaling
from convworks.data.glance import glance
from convworks.data.record import DataSet
from convworks.errors import RecipeError
from convworks.events import Event, Progress
from convworks.model import Model
from convworks.recipe import options as knobs
from convworks.recipe.options import Recipe
from convworks.recipe.propose import BackboneFacts, input_size, propose, with_values_and_reasons
from convworks.recipe.scenes import frame_shape, propose_scene
from convworks.samples import COUNTED
from convworks.training import prepare, settle
from convworks.training.prepare import Prepared
from convworks.training.team import Team

ROOM = 1.25
"""Pictures are kept this much larger than the net's input, so that a random crop is not enlarged too far."""


COLOURS: tuple[str, ...] = (
    "augmentation.colour",
    "augmentation.grayscale",
    "augmentation.hue",
    "augmentation.trivial",
)
"""Knobs of what may happen to red, green and blue alone."""
START = ("data.input_size", "transfer.freeze")
"""Knobs whose word "auto" leaves them to the proposal."""
SAMPLED = 1_000
"""Images whose objects say which boxes are usual."""


def progressing(
    dataset: DataSet, given: dict[str, Any], team: Team
) -> Generator[Event, None, tuple[Recipe, Prepared, Backbone]]:
    """The plan of a run, made in another thread while this one says how many pictures have been looked at."""
    said: SimpleQueue[Progress | None] = SimpleQueue()
    left = threading.Event()
    began = time.monotonic()

    def progress(done: int, total: int) -> None:
        if left.is_set():
            raise KeyboardInterrupt
        pace = (time.monotonic() - began) / done
        said.put(Progress(stage="audit", done=done, total=total, remaining=pace * (total - done)))

    yield Progress(stage="audit", done=0, total=len(dataset.records))
    with ThreadPoolExecutor(1, thread_name_prefix="plan") as pool:
        plan = pool.submit(planned, dataset, given, team, progress)
        plan.add_done_callback(lambda _: said.put(None))
        try:
            while (event := said.get()) is not None:
                yield event
        finally:
            left.set()
        return plan.result()


def planned(
    dataset: DataSet, given: dict[str, Any], team: Team, progress: Callable[[int, int], None]
) -> tuple[Recipe, Prepared, Backbone]:
    """The recipe for a data set under what was `given` (by full name), the data prepared, and the backbone."""
    given = {**given, "task": dataset.task}
    base = knobs.with_values(Recipe(), given)
    _refuse_unused(dataset.task, base)
    if dataset.task in prepare.SCENES:
        return scene_planned(dataset, given, base, progress)
    if base.data.input_size == "auto":
        given = {name: value for name, value in given.items() if name != "data.input_size"}
    backbone, facts = _backbone(base)
    size = base.data.input_size
    if size == "auto":
        size, _ = input_size(prepare.median_short_side(dataset), facts)
    _, _, workers = settle.machine(base.compute)
    prepared = prepare.prepare(
        dataset, base.data, side=round(ROOM * size), seed=base.seed, workers=workers, progress=progress
    )
    recipe = propose(prepared.fingerprint, facts, given)
    if prepared.bands is not None:
        adapt.first_filters(backbone, len(prepared.bands.ranges), coloured=prepared.bands.coloured)
        recipe = for_bands(recipe, given)
    if base.data.input_size == "auto":
        recipe = replace(recipe, data=replace(recipe.data, input_size=size))
    return recipe, prepared, backbone


def _refuse_unused(name: str, base: Recipe) -> None:
    """Raises RecipeError for what a task cannot use, before anything is decoded."""
    task = tasks.chosen(name, base.model)
    task.settings(base.model)
    if task.scenes is not None and mix.mixes(base.augmentation):
        raise RecipeError(
            f"mixup and CutMix mix whole images and their classes; {name} asks where things are.",
            fix="--mosaic 0.3 puts four images into one frame",
        )
    if base.model.looks > 1 and (task.scenes is None or task.scenes.averaged is None):
        raise RecipeError(f"{name} takes one look at a picture.", fix="leave --looks out")
    if base.model.smoothing and name != "segmentation":
        raise RecipeError(f"A minimum cut refines outlines; the task is {name}.", fix="leave --smoothing out")
    if base.data.sampling != "even" and name == "segmentation":
        raise RecipeError(
            "Which classes a map of pixels holds is not known before it is read, so that no image is seen more often.",
            fix="leave --sampling out; a part of the crops is drawn around pixels of rare classes anyway",
        )


def _backbone(base: Recipe) -> tuple[Backbone, BackboneFacts]:
    """The backbone that a recipe names, weights drawn by its seed where there are none, and what is to know of it.

    Raises RecipeError where more stages are to be frozen than it has.
    """
    torch.manual_seed(base.seed)
    backbone = backbones.create(base.model.backbone, base.model.weights)
    freeze, stages = base.transfer.freeze, len(backbone.stages)
    if freeze != "auto" and freeze > stages:
        raise RecipeError(
            f"transfer.freeze = {freeze}, but {backbone.name} has {stages} stages.", expected=f"0 to {stages}"
        )
    return backbone, BackboneFacts(
        name=backbone.name, size=backbone.expects.size, pretrained=bool(backbone.card.sha256)
    )


def for_bands(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    """The recipe for other bands than red, green and blue: no colours are turned, and the first layer is not frozen."""
    values: dict[str, Any] = dict.fromkeys(COLOURS, 0.0)
    why: dict[str, str] = dict.fromkeys(
        COLOURS, "bands other than red, green and blue have no colours to turn"
    )
    if recipe.transfer.mode in ("finetune", "full") and "transfer.freeze" not in given:
        values["transfer.freeze"] = 0
        why["transfer.freeze"] = "the first filters were made for other bands, and learn on"
    return with_values_and_reasons(knobs.with_values(recipe, values), why)


def scene_planned(
    dataset: DataSet, given: dict[str, Any], base: Recipe, progress: Callable[[int, int], None]
) -> tuple[Recipe, Prepared, Backbone]:
    """The plan where answers have a place in the picture: the frame's size comes from what was measured."""
    backbone, facts = _backbone(base)
    quick = glance(dataset)
    named = {name: value for name, value in given.items() if value != "auto" or name not in START}
    draft = propose_scene(quick, facts, named)
    size = draft.data.input_size
    assert isinstance(size, int)
    shape = frame_shape(size, quick.widths[1], quick.heights[1])
    _, _, workers = settle.machine(base.compute)
    prepared = prepare.prepare(
        dataset, draft.data, side=round(ROOM * min(shape)), seed=base.seed, workers=workers, progress=progress
    )
    recipe = propose_scene(prepared.fingerprint, facts, named)
    if prepared.bands is not None:
        _see_bands(backbone, prepared.bands, dataset.task, base)
        recipe = for_bands(recipe, named)
    return replace(recipe, data=replace(recipe.data, input_size=size)), prepared, backbone


def _see_bands(backbone: Backbone, scaling: Scaling, task: str, base: Recipe) -> None:
    """Fits the first layer to other bands; raises RecipeError for a detector that looks at colours by itself."""
    chosen = tasks.chosen(task, base.model)
    if chosen.finder is not None and chosen.finder(chosen.settings(base.model)) is not None:
        raise RecipeError(
            f"--detector {base.model.detector} looks for regions in red, green and blue; these images have "
            f"{len(scaling.ranges)} bands.",
            fix="leave --detector out",
        )
    adapt.first_filters(backbone, len(scaling.ranges), coloured=scaling.coloured)


def new_model(
    recipe: Recipe, prepared: Prepared, backbone: Backbone, name: str, device: torch.device
) -> Model:
    """The backbone with a new last layer for the data's classes, drawn by the recipe's seed, on the device."""
    size = recipe.data.input_size
    assert isinstance(size, int)
    expects, shape = backbone.expects, (size, size)
    measured = prepared.fingerprint
    if prepared.scenes is not None:
        shape = frame_shape(size, measured.widths[1], measured.heights[1])
    scaling = prepared.bands
    preprocessing = Preprocessing(
        size=size,
        side=round(ROOM * min(shape)),
        resize=recipe.data.resize,
        mean=scaling.mean if scaling else expects.mean,
        deviation=scaling.deviation if scaling else expects.deviation,
        bands=scaling.ranges if scaling else (),
        interpolation=expects.interpolation,
        shape=(0, 0) if prepared.scenes is None else shape,
        learned=(round(measured.heights[1]), round(measured.widths[1])),
        common=measured.common[1],
    )
    task = tasks.chosen(prepared.dataset.task, recipe.model)
    settings = task.settings(recipe.model)
    if task.fitted is not None:
        settings = task.fitted(settings, objects_in_frames(prepared, preprocessing), preprocessing.seen)
    torch.manual_seed(recipe.seed)
    made = Model.create(
        backbone,
        prepared.classes,
        preprocessing,
        task=task,
        dropout=recipe.model.dropout,
        name=name,
        settings=settings,
    )
    made.looks = recipe.model.looks
    if task.name == "segmentation":
        made.smoothing = recipe.model.smoothing
    return made.to(device)


def objects_in_frames(prepared: Prepared, preprocessing: Preprocessing) -> Float[np.ndarray, "n 4"]:
    """The boxes that count of up to `SAMPLED` training images spread over the set, in the frames that the net sees."""
    assert prepared.scenes is not None
    found = [np.zeros((0, 4), np.float32)]
    for row in prepared.learn[:: max(1, len(prepared.learn) // SAMPLED)].tolist():
        sample = prepared.scenes.get(row)
        drawn = preprocessing.drawn((sample.image.shape[0], sample.image.shape[1]))
        boxes, seen = kept(drawn.move, sample.boxes)
        found.append(boxes[seen & (sample.aside == COUNTED)])
    return np.concatenate(found)


def noticed(made: Model, prepared: Prepared) -> list[str]:
    """Whether what the net will be fed is what its weights expect, or what became of them where it has other bands."""
    if prepared.bands is not None:
        ranges = "; ".join(f"{low:g} to {high:g}" for low, high in prepared.bands.ranges[:8])
        more = ", ..." if len(prepared.bands.ranges) > 8 else ""
        return [
            adapt.described(made.net.backbone, coloured=prepared.bands.coloured),
            f"each band becomes 256 steps, measured over the training images: {ranges}{more}",
        ]
    rows = prepared.learn[:: max(1, len(prepared.learn) // 16)][:16]
    frames = [made.preprocessing(prepared.store.get(row)) for row in rows.tolist()]
    return notice(torch.from_numpy(np.stack(frames)), made.net.backbone.expects)
