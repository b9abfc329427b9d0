"""The epochs: order, steps, tuning score, best so far, checkpoints, and what to do about numbers not finite."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from convworks.errors import DivergedError
from convworks.evaluation.calibration import log_loss
from convworks.evaluation.verdicts import diagnose
from convworks.events import CheckpointSaved, EpochEnded, Event, Interrupted, Progress, RateLowered
from convworks.recipe.options import OptimiserOptions
from convworks.training import checkpoint as checkpoints
from convworks.training import randomness
from convworks.training.checkpoint import Checkpoint
from convworks.training.features import parts_of
from convworks.training.feed import Feed
from convworks.training.learner import Learner, Step
from convworks.training.run import Run
from convworks.training.schedule import rate
from convworks.training.signals import Stop

RETRIES = 3
SLOWER = 0.3  # the share of the learning rate that a retry takes
EVERY = float(os.environ.get("CONVWORKS_CHECKPOINT_SECONDS", "60"))  # between checkpoints within an epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How a stage's epochs go: `n` images in parts of `micro`, `values` the recipe for advice in words.

    `judged_on` stands for the tuning images.
    """

    stage: str
    options: OptimiserOptions
    n: int
    micro: int
    seed: int
    gradual: bool
    stages: int
    judged_on: str
    values: Mapping[str, Any]

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-self.n // self.options.batch)

    def rate(self, step: int) -> float:
        """The learning rate at a step of all the epochs, in [0, peak]."""
        return self.options.learning_rate * rate(step, self.steps * self.options.epochs, self.options.warmup)

    def frozen(self, epoch: int) -> int | None:
        """How many stages are frozen in an epoch of gradual unfreezing, from the last stage backwards; else None."""
        if not self.gradual:
            return None
        return max(0, self.stages - 1 - epoch * self.stages // max(1, self.options.epochs))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Best:
    """The best epoch's averaged weights, the statistics beside them, and its logits on the tuning images."""

    epoch: int
    weights: dict[str, Tensor]
    buffers: dict[str, Tensor]
    logits: Float[np.ndarray, "t k"]


@dataclass(kw_only=True, eq=False)
class Position:
    """Where the epochs are. `total` and `weight` sum the losses of the running epoch."""

    epoch: int = 0
    step: int = 0
    total: float = 0.0
    weight: float = 0.0
    slower: float = 1.0
    retries: int = 0
    saves: int = 0
    best_epoch: int = -1
    best_right: int = -1
    best_loss: float = math.inf


def epochs(
    learner: Learner,
    schedule: Schedule,
    feed: Feed,
    judged: Feed,
    judge: Sequence[Int[np.ndarray, "_"]],
    *,
    labels: Int[np.ndarray, "t"],
    classes: Sequence[str],
    names: Callable[[Int[np.ndarray, "r"]], tuple[str, ...]],
    run: Run | None,
    saved: Checkpoint | None,
    stop: Stop,
) -> Generator[Event, None, Best | None]:
    """Runs the epochs that are left and returns the best one, judged on the tuning images; None when interrupted.

    `feed` gives training batches, `judged` the tuning images in the parts `judge`; `names` are the files at some
    rows. Raises DivergedError after `RETRIES` smaller rates.
    """
    where, best, history = Position(), None, []
    if saved is not None:
        where = Position(**saved.state["position"])
        best, history = _resume(learner, saved)
        if best is not None and saved.state["judged_on"] != schedule.judged_on:
            best = _judged_again(learner, best, where, judged, judge, labels, classes)
    good = _checkpoint(learner, schedule, where, best, history)
    said: set[str] = set()
    total_steps = schedule.steps * schedule.options.epochs
    began, steps_done = time.monotonic(), 0
    while where.epoch < schedule.options.epochs:
        frozen = schedule.frozen(where.epoch)
        if frozen is not None:
            learner.net.backbone.freeze(frozen)
        epoch_began, last_save = time.monotonic(), time.monotonic()
        order = randomness.order(schedule.n, schedule.seed, where.epoch)
        batches = list(parts_of(order, schedule.options.batch))[where.step :]
        cut = [list(parts_of(batch, schedule.micro)) for batch in batches]
        mine = [[parts[place] for place in learner.team.share(len(parts))] for parts in cut]
        stream = feed.batches([part for parts in mine for part in parts], where.epoch)
        broken: Step | None = None
        used: list[Any] = []
        rows, at = order[:0], (where.epoch + 1) * schedule.steps - 1
        lr = schedule.rate(at) * where.slower
        for rows, parts in zip(batches, mine, strict=True):
            used = [next(stream) for _ in parts]
            at = where.epoch * schedule.steps + where.step
            lr = schedule.rate(at) * where.slower
            done = learner.step(used, where.epoch, at, lr, at / total_steps, stop.asked)
            if done.broken:
                broken = done
                yield _lowered(learner, where, done, used, names(rows), at, lr)
                break
            where.total, where.weight = where.total + done.total, where.weight + done.weight
            where.step += 1
            steps_done += 1
            pace = (time.monotonic() - began) / steps_done
            yield Progress(
                stage=schedule.stage,
                done=where.epoch * schedule.steps + where.step,
                total=total_steps,
                remaining=pace * (total_steps - at - 1),
            )
            if done.stop:
                stop.signal = stop.signal or 15
                if learner.is_finite():
                    yield from _save(learner, schedule, where, best, history, run)
                yield interrupted(stop, run)
                return None
            if run and time.monotonic() - last_save > EVERY and where.step < schedule.steps:
                if learner.is_finite():
                    yield from _save(learner, schedule, where, best, history, run)
                last_save = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        logits = np.zeros((0, len(classes)))
        if broken is None:
            logits = judged_logits(learner, judged, judge, len(labels), len(classes))
            if not (learner.is_finite() and np.isfinite(logits).all()):
                broken = Step(total=where.total, weight=where.weight, broken="weight")
                yield _lowered(learner, where, broken, used, names(rows), at, lr)
        if broken is not None:
            retries, slower = where.retries + 1, where.slower * SLOWER
            if retries > RETRIES:
                raise DivergedError(
                    f"The {broken.broken} is not finite at learning rate {lr:.2g} either, {RETRIES} times smaller.",
                    fix=f"look at the files named above, or try --learning-rate {lr * SLOWER:.1g}",
                )
            best, history = _resume(learner, good)
            where = Position(**good.state["position"])
            where.retries, where.slower = retries, slower
            good = _checkpoint(learner, schedule, where, best, history)
            continue
        right = int((logits.argmax(1) == labels).sum())
        loss = log_loss(logits, labels) if len(labels) else math.nan
        better = (right, -loss) > (where.best_right, -where.best_loss) or not len(labels)
        if better:
            where.best_epoch, where.best_right, where.best_loss = where.epoch, right, loss
            best = _best(learner, where, logits)
        seconds = time.monotonic() - epoch_began
        ended = EpochEnded(
            stage=schedule.stage,
            epoch=where.epoch + 1,
            epochs=schedule.options.epochs,
            train_loss=where.total / where.weight,
            tuning_loss=loss,
            right=right,
            of=len(labels),
            learning_rate=lr,
            seconds=seconds,
            remaining=seconds * (schedule.options.epochs - where.epoch - 1),
            best=better,
        )
        history.append(ended)
        yield ended
        where.epoch, where.step, where.total, where.weight = where.epoch + 1, 0, 0.0, 0.0
        good = _checkpoint(learner, schedule, where, best, history)
        yield from _save(learner, schedule, where, best, history, run)
        answers, truth = _counts(logits.argmax(1), classes), _counts(labels, classes)
        for finding in diagnose(history, answers=answers, truth=truth, options=schedule.values):
            if finding.code not in said:
                said.add(finding.code)
                yield finding
    assert best is not None
    return best


def interrupted(stop: Stop, run: Run | None) -> Interrupted:
    """The last event of a run that was asked to stop: by which signal, and how it goes on."""
    return Interrupted(signal=stop.name, command=f"convworks train --resume {run.folder}" if run else "")


def _counts(ids: Int[np.ndarray, "n"], classes: Sequence[str]) -> dict[str, int]:
    return dict(zip(classes, np.bincount(ids, minlength=len(classes)).tolist(), strict=True))


def judged_logits(
    learner: Learner,
    judged: Feed,
    judge: Sequence[Int[np.ndarray, "_"]],
    n: int,
    classes: int,
    weights: Mapping[str, Tensor] | None = None,
) -> Float[np.ndarray, "t k"]:
    """The averaged or other weights' logits on the tuning images, shared over the team, exact."""
    mine = [judge[place] for place in learner.team.share(len(judge))]
    found = learner.outputs(judged.batches(mine, 0), weights)
    rows = [int(row) for part in mine for row in part]
    own = torch.cat(found) if found else torch.zeros(0, classes)
    return learner.team.rows(own, rows, n).numpy()


def _judged_again(
    learner: Learner,
    best: Best,
    where: Position,
    judged: Feed,
    judge: Sequence[Int[np.ndarray, "_"]],
    labels: Int[np.ndarray, "t"],
    classes: Sequence[str],
) -> Best:
    """The best epoch so far on other tuning images than those on which it was chosen."""
    weights = {**best.weights, **best.buffers}
    logits = judged_logits(learner, judged, judge, len(labels), len(classes), weights)
    where.best_right = int((logits.argmax(1) == labels).sum())
    where.best_loss = log_loss(logits, labels) if len(labels) else math.nan
    return replace(best, logits=logits)


def _best(learner: Learner, where: Position, logits: Float[np.ndarray, "t k"]) -> Best:
    return Best(
        epoch=where.epoch,
        weights={name: value.detach().cpu().clone() for name, value in learner.average.items()},
        buffers={name: value.detach().cpu().clone() for name, value in learner.buffers.items()},
        logits=logits,
    )


def _checkpoint(
    learner: Learner, schedule: Schedule, where: Position, best: Best | None, history: Sequence[EpochEnded]
) -> Checkpoint:
    tensors = learner.state()
    if best is not None:
        tensors |= {f"best/{name}": value for name, value in best.weights.items()}
        tensors |= {f"best-buffers/{name}": value for name, value in best.buffers.items()}
        tensors["best-logits"] = torch.from_numpy(best.logits)
    return Checkpoint(
        tensors=tensors,
        state={
            "stage": schedule.stage,
            "epoch": where.epoch,
            "step": where.step,
            "judged_on": schedule.judged_on,
            "position": asdict(where),
            "history": [asdict(epoch) for epoch in history],
            "best": -1 if best is None else best.epoch,
        },
    )


def _resume(learner: Learner, saved: Checkpoint) -> tuple[Best | None, list[EpochEnded]]:
    learner.restore(saved.tensors)
    history = [EpochEnded(**epoch) for epoch in saved.state["history"]]
    if saved.state["best"] < 0:
        return None, history
    return Best(
        epoch=saved.state["best"],
        weights=_named(saved, "best/"),
        buffers=_named(saved, "best-buffers/"),
        logits=saved.tensors["best-logits"].numpy(),
    ), history


def _named(saved: Checkpoint, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value.clone()
        for name, value in saved.tensors.items()
        if name.startswith(prefix)
    }


def _save(
    learner: Learner,
    schedule: Schedule,
    where: Position,
    best: Best | None,
    history: Sequence[EpochEnded],
    run: Run | None,
) -> Generator[Event]:
    if run is None or not learner.team.leads:
        return
    number = where.epoch * schedule.steps + where.step
    path = checkpoints.save(run.checkpoints, number, _checkpoint(learner, schedule, where, best, history))
    yield CheckpointSaved(stage=schedule.stage, epoch=where.epoch, step=where.step, path=str(path))


def _lowered(
    learner: Learner,
    where: Position,
    done: Step,
    used: Sequence[Any],
    files: tuple[str, ...],
    at: int,
    lr: float,
) -> RateLowered:
    layer = learner.broken_parameter(done.broken)
    for place, part in zip(learner.team.places(), used, strict=False):
        layer = learner.first_broken_layer(part, where.epoch, at, place) or layer
    return RateLowered(
        epoch=where.epoch + 1,
        step=where.step,
        quantity=done.broken,
        layer=next(filter(None, learner.team.gather(layer)), ""),
        files=files,
        learning_rate=lr,
        retry_learning_rate=lr * SLOWER,
    )
