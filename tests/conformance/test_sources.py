"""Every source reads what it wrote; a new one joins by being named in SOURCES."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from convworks.data import sources
from convworks.data.record import DataSet, Record
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


def labelled(root: Path, splits: tuple[str, ...], classes: tuple[str, ...]) -> DataSet:
    """Records of files that lie in one folder, each with its own bytes."""
    root.mkdir()
    records: list[Record] = []
    for split in splits:
        for label in classes:
            for name in NAMES:
                path = f"{len(records)} {name}"
                (root / path).write_bytes(path.encode())
                records.append(Record(path=path, label=label, split=split))  # type: ignore[arg-type]
    return DataSet(root=root, source="test", task="classification", classes=classes, records=records)


def content(dataset: DataSet) -> set[tuple[bytes, str, str]]:
    return {((dataset.root / one.path).read_bytes(), one.label, one.split) for one in dataset.records}


@pytest.mark.parametrize("splits", [("",), ("train",), ("train", "val"), ("train", "val", "test")])
def test_what_was_written_reads_back_the_same(source: str, splits: tuple[str, ...], tmp_path: Path) -> None:
    given = labelled(tmp_path / "given", splits, ("10", "2", "Cat and dog", "new\nline", "é"))
    sources.write(given, tmp_path / "written", source=source)
    read = sources.read(tmp_path / "written", source=source)
    assert content(read) == content(given)
    assert read.classes == given.classes
    assert read.set_aside == ()
    assert read.source == source


def test_what_was_written_is_recognised(source: str, tmp_path: Path) -> None:
    sources.write(labelled(tmp_path / "given", ("train", "val"), ("a", "b")), tmp_path / "w", source=source)
    assert sources.find(tmp_path / "w") == source


def test_writing_it_again_gives_the_same_records(source: str, tmp_path: Path) -> None:
    sources.write(labelled(tmp_path / "given", ("train", "val"), ("a", "b")), tmp_path / "1", source=source)
    first = sources.read(tmp_path / "1", source=source)
    sources.write(first, tmp_path / "2", source=source)
    again = sources.read(tmp_path / "2", source=source)
    assert list(again.records) == list(first.records)


def test_names_that_meet_in_one_folder_stay_two_files(source: str, tmp_path: Path) -> None:
    root = tmp_path / "given"
    records: list[Record] = []
    for folder, label in (("x", "a"), ("y", "a"), ("z", "b"), ("v", "a")):
        (root / folder).mkdir(parents=True)
        name = "1-1.png" if folder == "v" else "1.png"
        (root / folder / name).write_text(folder)
        records.append(Record(path=f"{folder}/{name}", label=label))
    given = DataSet(root=root, source="test", task="classification", classes=("a", "b"), records=records)
    sources.write(given, tmp_path / "w", source=source)
    assert content(sources.read(tmp_path / "w", source=source)) == content(given)


def test_images_without_a_split_beside_others_are_to_learn_from(source: str, tmp_path: Path) -> None:
    given = labelled(tmp_path / "given", ("", "val"), ("a", "b"))
    sources.write(given, tmp_path / "w", source=source)
    read = sources.read(tmp_path / "w", source=source)
    assert content(read) == {(data, label, split or "train") for data, label, split in content(given)}


def test_nothing_is_written_over(source: str, tmp_path: Path) -> None:
    given = labelled(tmp_path / "given", ("train",), ("a", "b"))
    with pytest.raises(DataError, match="not empty"):
        sources.write(given, given.root, source=source)


def test_records_come_in_the_same_order_however_the_disk_lists_them(source: str, tmp_path: Path) -> None:
    sources.write(labelled(tmp_path / "given", ("train", "val"), ("b", "a")), tmp_path / "w", source=source)
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
