"""Training as a generator of events: probe, freeze, fine-tune, choose; `for event in fit(...)`.

Stopping early is leaving the loop. What chooses does not measure: the depth of freezing is chosen by cross-validation
on the training images, the epoch and the candidate on the tuning images; the measured images are never looked at here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import torch

from convworks.evaluation import calibration
from convworks.evaluation.labels import thresholds
from convworks.events import (
    Candidate,
    Event,
    RecipeSettled,
    Resumed,
)
from convworks.model import Model
from convworks.recipe.options import Recipe, flat
from convworks.training import candidates, drift, settle
from convworks.training import checkpoint as checkpoints
from convworks.training.epochs import interrupted
from convworks.training.finetune import learn
from convworks.training.prepare import Prepared
from convworks.training.probe import probe
from convworks.training.run import Run
from convworks.training.scenes import learn_scenes
from convworks.training.signals import Stopping, stopping
from convworks.training.team import Team
from convworks.training.work import Work
from convworks.transfer.drift import PICTURES


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
        work = Work(model=model, data=data, recipe=recipe, team=crew, run=run, stop=stop, workers=workers)
        work.recipe = crew.from_leader(
            settle.settled(
                recipe,
                model.net,
                model.preprocessing.seen,
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


def _trained(work: Work) -> Iterator[Event]:
    mode = work.recipe.transfer.mode
    saved, note = _saved(work)
    if saved is not None:
        state = saved.state
        yield Resumed(stage=state["stage"], epoch=state["epoch"], step=state["step"], note=note)
    elif note:
        yield Resumed(stage="the beginning", epoch=0, step=0, note=note)
    if work.model.task.scenes is not None:
        yield from learn_scenes(work, saved)
        return
    if mode in ("finetune", "extract", "gradual"):
        yield from probe(work)
        if work.team.any(work.stop.asked):
            yield interrupted(work.stop, work.run)
            return
    if mode == "extract":
        yield RecipeSettled(values=flat(work.recipe), why=dict(work.recipe.reasons))
        yield from _choose(work)
        return
    freeze = {"full": 0, "scratch": 0, "gradual": 0}.get(mode, work.recipe.transfer.freeze)
    assert isinstance(freeze, int)
    finished = yield from learn(work, freeze, saved)
    if finished:
        chosen = yield from _choose(work)
        if work.pretrained:
            yield from _drifted(work, chosen, freeze)


def _saved(work: Work) -> tuple[checkpoints.Checkpoint | None, str]:
    if work.run is None and work.team.size == 1:
        return None, ""
    return work.team.from_leader(checkpoints.latest(work.run.checkpoints) if work.run else (None, ""))


def _choose(work: Work) -> Generator[Event, None, str]:
    """The candidate that the tuning images speak for becomes the model, with a temperature fitted there.

    Returns its name.
    """
    data, model = work.data, work.model
    truth = data.truth[data.tune]
    if not len(truth):
        name = list(work.candidates)[-1]
        model.net.load_state_dict(work.candidates[name][0], strict=False)
        return name
    judged = {name: candidates.judge(logits, truth) for name, (_, logits) in work.candidates.items()}
    best = candidates.choose(judged)
    for name, one in judged.items():
        yield Candidate(
            name=name,
            right=one.right,
            of=len(truth),
            loss=one.loss,
            chosen=name == best,
            measure=one.measure,
            value=one.value,
        )
    model.net.load_state_dict(work.candidates[best][0], strict=False)
    if work.recipe.transfer.mode != "extract":
        model.temperature = judged[best].temperature
        if model.task.several:
            said = calibration.set_probabilities(work.candidates[best][1], model.temperature)
            model.thresholds = thresholds(said, truth)
    return best


def _drifted(work: Work, chosen: str, freeze: int) -> Iterator[Event]:
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
