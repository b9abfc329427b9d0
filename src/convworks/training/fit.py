"""Training as a generator of events: probe, freeze, fine-tune, choose; `for event in fit(...)`.

Stopping early is leaving the loop. What chooses does not measure: the depth of freezing is chosen by cross-validation
on the training images, the epoch and the candidate on the tuning images; the measured images are never looked at here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from convworks.evaluation import calibration
from convworks.events import (
    Candidate,
    DepthProbed,
    Event,
    RecipeSettled,
    Resumed,
    StageStarted,
)
from convworks.model import Model
from convworks.recipe.options import Recipe, flat
from convworks.recipe.propose import with_values_and_reasons
from convworks.tasks.contract import Task
from convworks.training import candidates, drift, randomness, settle
from convworks.training import checkpoint as checkpoints
from convworks.training.epochs import Schedule, epochs, interrupted
from convworks.training.features import PART, bytes_of, computed, parts_of, pooled, stacked, upto
from convworks.training.feed import Feed, KeptFeed, LiveFeed
from convworks.training.learner import Learner, has_live_statistics
from convworks.training.prepare import Prepared, free_memory
from convworks.training.run import Run
from convworks.training.signals import Stop, Stopping, stopping
from convworks.training.team import Team
from convworks.transfer import depth, linear
from convworks.transfer.drift import PICTURES

BETWEEN = (0.25, 0.5, 0.75)
"""How far from the probe to the fine-tuned net the candidates between them lie (WiSE-FT, 2109.01903)."""


@dataclass(kw_only=True, eq=False)
class Fit:
    """What the stages of one training share. `recipe` is replaced as `auto` values are settled."""

    model: Model
    data: Prepared
    recipe: Recipe
    team: Team
    run: Run | None
    stop: Stop
    workers: int
    candidates: dict[str, tuple[dict[str, Tensor], Float[np.ndarray, "t k"]]] = field(default_factory=dict)
    pretrained: dict[str, Tensor] = field(default_factory=dict)

    @property
    def precision(self) -> torch.dtype:
        """The dtype that is computed in."""
        return getattr(torch, self.recipe.compute.precision)

    @property
    def stages(self) -> int:
        """How many stages the backbone has."""
        return len(self.model.net.backbone.stages)

    def settle(self, reasons: dict[str, str], **values: Any) -> None:
        """Replace an `auto` by what was found, and keep it: a resumed run measures nothing again."""
        self.recipe = with_values_and_reasons(self.recipe, reasons, **values)
        if self.run and self.team.leads:
            self.run.write_recipe(self.recipe)

    def live(self, rows: Int[np.ndarray, "n"], *, augmented: bool, view: int = 0) -> LiveFeed:
        """The pictures at some rows, with their labels, augmented or as they are judged."""
        return LiveFeed(
            store=self.data.store,
            rows=rows.tolist(),
            preprocessing=self.model.preprocessing,
            targets={"label": torch.from_numpy(self.data.labels[rows])},
            seed=self.recipe.seed,
            workers=self.workers,
            augmentation=self.recipe.augmentation if augmented else None,
            view=view,
        )


def fit(
    model: Model, data: Prepared, recipe: Recipe, *, team: Team | None = None, run: Run | None = None
) -> Generator[Event, None, Recipe]:
    """Trains `model` in place by `recipe`; yields what happens and returns the recipe with every `auto` settled.

    With `run`, checkpoints lie there and a run that was stopped goes on from the last. With `team`, the same is
    done by several processes. Raises DivergedError where no learning rate tried keeps the numbers finite.
    """
    crew = team or Team(device=model.device)
    _, threads, workers = settle.machine(recipe.compute)
    torch.set_num_threads(threads)
    with stopping() as stop:
        work = Fit(model=model, data=data, recipe=recipe, team=crew, run=run, stop=stop, workers=workers)
        work.recipe = crew.from_leader(
            settle.settled(
                recipe,
                model.net,
                model.preprocessing.size,
                device=crew.device,
                threads=threads,
                workers=workers,
            )
        )
        model.channels_last = bool(work.recipe.compute.channels_last)
        placed = torch.channels_last if model.channels_last else torch.contiguous_format
        model.net.to(memory_format=placed)  # pyright: ignore[reportCallIssue]
        work.settle({})
        try:
            yield from _trained(work)
        except Stopping:
            yield interrupted(stop, run)
    return work.recipe


def _trained(work: Fit) -> Iterator[Event]:
    mode = work.recipe.transfer.mode
    saved, note = _saved(work)
    if saved is not None:
        state = saved.state
        yield Resumed(stage=state["stage"], epoch=state["epoch"], step=state["step"], note=note)
    elif note:
        yield Resumed(stage="the beginning", epoch=0, step=0, note=note)
    if mode in ("finetune", "extract", "gradual"):
        yield from _probe(work)
        if work.team.any(work.stop.asked):
            yield interrupted(work.stop, work.run)
            return
    if mode == "extract":
        yield RecipeSettled(values=flat(work.recipe), why=dict(work.recipe.reasons))
        yield from _choose(work)
        return
    freeze = {"full": 0, "scratch": 0, "gradual": 0}.get(mode, work.recipe.transfer.freeze)
    assert isinstance(freeze, int)
    finished = yield from _learn(work, freeze, saved)
    if finished:
        chosen = yield from _choose(work)
        if work.pretrained:
            yield from _drifted(work, chosen, freeze)


def _saved(work: Fit) -> tuple[checkpoints.Checkpoint | None, str]:
    if work.run is None and work.team.size == 1:
        return None, ""
    return work.team.from_leader(checkpoints.latest(work.run.checkpoints) if work.run else (None, ""))


def _probe(work: Fit) -> Iterator[Event]:
    """A linear model on every stage's features, cross-validated; the head becomes the best one's solution."""
    data, model, seed = work.data, work.model, work.recipe.seed
    backbone = model.net.backbone
    backbone.freeze(work.stages)
    rows = np.concatenate([data.learn, data.tune])
    yield StageStarted(
        stage="features", epochs=0, learns=0, said=f"{len(rows):,} pictures through the frozen net, once"
    )
    columns = yield from computed(
        pooled(backbone),
        work.live(rows, augmented=False),
        work.team,
        work.precision,
        stage="features",
        stop=work.stop,
    )
    kept = [column.double().numpy() for column in columns]
    labels, classes = data.labels[rows], len(data.classes)
    folds = linear.folds_of(labels, data.audit.groups[rows], seed)
    learns = classes * (kept[-1].shape[1] + 1)
    yield StageStarted(stage="probe", epochs=0, learns=learns, said="a new last layer, solved to its optimum")
    found = work.team.from_leader(linear.cross_validate(kept[-1], labels, classes, folds))
    strength = min(found, key=lambda tried: linear.log_loss(found[tried], labels))
    if work.recipe.transfer.freeze == "auto" and work.recipe.transfer.mode == "finetune":
        probes = [
            depth.probe(info.name, values, labels, classes, folds)
            for info, values in zip(backbone.info, kept, strict=True)
        ]
        freeze, why = work.team.from_leader(
            depth.choose(probes, [info.stride for info in backbone.info], classes)
        )
        work.settle({"transfer.freeze": why}, transfer__freeze=freeze)
        yield DepthProbed(
            stages=tuple((probe.name, probe.share) for probe in probes), n=probes[0].n, freeze=freeze, why=why
        )
    learn = len(data.learn)
    if work.recipe.transfer.mode == "extract":
        views = [kept[-1], *(yield from _other_views(work, rows))]
        solved = linear.fit(np.concatenate(views), np.tile(labels, len(views)), classes, strength)
        work.candidates["probe"] = (_head_state(work.team.from_leader(solved)), found[strength][learn:])
        model.temperature = calibration.temperature(found[strength], labels)
        return
    start, whole = work.team.from_leader(
        (
            linear.fit(kept[-1][:learn], labels[:learn], classes, strength),
            linear.fit(kept[-1], labels, classes, strength),
        )
    )
    model.net.load_state_dict(_head_state(start), strict=False)
    work.candidates["probe"] = (_head_state(whole), start.logits(kept[-1][learn:]))


def _other_views(
    work: Fit, rows: Int[np.ndarray, "n"]
) -> Generator[Event, None, list[Float[np.ndarray, "n d"]]]:
    """The last stage's features of augmented views of the pictures at `rows`, one array a view beyond the first."""
    views = work.recipe.transfer.views
    found: list[Float[np.ndarray, "n d"]] = []
    for view in range(1, views):
        columns = yield from computed(
            pooled(work.model.net.backbone, last=True),
            work.live(rows, augmented=True, view=view),
            work.team,
            work.precision,
            stage="features",
            done=(view - 1) * len(rows),
            total=(views - 1) * len(rows),
            stop=work.stop,
        )
        found.append(columns[-1].double().numpy())
    return found


