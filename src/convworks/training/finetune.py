"""The guide's second half of transfer learning: some stages learn on, from where the pretrained net stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from convworks.augmentation import mix
from convworks.events import (
    Event,
    RecipeSettled,
    StageStarted,
)
from convworks.recipe.options import flat
from convworks.tasks.contract import Task
from convworks.training import checkpoint as checkpoints
from convworks.training import drift, randomness
from convworks.training.epochs import interrupted
from convworks.training.features import bytes_of, computed, upto
from convworks.training.feed import Feed, KeptFeed
from convworks.training.judge import ClassJudge, Judge, LabelJudge
from convworks.training.learner import Learner
from convworks.training.prepare import Prepared, free_memory
from convworks.training.stage import digest, settle_micro_batch, started, taught
from convworks.training.work import Work

BETWEEN = (0.25, 0.5, 0.75)
"""How far from the probe to the fine-tuned net the candidates between them lie (WiSE-FT, 2109.01903)."""


def learn(work: Work, freeze: int, saved: checkpoints.Checkpoint | None) -> Generator[Event, None, bool]:
    """The stages after the freeze, from where they are, over the epochs; the best epoch becomes a candidate.

    Returns False where it was interrupted.
    """
    model, data, recipe = work.model, work.data, work.recipe
    options, backbone = recipe.optimiser, model.net.backbone
    scratch = recipe.transfer.mode == "scratch"
    model.net.requires_grad_(True)
    backbone.freeze(freeze, statistics=not scratch)
    mixed = mix.mixes(recipe.augmentation)
    entry = 0 if mixed else freeze
    settle_micro_batch(work, model.preprocessing.seen, freeze, entry=entry)
    yield RecipeSettled(values=flat(work.recipe), why=dict(work.recipe.reasons))
    before = digest(model, freeze)
    feed, judged = yield from _feeds(work, freeze)
    task = _smoothed(model.task, options.label_smoothing)
    learner = Learner(
        model.net,
        task,
        options,
        work.team,
        first=freeze,
        entry=entry,
        precision=work.precision,
        seed=recipe.seed,
    )
    stage = "train" if scratch else "finetune"
    what = f"the stages after the {freeze} frozen ones" if freeze else "every stage"
    again = ", which mixed images pass anew in each epoch" if mixed and freeze else ""
    yield started(learner, stage, f"{what}{again}")
    start = {name: value.detach().clone() for name, value in learner.parameters.items()}
    if not scratch:
        work.pretrained = drift.of_backbone(start)
    if "probe" in work.candidates:
        head, logits = work.candidates["probe"]
        unmoved = {name: value.clone() for name, value in learner.buffers.items()}
        work.candidates["probe"] = ({**start, **unmoved, **head}, logits)
    judge = _judge(data, judged)
    gradual = recipe.transfer.mode == "gradual"
    best = yield from taught(work, stage, learner, feed, judge, saved, gradual=gradual)
    assert digest(model, freeze) == before, "a frozen stage changed"
    if best is None:
        return False
    if work.team.any(work.stop.asked):
        yield interrupted(work.stop, work.run)
        return False
    tuned = {**best.weights, **best.buffers}
    work.candidates["fine-tuned" if not scratch else "trained"] = (tuned, best.verdict.evidence)
    if not scratch and recipe.transfer.mode == "finetune":
        for share in BETWEEN:
            mixed = {name: torch.lerp(start[name].cpu(), best.weights[name], share) for name in start}
            verdict = judge(learner, mixed)
            work.candidates[f"between {share:.2f}"] = ({**tuned, **mixed}, verdict.evidence)
    return True


def _judge(data: Prepared, feed: Feed) -> Judge:
    if data.shows is not None:
        return LabelJudge(feed=feed, shows=data.shows[data.tune], mark=marked(data))
    return ClassJudge(feed=feed, labels=data.labels[data.tune], classes=data.classes, mark=marked(data))


def _smoothed(task: Task, smoothing: float) -> Task:
    """The task with the recipe's label smoothing, where its loss takes one; a loss of one's own stays as it is."""
    loss = task.loss
    if isinstance(loss, partial) and "smoothing" in loss.keywords:
        return dataclasses.replace(task, loss=partial(loss, smoothing=smoothing))
    return task


def _feeds(work: Work, freeze: int) -> Generator[Event, None, tuple[Feed, Feed]]:
    """What the stages that learn are fed: kept features where there is something frozen and room, else pictures.

    Images that are mixed with one another are never twice the same: nothing of them is kept.
    """
    data, model, recipe = work.data, work.model, work.recipe
    plain = work.live(data.tune, augmented=False)
    live = work.live(data.learn, augmented=True)
    if freeze == 0 or recipe.transfer.mode == "gradual" or mix.mixes(recipe.augmentation):
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
    targets = data.targets(data.learn)
    kept = KeptFeed(views=torch.stack(found), targets=targets, seed=recipe.seed)
    if not len(data.tune):
        return kept, plain
    (column,) = yield from computed(
        compute, plain, work.team, work.precision, stage="features", done=views * len(data.learn), total=total
    )
    return kept, KeptFeed(views=column[None], targets=data.targets(data.tune), seed=recipe.seed)


def _views_with_room(work: Work, freeze: int) -> int:
    """How many of the recipe's views half of the free memory holds, at least one."""
    views, learn, tune = work.recipe.transfer.views, len(work.data.learn), len(work.data.tune)
    size = work.model.preprocessing.seen
    each = bytes_of(work.model.net.backbone, freeze, size, work.team.device)
    room = 0.5 * free_memory() / each
    return views if views * learn + tune <= room else max(1, int((room - tune) / max(learn, 1)))


def marked(data: Prepared) -> str:
    """A number for the tuning images and their classes: a best epoch that was judged on others is judged again."""
    rows = data.tune.tolist()
    truth = data.truth
    said = [
        str(int(truth[row])) if truth.ndim == 1 else np.packbits(truth[row]).tobytes().hex() for row in rows
    ]
    known = (f"{data.audit.facts[row].hashes.file.hex()} {one}" for row, one in zip(rows, said, strict=True))
    return f"{randomness.key(*known):x}"
