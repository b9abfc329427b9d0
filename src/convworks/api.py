"""The verbs: train, load, evaluate, propose; the command line and the page call the same functions."""

from __future__ import annotations

import hashlib
import shlex
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from convworks import devices, model, model_file, tasks
from convworks.data.load import shows
from convworks.data.record import DataSet, SetAside, classes_of
from convworks.errors import ConvworksError, DataError, RecipeError
from convworks.evaluation.labels import LabelEvaluation
from convworks.evaluation.result import Evaluation
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import Event, Finished
from convworks.files import write_whole
from convworks.model import Model
from convworks.recipe import options as knobs
from convworks.recipe.options import Recipe
from convworks.samples import Classification, MultiLabel
from convworks.training import job, memory, plan, prepare
from convworks.training import run as runs
from convworks.training.job import Job
from convworks.training.run import Run
from convworks.training.scenes import evaluated
from convworks.training.team import Team, joined

Part = Literal["all", "train", "val", "test"]
Watch = Callable[[Iterator[Event]], Iterator[Event]]
OUTLINED = "instances"  # the task of data that also serve another, so that it has to be asked for
AnyEvaluation = Evaluation | LabelEvaluation | SceneEvaluation


@dataclass(kw_only=True, eq=False)
class Trained(Model):
    """A model and the run folder that it came from: it can be measured, and its report written."""

    run: Path

    def evaluate(self, data: str | Path, *, part: Part = "all") -> AnyEvaluation:
        """How it does on labelled images; see `evaluate`."""
        return evaluate(self, data, part=part)

    def report(self, to: str | Path | None = None) -> Path:
        """Write the run's report as one HTML file, to the run folder or to `to`; returns where it lies."""
        from convworks.report import html

        return html.write(self.run, None if to is None else Path(to))


def _of_run(made: Model, run: Path) -> Trained:
    return Trained(run=run, **{item.name: getattr(made, item.name) for item in fields(Model)})