def _head_state(solved: linear.Linear) -> dict[str, Tensor]:
    return {
        "head.linear.weight": torch.from_numpy(solved.weight),
        "head.linear.bias": torch.from_numpy(solved.bias),
    }


def _learn(work: Fit, freeze: int, saved: checkpoints.Checkpoint | None) -> Generator[Event, None, bool]:
    """The stages after the freeze, from where they are, over the epochs; the best epoch becomes a candidate.

    Returns False where it was interrupted.
    """
    model, data, recipe = work.model, work.data, work.recipe
    options, backbone = recipe.optimiser, model.net.backbone
    scratch = recipe.transfer.mode == "scratch"
    backbone.freeze(freeze, statistics=not scratch)
    model.net.requires_grad_(True)
    backbone.freeze(freeze, statistics=not scratch)
    live_norms = has_live_statistics(model.net)
    if recipe.compute.micro_batch == "auto":
        work.recipe = work.team.from_leader(
            settle.with_micro_batch(
                recipe, model.net, model.preprocessing.size, freeze, live=live_norms, processes=work.team.size
            )
        )
        work.settle({})
    yield RecipeSettled(values=flat(work.recipe), why=dict(work.recipe.reasons))
    before = _digest(model, freeze)
    feed, judged = yield from _feeds(work, freeze)
    task = _smoothed(model.task, options.label_smoothing)
    learner = Learner(
        model.net, task, options, work.team, first=freeze, precision=work.precision, seed=recipe.seed
    )
    learns = sum(value.numel() for value in learner.parameters.values())
    stage = "train" if scratch else "finetune"
    frozen = f"the stages after the {freeze} frozen ones" if freeze else "every stage"
    yield StageStarted(stage=stage, epochs=options.epochs, learns=learns, said=frozen)
    start = {name: value.detach().clone() for name, value in learner.parameters.items()}
    if not scratch:
        work.pretrained = drift.of_backbone(start)
    if "probe" in work.candidates:
        head, logits = work.candidates["probe"]
        unmoved = {name: value.clone() for name, value in learner.buffers.items()}
        work.candidates["probe"] = ({**start, **unmoved, **head}, logits)
    micro = work.recipe.compute.micro_batch
    assert isinstance(micro, int)
    schedule = Schedule(
        stage=stage,
        options=options,
        n=len(data.learn),
        micro=micro,
        seed=recipe.seed,
        gradual=recipe.transfer.mode == "gradual",
        stages=work.stages,
        judged_on=_marked(data),
        values=flat(work.recipe),
    )
    judge = [np.asarray(part) for part in parts_of(np.arange(len(data.tune)), PART)]
    best = yield from epochs(
        learner,
        schedule,
        feed,
        judged,
        judge,
        labels=data.labels[data.tune],
        classes=data.classes,
        names=lambda rows: data.paths(data.learn[rows]),
        run=work.run,
        saved=saved,
        stop=work.stop,
    )
    assert _digest(model, freeze) == before, "a frozen stage changed"
    if best is None:
        return False
    if work.team.any(work.stop.asked):
        yield interrupted(work.stop, work.run)
        return False
    buffers = {name: value.clone() for name, value in learner.buffers.items()}
    tuned = {**best.weights, **best.buffers} if best.buffers else {**best.weights, **buffers}
    work.candidates["fine-tuned" if not scratch else "trained"] = (tuned, best.logits)
    if not scratch and recipe.transfer.mode == "finetune":
        for share in BETWEEN:
            mixed = {name: torch.lerp(start[name].cpu(), best.weights[name], share) for name in start}
            logits = (
                torch.cat(learner.outputs(judged.batches(judge, 0), mixed)).numpy() if judge else best.logits
            )
            work.candidates[f"between {share:.2f}"] = ({**tuned, **mixed}, logits)
    return True


