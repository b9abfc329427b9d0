"""The ladder from R-CNN to a detector of one stage, on one's own pictures: what each step costs, and what it finds.

All steps see the same pictures in the same frame, the same frozen body and the same measure, so that what differs is
what is computed where. Rows are kept as they are measured: whoever was interrupted goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int
from torchvision.ops import box_iou

from convworks.data.glance import glance
from convworks.data.record import DataSet
from convworks.errors import DataError, RecipeError, unknown
from convworks.evaluation.uncertainty import bootstrap
from convworks.events import Event, Interrupted, Progress
from convworks.recipe.scenes import frame_side
from convworks.samples import Detection
from convworks.studies import settle
from convworks.studies.material import Material, annotated, evidence_of, example_of, gathered
from convworks.studies.rows import Climb, Row, Settled, keep, kept
from convworks.studies.rungs import RUNGS, Budget, Learn, Learned, Name, Place, Rung, Work
from convworks.studies.shelf import Shelf
from convworks.tasks import detection
from convworks.training import plan
from convworks.training.settle import machine
from convworks.training.signals import Stop, Stopping, stopping
from convworks.training.team import Team

MINUTES = 20.0
LONGEST = 480
"""The longer side of a frame is no more than this, in pixels, unless it is said."""
DRAWS = 200
"""Of pictures with replacement, for the interval."""
SHOWN = 50
"""Finds in the example that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A step begins."""

    rung: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A step was measured, in this run or, where it was `kept`, before."""

    row: Row
    kept: bool


Said = Event | Settled | Begun | Measured


def chosen(names: Sequence[str]) -> tuple[Rung, ...]:
    """The steps of some names in the order of the history, all for no name; raises RecipeError for another name."""
    known = [rung.name for rung in RUNGS]
    for name in names:
        if name not in known:
            raise unknown("step of the ladder", name, known)
    return tuple(rung for rung in RUNGS if not names or rung.name in names)


def climbed(
    dataset: DataSet,
    out: Path,
    given: Mapping[str, Any],
    *,
    minutes: float = MINUTES,
    rungs: Sequence[str] = (),
    command: str = "",
) -> Generator[Said, None, Climb | None]:
    """Measures the steps that `out` has no row of yet; returns the ladder, or None where it was interrupted.

    `given` are knobs by their full names, `command` says how to go on. Raises DataError for a set without boxes,
    RunError where `out` holds a ladder of other data, minutes or knobs.
    """
    steps = chosen(rungs)
    if dataset.task not in ("detection", "localization"):
        raise DataError(
            f"{dataset.root} is a set for {dataset.task}: the ladder is one of detectors.",
            expected="pictures with boxes, as COCO, VOC, YOLO or CSV",
        )
    if not 0 < minutes <= 24 * 60:
        raise RecipeError(f"minutes = {minutes:g}.", expected="more than 0, at most 1440")
    if given.get("compute.device", "auto") not in ("auto", "cpu"):
        raise RecipeError(
            "The ladder is climbed on the processor, where the steps are timed alike.",
            fix="leave --device out",
        )
    asked = {"data": str(dataset.root.resolve()), "minutes": minutes, "options": dict(given)}
    before = kept(out, asked)
    have = {row.rung for row in before.rows} if before else set[Name]()
    if before is not None and all(rung.name in have for rung in steps):
        yield before.settled
        yield from (Measured(row=row, kept=True) for row in before.rows)
        return before
    with stopping() as stop:
        try:
            ladder, material = yield from _begun(replace(dataset, task="detection"), out, asked, before)
            return (yield from _gone_up(ladder, material, steps, out, stop))
        except Stopping:
            yield Interrupted(signal=stop.name, command=command)
            return None


