"""The epochs: order, steps, tuning score, best so far, checkpoints, and what to do about numbers not finite."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from convworks.errors import DivergedError
from convworks.events import CheckpointSaved, EpochEnded, Event, Interrupted, Progress, RateLowered
from convworks.recipe.options import OptimiserOptions
from convworks.training import checkpoint as checkpoints
from convworks.training import randomness
from convworks.training.checkpoint import Checkpoint
from convworks.training.features import parts_of
from convworks.training.feed import Feed
from convworks.training.judge import Judge, Verdict
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

    Images are seen once an epoch, or by `weights` (see `randomness.order`).
    Every so many epochs, `judged_every`, the tuning images judge, counted so that the last epoch is judged.
    """

    stage: str
    options: OptimiserOptions
    n: int
    micro: int
    seed: int
    gradual: bool
    stages: int
    values: Mapping[str, Any]
    judged_every: int = 1
    weights: Float[np.ndarray, "n"] | None = None

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-self.n // self.options.batch)

    def rate(self, step: int) -> float:
        """The learning rate at a step of all the epochs, in [0, peak]."""
        return self.options.learning_rate * rate(step, self.steps * self.options.epochs, self.options.warmup)

    def judges(self, epoch: int) -> bool:
        """Whether an epoch, counted from 0, is judged."""
        return (self.options.epochs - 1 - epoch) % self.judged_every == 0

    def frozen(self, epoch: int) -> int | None:
        """How many stages are frozen in an epoch of gradual unfreezing, from the last stage backwards; else None."""
        if not self.gradual:
            return None
        return max(0, self.stages - 1 - epoch * self.stages // max(1, self.options.epochs))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Best:
    """The best epoch's averaged weights, the statistics beside them, and the verdict of the tuning images."""

    epoch: int
    weights: dict[str, Tensor]
    buffers: dict[str, Tensor]
    verdict: Verdict


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
    best_order: tuple[float, ...] = ()


@dataclass(kw_only=True, eq=False)
class Course:
    """The epochs of one stage on their way: where they are, the best so far, and what was said of them."""

    learner: Learner
    schedule: Schedule
    judge: Judge
    run: Run | None
    where: Position = field(default_factory=Position)
    best: Best | None = None
    history: list[EpochEnded] = field(default_factory=list)

    def checkpoint(self) -> Checkpoint:
        """All of it, to come back to."""
        tensors = self.learner.state()
        if self.best is not None:
            tensors |= {f"best/{name}": value for name, value in self.best.weights.items()}
            tensors |= {f"best-buffers/{name}": value for name, value in self.best.buffers.items()}
            tensors["best-evidence"] = torch.from_numpy(self.best.verdict.evidence)
        return Checkpoint(
            tensors=tensors,
            state={
                "stage": self.schedule.stage,
                "epoch": self.where.epoch,
                "step": self.where.step,
                "judged_on": self.judge.mark,
                "position": asdict(self.where),
                "history": [asdict(epoch) for epoch in self.history],
                "best": -1 if self.best is None else self.best.epoch,
            },
        )

    def restore(self, saved: Checkpoint) -> None:
        """Back to a checkpoint; a best epoch that was judged on other tuning images is judged again on these."""
        self.learner.restore(saved.tensors)
        where = saved.state["position"]
        self.where = Position(**where | {"best_order": tuple(where["best_order"])})
        self.history = [EpochEnded(**epoch) for epoch in saved.state["history"]]
        self.best = None
        if saved.state["best"] < 0:
            return
        weights, buffers = _named(saved, "best/"), _named(saved, "best-buffers/")
        if saved.state["judged_on"] == self.judge.mark:
            verdict = self.judge.again(saved.tensors["best-evidence"].numpy())
        else:
            verdict = self.judge(self.learner, {**weights, **buffers})
            self.where.best_order = verdict.order
        self.best = Best(epoch=saved.state["best"], weights=weights, buffers=buffers, verdict=verdict)

    def save(self) -> Generator[Event]:
        """A checkpoint in the run folder, where there is one and this process leads."""
        if self.run is None or not self.learner.team.leads:
            return
        where, schedule = self.where, self.schedule
        number = where.epoch * schedule.steps + where.step
        path = checkpoints.save(self.run.checkpoints, number, self.checkpoint())
        yield CheckpointSaved(stage=schedule.stage, epoch=where.epoch, step=where.step, path=str(path))

    def ended(self, verdict: Verdict | None, rate: float, seconds: float) -> EpochEnded:
        """The epoch that has just been gone through, judged or not; the next one begins."""
        where, options = self.where, self.schedule.options
        better = verdict is not None and (verdict.order > where.best_order or not verdict.of)
        if verdict is not None and better:
            where.best_epoch, where.best_order = where.epoch, verdict.order
            self.best = Best(
                epoch=where.epoch,
                weights=_copied(self.learner.average),
                buffers=_copied(self.learner.buffers),
                verdict=verdict,
            )
        ended = EpochEnded(
            stage=self.schedule.stage,
            epoch=where.epoch + 1,
            epochs=options.epochs,
            train_loss=where.total / where.weight,
            tuning_loss=verdict.loss if verdict else math.nan,
            right=verdict.right if verdict else 0,
            of=verdict.of if verdict else 0,
            learning_rate=rate,
            seconds=seconds,
            remaining=seconds * (options.epochs - where.epoch - 1),
            best=better,
            measure=verdict.measure if verdict else "",
            value=verdict.value if verdict else math.nan,
        )
        self.history.append(ended)
        where.epoch, where.step, where.total, where.weight = where.epoch + 1, 0, 0.0, 0.0
        return ended


def epochs(
    learner: Learner,
    schedule: Schedule,
    feed: Feed,
    judge: Judge,
    *,
    names: Callable[[Int[np.ndarray, "r"]], tuple[str, ...]],
    run: Run | None,
    saved: Checkpoint | None,
    stop: Stop,
) -> Generator[Event, None, Best | None]:
    """Runs the epochs that are left and returns the best one, judged on the tuning images; None when interrupted.

    `feed` gives training batches; `names` are the files at some rows. Raises DivergedError after `RETRIES` smaller
    rates.
    """
    course = Course(learner=learner, schedule=schedule, judge=judge, run=run)
    if saved is not None:
        course.restore(saved)
    good = course.checkpoint()
    said: set[str] = set()
    total_steps = schedule.steps * schedule.options.epochs
    began, steps_done = time.monotonic(), 0
    while course.where.epoch < schedule.options.epochs:
        where = course.where
        frozen = schedule.frozen(where.epoch)
        if frozen is not None:
            learner.net.backbone.freeze(frozen)
        learner.ripen(where.epoch / schedule.options.epochs)
        epoch_began, last_save = time.monotonic(), time.monotonic()
        order = randomness.order(schedule.n, schedule.seed, where.epoch, schedule.weights)
        batches = list(parts_of(order, schedule.options.batch))[where.step :]
        cut = [list(parts_of(batch, schedule.micro)) for batch in batches]
        mine = [[parts[place] for place in learner.team.share(len(parts))] for parts in cut]
        stream = feed.batches([part for parts in mine for part in parts], where.epoch)
        broken: Step | None = None
        used: list[Any] = []
        rows, at = order[:0], (where.epoch + 1) * schedule.steps - 1
        lr = schedule.rate(at) * where.slower
        for batch, parts in zip(batches, mine, strict=True):
            rows, used = batch, [next(stream) for _ in parts]
            at = where.epoch * schedule.steps + where.step
            lr = schedule.rate(at) * where.slower
            done = learner.step(used, where.epoch, at, lr, at / total_steps, stop.asked)
            if done.broken:
                broken = done
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
                    yield from course.save()
                yield interrupted(stop, run)
                return None
            if run and time.monotonic() - last_save > EVERY and where.step < schedule.steps:
                if learner.is_finite():
                    yield from course.save()
                last_save = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        verdict = judge(learner) if broken is None and schedule.judges(where.epoch) else None
        if broken or (verdict and not verdict.finite) or not learner.is_finite():
            broken = broken or Step(total=where.total, weight=where.weight, broken="weight")
            yield _lowered(learner, where, broken, used, names(rows), at, lr)
            _roll_back(course, good, broken, lr)
            good = course.checkpoint()
            continue
        yield course.ended(verdict, lr, time.monotonic() - epoch_began)
        good = course.checkpoint()
        yield from course.save()
        found = judge.findings(course.history, verdict, schedule.values) if verdict else ()
        for finding in found:
            if finding.code not in said:
                said.add(finding.code)
                yield finding
    assert course.best is not None
    return course.best


def _roll_back(course: Course, good: Checkpoint, broken: Step, lr: float) -> None:
    """Back to the last good state with a smaller rate; raises DivergedError where that was tried `RETRIES` times."""
    retries, slower = course.where.retries + 1, course.where.slower * SLOWER
    if retries > RETRIES:
        raise DivergedError(
            f"The {broken.broken} is not finite at learning rate {lr:.2g} either, {RETRIES} times smaller.",
            fix=f"look at the files named above, or try --learning-rate {lr * SLOWER:.1g}",
        )
    course.restore(good)
    course.where.retries, course.where.slower = retries, slower


def interrupted(stop: Stop, run: Run | None) -> Interrupted:
    """The last event of a run that was asked to stop: by which signal, and how it goes on."""
    return Interrupted(signal=stop.name, command=f"convworks train --resume {run.folder}" if run else "")


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in tensors.items()}


def _named(saved: Checkpoint, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value.clone()
        for name, value in saved.tensors.items()
        if name.startswith(prefix)
    }


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
