"""Fifty ConvNets of timm's, of as many families as it has: sizes, parameters and multiply-adds, to the last one.

`timm_nets.json` holds what PyTorch's own counter and timm's modules say; a slow test makes it again.
"""

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convworks.layers.tracing.trace import trace

NETS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("timm_nets.json").read_text())
QUICK = [name for place, name in enumerate(NETS) if place % 5 == 0]
# What a unit of the last map sees and how far its neighbour's view is, as published for the same nets.
# Source: Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, 2019, table 1.
PUBLISHED = {
    "vgg16": (212, 32),
    "densenet121": (2071, 32),
    "inception_v3": (1311, 32),
    "resnetv2_50": (427, 32),
}


def made(name: str) -> nn.Module:
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        return timm.create_model(name).eval()


def compared(name: str) -> None:
    height, width, channels = NETS[name]["input"]
    traced = trace(made(name), (height, width, channels))
    assert traced.outputs == (tuple(NETS[name]["output"]),)
    assert traced.parameters == NETS[name]["parameters"]
    assert traced.multiply_adds == NETS[name]["multiply_adds"]
    assert traced.operators[-1].error is None
    if name in PUBLISHED:
        last = traced.last_map
        assert last is not None
        assert last.fields is not None
        assert (last.fields[0].size, last.fields[0].jump) == PUBLISHED[name]


def test_there_are_enough_of_them() -> None:
    assert len(NETS) >= 30


@pytest.mark.parametrize("name", QUICK)
def test_a_net_is_followed_to_the_last_parameter_and_multiply_add(name: str) -> None:
    compared(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETS if name not in QUICK])
def test_the_other_nets_too(name: str) -> None:
    compared(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_the_golden_figures_are_those_of_an_independent_counter(name: str) -> None:
    net, (height, width, channels) = made(name), NETS[name]["input"]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        output = net(torch.empty(1, channels, height, width, device="meta"))
    assert list(output.shape) == NETS[name]["output"]
    assert sum(weight.numel() for weight in net.parameters()) == NETS[name]["parameters"]
    assert counter.get_total_flops() // 2 == NETS[name]["multiply_adds"]


def test_following_a_net_takes_no_longer_than_running_it_without_numbers() -> None:
    net = made("resnet50")
    x = torch.empty(1, 3, 224, 224, device="meta")

    def seconds(run: Callable[[], object]) -> float:
        began = time.process_time()
        with torch.inference_mode():
            run()
        return time.process_time() - began

    rounds = [(seconds(lambda: trace(net, (224, 224, 3))), seconds(lambda: net(x))) for _ in range(6)]
    followed, ran = (min(column) for column in zip(*rounds[1:], strict=True))
    assert followed < 1.5 * ran