def _begun(
    dataset: DataSet, out: Path, asked: Mapping[str, Any], before: Climb | None
) -> Generator[Event, None, tuple[Climb, Material]]:
    """The ladder without rows, or as it was, and what its steps share."""
    given = dict(asked["options"])
    if given.get("data.input_size", "auto") == "auto":
        given["data.input_size"] = min(frame_side(glance(dataset))[0], LONGEST)
    recipe, prepared, backbone = yield from plan.progressing(dataset, given, Team())
    _, threads, _ = machine(recipe.compute)
    torch.set_num_threads(threads)
    made = plan.new_model(recipe, prepared, backbone, out.name, torch.device("cpu"))
    settled = before.settled if before else settle.settled(prepared, made, asked["minutes"], threads)
    rows = {
        "learn": settle.spread(prepared.learn.tolist(), settled.learn),
        "tune": settle.spread(prepared.tune.tolist(), settled.tune),
        "measure": settle.spread(prepared.measure.tolist(), settled.measure),
    }
    material = gathered(prepared, recipe, made, rows, settled.proposals, Shelf(out / "kept"))
    example = example_of(material.measure)
    ladder = before or Climb(
        root=asked["data"],
        classes=material.classes,
        settled=settled,
        example=example.path,
        annotated=annotated(example, material.classes),
        rows=(),
        asked=asked,
    )
    return ladder, material


def _gone_up(
    ladder: Climb, material: Material, steps: Sequence[Rung], out: Path, stop: Stop
) -> Generator[Said, None, Climb]:
    """Step by step, each row kept as soon as it is measured."""
    keep(out, ladder)
    yield ladder.settled
    have = {row.rung: row for row in ladder.rows}
    for rung in steps:
        if rung.name in have:
            yield Measured(row=have[rung.name], kept=True)
            continue
        yield Begun(rung=rung.name)
        module, _, function = rung.home.partition(":")
        learn = cast(Learn, getattr(import_module(module), function))
        budget = Budget(passes=ladder.settled.passes, epochs=ladder.settled.epochs, seed=material.recipe.seed)
        learned = yield from learn(material, budget, Place(folder=out / rung.name, stop=stop))
        have[rung.name] = yield from measured(rung.name, learned, material, ladder.example, stop)
        ladder = replace(ladder, rows=tuple(have[one.name] for one in RUNGS if one.name in have))
        keep(out, ladder)
        yield Measured(row=have[rung.name], kept=False)
    if len(ladder.rows) == len(RUNGS):
        material.shelf.clear()  # there is nobody left to take from it
    return ladder


def measured(
    name: Name, learned: Learned, material: Material, example: str, stop: Stop
) -> Generator[Progress, None, Row]:
    """Every measured picture answered alone, timed from its frame to its boxes, and compared with its annotation."""
    classes, total = material.classes, len(material.measure)
    found: list[Detection] = []
    times: list[float] = []
    proposing: list[float] = []
    work, near, objects = Work(), 0, 0
    learned.find(material.measure[0])  # what is slow the first time is no part of the measure
    for number, one in enumerate(material.measure):
        if stop.asked:
            raise Stopping
        if learned.proposes:
            boxes, seconds = material.proposals(one)
            proposing.append(seconds)
            near += int((box_iou(one.truth.boxes, boxes).amax(1) >= 0.5).sum()) if len(boxes) else 0
            objects += len(one.truth.boxes)
        began = time.perf_counter()
        answer, took = learned.find(one)
        times.append(time.perf_counter() - began + (proposing[-1] if learned.proposes else 0.0))
        work += took
        found.append(one.restored(answer, classes))
        pace = sum(times) / len(times)
        yield Progress(
            stage="measured pictures", done=number + 1, total=total, remaining=pace * (total - number - 1)
        )
    evidence = [evidence_of(said, one, classes) for said, one in zip(found, material.measure, strict=True)]

    def precision(rows: Int[np.ndarray, "r"]) -> float:
        return detection.summarise([evidence[row] for row in rows.tolist()], classes).value

    low, high = bootstrap(precision, np.arange(total), draws=DRAWS)
    measures = detection.summarise(evidence, classes).measures
    shown = next(said for said, one in zip(found, material.measure, strict=True) if one.path == example)
    return Row(
        rung=name,
        ap=measures["AP"],
        ap50=measures["AP50"],
        low=low,
        high=high,
        seconds=float(np.median(times)),
        proposing=float(np.median(proposing)) if proposing else 0.0,
        training=learned.seconds,
        preparing=learned.preparing,
        covered=near / objects if objects else math.nan,
        learning=learned.work,
        looking=work,
        found=replace(shown, found=shown.found[:SHOWN]),
    )