def train(
    data: str | Path,
    *,
    run: str | Path | None = None,
    recipe: Recipe | str | Path | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> Trained:
    """A trained, measured model from a folder of labelled images: one folder a class, nothing else to decide.

    `data` may also hold train/ and val/, or be a CSV of path,label. `run` is the folder that is written (by
    default runs/ and the data's name); `options` are any knobs of `Recipe` by their short or full names
    (`epochs=20`, `freeze=3`). `watch` gets the events as they come (by default they are printed).

    Raises a ConvworksError that says what was wrong with the data or an option.
    """
    return _finished(events(data, run=run, recipe=recipe, **options), watch)


def resume(
    run: str | Path,
    *,
    accept_change: bool = False,
    data: str | Path | None = None,
    watch: Watch | None = None,
) -> Trained:
    """The model of a run that was stopped, trained to its end as if it never had been.

    Raises RunError where the data changed since, unless `accept_change`.
    """
    return _finished(resumed(run, accept_change=accept_change, data=data), watch)


def load(run: str | Path, *, device: str = "auto") -> Trained:
    """The model of a run, ready to predict, to be measured and reported."""
    return _of_run(model.load(run, device=device), Path(run))


def propose(data: str | Path, **options: Any) -> Recipe:
    """The recipe for a data set, with a reason for each choice: a value, not a process. Decodes every image once."""
    given = _given(options)
    dataset = _dataset(data, given.get("data.source", "auto"), given.get("task", ""))
    recipe, *_ = plan.planned(dataset, given, Team(), lambda done, total: None)
    return recipe


def evaluate(
    of: Model | str | Path, data: str | Path, *, part: Part = "all", device: str = "auto"
) -> AnyEvaluation:
    """How a model does on labelled images; classes are matched by name.

    `part` is "all", or "train", "val" or "test" of data that is so divided. Files that cannot be read are left out
    and named in a warning; so is a score that flatters, because the model's run learned from some of the images.
    Raises DataError for a class that the model does not know.
    """
    judge = of if isinstance(of, Model) else load(of, device=device)
    dataset = _dataset(data, task=OUTLINED if judge.task.name == OUTLINED else "")
    records = [record for record in dataset.records if part == "all" or record.split == part]
    if not records:
        raise DataError(f"{dataset.root} has no images of {part}.", fix="part: all, train, val or test")
    strange = sorted({name for record in records for name in classes_of(record)} - set(judge.classes))
    if strange:
        raise DataError(
            f"The model does not know {', '.join(strange[:5])}.",
            expected=f"one of {', '.join(judge.classes[:12])}",
            fix="leave those folders out, or train with them",
        )
    if judge.task.scenes is not None:
        known = _known(judge, [dataset.root / record.path for record in records])
        _flattered(known, len(records))
        return evaluated(judge, dataset, records, Team(), "tuning" if known else "nothing")
    if judge.task.several != (dataset.task == "multilabel"):
        kind = "several classes, or none" if judge.task.several else "one class"
        raise DataError(
            f"{dataset.root} is a set for {dataset.task}; the model says {kind} of an image.",
            fix="evaluate it on data like those that it learned from",
        )
    ids = {name: place for place, name in enumerate(judge.classes)}
    began = time.monotonic()
    answers = cast(
        list[Classification | MultiLabel | SetAside],
        list(judge.predictions([dataset.root / record.path for record in records])),
    )
    kept = [(r, a) for r, a in zip(records, answers, strict=True) if not isinstance(a, SetAside)]
    aside = [answer for answer in answers if isinstance(answer, SetAside)]
    if not kept:
        raise DataError(
            f"None of the {len(records)} pictures of {dataset.root} can be read: {aside[0].reason}",
            fix="look at the files",
        )
    if aside:
        names = ", ".join(one.path for one in aside[:5]) + (", ..." if len(aside) > 5 else "")
        warnings.warn(f"{len(aside)} of {len(records)} pictures set aside: {names}", stacklevel=2)
    known = _known(judge, [dataset.root / record.path for record, _ in kept])
    _flattered(known, len(kept))
    rows = np.zeros((len(kept), len(judge.classes)), np.float32)
    for row, (_, answer) in enumerate(kept):
        for name, probability in zip(answer.names, answer.probabilities, strict=True):
            rows[row, ids[name]] = probability
    if judge.task.several:
        return LabelEvaluation.of(
            root=str(dataset.root),
            classes=judge.classes,
            paths=[record.path for record, _ in kept],
            truth=np.stack([shows(record, ids) for record, _ in kept]),
            probabilities=rows,
            thresholds=judge.cuts,
            chosen_on="tuning" if known else "nothing",
            seconds=time.monotonic() - began,
        )
    return Evaluation(
        root=str(dataset.root),
        classes=judge.classes,
        paths=tuple(record.path for record, _ in kept),
        truth=np.array([ids[record.label] for record, _ in kept], np.int64),
        probabilities=rows,
        chosen_on="tuning" if known else "nothing",
        seconds=time.monotonic() - began,
    )


def _flattered(known: int, of: int) -> None:
    """Warns that a score flatters where images that made the model measure it."""
    if known:
        warnings.warn(
            f"{known} of {of} pictures made this model: it learned from them or was chosen by them, so the "
            "score flatters. Measure on others.",
            stacklevel=3,
        )


def _known(judge: Model, paths: list[Path]) -> int:
    """How many files have the content of an image that learned or chose in the model's own run."""
    if not isinstance(judge, Trained) or not (judge.run / runs.DATA).is_file():
        return 0
    images = Run(judge.run).read_data()["images"]
    made = {digest for _, _, part, digest in images if part in ("learn", "tune")}
    return sum(hashlib.sha256(path.read_bytes()).hexdigest() in made for path in paths)


def events(
    data: str | Path,
    *,
    run: str | Path | None = None,
    recipe: Recipe | str | Path | None = None,
    command: str = "",
    **options: Any,
) -> Generator[Event, None, Trained | None]:
    """All that `train` does, as the stream of its events; returns the model, or None where it was interrupted."""
    given, reasons = _given(options), None
    task = given.get("task", "")
    if recipe is not None:
        base = recipe if isinstance(recipe, Recipe) else knobs.read(Path(recipe))
        task = task or (OUTLINED if base.task == OUTLINED else "")
        reasons = {name: said for name, said in base.reasons.items() if name not in given}
        given = {**knobs.flat(base), **given}
    dataset = _dataset(data, given.get("data.source", "auto"), task)
    folder = Path(run) if run is not None else runs.free_folder(Path("runs"), dataset.root.resolve().name)
    with joined(devices.find(given.get("compute.device", "auto"))) as team:
        folder = Path(team.from_leader(str(folder)))
        place = runs.opened(folder, team, new=True)
        told = command or _command(data, folder, given)
        work = Job(dataset=dataset, given=given, folder=folder, command=told, reasons=reasons)
        return (yield from _said(place, team, work))


def resumed(
    run: str | Path, *, accept_change: bool = False, data: str | Path | None = None
) -> Generator[Event, None, Trained | None]:
    """All that `resume` does, as the stream of its events."""
    folder = Path(run)
    settled = folder / runs.RECIPE
    device = knobs.read(settled).compute.device if settled.is_file() else "auto"
    with joined(devices.find(device)) as team:
        place = runs.opened(folder, team, new=False)
        try:
            recipe = knobs.read(settled)
            before = (place or Run(folder)).read_data()
            dataset = _dataset(data or before["root"], recipe.data.source, recipe.task)
        except ConvworksError:
            if place:
                place.close()
            raise
        work = Job(
            dataset=dataset,
            given=knobs.flat(recipe),
            folder=folder,
            command=f"convworks train --resume {folder}",
            before=before,
            accept_change=accept_change,
            reasons=recipe.reasons,
        )
        return (yield from _said(place, team, work))


def _said(place: Run | None, team: Team, work: Job) -> Generator[Event, None, Trained | None]:
    """The events of a job, kept in its run folder by the process that leads, and what comes after them."""
    memory.hold()
    try:
        stream = _whole(place, team, work)
        return (yield from place.say(stream) if place else stream)
    finally:
        if place:
            place.close()


def _whole(place: Run | None, team: Team, work: Job) -> Generator[Event, None, Trained | None]:
    began, cpu = time.time(), time.process_time()
    finished = yield from job.done(work, place, team)
    if finished is None:
        return None
    made, evaluation = finished
    if place:
        yield from _written(made, evaluation, work.folder, began, cpu)
    made.net.requires_grad_(False)
    return _of_run(made, work.folder)


def _written(
    made: Model, evaluation: AnyEvaluation, folder: Path, began: float, cpu: float
) -> Iterator[Event]:
    made.save(folder)
    write_whole(folder / "evaluation.json", evaluation.to_json().encode())
    from convworks.report import html

    report = html.write(folder)
    yield Finished(
        run=str(folder),
        seconds=time.time() - began,
        cpu_seconds=time.process_time() - cpu,
        files=(
            (str(report), "score, mistakes and curves, in one page"),
            (str(folder / model_file.WEIGHTS), "the model"),
            (str(folder / runs.RECIPE), "the recipe that repeats it"),
        ),
    )


def _dataset(data: str | Path, source: str = "auto", task: str = "") -> DataSet:
    dataset = prepare.read(Path(data), source, task)
    if dataset.task not in tasks.TASKS:
        raise DataError(f"{data} is a set for {dataset.task}, which this version does not train yet.")
    return replace(dataset, root=dataset.root.resolve())


def _given(options: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in options.items():
        full = knobs.find(name.replace("__", "."))
        if full in values:
            raise RecipeError(f"{full} is given twice.")
        values[full] = knobs.checked(full, value)
    return values


def _command(data: str | Path, folder: Path, given: dict[str, Any]) -> str:
    parts = ["convworks", "train", str(data), "--run", str(folder)]
    for name, value in given.items():
        word = str(value).lower() if isinstance(value, bool) else str(value)
        parts += [f"--{name.rpartition('.')[2].replace('_', '-')}", word]
    return shlex.join(parts)


def _finished(stream: Generator[Event, None, Trained | None], watch: Watch | None) -> Trained:
    from convworks.report import terminal

    box: list[Trained | None] = []

    def through() -> Iterator[Event]:
        box.append((yield from stream))

    shown = (watch or terminal.watch)(through())
    for _ in shown:
        pass
    made = box[0] if box else None
    if made is None:
        raise KeyboardInterrupt
    return made
