"""A file that hangs, as on a network that is gone, is set aside by an audit, and named by what reads it later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import audit, patience, sources
from convworks.data.decode import read


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(6):
            picture = Image.fromarray(chance.integers(0, 256, (5, 4, 3), np.uint8)).resize((40, 50))
            picture.save(tmp_path / name / f"{number}.png")
    return tmp_path


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Names of files -> how many times reading them hangs."""
    gone: dict[str, int] = {}
    back = threading.Event()

    def slow(path: Path, **options: int) -> bytes:
        if gone.get(path.name, 0) > 0:
            gone[path.name] -= 1
            back.wait()
        return read(path, **options)

    monkeypatch.setattr(audit, "read", slow)
    monkeypatch.setattr(patience, "PATIENCE", 0.3)
    yield gone
    back.set()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_audit_sets_a_file_that_hangs_aside(workers: int, pets: Path, network: dict[str, int]) -> None:
    (pets / "cat" / "3.png").rename(pets / "cat" / "slow.png")
    network["slow.png"] = 10
    found = audit.scan(sources.read(pets), workers=workers)
    assert [(one.path, one.reason) for one in found.dataset.set_aside] == [
        ("cat/slow.png", "still not read after 0.3 seconds, in each of two tries")
    ]
    assert len(found.facts) == 11 and network["slow.png"] == 8


def test_an_audit_tries_a_file_that_hung_once_more(pets: Path, network: dict[str, int]) -> None:
    network["3.png"] = 1
    found = audit.scan(sources.read(pets))
    assert not found.dataset.set_aside and len(found.facts) == 12