def _smoothed(task: Task, smoothing: float) -> Task:
    """The task with the recipe's label smoothing, where its loss takes one; a loss of one's own stays as it is."""
    loss = task.loss
    if isinstance(loss, partial) and "smoothing" in loss.keywords:
        return dataclasses.replace(task, loss=partial(loss, smoothing=smoothing))
    return task


def _feeds(work: Fit, freeze: int) -> Generator[Event, None, tuple[Feed, Feed]]:
    """What the stages that learn are fed: kept features where there is something frozen and room, else pictures."""
    data, model, recipe = work.data, work.model, work.recipe
    plain = work.live(data.tune, augmented=False)
    live = work.live(data.learn, augmented=True)
    if freeze == 0 or recipe.transfer.mode == "gradual":
        return live, plain
    views = work.team.from_leader(_views_with_room(work, freeze))
    if views < recipe.transfer.views:
        work.settle({"transfer.views": "as many as there is memory for"}, transfer__views=views)
    compute = upto(model.net.backbone, freeze)
    total = views * len(data.learn) + len(data.tune)
    yield StageStarted(
        stage="features",
        epochs=0,
        learns=0,
        said=f"{views} views of each picture through the frozen stages, once",
    )
    found: list[Tensor] = []
    for view in range(views):
        source = work.live(data.learn, augmented=view > 0, view=view)
        (column,) = yield from computed(
            compute,
            source,
            work.team,
            work.precision,
            stage="features",
            done=view * len(data.learn),
            total=total,
            stop=work.stop,
        )
        found.append(column)
    targets = {"label": torch.from_numpy(data.labels[data.learn])}
    kept = KeptFeed(views=stacked(found), targets=targets, seed=recipe.seed)
    if not len(data.tune):
        return kept, plain
    (column,) = yield from computed(
        compute, plain, work.team, work.precision, stage="features", done=views * len(data.learn), total=total
    )
    return kept, KeptFeed(
        views=column[None], targets={"label": torch.from_numpy(data.labels[data.tune])}, seed=recipe.seed
    )


