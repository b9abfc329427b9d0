"""Who learns at which rate, and on what weight decay acts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from torch import nn

from convworks.backbones.contract import Backbone, Card, Expects, Stage
from convworks.layers.conv_norm import ConvNorm
from convworks.model import Net
from convworks.recipe.options import OptimiserOptions
from convworks.training import optimiser


def net() -> Net:
    stages: list[nn.Module] = [ConvNorm(3, 4), ConvNorm(4, 4), nn.Conv2d(4, 4, 1)]
    info = [Stage(name=str(number), channels=4, stride=1) for number in range(3)]
    card = Card(name="none", source="", licence="")
    return Net(Backbone("three", stages, info, Expects(), card), nn.Linear(4, 2))


def names(net: Net, parameters: Sequence[nn.Parameter]) -> set[str]:
    by_id = {id(value): name for name, value in net.named_parameters()}
    return {by_id[id(value)] for value in parameters}


@pytest.mark.parametrize("algorithm", ["adamw", "sgd"])
def test_filters_alone_decay_and_everything_that_learns_is_moved_once(algorithm: str) -> None:
    model = net()
    options = dataclasses.replace(OptimiserOptions(), algorithm=algorithm, weight_decay=0.1)
    groups = optimiser.build(model, options, first=1).param_groups
    decayed = [value for group in groups if group["weight_decay"] for value in group["params"]]
    rest = [value for group in groups if not group["weight_decay"] for value in group["params"]]
    assert names(model, decayed) == {
        "backbone.stages.1.conv.weight",
        "backbone.stages.2.weight",
        "head.weight",
    }
    assert names(model, rest) == {
        "backbone.stages.1.norm.weight",
        "backbone.stages.1.norm.bias",
        "backbone.stages.2.bias",
        "head.bias",
    }
    assert len(decayed) + len(rest) == 7


def test_each_stage_nearer_to_the_input_learns_slower_by_the_same_factor() -> None:
    model = net()
    options = dataclasses.replace(OptimiserOptions(), layer_decay=0.5)
    built = optimiser.build(model, options, first=0)
    optimiser.set_rate(built, 0.1)
    rates = {name: group["lr"] for group in built.param_groups for name in names(model, group["params"])}
    assert rates["head.weight"] == rates["backbone.stages.2.weight"] == pytest.approx(0.1)
    assert rates["backbone.stages.1.conv.weight"] == pytest.approx(0.05)
    assert rates["backbone.stages.0.norm.bias"] == pytest.approx(0.025)


def test_a_net_that_is_frozen_whole_leaves_the_head_to_learn() -> None:
    model = net()
    groups = optimiser.build(model, OptimiserOptions(), first=3).param_groups
    moved = [value for group in groups for value in group["params"]]
    assert names(model, moved) == {"head.weight", "head.bias"}
    assert isinstance(optimiser.build(model, OptimiserOptions(), first=3), torch.optim.AdamW)
