"""What was computed is taken from the shelf, with its seconds; what is missing or damaged is made anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convworks.studies.shelf import Shelf


def test_it_is_made_once_and_its_seconds_stay(tmp_path: Path) -> None:
    shelf, made = Shelf(tmp_path / "kept").below("maps"), list[int]()

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"map": np.arange(6.0).reshape(2, 3)}

    first, seconds = shelf.taken("7", make)
    again, later = Shelf(tmp_path / "kept" / "maps").taken("7", make)
    assert len(made) == 1
    assert later == seconds > 0
    np.testing.assert_array_equal(again["map"], first["map"])


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.taken("1", lambda: {"a": np.zeros(3)})
    whole = (tmp_path / "1.npz").read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"no archive"):
        (tmp_path / "1.npz").write_bytes(content)
        assert shelf.taken("1", lambda: {"a": np.ones(3)})[0]["a"].tolist() == [1, 1, 1]
    shelf.clear()
    assert not tmp_path.exists()
