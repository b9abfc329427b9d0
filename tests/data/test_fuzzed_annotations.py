"""Annotation files with any of their bytes changed: read or refused in words, nothing else, and never for long."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convworks.data import sources
from convworks.data.record import BoxNote, DataSet, Record
from convworks.errors import DataError

FORMATS = ("voc", "yolo", "csv", "labels")
FOUND = {"voc": ".xml", "yolo": ".txt", "csv": ".csv", "labels": ".csv"}
PIECES = (
    *(b"\0", b"\xff", b"\n", b"\r", b",", b";", b'"', b"'", b"<", b">", b"&", b"|", b"-", b".", b" ", b"\t"),
    *(
        b"nan",
        b"1e999",
        b"9" * 40,
        b"../",
        b"0",
        b"-1",
        b"<!DOCTYPE a>",
        b"<!--",
        b"]]>",
        b"&lt;",
        b"[",
        b"{",
    ),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3", b": ", b"- ", b"#", b"names:", b"train: ..", b"!!x", b"*a"),
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small data set in each format."""
    from PIL import Image

    root = tmp_path_factory.mktemp("seeds")
    (root / "given").mkdir()
    records: list[Record] = []
    for place, split in enumerate(("train", "train", "val")):
        Image.new("RGB", (40, 30)).save(root / "given" / f"{place}.png")
        notes = (BoxNote(name="cat", box=(1, 2.5, 30, 20)), BoxNote(name="é", box=(0, 0, 5, 6)))
        records.append(Record(path=f"{place}.png", split=split, size=(40, 30), boxes=notes))  # type: ignore[arg-type]
    objects = DataSet(
        root=root / "given", source="x", task="detection", classes=("cat", "é"), records=records
    )
    for name in ("voc", "yolo", "csv"):
        sources.write(objects, root / name, source=name)
    several = [Record(path=one.path, split=one.split, labels=("cat", "é|x")) for one in records]
    whole = DataSet(
        root=root / "given", source="x", task="multilabel", classes=("cat", "é|x"), records=several
    )
    sources.write(whole, root / "labels", source="csv")
    return {name: root / name for name in FORMATS}


def mutated(data: bytes, draw: random.Random) -> bytes:
    """A copy with bytes changed, pieces put in or doubled, or its end cut off."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        at = draw.randrange(len(changed) + 1)
        match draw.randrange(6):
            case 0 if changed:
                changed[at % len(changed)] = draw.randrange(256)
            case 1:
                changed[at:at] = draw.choice(PIECES)
            case 2:
                del changed[at : at + draw.randrange(1, 30)]
            case 3:
                changed[at:at] = changed[at : at + draw.randrange(1, 60)] * draw.randrange(1, 5)
            case 4:
                del changed[draw.randrange(len(changed) + 1) if draw.random() < 0.2 else len(changed) :]
            case _:
                end = at + draw.randrange(1, 8)
                changed[at:end] = draw.choice(PIECES)
    return bytes(changed)


def files(root: Path, name: str) -> list[Path]:
    """The annotation files of a set."""
    found = sorted(path for path in root.rglob("*") if path.suffix in (FOUND[name], ".yaml", ".txt"))
    assert found
    return found


def trials(root: Path, name: str, count: int, seed: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """Each trial changes one file, reads the set, and puts the file back."""
    draw = random.Random(f"{name} {seed}")
    kept = {path: path.read_bytes() for path in files(root, name)}
    for number in range(count):
        path = draw.choice(list(kept))
        path.write_bytes(mutated(kept[path], draw))

        def read() -> None:
            try:
                dataset = sources.read(root, source="csv" if name == "labels" else name)
            except DataError as error:
                assert error.found
                return
            for record in dataset.records:
                assert (root / record.path).is_file()
                for one in record.boxes:
                    x0, y0, x1, y1 = one.box
                    assert x0 < x1 < 1e12 and y0 < y1 < 1e12 and one.name in dataset.classes

        yield number, read
        path.write_bytes(kept[path])


def fuzz(seed_folder: Path, copy: Path, name: str, count: int, seed: int = 0) -> None:
    shutil.copytree(seed_folder, copy)
    for number, read in trials(copy, name, count, seed):
        began = time.process_time()
        read()
        took = time.process_time() - began
        assert took < 1, f"trial {number} took {took:.2f} s"
        sources.find(copy)


@pytest.mark.parametrize("name", FORMATS)
def test_mutated_annotations_are_read_or_refused_in_words(
    name: str, seeds: dict[str, Path], tmp_path: Path
) -> None:
    fuzz(seeds[name], tmp_path / name, name, 500)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", FORMATS)
def test_many_mutated_annotations_are_read_or_refused_in_words(
    name: str, seeds: dict[str, Path], tmp_path: Path
) -> None:
    fuzz(seeds[name], tmp_path / name, name, 25_000, seed=1)
