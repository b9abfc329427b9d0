"""What only a measurement can settle is settled once, within what the recipe and the team allow."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from convworks import backbones, tasks
from convworks.layers.tracing.trace import trace
from convworks.model import Net
from convworks.recipe.options import Recipe, flat
from convworks.tasks.head import ClassificationHead
from convworks.training import settle

CPU = torch.device("cpu")


@pytest.fixture
def net(tiny: Path) -> Net:
    torch.manual_seed(0)
    return Net(backbones.create("tiny", "none"), ClassificationHead(32, 3, 0.0))


def test_nothing_of_the_machine_is_left_to_be_settled_and_the_net_is_as_before(net: Net) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    recipe = settle.settled(Recipe(), net, (32, 32), device=CPU, threads=1, workers=2)
    values = {name: value for name, value in flat(recipe).items() if name.startswith("compute.")}
    assert [name for name, value in values.items() if value == "auto"] == ["compute.micro_batch"]
    assert "ms" in recipe.why("compute.precision")
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(value.grad is None for value in net.parameters())
    assert settle.settled(recipe, net, (32, 32), device=CPU, threads=1, workers=2) == recipe


def test_what_the_user_said_is_not_measured(net: Net) -> None:
    said = Recipe().replace(compute__precision="float32", compute__channels_last=False)
    recipe = settle.settled(said, net, (32, 32), device=CPU, threads=1, workers=2)
    assert recipe.compute.precision == "float32"
    assert recipe.compute.channels_last is False
    assert "compute.precision" not in recipe.reasons


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_norm_that_learns_sees_the_same_batch_on_any_team(net: Net, processes: int) -> None:
    recipe = Recipe().replace(optimiser__batch=128)
    found = settle.with_micro_batch(recipe, net, (32, 32), 0, live=True, processes=processes)
    assert found.compute.micro_batch == settle.VIRTUAL_BATCH
    frozen = settle.with_micro_batch(recipe, net, (32, 32), 0, live=False, processes=processes)
    assert frozen.compute.micro_batch == 128 // processes


def test_a_micro_batch_is_no_larger_than_the_memory(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    each = settle.activation_bytes(net, (32, 32), 0)
    monkeypatch.setattr(settle, "free_memory", lambda: int(5.5 * each / settle.SHARE))
    recipe = Recipe().replace(optimiser__batch=64)
    assert settle.with_micro_batch(recipe, net, (32, 32), 0, live=False, processes=1).compute.micro_batch == 5
    monkeypatch.setattr(settle, "free_memory", lambda: 0)
    assert settle.with_micro_batch(recipe, net, (32, 32), 0, live=False, processes=1).compute.micro_batch == 1
    given = recipe.replace(compute__micro_batch=7)
    assert settle.with_micro_batch(given, net, (32, 32), 0, live=False, processes=1) == given


def test_activations_grow_with_the_picture_and_shrink_with_the_freeze(net: Net) -> None:
    net.backbone.freeze(0)
    small, large = settle.activation_bytes(net, (32, 32), 0), settle.activation_bytes(net, (64, 64), 0)
    assert 2 < large / small <= 4  # four times the pictures' share, once that of the folded filters
    net.backbone.freeze(2)
    assert settle.activation_bytes(net, (32, 32), 2) < small


def test_several_processes_on_a_machine_share_its_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    _, alone, _ = settle.machine(Recipe().compute)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    _, shared, _ = settle.machine(Recipe().compute)
    assert shared == max(1, alone // 2)
    fixed = dataclasses.replace(Recipe().compute, threads=3, workers=0)
    assert settle.machine(fixed)[1:] == (3, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "share"), [("residual-small", 1.0), ("efficientnet-lite0", 0.65)])
def test_a_step_on_eight_pictures_keeps_what_was_told_of_the_net(name: str, share: float) -> None:
    """Of ReLU6 the layers of ours keep the answer alone, where PyTorch's keep a copy of what it read, too."""
    backbone = backbones.create(name, "none")
    net = Net(backbone, tasks.find("segmentation").head(backbone.info, 11, 0.0)).train()
    backbone.freeze(0)  # its statistics, as where it was pretrained
    told = trace(net, (352, 480, 3)).training
    assert told is not None
    weights = {value.untyped_storage().data_ptr() for value in net.parameters()}
    seen: dict[int, int] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        outputs = net(torch.zeros(8, 3, 352, 480))
    assert sum(seen.values()) == pytest.approx(8 * told * share, rel=0.1)
    assert outputs.shape == (8, 11, 88, 120)
