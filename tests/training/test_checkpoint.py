"""A checkpoint is whole or it is known not to be, and one before it is always there."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from convworks.errors import ModelFileError, StorageError
from convworks.training import checkpoint
from convworks.training.checkpoint import Checkpoint, latest, read, save


def some(number: int = 0) -> Checkpoint:
    draw = torch.Generator().manual_seed(number)
    return Checkpoint(
        tensors={
            "net/weight": torch.randn(5, 7, generator=draw),
            "net/count": torch.tensor(number),
            "half": torch.randn(3, generator=draw).bfloat16(),
            "empty": torch.zeros(0, 4),
        },
        state={"epoch": number, "loss": float("inf"), "history": [0.1, float("nan")], "name": "Zürich"},
    )


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    found = read(save(tmp_path, 3, some(3)))
    for name, value in some(3).tensors.items():
        assert found.tensors[name].dtype == value.dtype
        assert torch.equal(found.tensors[name], value)
    assert found.state["loss"] == float("inf")
    assert found.state["name"] == "Zürich"
    assert found.state["history"][0] == 0.1


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = save(tmp_path, 1, some())
    whole, draw = path.read_bytes(), random.Random(0)
    # every bit of the length and of the header's beginning, and 300 anywhere
    places = [*range(8 * 40), *(draw.randrange(8 * len(whole)) for _ in range(300))]
    for place in places:
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match="damaged"):
            read(path)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = save(tmp_path, 1, some())
    whole, draw = path.read_bytes(), random.Random(0)
    for length in [*range(12), *(draw.randrange(len(whole)) for _ in range(100)), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match="damaged"):
            read(path)


def test_a_damaged_one_gives_way_to_the_one_before_and_that_is_said(tmp_path: Path) -> None:
    save(tmp_path, 1, some(1))
    second = save(tmp_path, 2, some(2))
    second.write_bytes(second.read_bytes()[:-1])
    found, note = latest(tmp_path)
    assert found is not None
    assert found.state["epoch"] == 1
    assert str(second) in note
    (tmp_path / "checkpoint-00000001.safetensors").write_bytes(b"")
    found, note = latest(tmp_path)
    assert found is None
    assert "damaged" in note


def test_a_folder_without_any_is_a_beginning(tmp_path: Path) -> None:
    assert latest(tmp_path / "none") == (None, "")


def test_the_last_two_are_kept_and_a_killed_save_is_swept(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path, number, some(number))
    (tmp_path / ".checkpoint-00000004.safetensors.x.tmp").write_bytes(b"half")
    latest(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-00000002.safetensors",
        "checkpoint-00000003.safetensors",
    ]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EACCES, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_one_before_intact(
    code: int, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = save(tmp_path, 1, some(1))
    before = first.read_bytes()

    def refuse(*given: Any) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), refuse)
        with pytest.raises(StorageError, match="checkpoint-00000002") as caught:
            save(tmp_path, 2, some(2))
    assert len(str(caught.value).splitlines()) <= 6
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
    assert first.read_bytes() == before
    found, _ = latest(tmp_path)
    assert found is not None
    assert found.state["epoch"] == 1


def test_a_pickle_in_its_place_is_not_run(tmp_path: Path) -> None:
    import pickle

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "executed"),))

    (tmp_path / "checkpoint-00000001.safetensors").write_bytes(pickle.dumps(Payload()))
    found, note = checkpoint.latest(tmp_path)
    assert found is None
    assert "damaged" in note
    assert not (tmp_path / "executed").exists()