def _views_with_room(work: Fit, freeze: int) -> int:
    """How many of the recipe's views half of the free memory holds, at least one."""
    views, learn, tune = work.recipe.transfer.views, len(work.data.learn), len(work.data.tune)
    size = work.model.preprocessing.size
    each = bytes_of(work.model.net.backbone, freeze, size, work.team.device)
    room = 0.5 * free_memory() / each
    return views if views * learn + tune <= room else max(1, int((room - tune) / max(learn, 1)))


def _choose(work: Fit) -> Generator[Event, None, str]:
    """The candidate that the tuning images speak for becomes the model, with a temperature fitted there.

    Returns its name.
    """
    data, model = work.data, work.model
    labels = data.labels[data.tune]
    if not len(labels):
        name = list(work.candidates)[-1]
        model.net.load_state_dict(work.candidates[name][0], strict=False)
        return name
    judged = {name: candidates.judge(logits, labels) for name, (_, logits) in work.candidates.items()}
    best = candidates.choose(judged)
    for name, one in judged.items():
        yield Candidate(name=name, right=one.right, of=len(labels), loss=one.loss, chosen=name == best)
    model.net.load_state_dict(work.candidates[best][0], strict=False)
    if work.recipe.transfer.mode != "extract":
        model.temperature = judged[best].temperature
    return best


def _drifted(work: Fit, chosen: str, freeze: int) -> Iterator[Event]:
    """How far the chosen net, or where that is the probe the fine-tuned one, is from the pretrained weights."""
    name = "fine-tuned" if chosen == "probe" else chosen
    rows = work.data.learn[:: -(-len(work.data.learn) // PICTURES)]
    yield from drift.measured(
        work.model.net.backbone,
        work.pretrained,
        work.candidates[name][0],
        work.live(rows, augmented=False),
        work.team,
        work.precision,
        first=freeze,
        candidate=name,
        kept=chosen,
    )


def _marked(data: Prepared) -> str:
    """A number for the tuning images and their classes: a best epoch that was judged on others is judged again."""
    rows = data.tune.tolist()
    known = (f"{data.audit.facts[row].hashes.file.hex()} {int(data.labels[row])}" for row in rows)
    return f"{randomness.key(*known):x}"


def _digest(model: Model, stages: int) -> str:
    """A hash over every parameter and buffer of the first stages."""
    import hashlib

    found = hashlib.sha256()
    for stage in list(model.net.backbone.stages)[:stages]:
        for name, value in sorted(stage.state_dict().items()):
            found.update(name.encode())
            found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
