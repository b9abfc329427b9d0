"""Synthetic sets: the same from the same seed, honest to the pixel, varied, and careful with folders."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convworks.cli.main import main
from convworks.data import sources, synthetic
from convworks.data.synthetic.plan import MARKER
from convworks.data.synthetic.render import any_light, rendered
from convworks.data.synthetic.truth import label_of, split_of
from convworks.errors import DataError
from convworks.samples import Sample

FOUR = ("beetle", "fish", "leaf", "mushroom")
TASKS = ("classification", "localization", "detection", "segmentation")


def drawn(index: int, task: Any = "detection", seed: int = 5, **settings: Any) -> Sample:
    return synthetic.scene(seed, index, task=task, **{"classes": FOUR, "size": (80, 60), **settings})


def written(folder: Path, **settings: Any) -> Path:
    defaults = {
        "task": "classification",
        "count": 10,
        "classes": ("fish", "leaf"),
        "size": (40, 32),
        "seed": 3,
    }
    return synthetic.write(folder, **{**defaults, "style": "scenes", **settings})


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != MARKER}


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_and_index_give_the_same_scene_and_others_another(task: Any) -> None:
    first, second = drawn(4, task), drawn(4, task)
    for name in ("image", "boxes", "labels", "masks", "class_map"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert first.label == second.label
    assert not np.array_equal(first.image, drawn(5, task).image)
    assert not np.array_equal(first.image, drawn(4, task, seed=6).image)


@pytest.mark.parametrize("draw", [synthetic.scene, synthetic.flat_scene])
def test_boxes_masks_and_class_map_tell_the_same_of_what_is_visible(draw: Any) -> None:
    classes = FOUR if draw is synthetic.scene else ("ellipse", "rectangle", "triangle")
    seen = 0
    for index in range(12):
        sample = draw(1, index, task="segmentation", classes=classes, size=(80, 60))
        assert len(sample.boxes) == len(sample.labels) == len(sample.masks) >= 1
        assert sample.masks.sum(axis=0).max() == 1
        assert np.array_equal(sample.class_map > 0, sample.masks.any(axis=0))
        for box, label, mask in zip(sample.boxes, sample.labels, sample.masks, strict=True):
            rows, columns = np.nonzero(mask)
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box.tolist() == edges
            assert set(sample.class_map[mask].tolist()) == {label + 1}
        seen += len(sample.boxes)
    assert seen > 12


def test_objects_overlap_and_are_cut_by_the_frame_but_none_is_lost() -> None:
    overlapping = cut = 0
    for index in range(40):
        sample = drawn(index, classes=list(synthetic.OBJECTS))
        boxes = sample.boxes
        for first in range(len(boxes)):
            cut += bool((boxes[first, :2] == 0).any() or (boxes[first, 2:] == (80, 60)).any())
            for second in range(first):
                low, high = (
                    np.maximum(boxes[first, :2], boxes[second, :2]),
                    np.minimum(boxes[first, 2:], boxes[second, 2:]),
                )
                overlapping += bool((high > low).all())
        assert sample.masks.any(axis=(1, 2)).all()
    assert overlapping >= 5
    assert cut >= 5


def test_unsure_borders_are_void_only_when_asked() -> None:
    sure, unsure = drawn(2, "segmentation"), drawn(2, "segmentation", void=True)
    void = unsure.class_map == 255
    assert 0 < void.mean() < 0.15
    assert not (sure.class_map == 255).any()
    assert np.array_equal(sure.class_map[~void], unsure.class_map[~void])
    inside = sure.masks[0]
    assert void[inside].mean() < 0.6


def test_one_object_is_localized_and_the_whole_image_is_of_its_class() -> None:
    for index in range(16):
        sample = drawn(index, "localization")
        assert sample.boxes.shape == (1, 4)
        assert sample.labels.tolist() == [sample.label] == [label_of(5, index, 4)]
    assert {drawn(index, "detection").label for index in range(4)} == {-1}


def test_the_thinnest_object_is_seen_in_the_smallest_picture() -> None:
    for index in range(30):
        sample = drawn(index, "localization", classes=("hammer", "key", "wrench"), size=(32, 32))
        assert sample.boxes.shape == (1, 4)


@pytest.mark.parametrize("name", sorted(synthetic.OBJECTS))
def test_every_object_varies_and_stays_in_its_frame(name: str) -> None:
    shapes: list[np.ndarray] = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        picture = rendered(synthetic.OBJECTS[name](rng), 64, any_light(rng), rng)
        coverage = picture[..., 3]
        assert np.isfinite(picture).all()
        assert coverage.min() >= 0
        assert coverage.max() <= 1
        assert 0.05 < coverage.mean() < 0.7
        rim = np.concatenate([coverage[0], coverage[-1], coverage[:, 0], coverage[:, -1]])
        assert rim.max() == 0
        shapes.append(coverage > 0.5)
    differing = [np.logical_xor(first, second).mean() for first, second in pairwise(shapes)]
    assert min(differing) > 0.005


def test_pictures_are_textured_at_every_scale_and_neither_dark_nor_pale() -> None:
    means: list[float] = []
    for index in range(24):
        grey = drawn(index, "classification", size=(96, 96)).image.mean(axis=2)
        means.append(float(grey.mean()))
        for block in (1, 4, 16):
            coarse = grey.reshape(96 // block, block, 96 // block, block).mean(axis=(1, 3))
            assert np.abs(np.diff(coarse, axis=0)).mean() > 1
    assert 80 < np.mean(means) < 170
    assert np.std(means) > 8


def test_mean_colour_does_not_give_the_class_away() -> None:
    colours, labels = [], []
    for index in range(160):
        sample = drawn(index, "classification", size=(40, 32))
        colours.append(sample.image.mean(axis=(0, 1)))
        labels.append(sample.label)
    means, truth = np.array(colours), np.array(labels)
    centres = np.stack([means[:100][truth[:100] == label].mean(axis=0) for label in range(4)])
    nearest = np.linalg.norm(means[100:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == truth[100:]).mean() < 0.55


def test_classes_are_balanced_in_train_and_in_val() -> None:
    for count in (2, 3, 10):
        parts = Counter((split_of(i, count), label_of(0, i, count)) for i in range(10 * count))
        assert {parts["train", label] for label in range(count)} == {8}
        assert {parts["val", label] for label in range(count)} == {2}


def test_classification_is_written_as_folders_that_the_folder_source_reads(tmp_path: Path) -> None:
    folder = written(tmp_path / "new" / "set")
    names = sorted(contents(folder))
    assert len(names) == 10
    assert {tuple(Path(name).parts[:2]) for name in names} == {
        (split, name) for split in ("train", "val") for name in ("fish", "leaf")
    }
    for name in names:
        with Image.open(folder / name) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (40, 32))
    read = sources.read(folder)
    assert (read.source, read.classes, len(read.records)) == ("folder", ("fish", "leaf"), 10)
    assert not read.set_aside
    flat = written(tmp_path / "flat", layout="flat")
    assert {Path(name).parent.as_posix() for name in contents(flat)} == {"fish", "leaf"}
    assert json.loads((folder / MARKER).read_text())["complete"] is True


def test_a_larger_count_makes_the_same_set_longer_for_any_number_of_processes(tmp_path: Path) -> None:
    short, long = written(tmp_path / "short", count=6), written(tmp_path / "long", count=30, workers=2)
    first, all_ = contents(short), contents(long)
    assert len(all_) == 30
    assert first.items() <= all_.items()
    assert contents(written(short, count=30)) == all_


def test_an_interrupted_write_is_recognised_and_taken_up(tmp_path: Path) -> None:
    def interrupt(done: int, of: int) -> None:
        raise KeyboardInterrupt

    settings = {"task": "localization", "count": 30}
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "cut", progress=interrupt, **settings)
    assert json.loads((tmp_path / "cut" / MARKER).read_text())["complete"] is False
    assert len(contents(tmp_path / "cut")) == 20
    (tmp_path / "cut" / "images" / ".000020.jpg.convworks-part").write_bytes(b"half")
    whole = contents(written(tmp_path / "whole", **settings))
    assert contents(written(tmp_path / "cut", **settings)) == whole
    assert len(whole) == 31


def test_what_others_wrote_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(DataError, match="not empty"):
        written(tmp_path / "mine")
    with pytest.raises(DataError, match="is a file"):
        written(tmp_path / "mine" / "diary.txt")
    assert contents(tmp_path / "mine") == {"diary.txt": b"dear"}

    folder = written(tmp_path / "set", layout="flat")
    before = contents(folder)
    for change in ({"seed": 4}, {"size": (48, 32)}, {"count": 5}, {"classes": FOUR}, {"task": "detection"}):
        with pytest.raises(DataError):
            written(folder, **{"layout": "flat", **change})
    mine = folder / ("fish" if label_of(3, 12, 2) == 0 else "leaf") / "000012.jpg"
    mine.write_bytes(b"my own")
    with pytest.raises(DataError, match=r"000012\.jpg is in the way"):
        written(folder, layout="flat", count=20)
    assert mine.read_bytes() == b"my own"
    mine.unlink()
    assert contents(folder) == before

    for text in ("", "[]", '{"count": 1}', '{"count": 1, "settings": [2]}'):
        (tmp_path / "mine" / MARKER).write_text(text)
        with pytest.raises(DataError, match="not empty"):
            written(tmp_path / "mine")


def test_an_image_that_the_user_changed_is_left_as_it_is(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", task="localization")
    (folder / "images" / "000003.jpg").write_bytes(b"cropped")
    written(folder, task="localization", count=12)
    assert (folder / "images" / "000003.jpg").read_bytes() == b"cropped"


def test_the_table_of_boxes_says_what_is_in_the_scene(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", task="localization")
    with (folder / "boxes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "x0", "y0", "x1", "y1", "split"]
    for index, row in enumerate(rows):
        sample = drawn(index, "localization", 3, classes=("fish", "leaf"), size=(40, 32))
        assert row["path"] == f"images/{index:06d}.jpg"
        assert row["label"] == ("fish", "leaf")[sample.label]
        assert [float(row[edge]) for edge in ("x0", "y0", "x1", "y1")] == sample.boxes[0].tolist()
        assert row["split"] == split_of(index, 2)
    assert len(rows) == 10


def unpacked(segmentation: dict[str, Any]) -> np.ndarray:
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def test_coco_holds_every_object_with_its_box_and_mask(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", task="detection", style="shapes", classes=3, count=20)
    seen = 0
    for split in ("train", "val"):
        said = json.loads((folder / f"{split}.json").read_text())
        assert [category["name"] for category in said["categories"]] == ["ellipse", "rectangle", "triangle"]
        for image in said["images"]:
            index = int(Path(image["file_name"]).stem)
            assert split_of(index, 3) == split
            with Image.open(folder / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"]) == (40, 32)
            truth = synthetic.flat_scene(
                3, index, task="detection", classes=("ellipse", "rectangle", "triangle"), size=(40, 32)
            )
            found = [item for item in said["annotations"] if item["image_id"] == image["id"]]
            assert [item["category_id"] - 1 for item in found] == truth.labels.tolist()
            for item, box, mask in zip(found, truth.boxes, truth.masks, strict=True):
                x, y, width, height = item["bbox"]
                assert [x, y, x + width, y + height] == box.tolist()
                assert np.array_equal(unpacked(item["segmentation"]), mask)
                assert item["area"] == mask.sum()
            seen += len(found)
        identities = [item["id"] for item in said["annotations"]]
        assert len(set(identities)) == len(identities)
    assert seen > 20


def test_index_masks_hold_the_class_map(tmp_path: Path) -> None:
    folder = written(tmp_path / "set", task="segmentation", void=True)
    assert (folder / "classes.txt").read_text() == "background\nfish\nleaf\n"
    masks = sorted(folder.rglob("masks/*.png"))
    assert len(masks) == 10
    values: set[int] = set()
    for path in masks:
        assert (path.parent.parent / "images" / f"{path.stem}.jpg").exists()
        index = int(path.stem)
        with Image.open(path) as image:
            assert image.mode == "L"
            found = np.asarray(image)
        truth = drawn(index, "segmentation", 3, classes=("fish", "leaf"), size=(40, 32), void=True)
        assert np.array_equal(found, truth.class_map)
        values |= set(np.unique(found).tolist())
    assert values == {0, 1, 2, 255}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"classes": 1}, "2 to 20"),
        ({"classes": 21}, "2 to 20"),
        ({"classes": ("fish", "fish")}, "2 to 20"),
        ({"classes": ("fish", "mushrom")}, 'did you mean "mushroom"'),
        ({"classes": 4, "style": "shapes"}, "2 to 3"),
        ({"size": (16, 64)}, "32 to 4096"),
        ({"count": 0}, "1 to 1,000,000"),
        ({"seed": -1}, "from 0 on"),
    ],
)
def test_impossible_settings_are_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        written(tmp_path / "set", **settings)
    assert not (tmp_path / "set").exists()


def test_the_command_writes_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(tmp_path / "set")
    words = [
        "sample-data",
        where,
        "--count",
        "4",
        "--size",
        "40x32",
        "--classes",
        "key,mug",
        "--workers",
        "1",
    ]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "directory": where,
        "task": "classification",
        "count": 4,
        "classes": ["key", "mug"],
    }
    assert len(contents(tmp_path / "set")) == 4
    assert main(words) == 0
    assert f"convworks train {where}" in capsys.readouterr().out
    shutil.rmtree(where)
    assert main(["sample-data", where, "--size", "big"]) == 2
    assert "240x180" in capsys.readouterr().err


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parents[2] / "bench" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("bench_synthetic", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_classes_need_a_convnet(bench: ModuleType) -> None:
    assert bench.linear()["accuracy"] < 0.6
    assert bench.convnet()["accuracy"] > 0.9


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_few_classes_are_learnt_from_pretrained_features_and_not_from_colour(bench: ModuleType) -> None:
    assert bench.colour()["nearest_mean"] < 0.6
    assert min(bench.pretrained().values()) > 0.92
