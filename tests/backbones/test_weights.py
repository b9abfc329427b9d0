"""Weights from a file or a run: the right tensors in the right places, no head, and nothing executed."""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from convworks import backbones
from convworks.backbones import tensors, weights
from convworks.backbones.contract import Backbone
from convworks.backbones.matching import match
from convworks.errors import WeightsError


@pytest.fixture
def net() -> Backbone:
    torch.manual_seed(3)
    return backbones.create("nin")


def other(name: str = "nin") -> Backbone:
    torch.manual_seed(4)
    return backbones.create(name, "none")


def same(one: Backbone, two: Backbone) -> bool:
    states = one.state_dict(), two.state_dict()
    return all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".bin", ".ckpt"])
def test_a_file_of_ones_own_gives_every_tensor(net: Backbone, tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"mine{suffix}", net.state_dict())
    loaded = backbones.create("nin", path)
    assert same(loaded, net)
    assert loaded.card.source == str(path)
    assert len(loaded.card.sha256) == 64


@pytest.mark.parametrize("prefix", ["module.", "backbone.", "model.", "module.backbone."])
def test_what_other_tools_put_before_a_name_is_seen_through(
    net: Backbone, tmp_path: Path, prefix: str
) -> None:
    state = {prefix + key: value for key, value in net.state_dict().items()}
    assert same(backbones.create("nin", saved(tmp_path / "theirs.pt", state)), net)


@pytest.mark.parametrize("place", ["state_dict", "model", "state_dict_ema"])
def test_a_state_dict_inside_a_checkpoint_is_found(net: Backbone, tmp_path: Path, place: str) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"epoch": 3, place: net.state_dict(), "loss": torch.tensor(0.5)}, path)
    assert same(backbones.create("nin", path), net)


def test_the_head_is_left_out_and_said(net: Backbone, tmp_path: Path) -> None:
    state = net.state_dict() | {"head.weight": torch.zeros(10, 192), "head.bias": torch.zeros(10)}
    loaded = other()
    matched = weights.load(loaded, saved(tmp_path / "whole.safetensors", state))
    assert matched is not None
    assert matched.missing == ()
    assert sorted(matched.unused) == ["head.bias", "head.weight"]
    assert "left out: head." in str(matched)


def test_what_a_file_lacks_stays_random_and_the_card_says_so(net: Backbone, tmp_path: Path) -> None:
    state = {key: value for key, value in net.state_dict().items() if "stages.2" not in key}
    loaded = other()
    before = copy.deepcopy(loaded.state_dict())
    matched = weights.load(loaded, saved(tmp_path / "part.safetensors", state))
    assert matched is not None
    assert all(key.startswith("stages.2") for key in matched.missing)
    assert torch.equal(loaded.state_dict()[matched.missing[0]], before[matched.missing[0]])
    assert "still random: stages.2" in loaded.card.source


def test_half_precision_is_widened(net: Backbone, tmp_path: Path) -> None:
    state = {
        key: value.half() if value.is_floating_point() else value for key, value in net.state_dict().items()
    }
    loaded = backbones.create("nin", saved(tmp_path / "half.safetensors", state))
    assert all(value.dtype != torch.float16 for value in loaded.state_dict().values())


def test_weights_of_another_net_are_refused_and_change_nothing(net: Backbone, tmp_path: Path) -> None:
    path = saved(tmp_path / "nin.safetensors", net.state_dict())
    loaded = other("vgg-small")
    before = copy.deepcopy(loaded.state_dict())
    with pytest.raises(WeightsError, match="does not fit vgg-small") as caught:
        weights.load(loaded, path)
    assert len(str(caught.value).splitlines()) <= 6
    assert all(torch.equal(value, before[key]) for key, value in loaded.state_dict().items())
    assert loaded.card.name == "random"


def test_numbers_that_are_not_finite_are_refused(net: Backbone, tmp_path: Path) -> None:
    state = dict(net.state_dict())
    name = next(iter(state))
    state[name] = state[name] * float("nan")
    with pytest.raises(WeightsError, match=f"not finite, first in {name}"):
        backbones.create("nin", saved(tmp_path / "spoilt.safetensors", state))


def test_timms_own_file_fits_its_net_and_the_default_one(tmp_path: Path) -> None:
    import timm

    theirs = timm.create_model("resnet10t").eval()
    loaded = other("timm/resnet10t")
    matched = weights.load(loaded, saved(tmp_path / "resnet.pth", theirs.state_dict()))
    assert matched is not None
    assert matched.missing == ()
    assert sorted(matched.unused) == ["fc.bias", "fc.weight"]
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(picture)[-1], theirs.forward_features(picture))


def run_folder(path: Path, net: Backbone, **facts: object) -> Path:
    path.mkdir()
    state = {f"backbone.{key}": value for key, value in net.state_dict().items()}
    safetensors.torch.save_file(state | {"head.weight": torch.ones(2, 192)}, path / "model.safetensors")
    (path / "model.json").write_text(json.dumps({"backbone": net.name} | facts))
    return path


