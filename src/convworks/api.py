"""The verbs: train, load, evaluate, propose; the command line and the page call the same functions."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch

from convworks import backbones, model
from convworks.augmentation.preprocess import Preprocessing
from convworks.backbones.contract import Backbone
from convworks.data.record import DataSet
from convworks.errors import ConvworksError, DataError, RecipeError
from convworks.evaluation import calibration
from convworks.evaluation.result import Evaluation
from convworks.evaluation.verdicts import counts_of, diagnose, score
from convworks.events import Event, Finished, Interrupted, Progress, Scored, WeightsLoaded
from convworks.files import write_whole
from convworks.model import Model
from convworks.recipe import options as knobs
from convworks.recipe.options import Recipe
from convworks.recipe.propose import BackboneFacts, input_size
from convworks.recipe.propose import propose as proposed
from convworks.training import memory, prepare, settle
from convworks.training import run as runs
from convworks.training.feed import LiveFeed
from convworks.training.fit import fit
from convworks.training.prepare import Prepared
from convworks.training.run import Run
from convworks.training.team import Team

ROOM = 1.25
"""Pictures are kept this much larger than the net's input, so that a random crop is not enlarged too far."""

Watch = Callable[[Iterator[Event]], Iterator[Event]]


def train(
    data: str | Path,
    *,
    run: str | Path | None = None,
    recipe: Recipe | str | Path | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> Model:
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
) -> Model:
    """The model of a run that was stopped, trained to its end as if it never had been.

    Raises RunError where the data changed since, unless `accept_change`.
    """
    return _finished(resumed(run, accept_change=accept_change, data=data), watch)


def load(run: str | Path, *, device: str = "auto") -> Model:
    """The model of a run, ready to predict."""
    return model.load(run, device=device)


def propose(data: str | Path, **options: Any) -> Recipe:
    """The recipe for a data set, with a reason for each choice: a value, not a process. Decodes every image once."""
    recipe, *_ = _planned(_dataset(data), _given(options), Team(), lambda done, total: None)
    return recipe


def evaluate(
    of: Model | str | Path, data: str | Path, *, part: str = "all", device: str = "auto"
) -> Evaluation:
    """How a model does on labelled images; classes are matched by name.

    `part` is "all", or "train", "val" or "test" of data that is so divided. Raises DataError for a class that
    the model does not know.
    """
    judge = of if isinstance(of, Model) else load(of, device=device)
    dataset = _dataset(data)
    records = [record for record in dataset.records if part == "all" or record.split == part]
    if not records:
        raise DataError(f"{dataset.root} has no images of {part}.", fix="part: all, train, val or test")
    strange = sorted({record.label for record in records} - set(judge.classes))
    if strange:
        raise DataError(
            f"The model does not know {', '.join(strange[:5])}.",
            expected=f"one of {', '.join(judge.classes[:12])}",
            fix="leave those folders out, or train with them",
        )
    ids = {name: place for place, name in enumerate(judge.classes)}
    began = time.monotonic()
    answers = list(judge.predictions([dataset.root / record.path for record in records]))
    kept = [(r, a) for r, a in zip(records, answers, strict=True) if hasattr(a, "probabilities")]
    rows = np.zeros((len(kept), len(judge.classes)), np.float32)
    for row, (_, answer) in enumerate(kept):
        for name, probability in zip(answer.names, answer.probabilities, strict=True):  # type: ignore[union-attr]
            rows[row, ids[name]] = probability
    return Evaluation(
        root=str(dataset.root),
        classes=judge.classes,
        paths=tuple(record.path for record, _ in kept),
        truth=np.array([ids[record.label] for record, _ in kept], np.int64),
        probabilities=rows,
        chosen_on="nothing",
        seconds=time.monotonic() - began,
    )


def events(
    data: str | Path,
    *,
    run: str | Path | None = None,
    recipe: Recipe | str | Path | None = None,
    command: str = "",
    **options: Any,
) -> Generator[Event, None, Model | None]:
    """All that `train` does, as the stream of its events; returns the model, or None where it was interrupted."""
    memory.hold()
    dataset = _dataset(data)
    given, reasons = _given(options), None
    if recipe is not None:
        base = recipe if isinstance(recipe, Recipe) else knobs.read(Path(recipe))
        said = {**base.reasons, **dict.fromkeys(given, "you said so")}
        given = {**knobs.flat(base), **given}
        reasons = replace(base, reasons=said)
    folder = Path(run) if run is not None else runs.free_folder(Path("runs"), dataset.root.resolve().name)
    with _team(given.get("compute.device", "auto")) as team:
        folder = Path(team.from_leader(str(folder)))
        place = _opened(folder, team, new=True)
        try:
            told = command or _command(data, folder, given)
            stream = _run(dataset, given, place, folder, team, told, reasons=reasons)
            return (yield from place.say(stream) if place and team.leads else stream)
        finally:
            if place:
                place.close()


