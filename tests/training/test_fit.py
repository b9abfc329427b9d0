"""Every way of training: what learns learns, what is frozen stays to the bit, and numbers that break are survived."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from convworks import api
from convworks.errors import DivergedError
from convworks.events import Candidate, EpochEnded, Event, Interrupted, Progress, RateLowered, Scored
from convworks.model import Model
from convworks.recipe.options import AugmentationOptions
from convworks.tasks.contract import Loss
from convworks.training import candidates, outcome, plan
from convworks.training import fit as fitting
from convworks.training.features import computed, upto
from convworks.training.feed import KeptFeed, LiveFeed
from convworks.training.learner import Learner
from convworks.training.team import Team

GIVEN: dict[str, Any] = {
    "model.backbone": "tiny",
    "model.weights": "none",
    "compute.threads": 1,
    "compute.workers": 1,
    "compute.precision": "float32",
    "compute.channels_last": False,
    "compute.device": "cpu",
    "optimiser.batch": 16,
    "optimiser.learning_rate": 0.01,
    "augmentation.crop_scale": 0.8,
    "transfer.views": 2,
}


@pytest.fixture(scope="module")
def data(tiny: Path, patterns: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return patterns(tmp_path_factory.mktemp("patterns"), 24)


def made(data: Path, **given: Any) -> tuple[Model, Any, Any]:
    """A model before training, its images, and its recipe."""
    chosen = {**GIVEN, **{name.replace("__", "."): value for name, value in given.items()}}
    recipe, prepared, backbone = plan.planned(api._dataset(data), chosen, Team(), lambda done, total: None)
    return plan.new_model(recipe, prepared, backbone, "m", torch.device("cpu")), prepared, recipe


def fitted(model: Model, prepared: Any, recipe: Any) -> tuple[list[Event], Any]:
    """All that training said, and the recipe that it settled."""
    said: list[Event] = []
    stream = fitting.fit(model, prepared, recipe)
    while True:
        try:
            said.append(next(stream))
        except StopIteration as end:
            return said, end.value


def accuracy(model: Model, prepared: Any, recipe: Any) -> float:
    return outcome.measured(model, prepared, recipe, Team()).accuracy


def stage_states(model: Model) -> list[dict[str, Tensor]]:
    return [
        {name: value.clone() for name, value in stage.state_dict().items()}
        for stage in model.net.backbone.stages
    ]


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("mode", "epochs", "frozen"),
    [("extract", 1, 4), ("finetune", 24, 2), ("gradual", 12, 0), ("full", 14, 0), ("scratch", 14, 0)],
)
def test_every_mode_learns_and_what_is_frozen_stays_to_the_bit(
    mode: str, epochs: int, frozen: int, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "choose", lambda judged: list(judged)[min(1, len(judged) - 1)])
    freeze = {"transfer__freeze": frozen} if mode == "finetune" else {}
    model, prepared, recipe = made(data, transfer__mode=mode, optimiser__epochs=epochs, **freeze)
    before = stage_states(model)
    said, _ = fitted(model, prepared, recipe)
    after = stage_states(model)
    same = [equal(one, other) for one, other in zip(before, after, strict=True)]
    assert all(same[:frozen])
    # the best epoch of gradual unfreezing may be one in which the first stages still waited
    assert not any(same[-1:] if mode == "gradual" else same[frozen:])
    if mode != "scratch":  # statistics are frozen where weights were there before
        for one, other in zip(before, after, strict=True):
            assert all(torch.equal(one[name], other[name]) for name in one if "running" in name)
    else:
        assert not torch.equal(before[0]["norm.running_mean"], after[0]["norm.running_mean"])
    assert accuracy(model, prepared, recipe) > 0.6, "a third is chance"
    assert any(isinstance(event, Candidate) and event.chosen for event in said)
    if mode != "extract":
        losses = [event.train_loss for event in said if isinstance(event, EpochEnded)]
        assert losses[-1] < losses[0]


def test_in_gradual_unfreezing_the_last_stage_learns_first(data: Path) -> None:
    model, prepared, recipe = made(data, transfer__mode="gradual", optimiser__epochs=4)
    began = stage_states(model)
    moved: list[list[bool]] = []
    for event in fitting.fit(model, prepared, recipe):
        if isinstance(event, EpochEnded):
            moved.append([not equal(*pair) for pair in zip(began, stage_states(model), strict=True)])
    assert moved == [
        [False, False, False, True],
        [False, False, True, True],
        [False, True, True, True],
        [True, True, True, True],
    ]


def test_the_probe_when_it_is_kept_is_the_net_as_it_was_with_a_new_head(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "choose", lambda judged: "probe")
    model, prepared, recipe = made(data, transfer__mode="finetune", transfer__freeze=1, optimiser__epochs=3)
    before = stage_states(model)
    fitted(model, prepared, recipe)
    assert all(equal(one, other) for one, other in zip(before, stage_states(model), strict=True))
    extracted, prepared, recipe = made(data, transfer__mode="extract", transfer__views=1)
    fitted(extracted, prepared, recipe)
    frames = np.stack([model.preprocessing(prepared.store.get(row)) for row in range(6)])
    ours, theirs = model.logits(frames) * model.temperature, extracted.logits(frames) * extracted.temperature
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def live(prepared: Any, model: Model, workers: int, augmented: bool, view: int = 0) -> LiveFeed:
    rows = prepared.learn
    return LiveFeed(
        store=prepared.store,
        rows=rows.tolist(),
        preprocessing=model.preprocessing,
        targets={"label": torch.from_numpy(prepared.labels[rows])},
        seed=3,
        workers=workers,
        augmentation=AugmentationOptions(colour=0.3, rotate=10.0) if augmented else None,
        view=view,
    )


def test_the_number_of_workers_changes_nothing_at_all(data: Path) -> None:
    model, prepared, _ = made(data)
    parts = [np.array([3, 0, 7]), np.array([1]), np.arange(8), np.array([5, 5])]

    def seen(workers: int, epoch: int) -> list[bytes]:
        feed = live(prepared, model, workers, augmented=True)
        return [batch.images.contiguous().numpy().tobytes() for batch in feed.batches(parts, epoch)]

    first = seen(0, 2)
    for workers in (1, 2, 4):
        assert seen(workers, 2) == first
    assert seen(1, 3) != first
    last = list(live(prepared, model, 2, augmented=True).batches(parts, 2))[-1]
    assert torch.equal(last.images[0], last.images[1]), "an image is drawn by itself, not by its place"


def drained(stream: Any) -> Any:
    while True:
        try:
            next(stream)
        except StopIteration as end:
            return end.value


def test_kept_features_are_those_that_the_net_gives_for_the_pictures(data: Path) -> None:
    model, prepared, _ = made(data)
    backbone = model.net.backbone
    backbone.freeze(2)
    labels = {"label": torch.from_numpy(prepared.labels[prepared.learn])}
    n = len(prepared.learn)
    columns: list[Tensor] = []
    for view in range(3):
        source = live(prepared, model, 2, augmented=view > 0, view=view)
        (column,) = drained(computed(upto(backbone, 2), source, Team(), torch.float32, stage="features"))
        columns.append(column)
        (whole,) = source.batches([np.arange(n)], 0)
        with torch.no_grad():
            expected = backbone(whole.images, 0, 2)[-1]
        torch.testing.assert_close(column, expected, rtol=1e-5, atol=1e-5)
    kept = KeptFeed(views=torch.stack(columns), targets=labels, seed=0)
    part = np.array([4, 1, 2])
    (batch,) = kept.batches([part], epoch=1)
    assert torch.equal(batch.targets["label"], labels["label"][part])
    for row, features in zip(part.tolist(), batch.images, strict=True):
        assert any(torch.equal(features, column[row]) for column in columns)
    seen = [next(iter(kept.batches([np.arange(n)], epoch))).images for epoch in range(4)]
    assert not all(torch.equal(seen[0], other) for other in seen[1:]), "every epoch shows the same view"
    (again,) = kept.batches([part], epoch=1)
    assert torch.equal(again.images, batch.images)


def break_loss(model: Model, at: set[int], quantity: str) -> None:
    """Makes the loss, or its gradient, NaN at some calls."""
    inner, calls = model.task.loss, iter(range(10**6))

    def loss(outputs: Tensor, targets: Any, progress: float) -> Loss:
        found = inner(outputs, targets, progress)
        if next(calls) in at:
            broken = found.total * float("nan") if quantity == "loss" else _broken_gradient(found.total)
            return dataclasses.replace(found, total=broken)
        return found

    model.task = dataclasses.replace(model.task, loss=loss)


def _broken_gradient(total: Tensor) -> Tensor:
    total.register_hook(lambda gradient: gradient * float("nan"))
    return total


@pytest.mark.parametrize("quantity", ["loss", "gradient"])
def test_a_number_that_breaks_once_is_named_and_survived(quantity: str, data: Path) -> None:
    model, prepared, recipe = made(data, transfer__mode="full", optimiser__epochs=4)
    break_loss(model, {5}, quantity)
    said, _ = fitted(model, prepared, recipe)
    (lowered,) = [event for event in said if isinstance(event, RateLowered)]
    assert lowered.quantity == quantity
    assert (lowered.epoch, lowered.step) == (2, 2)
    assert len(lowered.files) == len(prepared.learn) // 3
    assert all((data / file).is_file() for file in lowered.files)
    assert lowered.retry_learning_rate == pytest.approx(lowered.learning_rate * 0.3)
    epochs = [event for event in said if isinstance(event, EpochEnded)]
    assert [event.epoch for event in epochs] == [1, 2, 3, 4]
    assert all(np.isfinite(event.train_loss) for event in epochs)
    assert accuracy(model, prepared, recipe) > 0.3


def test_numbers_that_always_break_end_with_a_clear_word_within_a_step(data: Path) -> None:
    model, prepared, recipe = made(data, transfer__mode="full", optimiser__epochs=2)
    break_loss(model, set(range(1000)), "loss")
    said: list[Event] = []
    with pytest.raises(DivergedError, match=r"loss is not finite.*\n.*--learning-rate") as caught:
        said.extend(fitting.fit(model, prepared, recipe))
    assert caught.value.exit_code == 3
    assert len(str(caught.value).splitlines()) <= 6
    rates = [event.retry_learning_rate for event in said if isinstance(event, RateLowered)]
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == 4
    assert not [event for event in said if isinstance(event, EpochEnded)]
    assert all(torch.isfinite(value).all() for value in model.net.state_dict().values())


def test_weights_that_break_at_an_epochs_last_step_never_become_the_best(data: Path) -> None:
    model, prepared, recipe = made(data, transfer__mode="full", optimiser__epochs=3)
    steps = -(-len(prepared.learn) // 16)
    inner, calls = Learner.step, iter(range(10**6))

    def step(self: Learner, *given: Any, **named: Any) -> Any:
        done = inner(self, *given, **named)
        if next(calls) == 2 * steps - 1:
            with torch.no_grad():
                self.net.head.get_parameter("linear.weight").fill_(float("inf"))
                self.average["head.linear.weight"].fill_(float("inf"))
        return done

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Learner, "step", step)
        said, _ = fitted(model, prepared, recipe)
    (lowered,) = [event for event in said if isinstance(event, RateLowered)]
    assert (lowered.quantity, lowered.epoch) == ("weight", 2)
    assert lowered.layer == "head.linear"
    assert [event.epoch for event in said if isinstance(event, EpochEnded)] == [1, 2, 3]
    assert all(torch.isfinite(value).all() for value in model.net.state_dict().values())


def test_a_loss_of_ones_own_is_the_one_that_trains(data: Path) -> None:
    model, prepared, recipe = made(data, transfer__mode="full", optimiser__epochs=1)

    def squared(outputs: Tensor, targets: Any, progress: float) -> Loss:
        seen.append(progress)
        wanted = torch.nn.functional.one_hot(targets["label"], 3).float()
        return Loss(total=((outputs - wanted) ** 2).sum(), weight=torch.tensor(float(len(outputs))))

    seen: list[float] = []
    model.task = dataclasses.replace(model.task, loss=squared)
    fitted(model, prepared, recipe)
    assert seen == sorted(seen)
    assert len(seen) >= 3


def test_what_chooses_does_not_measure(data: Path, tmp_path: Path) -> None:
    said = list(api.events(data, run=tmp_path / "run", **{**GIVEN, "transfer.mode": "extract"}))
    (scored,) = [event for event in said if isinstance(event, Scored)]
    assert scored.chosen_on == "nothing"
    _, prepared, _ = made(data)
    parts = [set(part.tolist()) for part in (prepared.learn, prepared.tune, prepared.measure)]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
    assert scored.of == len(parts[2])


def test_a_signal_while_features_are_computed_is_heard_at_once(data: Path) -> None:
    model, prepared, recipe = made(data, transfer__mode="finetune", transfer__freeze=2)
    before = stage_states(model)
    said: list[Event] = []
    for event in fitting.fit(model, prepared, recipe):
        said.append(event)
        if isinstance(event, Progress):
            signal.raise_signal(signal.SIGTERM)
    assert sum(isinstance(event, Progress) for event in said) == 1
    assert isinstance(said[-1], Interrupted)
    assert said[-1].signal == "SIGTERM"
    assert all(equal(one, other) for one, other in zip(before, stage_states(model), strict=True))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
