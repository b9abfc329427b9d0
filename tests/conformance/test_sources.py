"""Every source reads what it wrote; a new one joins by being named in SOURCES."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from convworks.data import sources
from convworks.data.record import BoxNote, DataSet, MaskCode, Record, Task
from convworks.data.sources.features import Feature, used
from convworks.errors import DataError

NAMES = (
    "plain.jpg",
    "a b.jpg",
    "com,ma.png",
    'quo"te.png',
    "new\nline.png",
    "قطة.webp",
    "🐈.JPG",
    "semi;colon.png",
)
SIZE = (64, 48)
CLASSES = ("10", "2", "Cat and dog", "new\nline", "é")


@pytest.fixture(params=sources.SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    return request.param


def header(said: str) -> bytes:
    """The beginning of a PNG of SIZE, and bytes that no other file has."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", *SIZE) + said.encode()


def task_of(source: str) -> Task:
    """What a source is tried with: whole images, else objects, else masks."""
    holds = sources.module(source).holds
    return "classification" if "label" in holds else "detection" if "boxes" in holds else "segmentation"


def made(root: Path, source: str, splits: tuple[str, ...], classes: tuple[str, ...] = CLASSES) -> DataSet:
    """Records of files that lie in one folder, each with its own bytes, saying what `source` holds."""
    root.mkdir()
    task = task_of(source)
    records: list[Record] = []
    for split in splits:
        for label in classes:
            for name in NAMES:
                path = f"{len(records)} {name}"
                (root / path).write_bytes(header(path))
                record = Record(path=path, split=split)  # type: ignore[arg-type]
                records.append(said(root, record, task, label, len(records)))
    return whole(root, task, classes, records)


def said(root: Path, record: Record, task: Task, label: str, number: int) -> Record:
    """A record that says `label` in the way of its task."""
    if task == "classification":
        return replace(record, label=label)
    if task == "detection":
        box = (number % 9 - 0.125, 1.5, 20.0 + number % 7, 30.25)
        return replace(record, boxes=(BoxNote(name=label, box=box), BoxNote(name=label, box=(1, 2, 3, 4))))
    mask = f"mask of {record.path.replace('/', ' ')}"
    (root / mask).write_bytes(label.encode())
    return replace(record, mask=mask)


def whole(root: Path, task: Task, classes: tuple[str, ...], records: list[Record]) -> DataSet:
    code = MaskCode(values=tuple(((value,), name) for value, name in enumerate(classes)))
    return DataSet(
        root=root,
        source="test",
        task=task,
        classes=classes,
        records=records,
        masks=code if task == "segmentation" else None,
    )


def content(dataset: DataSet) -> set[tuple[bytes, bytes, str, str, tuple[BoxNote, ...]]]:
    root = dataset.root
    return {
        (
            (root / one.path).read_bytes(),
            (root / one.mask).read_bytes() if one.mask else b"",
            one.label,
            one.split,
            one.boxes,
        )
        for one in dataset.records
    }


@pytest.mark.parametrize("splits", [("",), ("train",), ("train", "val"), ("train", "val", "test")])
def test_what_was_written_reads_back_the_same(source: str, splits: tuple[str, ...], tmp_path: Path) -> None:
    given = made(tmp_path / "given", source, splits)
    sources.write(given, tmp_path / "written", source=source)
    read = sources.read(tmp_path / "written", source=source)
    assert content(read) == content(given)
    assert read.classes == given.classes
    assert read.task == given.task
    assert read.masks == given.masks
    assert read.set_aside == ()
    assert read.source == source


def test_what_was_written_is_recognised(source: str, tmp_path: Path) -> None:
    sources.write(made(tmp_path / "given", source, ("train", "val")), tmp_path / "w", source=source)
    assert sources.find(tmp_path / "w") == source


def test_a_source_says_what_it_holds_and_what_it_is_given_it_holds(source: str, tmp_path: Path) -> None:
    holds = sources.module(source).holds
    assert holds <= set(get_args(Feature))
    assert used(made(tmp_path / "given", source, ("train", "val"))).keys() <= holds


def test_writing_it_again_gives_the_same_records(source: str, tmp_path: Path) -> None:
    sources.write(made(tmp_path / "given", source, ("train", "val")), tmp_path / "1", source=source)
    first = sources.read(tmp_path / "1", source=source)
    sources.write(first, tmp_path / "2", source=source)
    again = sources.read(tmp_path / "2", source=source)
    assert list(again.records) == list(first.records)


def test_names_that_meet_in_one_folder_stay_two_files(source: str, tmp_path: Path) -> None:
    root = tmp_path / "given"
    records: list[Record] = []
    for folder, label, name in (
        *(("x", "a", "1.png"), ("y", "a", "1.png"), ("z", "b", "1.png"), ("v", "a", "1-1.png")),
        *(("w", "b", "1.jpg"), ("u", "b", "1.PNG")),
    ):
        (root / folder).mkdir(parents=True)
        (root / folder / name).write_bytes(header(folder))
        records.append(said(root, Record(path=f"{folder}/{name}"), task_of(source), label, len(records)))
    given = whole(root, task_of(source), ("a", "b"), records)
    sources.write(given, tmp_path / "w", source=source)
    read = sources.read(tmp_path / "w", source=source)
    assert content(read) == content(given)
    assert read.set_aside == ()


def test_images_without_a_split_beside_others_are_to_learn_from(source: str, tmp_path: Path) -> None:
    given = made(tmp_path / "given", source, ("", "val"))
    sources.write(given, tmp_path / "w", source=source)
    read = sources.read(tmp_path / "w", source=source)
    learned = replace(given, records=[replace(one, split=one.split or "train") for one in given.records])
    assert content(read) == content(learned)


def test_nothing_is_written_over(source: str, tmp_path: Path) -> None:
    given = made(tmp_path / "given", source, ("train",))
    with pytest.raises(DataError, match="not empty"):
        sources.write(given, given.root, source=source)


def test_records_come_in_the_same_order_however_the_disk_lists_them(source: str, tmp_path: Path) -> None:
    sources.write(made(tmp_path / "given", source, ("train", "val")), tmp_path / "w", source=source)
    read = sources.read(tmp_path / "w", source=source)
    order = {"train": 0, "val": 1}
    assert list(read.records) == sorted(read.records, key=lambda r: (order[r.split], r.label, r.path))


def test_a_source_is_pure_python(source: str) -> None:
    code = (
        f"import sys, {sources.SOURCES[source]}\n"
        "print([name for name in ('numpy', 'torch', 'torchvision', 'timm', 'PIL', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