def resumed(
    run: str | Path, *, accept_change: bool = False, data: str | Path | None = None
) -> Generator[Event, None, Model | None]:
    """All that `resume` does, as the stream of its events."""
    memory.hold()
    folder = Path(run)
    settled = folder / runs.RECIPE
    with _team(knobs.read(settled).compute.device if settled.is_file() else "auto") as team:
        place = _opened(folder, team, new=False)
        try:
            recipe = knobs.read(settled)
            before = (place or Run(folder)).read_data()
            dataset = _dataset(data or before["root"])
            stream = _run(
                dataset,
                knobs.flat(recipe),
                place,
                folder,
                team,
                f"convworks train --resume {folder}",
                before=before,
                accept_change=accept_change,
                reasons=recipe,
            )
            return (yield from place.say(stream) if place and team.leads else stream)
        finally:
            if place:
                place.close()


def _run(
    dataset: DataSet,
    given: dict[str, Any],
    place: Run | None,
    folder: Path,
    team: Team,
    command: str,
    *,
    before: dict[str, Any] | None = None,
    accept_change: bool = False,
    reasons: Recipe | None = None,
) -> Generator[Event, None, Model | None]:
    began, cpu = time.time(), time.process_time()
    recipe, prepared, backbone = yield from _progressing(dataset, given, team)
    if before is not None:
        prepare.refuse_changes(folder, before, prepare.manifest(prepared), accepted=accept_change)
        prepared = prepare.as_before(prepared, before)
    if reasons is not None:
        recipe = replace(recipe, reasons=reasons.reasons)
    yield prepare.found(prepared)
    yield prepare.divided(prepared)
    yield from prepared.audit.findings
    if place is not None:
        place.write_data(prepare.manifest(prepared))
        place.write_recipe(recipe)
    made = _model(recipe, prepared, backbone, folder.name, team.device)
    yield WeightsLoaded(
        backbone=backbone.name,
        source=f"{backbone.card.name}, {backbone.card.source}",
        licence=backbone.card.licence,
        parameters=sum(value.numel() for value in backbone.parameters()),
        notes=tuple(_noticed(made, prepared)),
    )
    stopped = False
    trained = fit(made, prepared, recipe, team=team, run=place or (Run(folder) if team.leads else None))
    while True:
        try:
            event = next(trained)
        except StopIteration as end:
            recipe = end.value
            break
        stopped = stopped or isinstance(event, Interrupted)
        yield event
    if stopped:
        return None
    evaluation = _measured(made, prepared, recipe, team)
    scored = score(evaluation, prepared.counts(prepared.learn))
    yield scored
    answers, truth = counts_of(evaluation)
    yield from diagnose(answers=answers, truth=truth, scored=scored, options=knobs.flat(recipe))
    if team.leads:
        made.facts = _facts(made, recipe, prepared, scored, command)
        yield from _written(made, evaluation, folder, began, cpu)
    return made


def _written(made: Model, evaluation: Evaluation, folder: Path, began: float, cpu: float) -> Iterator[Event]:
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
            (str(folder / model.WEIGHTS), "the model"),
            (str(folder / runs.RECIPE), "the recipe that repeats it"),
        ),
    )


