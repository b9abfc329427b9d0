"""A step is the same however its batch is cut; what is frozen stays; what is not finite is named."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from convworks.backbones.contract import Backbone, Card, Expects, Stage
from convworks.layers.conv_norm import ConvNorm
from convworks.model import Net
from convworks.recipe.options import OptimiserOptions
from convworks.samples import Batch
from convworks.tasks.classification import CLASSIFICATION
from convworks.tasks.head import ClassificationHead
from convworks.training.learner import Learner, has_live_statistics
from convworks.training.statistics import RunningStatistics
from convworks.training.team import Team

OPTIONS = dataclasses.replace(OptimiserOptions(), learning_rate=0.01, average=0.9)


def net(*, live: bool = False, dropout: float = 0.0) -> Net:
    torch.manual_seed(0)
    stages: list[nn.Module] = [ConvNorm(3, 6, stride=2), ConvNorm(6, 8, stride=2)]
    info = [Stage(name="a", channels=6, stride=2), Stage(name="b", channels=8, stride=4)]
    backbone = Backbone("two", stages, info, Expects(), Card(name="", source="", licence=""))
    made = Net(backbone, ClassificationHead(8, 3, dropout))
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_()
    backbone.freeze(0, statistics=not live)
    return made


def learner(made: Net, first: int = 0, **options: Any) -> Learner:
    return Learner(
        made,
        CLASSIFICATION,
        dataclasses.replace(OPTIONS, **options),
        Team(),
        first=first,
        precision=torch.float32,
        seed=0,
    )


def batch(n: int = 16) -> Batch:
    draw = torch.Generator().manual_seed(1)
    images = torch.randn(n, 3, 16, 16, generator=draw)
    return Batch(images=images, targets={"label": torch.arange(n) % 3}, indices=torch.arange(n))


def cut(whole: Batch, size: int) -> list[Batch]:
    return [
        Batch(
            images=whole.images[start : start + size],
            targets={name: value[start : start + size] for name, value in whole.targets.items()},
            indices=whole.indices[start : start + size],
        )
        for start in range(0, len(whole), size)
    ]


def after(made: Net, size: int, steps: int = 3, **options: Any) -> dict[str, torch.Tensor]:
    working = learner(made, **options)
    for step in range(steps):
        done = working.step(cut(batch(), size), 0, step, 0.01, 0.0, False)
        assert not done.broken
    return working.state()


@pytest.mark.parametrize("size", [4, 5, 8])
@pytest.mark.parametrize("algorithm", ["adamw", "sgd"])
def test_an_update_is_the_same_however_the_batch_is_cut_while_norms_are_frozen(
    size: int, algorithm: str
) -> None:
    whole = after(net(), 16, algorithm=algorithm)
    parts = after(net(), size, algorithm=algorithm)
    for key, value in whole.items():
        # the sums differ in their last bits; three steps of AdamW make of that what its division by a small root makes
        torch.testing.assert_close(parts[key], value, rtol=1e-3, atol=2e-5, msg=key)


def test_the_gradient_is_that_of_the_mean_loss_over_the_batch() -> None:
    made = net()
    working = learner(made, clip_norm=0.0, algorithm="sgd", momentum=0.0, weight_decay=0.0, layer_decay=1.0)
    before = {name: value.detach().clone() for name, value in made.named_parameters()}
    whole = batch()
    loss = nn.functional.cross_entropy(made(whole.images), whole.targets["label"], label_smoothing=0.1)
    expected = dict(zip(before, torch.autograd.grad(loss, list(made.parameters())), strict=True))
    done = working.step(cut(whole, 5), 0, 0, 0.1, 0.0, False)
    assert done.total / done.weight == pytest.approx(loss.item(), rel=1e-5)
    for name, value in made.named_parameters():
        torch.testing.assert_close(value, before[name] - 0.1 * expected[name], rtol=1e-4, atol=1e-6)


def test_the_gradient_is_clipped_to_its_largest_norm() -> None:
    made = net()
    working = learner(made, clip_norm=0.01, algorithm="sgd", momentum=0.0, weight_decay=0.0, layer_decay=1.0)
    before = torch.cat([value.detach().reshape(-1) for value in made.parameters()]).clone()
    working.step([batch()], 0, 0, 1.0, 0.0, False)
    moved = torch.cat([value.detach().reshape(-1) for value in made.parameters()]) - before
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)


def test_without_an_average_it_is_the_weights_themselves() -> None:
    made = net()
    working = learner(made, average=0.0)
    working.step([batch()], 0, 0, 0.01, 0.0, False)
    assert all(torch.equal(working.average[name], value) for name, value in made.named_parameters())


def test_running_statistics_move_once_a_step_by_the_mean_over_the_parts() -> None:
    made = net(live=True)
    assert has_live_statistics(made)
    first = made.backbone.stages[0]
    assert isinstance(first, ConvNorm)
    before = first.norm.running_mean
    assert before is not None
    old, parts = before.clone(), cut(batch(), 4)
    with torch.no_grad():
        means = [
            nn.functional.conv2d(part.images, first.conv.weight, None, 2, 1).mean((0, 2, 3)) for part in parts
        ]
    learner(made).step(parts, 0, 0, 0.01, 0.0, False)
    torch.testing.assert_close(before, 0.9 * old + 0.1 * torch.stack(means).mean(0), rtol=1e-5, atol=1e-6)


def test_statistics_of_two_processes_are_those_of_one_that_has_all_parts() -> None:
    class Two(Team):
        """A team whose other half has the second half of the parts."""

        def sum(self, values: Any) -> None:
            for place, value in enumerate(values):
                value += other[place]

    parts, made, half = cut(batch(), 4), net(live=True), net(live=True)
    made.train()
    half.train()
    alone = RunningStatistics(made)
    for part in parts:
        made(part.images)
        alone.note()
    alone.settle(Team())
    other_half = RunningStatistics(half)
    kept = [value.clone() for value in half.buffers()]
    for part in parts[2:]:
        half(part.images)
        other_half.note()
    other = [*other_half.sums, other_half.parts]
    for value, was in zip(half.buffers(), kept, strict=True):
        value.copy_(was)
    mine = RunningStatistics(half)
    for part in parts[:2]:
        half(part.images)
        mine.note()
    mine.settle(Two())
    for (name, one), two in zip(made.named_buffers(), half.buffers(), strict=True):
        if "num_batches" not in name:
            torch.testing.assert_close(one, two, msg=name)


def test_what_is_frozen_is_bit_identical_whatever_train_says() -> None:
    made = net(live=True)
    made.backbone.freeze(1, statistics=False)
    frozen = {name: value.clone() for name, value in made.backbone.stages[0].state_dict().items()}
    learning = {name: value.clone() for name, value in made.backbone.stages[1].state_dict().items()}
    made.train()
    assert not made.backbone.stages[0].training
    features = made.backbone.stages[0](batch().images).detach()
    working = learner(made, first=1)
    for step in range(3):
        made.train()
        parts = [dataclasses.replace(part, images=features[part.indices]) for part in cut(batch(), 8)]
        working.step(parts, 0, step, 0.01, 0.0, False)
    assert all(
        torch.equal(frozen[name], value) for name, value in made.backbone.stages[0].state_dict().items()
    )
    assert not any(
        torch.equal(learning[name], value) for name, value in made.backbone.stages[1].state_dict().items()
    )


def test_a_state_goes_back_and_the_steps_after_it_are_the_same_to_the_bit() -> None:
    made = net(live=True, dropout=0.3)
    working = learner(made)
    working.step([batch()], 0, 0, 0.01, 0.0, False)
    saved = working.state()
    working.step([batch()], 0, 1, 0.01, 0.0, False)
    one = working.state()
    other = learner(net(live=True, dropout=0.3))
    other.restore(saved)
    other.step([batch()], 0, 1, 0.01, 0.0, False)
    two = other.state()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", ["input", "filter", "scale", "statistics", "head"])
def test_a_number_that_is_not_finite_stops_the_step_and_is_named(place: str, value: float) -> None:
    made = net()
    stage = made.backbone.stages[1]
    assert isinstance(stage, ConvNorm)
    whole = batch()
    with torch.no_grad():
        match place:
            case "input":
                whole.images[3, 1, 2, 2] = value
            case "filter":
                stage.conv.weight[0, 0, 0, 0] = value
            case "scale":
                stage.norm.weight[2] = value
            case "statistics":
                assert stage.norm.running_mean is not None
                stage.norm.running_mean[1] = value
            case _:
                made.head.get_parameter("linear.weight")[0, 0] = value
    working = learner(made)
    before = working.state()
    done = working.step(cut(whole, 8), 0, 0, 0.01, 0.0, False)
    # -inf through a ReLU is 0, and a shift of -inf too: that does no harm, and is no reason to stop
    if done.broken:
        found = next(filter(None, (working.first_broken_layer(part, 0, 0, 0) for part in cut(whole, 8))), "")
        expected = {"input": "the input", "head": "head.linear"}.get(place, "backbone.stages.1")
        assert found == expected or (done.broken == "gradient" and working.broken_parameter("gradient"))
        now = working.state()
        assert all(torch.equal(before[name].nan_to_num(7), now[name].nan_to_num(7)) for name in before)
    else:
        assert value == -float("inf") or place in ("scale", "statistics", "filter")
    assert working.is_finite() == (place == "input")


def test_a_gradient_that_is_not_finite_is_named_by_its_parameter() -> None:
    made = net()
    working = learner(made)

    class Endless(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
            return gradients[0] * float("inf")

    made.backbone.stages[0].register_forward_hook(lambda module, given, out: Endless.apply(out))
    done = working.step([batch()], 0, 0, 0.01, 0.0, False)
    assert done.broken == "gradient"
    assert working.broken_parameter("gradient").startswith("backbone.stages.0")
    assert working.is_finite()
