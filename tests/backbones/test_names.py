"""Nets by name: what there is, what another package adds, and what is said of a name that is not there."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest
import torch

from convworks import backbones
from convworks.backbones import plain
from convworks.backbones.contract import Backbone
from convworks.errors import RecipeError


def test_looking_up_the_names_loads_nothing_heavy() -> None:
    program = (
        "import sys, convworks.backbones as b; b.names();"
        "print([name for name in ('torch', 'numpy', 'timm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_net_learns_from_scratch_and_is_given_ready_to_evaluate() -> None:
    backbone = backbones.create("residual-small")
    assert not backbone.training
    assert backbone.name == "residual-small"
    assert backbone.card.name == "random"
    assert all(parameter.requires_grad for parameter in backbone.parameters())


def test_weights_are_drawn_from_the_seed() -> None:
    states: list[torch.Tensor] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(next(backbones.create("nin").parameters()))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("residual-smal", '"residual-small"'),
        ("resnet18", '"timm/resnet18"'),
        ("timm/resnet5o", '"resnet50"'),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        backbones.create(name)
    assert hint in caught.value.fix


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "mambaout_femto"])
def test_a_net_without_feature_maps_is_refused_in_words(name: str) -> None:
    with pytest.raises(RecipeError, match="gives no feature maps"):
        backbones.create(f"timm/{name}", "none")


def entry_point(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    point = metadata.EntryPoint("theirs", value, backbones.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == backbones.GROUP else [])


def test_another_package_adds_a_net(monkeypatch: pytest.MonkeyPatch) -> None:
    entry_point(monkeypatch, f"{plain.__name__}:vgg_small")
    assert isinstance(backbones.create("theirs"), Backbone)


def test_what_another_package_adds_must_be_a_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    entry_point(monkeypatch, "collections:OrderedDict")
    with pytest.raises(RecipeError, match="gives a OrderedDict"):
        backbones.create("theirs")


def test_entry_points_are_not_read_for_a_net_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(group: str) -> list[metadata.EntryPoint]:
        raise AssertionError(group)

    monkeypatch.setattr(metadata, "entry_points", never)
    backbones.create("nin")


def test_weights_that_timm_does_not_know_are_named_with_the_nearest() -> None:
    assert backbones.create("timm/resnet10t.c3_in1k", "none").name == "timm/resnet10t.c3_in1k"
    with pytest.raises(RecipeError) as caught:
        backbones.create("timm/resnet10t.c3_in1", "none")
    assert '"resnet10t.c3_in1k"' in caught.value.fix


def test_the_default_net_comes_without_timm_and_without_a_network() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from convworks import backbones\n"
        "print(backbones.create('efficientnet-lite0').card.licence)\n"
        "print([name for name in ('timm', 'torchvision', 'huggingface_hub') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["Apache-2.0", "[]"]
