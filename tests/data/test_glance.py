"""A first look at a folder: what is measured from headers and annotations, and the net that follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data.glance import glance, propose_net
from convworks.data.record import BoxNote, DataSet, Record
from convworks.errors import DataError


def painted(root: Path, sizes: dict[str, tuple[int, int]], mode: str = "RGB") -> None:
    for path, size in sizes.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size).save(root / path)


def test_sizes_and_counts_are_those_of_the_images_to_learn_from(tmp_path: Path) -> None:
    painted(
        tmp_path,
        {f"train/cat/{number}.png": (100 + number, 50) for number in range(4)}
        | {f"train/dog/{number}.png": (60, 90) for number in range(2)}
        | {"val/cat/0.png": (999, 999), "val/dog/0.png": (999, 999)},
    )
    found = propose_net(tmp_path).aims.fingerprint
    assert found.counts == {"cat": 4, "dog": 2}
    assert found.images == 6
    assert found.short_sides == pytest.approx(np.percentile([50] * 4 + [60] * 2, (10, 50, 90)))
    assert found.widths[2] <= 103
    assert found.gray == 0
    assert found.split == "given"


def test_a_file_that_cannot_be_read_is_passed_over_and_none_is_an_error(tmp_path: Path) -> None:
    painted(tmp_path, {"cat/0.png": (40, 40), "dog/0.png": (40, 40)}, mode="L")
    (tmp_path / "dog" / "1.png").write_bytes(b"nothing")
    found = propose_net(tmp_path)
    assert found.aims.fingerprint.gray == 1
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="can be read"):
        propose_net(tmp_path)


def test_objects_are_the_roots_of_box_areas_without_crowds(tmp_path: Path) -> None:
    painted(tmp_path, {"0.png": (200, 100), "1.png": (200, 100)})
    boxes = (
        BoxNote(name="cat", box=(0, 0, 40, 10)),
        BoxNote(name="dog", box=(10, 10, 26, 74)),
        BoxNote(name="dog", box=(0, 0, 200, 100), crowd=True),
    )
    dataset = DataSet(
        root=tmp_path,
        source="made",
        task="detection",
        classes=("cat", "dog"),
        records=(Record(path="0.png", boxes=boxes), Record(path="1.png", boxes=boxes[:1])),
    )
    found = glance(dataset)
    assert found.objects == pytest.approx(np.percentile([20, 32, 20], (10, 50, 90)))
    assert found.counts == {"cat": 2, "dog": 1}
    assert found.images == 2


def test_many_images_are_sampled_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from convworks.data import decode

    opened: list[Path] = []

    def header(path: Path) -> decode.Header:
        opened.append(path)
        return decode.Header(size=(64, 64), mode="RGB", format="PNG")

    monkeypatch.setattr(decode, "header", header)
    records = tuple(Record(path=f"{number}.png", label="cat") for number in range(10_000))
    found = glance(
        DataSet(root=tmp_path, source="made", task="classification", classes=("cat",), records=records)
    )
    assert len(opened) <= 250
    assert found.images == 10_000


def test_what_was_begun_and_what_is_decided_reach_the_proposal(tmp_path: Path) -> None:
    painted(tmp_path, {"cat/0.png": (80, 80), "dog/0.png": (80, 80)})
    found = propose_net(tmp_path, "conv5-8 p2 relu", objects=[10], input=(48, 64))
    assert found.notation.startswith("conv5-8 p2 relu ")
    assert (found.net.input.height, found.net.input.width) == (48, 64)
    assert found.aims.objects[1] == pytest.approx(6)