def _progressing(
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
        planned = pool.submit(_planned, dataset, given, team, progress)
        planned.add_done_callback(lambda _: said.put(None))
        try:
            while (event := said.get()) is not None:
                yield event
        finally:
            left.set()
        return planned.result()


def _planned(
    dataset: DataSet, given: dict[str, Any], team: Team, progress: Callable[[int, int], None]
) -> tuple[Recipe, Prepared, Backbone]:
    base = knobs.with_values(Recipe(), given)
    if base.data.input_size == "auto":
        given = {name: value for name, value in given.items() if name != "data.input_size"}
    torch.manual_seed(base.seed)
    backbone = backbones.create(base.model.backbone, base.model.weights)
    facts = BackboneFacts(
        name=backbone.name, size=backbone.expects.size, pretrained=bool(backbone.card.sha256)
    )
    size = base.data.input_size
    if size == "auto":
        size, _ = input_size(prepare.median_short_side(dataset), facts)
    _, _, workers = settle.machine(base.compute)
    prepared = prepare.prepare(
        dataset, base.data, side=round(ROOM * size), seed=base.seed, workers=workers, progress=progress
    )
    recipe = proposed(prepared.fingerprint, facts, given)
    if base.data.input_size == "auto":
        recipe = replace(recipe, data=replace(recipe.data, input_size=size))
    return recipe, prepared, backbone


def _model(recipe: Recipe, prepared: Prepared, backbone: Backbone, name: str, device: torch.device) -> Model:
    size = recipe.data.input_size
    assert isinstance(size, int)
    expects = backbone.expects
    preprocessing = Preprocessing(
        size=size,
        side=round(ROOM * size),
        resize=recipe.data.resize,
        mean=expects.mean,
        deviation=expects.deviation,
        interpolation=expects.interpolation,
    )
    torch.manual_seed(recipe.seed)
    made = Model.create(backbone, prepared.classes, preprocessing, dropout=recipe.model.dropout, name=name)
    return made.to(device)


def _noticed(made: Model, prepared: Prepared) -> list[str]:
    """Whether what the net will be fed is what its weights expect."""
    from convworks.backbones.expectations import notice

    rows = prepared.learn[:: max(1, len(prepared.learn) // 16)][:16]
    frames = [made.preprocessing(prepared.store.get(row)) for row in rows.tolist()]
    return notice(torch.from_numpy(np.stack(frames)), made.net.backbone.expects)


def _measured(made: Model, prepared: Prepared, recipe: Recipe, team: Team) -> Evaluation:
    """The measured images through the finished model, shared over the team, exact."""
    began = time.monotonic()
    rows = prepared.measure
    feed = LiveFeed(
        store=prepared.store,
        rows=rows.tolist(),
        preprocessing=made.preprocessing,
        targets={"label": torch.from_numpy(prepared.labels[rows])},
        seed=recipe.seed,
        workers=settle.machine(recipe.compute)[2],
    )
    parts = [np.arange(start, min(start + 16, len(rows))) for start in range(0, len(rows), 16)]
    mine = [parts[place] for place in team.share(len(parts))]
    found = [made.logits(batch.images) for batch in feed.batches(mine, 0)]
    own = torch.cat(found) if found else torch.zeros(0, len(made.classes))
    logits = team.rows(own, [int(row) for part in mine for row in part], len(rows)).numpy()
    return Evaluation(
        root=str(prepared.dataset.root),
        classes=made.classes,
        paths=prepared.paths(rows),
        truth=prepared.labels[rows],
        probabilities=calibration.probabilities(logits).astype(np.float32),
        chosen_on="nothing",
        seconds=time.monotonic() - began,
    )


def _facts(made: Model, recipe: Recipe, prepared: Prepared, scored: Scored, command: str) -> dict[str, Any]:
    import platform

    return {
        "versions": model.described_versions(),
        "created": time.strftime("%Y-%m-%d %H:%M"),
        "command": command,
        "environment": {
            "device": recipe.compute.device,
            "cpu": platform.processor() or platform.machine(),
            "threads": recipe.compute.threads,
            "precision": recipe.compute.precision,
        },
        "recipe": knobs.document(recipe),
        "counts": prepared.counts(prepared.learn),
        "network": [
            {
                "layer": stage.name,
                "output": f"{stage.channels} channels, stride {stage.stride}",
                "parameters": sum(value.numel() for value in module.parameters()),
            }
            for stage, module in zip(made.net.backbone.info, made.net.backbone.stages, strict=True)
        ]
        + [
            {
                "layer": "head",
                "output": f"{len(made.classes)} classes",
                "parameters": sum(value.numel() for value in made.net.head.parameters()),
            }
        ],
        "score": {"right": scored.right, "of": scored.of, "low": scored.low, "high": scored.high},
    }


def _dataset(data: str | Path) -> DataSet:
    dataset = prepare.read(Path(data))
    if dataset.task != "classification":
        raise DataError(f"{data} is a set for {dataset.task}, which this version does not train yet.")
    return dataset


def _given(options: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in options.items():
        full = knobs.find(name.replace("__", "."))
        if full in values:
            raise RecipeError(f"{full} is given twice.")
        values[full] = knobs.checked(full, value)
    return values


def _opened(folder: Path, team: Team, *, new: bool) -> Run | None:
    """The run folder, for the leader; the others wait for its word."""
    held: Run | None = None
    error: ConvworksError | None = None
    if team.leads:
        try:
            held = runs.start(folder) if new else runs.resume(folder)
        except ConvworksError as refusal:
            error = refusal
    told = team.from_leader(None if error is None else (type(error), error.found, error.fix))
    if told is not None:
        kind, found, fix = told
        raise kind(found, fix=fix)
    return held


@contextlib.contextmanager
def _team(device: str) -> Generator[Team]:
    team = Team.join(model.find_device(device))
    try:
        yield team
    finally:
        Team.leave()


def _command(data: str | Path, folder: Path, given: dict[str, Any]) -> str:
    parts = ["convworks", "train", str(data), "--run", str(folder)]
    for name, value in given.items():
        word = str(value).lower() if isinstance(value, bool) else str(value)
        parts += [f"--{name.rpartition('.')[2].replace('_', '-')}", word]
    return shlex.join(parts)


def _finished(stream: Generator[Event, None, Model | None], watch: Watch | None) -> Model:
    from convworks.report import terminal

    box: list[Model | None] = []

    def through() -> Iterator[Event]:
        box.append((yield from stream))

    shown = (watch or terminal.watch)(through())
    for _ in shown:
        pass
    made = box[0] if box else None
    if made is None:
        raise KeyboardInterrupt
    return made
