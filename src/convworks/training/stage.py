"""What every stage of epochs needs: its micro-batch settled, what learns in it said, its epochs gone through."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

import torch

from convworks.events import Event, StageStarted
from convworks.geometry.boxes import Size
from convworks.model import Model
from convworks.recipe.options import flat
from convworks.training import sampling, settle
from convworks.training.checkpoint import Checkpoint
from convworks.training.epochs import Best, Schedule, epochs
from convworks.training.feed import Feed
from convworks.training.judge import Judge
from convworks.training.learner import Learner, has_live_statistics
from convworks.training.work import Work


def settle_micro_batch(work: Work, size: Size, freeze: int, *, entry: int | None = None) -> None:
    """Settles how many frames of `size` (height, width) are computed at once, for the team, where that is `auto`."""
    if work.recipe.compute.micro_batch != "auto":
        return
    live = has_live_statistics(work.model.net)
    settled = settle.with_micro_batch(
        work.recipe, work.model.net, size, freeze, live=live, processes=work.team.size, entry=entry
    )
    work.recipe = work.team.from_leader(settled)
    work.settle({})


def started(learner: Learner, name: str, said: str) -> StageStarted:
    """That a stage of epochs begins, and how much learns in it."""
    learns = sum(value.numel() for value in learner.parameters.values())
    return StageStarted(stage=name, epochs=learner.options.epochs, learns=learns, said=said)


def taught(
    work: Work,
    name: str,
    learner: Learner,
    feed: Feed,
    judge: Judge,
    saved: Checkpoint | None,
    *,
    gradual: bool = False,
    judged_every: int = 1,
) -> Generator[Event, None, Best | None]:
    """The epochs of the stage `name`; returns the best one, None where it was interrupted.

    With `gradual` the stages of the net join one after the other, from the last backwards. Every so many epochs,
    `judged_every`, are judged, the last among them.
    """
    data, recipe = work.data, work.recipe
    micro = recipe.compute.micro_batch
    assert isinstance(micro, int)
    schedule = Schedule(
        stage=name,
        options=learner.options,
        n=len(data.learn),
        micro=micro,
        seed=recipe.seed,
        gradual=gradual,
        stages=work.stages,
        values=flat(recipe),
        judged_every=judged_every,
        weights=sampling.weights(data.shown(data.learn), recipe.data.sampling),
    )
    return (
        yield from epochs(
            learner,
            schedule,
            feed,
            judge,
            names=lambda rows: data.paths(data.learn[rows]),
            run=work.run,
            saved=saved,
            stop=work.stop,
        )
    )


def digest(model: Model, stages: int) -> str:
    """A hash over every parameter and buffer of the first stages."""
    found = hashlib.sha256()
    for stage in list(model.net.backbone.stages)[:stages]:
        for name, value in sorted(stage.state_dict().items()):
            found.update(name.encode())
            found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
