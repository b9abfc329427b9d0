"""What a data set is in numbers: images, objects and pixels by split and class, and the sizes of objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from convworks.data.audit import scan
from convworks.data.overview import overview
from convworks.data.record import BoxNote, DataSet, MaskCode, Record


def pictures(root: Path, n: int) -> None:
    chance = np.random.default_rng(0)
    for number in range(n):
        small = Image.fromarray(chance.integers(0, 256, (6, 8, 3), np.uint8))
        small.resize((80, 60), Image.Resampling.BICUBIC).save(root / f"{number}.png")


def test_objects_are_counted_and_measured(tmp_path: Path) -> None:
    pictures(tmp_path, 3)
    cell, dot = BoxNote(name="cell", box=(0, 0, 30, 30)), BoxNote(name="dot", box=(10, 10, 16, 16))
    records = [
        Record(path="0.png", boxes=(cell, dot), split="train"),
        Record(path="1.png", boxes=(cell,), split="train"),
        Record(path="2.png", split="val"),
    ]
    made = DataSet(root=tmp_path, source="test", task="detection", classes=("cell", "dot"), records=records)
    seen = overview(scan(made))
    train, val = seen.parts
    assert (train.split, train.images, train.by_class, train.objects) == (
        *("train", 2),
        {"cell": 2, "dot": 1},
        {"cell": 2, "dot": 1},
    )
    assert (val.images, val.objects, val.pixels) == (1, {}, {})
    assert seen.objects is not None
    assert (seen.objects.number, seen.objects.an_image, seen.objects.side) == (3, (0, 1, 2), (6, 30, 30))
    assert seen.objects.share == (0.1, 0.5, 0.5) and seen.objects.by_class["dot"] == (6, 6, 6)
    assert seen.short_sides == (60, 60, 60)


def test_pixels_are_shared_out_and_ignored_ones_left_out(tmp_path: Path) -> None:
    pictures(tmp_path, 1)
    mask = np.zeros((60, 80), np.uint8)
    mask[:, :20], mask[:, 60:] = 1, 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    code = MaskCode(values=(((0,), "road"), ((1,), "tree")))
    records = [Record(path="0.png", mask="mask.png")]
    made = DataSet(
        root=tmp_path,
        source="test",
        task="segmentation",
        classes=("road", "tree"),
        records=records,
        masks=code,
    )
    (part,) = overview(scan(made)).parts
    assert part.pixels == {"road": 2 / 3, "tree": 1 / 3} and part.by_class == {"road": 1, "tree": 1}