def test_an_earlier_run_gives_its_net_and_its_weights(net: Backbone, tmp_path: Path) -> None:
    run = run_folder(tmp_path / "pets", net, weights={"licence": "MIT"})
    by_name, by_weights = backbones.create(str(run)), backbones.create("nin", run)
    assert by_name.name == "nin"
    assert same(by_name, net)
    assert same(by_weights, net)
    assert by_name.card.licence == "MIT"


@pytest.mark.parametrize(
    ("facts", "said"),
    [({"sha256": "0" * 64}, "is damaged"), ({"backbone": None}, "does not say which backbone")],
)
def test_a_run_that_is_not_whole_is_refused(
    net: Backbone, tmp_path: Path, facts: dict[str, object], said: str
) -> None:
    with pytest.raises(WeightsError, match=said):
        backbones.create(str(run_folder(tmp_path / "pets", net, **facts)))


def test_a_run_without_weights_is_refused(net: Backbone, tmp_path: Path) -> None:
    run = run_folder(tmp_path / "pets", net)
    (run / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="has no weights to start from"):
        backbones.create("nin", run)


class Payload:
    """What a hostile pickle would do: write a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("way", ["pickle", "torch", "inside"])
def test_a_pickle_that_runs_code_is_not_run(tmp_path: Path, way: str) -> None:
    marker, path = tmp_path / "executed", tmp_path / "weights.pt"
    if way == "pickle":
        path.write_bytes(pickle.dumps(Payload(marker)))
    elif way == "torch":
        torch.save(Payload(marker), path)
    else:
        torch.save({"state_dict": {"weight": torch.zeros(2)}, "extra": Payload(marker)}, path)
    with pytest.raises(WeightsError) as caught:
        tensors.read(path)
    assert not marker.exists()
    assert "was not opened" in caught.value.found


def test_a_zip_that_unpacks_to_more_than_it_has_is_refused(tmp_path: Path) -> None:
    plain, packed = io.BytesIO(), tmp_path / "bomb.pt"
    torch.save({"weight": torch.zeros(1_000_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    with pytest.raises(WeightsError, match="would unpack from"):
        tensors.read(packed)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_half_a_file_is_refused(net: Backbone, tmp_path: Path, suffix: str, share: float) -> None:
    path = saved(tmp_path / f"cut{suffix}", net.state_dict())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(WeightsError):
        tensors.read(path)


def test_a_file_of_another_kind_or_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.txt").write_text("1 2 3")
    with pytest.raises(WeightsError, match="is no file of weights"):
        backbones.create("nin", tmp_path / "weights.txt")
    with pytest.raises(WeightsError, match="There are no weights") as caught:
        backbones.create("nin", "defualt")
    assert "default, none, hub" in caught.value.expected


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "names": ["a"]}, tmp_path / "empty.pt")
    with pytest.raises(WeightsError, match="holds no tensors"):
        tensors.read(tmp_path / "empty.pt")


def test_a_shape_that_clashes_is_named() -> None:
    own, given = {"a": torch.zeros(3), "b": torch.zeros(2)}, {"a": torch.zeros(4), "b": torch.zeros(2)}
    assert match(own, given).clashing == ("a (4,) for (3,)",)
    assert match(own, given).share == 0.5


def test_the_naming_that_fits_most_is_taken() -> None:
    own = {"x": torch.zeros(1), "y": torch.zeros(2)}
    given = {"model.first": torch.zeros(1), "model.second": torch.zeros(2), "y": torch.zeros(2)}
    matched = match(own, given, [{"x": "first", "y": "second"}])
    assert matched.pairs == {"x": "model.first", "y": "model.second"}
    assert matched.unused == ("y",)


@pytest.mark.parametrize("name", ["nin", "timm/resnet10t"])
def test_a_gray_net_gives_what_the_gray_picture_gave_in_colour(name: str) -> None:
    coloured, gray = other(name), other(name)
    weights.change_channels(gray, 1)
    picture = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        one, three = gray(picture)[-1], coloured(picture.expand(2, 3, 64, 64))[-1]
    assert torch.allclose(one, three, atol=1e-4)


def test_a_fourth_channel_changes_nothing_until_it_has_learnt() -> None:
    three, four = other(), backbones.create("nin", "none", channels=4)
    four.load_state_dict(
        {key: value for key, value in three.state_dict().items() if key != "stages.0.0.0.conv.weight"},
        strict=False,
    )
    first = next(part for part in four.modules() if isinstance(part, nn.Conv2d))
    with torch.no_grad():
        first.weight[:, :3] = next(part for part in three.modules() if isinstance(part, nn.Conv2d)).weight
        picture = torch.randn(1, 4, 64, 64)
        assert torch.allclose(four(picture)[-1], three(picture[:, :3])[-1], atol=1e-5)
    assert not first.weight[:, 3].any()
    assert first.weight.requires_grad
