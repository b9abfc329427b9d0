"""Every source reads what it wrote; a new one joins by being named in SOURCES."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from convworks.data import sources
from convworks.data.record import BoxNote, DataSet, MaskCode, Record
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


@pytest.fixture(params=sources.SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    return request.param


def said(source: str, root: Path, path: str, label: str, split: str) -> Record:
    """A record that says `label` the way the source can: by a label, a box or a mask."""
    holds = sources.module(source).holds
    if "label" in holds:
        return Record(path=path, label=label, split=split)  # type: ignore[arg-type]
    if "boxes" in holds:
        box = BoxNote(name=label, box=(1.0, 2.0, 5.0, 7.0))
        size = (20, 10) if "size" in holds else (0, 0)
        return Record(path=path, boxes=(box,), size=size, split=split)  # type: ignore[arg-type]
    mask = f"{path}.mask.png"
    (root / mask).write_bytes(f"mask of {path}".encode())
    return Record(path=path, mask=mask, split=split)  # type: ignore[arg-type]


def annotated(
    source: str, root: Path, given: list[tuple[str, str, str]], classes: tuple[str, ...]
) -> DataSet:
    """A data set that the source can hold, of files (path, label, split) that have their path as content."""
    records: list[Record] = []
    for path, label, split in given:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())
        records.append(said(source, root, path, label, split))
    masks = MaskCode(values=tuple(((value,), name) for value, name in enumerate(classes)))
    return DataSet(
        root=root,
        source="test",
        task="segmentation" if records[0].mask else "detection" if records[0].boxes else "classification",
        classes=classes,
        records=records,
        masks=masks if records[0].mask else None,
    )


def labelled(source: str, root: Path, splits: tuple[str, ...], classes: tuple[str, ...]) -> DataSet:
    """Records of files that lie in one folder, each with its own bytes."""
    listed = [(label, name, split) for split in splits for label in classes for name in NAMES]
    given = [(f"{place} {name}", label, split) for place, (label, name, split) in enumerate(listed)]
    return annotated(source, root, given, classes)


def content(dataset: DataSet) -> set[tuple[bytes, tuple[str, ...], bytes, str]]:
    """What each image holds, and what is said of it, wherever it lies."""
    return {
        (
            (dataset.root / one.path).read_bytes(),
            (one.label, *(f"{box.name} {box.box} {one.size}" for box in one.boxes)),
            (dataset.root / one.mask).read_bytes() if one.mask else b"",
            one.split,
        )
        for one in dataset.records
    }


@pytest.mark.parametrize("splits", [("",), ("train",), ("train", "val"), ("train", "val", "test")])
def test_what_was_written_reads_back_the_same(source: str, splits: tuple[str, ...], tmp_path: Path) -> None:
    given = labelled(source, tmp_path / "given", splits, ("10", "2", "Cat and dog", "new\nline", "é"))
    sources.write(given, tmp_path / "written", source=source)
    read = sources.read(tmp_path / "written", source=source)
    assert content(read) == content(given)
    assert read.classes == given.classes
    assert read.set_aside == ()
    assert read.source == source


def test_what_was_written_is_recognised(source: str, tmp_path: Path) -> None:
    sources.write(
        labelled(source, tmp_path / "given", ("train", "val"), ("a", "b")), tmp_path / "w", source=source
    )
    assert sources.find(tmp_path / "w") == source


def test_writing_it_again_gives_the_same_records(source: str, tmp_path: Path) -> None:
    sources.write(
        labelled(source, tmp_path / "given", ("train", "val"), ("a", "b")), tmp_path / "1", source=source
    )
    first = sources.read(tmp_path / "1", source=source)
    sources.write(first, tmp_path / "2", source=source)
    again = sources.read(tmp_path / "2", source=source)
    assert list(again.records) == list(first.records)


def test_names_that_meet_in_one_folder_stay_two_files(source: str, tmp_path: Path) -> None:
    listed = [("x/1.png", "a", ""), ("y/1.png", "a", ""), ("z/1.png", "b", ""), ("v/1-1.png", "a", "")]
    given = annotated(source, tmp_path / "given", listed, ("a", "b"))
    sources.write(given, tmp_path / "w", source=source)
    assert content(sources.read(tmp_path / "w", source=source)) == content(given)


def test_images_without_a_split_beside_others_are_to_learn_from(source: str, tmp_path: Path) -> None:
    given = labelled(source, tmp_path / "given", ("", "val"), ("a", "b"))
    sources.write(given, tmp_path / "w", source=source)
    read = sources.read(tmp_path / "w", source=source)
    assert content(read) == {(*rest, split or "train") for *rest, split in content(given)}


def test_nothing_is_written_over(source: str, tmp_path: Path) -> None:
    given = labelled(source, tmp_path / "given", ("train",), ("a", "b"))
    with pytest.raises(DataError, match="not empty"):
        sources.write(given, given.root, source=source)


def test_records_come_in_the_same_order_however_the_disk_lists_them(source: str, tmp_path: Path) -> None:
    sources.write(
        labelled(source, tmp_path / "given", ("train", "val"), ("b", "a")), tmp_path / "w", source=source
    )
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
