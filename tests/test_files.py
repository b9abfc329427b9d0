"""A write succeeds or changes nothing, whatever goes wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convworks.errors import StorageError
from convworks.files import refusal, sweep, write_whole


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kept"
    write_whole(file, b"good")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(
        StorageError, match=r"kept could not be written: .* MB are needed for it, .* MB are free"
    ):
        write_whole(file, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]
    assert file.read_bytes() == b"good"


def test_a_folder_that_is_a_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="name a folder"):
        write_whole(tmp_path / "file" / "inside", b"x")


def test_what_a_kill_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".model.safetensors.abc.tmp").write_bytes(b"half")
    (tmp_path / "mine.tmp").write_bytes(b"the user's")
    assert sweep(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tmp"]


@pytest.mark.skipif(os.name != "posix", reason="RLIMIT_FSIZE is POSIX")
def test_a_file_larger_than_the_limit_is_a_storage_error(tmp_path: Path) -> None:
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StorageError):
            write_whole(tmp_path / "large", b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_other_refusals_name_the_path(tmp_path: Path) -> None:
    assert str(tmp_path / "x") in str(refusal(tmp_path / "x", OSError(13, "Permission denied")))
