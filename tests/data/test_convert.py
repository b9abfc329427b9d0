"""From any format to any other: what both hold arrives exactly, and what one does not is named before it is lost."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convworks
from convworks.data import convert as conversion
from convworks.data import raster, sources
from convworks.data.convert import convert
from convworks.data.decode import stored
from convworks.data.record import BoxNote, DataSet, MaskCode, Record
from convworks.data.sources.features import Feature
from convworks.errors import DataError, StorageError

OBJECTS = ("coco", "voc", "yolo", "csv")
ROUND = ["coco", "voc", "coco", "yolo", "coco", "csv", "voc", "yolo", "voc", "csv", "yolo", "csv", "coco"]
"""A way along which each of the four formats follows each other one."""

POINTS = ("nose", "left ear", "right ear")
CLASSES = ("10", "2", "a|b", "Katze; Hund", "é", "x,y")


def put(root: Path, name: str, size: tuple[int, int]) -> None:
    """A file that begins like a PNG of that size, with bytes that no other has."""
    root.mkdir(parents=True, exist_ok=True)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", *size)
    (root / name).write_bytes(head + name.encode())


def generated(root: Path, number: int, features: frozenset[Feature], seed: int = 0) -> DataSet:
    """Images of any size with objects that say all of `features`, to a thousandth of a pixel."""
    draw = random.Random(seed)
    records: list[Record] = []
    for place in range(number):
        size = (draw.randrange(20, 5000), draw.randrange(20, 5000))
        name = f"{place}.png"
        put(root, name, size)
        notes = [note(draw, size, features) for _ in range(draw.choice((0, 1, 2, 2, 7)))]
        record = Record(
            path=name, size=size if "size" in features else (0, 0), boxes=tuple(dict.fromkeys(notes))
        )
        if "split" in features:
            record = replace(record, split=draw.choice(("train", "train", "val", "test")))
        if "group" in features:
            record = replace(record, group=draw.choice(("", "p1", "p 2")))
        records.append(record)
    return DataSet(
        root=root,
        source="made",
        task="detection",
        classes=tuple(sorted({one.name for record in records for one in record.boxes})),
        records=records,
        points=POINTS if "points" in features else (),
        swaps=(("left ear", "right ear"),) if "points" in features else (),
    )


def note(draw: random.Random, size: tuple[int, int], features: frozenset[Feature]) -> BoxNote:
    def at(side: int) -> float:
        return draw.choice((0, side, draw.randrange(side), round(draw.uniform(-2, side + 2), 3)))

    width, height = size
    ring = [(at(width), at(height)) for _ in range(draw.randrange(3, 9))]
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    if (
        max(xs) - min(xs) < 1
        or max(ys) - min(ys) < 1
        or min(max(xs), max(ys)) <= 0
        or min(xs) >= width
        or min(ys) >= height
    ):
        return note(draw, size, features)
    seen = [(*point, draw.randrange(1, 3)) if draw.random() < 0.7 else (0.0, 0.0, 0) for point in ring[:3]]
    return BoxNote(
        name=draw.choice(CLASSES),
        box=(min(xs), min(ys), max(xs), max(ys)),
        polygons=(tuple(value for point in ring for value in point),) if "polygons" in features else (),
        points=tuple(seen) if "points" in features and any(flag for *_, flag in seen) else (),
        difficult="difficult" in features and draw.random() < 0.3,
        crowd="crowd" in features and draw.random() < 0.3,
    )


def content(dataset: DataSet) -> dict[bytes, tuple[Record, frozenset[BoxNote]]]:
    """Records and their objects by the bytes of their image, without its path and what only localization says."""
    return {
        (dataset.root / one.path).read_bytes(): (
            replace(one, path="", label="", boxes=()),
            frozenset(one.boxes),
        )
        for one in dataset.records
    }


def sizeless(dataset: DataSet) -> dict[bytes, tuple[Record, frozenset[BoxNote]]]:
    """The same without sizes, which the way over YOLO adds."""
    return {data: (replace(one, size=(0, 0)), notes) for data, (one, notes) in content(dataset).items()}


def around(given: DataSet, folder: Path, way: list[str]) -> DataSet:
    """The data set written in the first format, then converted along the way."""
    sources.write(given, folder / "0", source=way[0])
    for number, (before, after) in enumerate(pairwise(way)):
        assert sources.find(folder / str(number)) == before
        done = convert(folder / str(number), folder / str(number + 1), to=after)
        assert done.lost == () and done.set_aside == ()
    return sources.read(folder / str(len(way) - 1))


def shared(*names: str) -> frozenset[Feature]:
    """What all of these formats hold, without masks; an outline and points do not stand in one row of YOLO."""
    common = frozenset.intersection(*(sources.module(name).holds for name in names))
    return common - ({"runs", "points"} if "yolo" in names else {"runs"})


def test_the_way_around_takes_every_step_once() -> None:
    steps = list(pairwise(ROUND))
    assert sorted(steps) == sorted((a, b) for a in OBJECTS for b in OBJECTS if a != b)


def go_around(number: int, folder: Path) -> None:
    given = generated(folder / "given", number, shared(*OBJECTS))
    back = around(given, folder, ROUND)
    assert content(back) == content(given)
    assert back.classes == given.classes


def test_what_all_formats_hold_goes_around_unchanged(tmp_path: Path) -> None:
    go_around(100, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_records_go_around_unchanged(tmp_path: Path) -> None:
    go_around(10_000, tmp_path)


PAIRS = [(a, b) for a in OBJECTS for b in OBJECTS if a < b]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_what_two_formats_hold_goes_there_and_back_unchanged(one: str, other: str, tmp_path: Path) -> None:
    given = generated(tmp_path / "given", 60, shared(one, other), seed=1)
    assert content(around(given, tmp_path, [one, other, one])) == content(given)


@pytest.mark.parametrize("one", OBJECTS)
def test_a_format_holds_what_it_says_it_holds(one: str, tmp_path: Path) -> None:
    given = generated(tmp_path / "given", 60, shared(one), seed=2)
    assert content(around(given, tmp_path, [one, one])) == content(given)


def test_points_go_from_coco_to_yolo_and_back(tmp_path: Path) -> None:
    features: frozenset[Feature] = frozenset({"boxes", "points", "split", "size"})
    given = generated(tmp_path / "given", 60, features, seed=3)
    back = around(given, tmp_path, ["coco", "yolo", "coco"])
    assert content(back) == content(given)
    assert back.points == POINTS and back.swaps == (("left ear", "right ear"),)


def test_labels_go_between_folders_and_tables(tmp_path: Path) -> None:
    put(tmp_path / "given" / "cat", "1.png", (9, 9))
    put(tmp_path / "given" / "dog", "2.png", (9, 9))
    convert(tmp_path / "given", tmp_path / "table", to="csv")
    convert(tmp_path / "table", tmp_path / "back", to="folder")
    assert sources.read(tmp_path / "back").records == sources.read(tmp_path / "given").records


def squares(root: Path) -> DataSet:
    """Two images with a class map each, and in the first a map of ids that tells two of a class apart."""
    pixels = np.zeros((20, 30), np.uint8)
    pixels[2:8, 3:9], pixels[2:8, 12:18], pixels[12:19, 5:25] = 1, 1, 2
    ids = np.where(pixels == 1, 1 + (np.arange(30) > 10)[None], 0).astype(np.uint16)
    root.mkdir()
    for name, values in (("m1.png", pixels), ("m2.png", np.flip(pixels)), ("i1.png", ids)):
        Image.fromarray(np.ascontiguousarray(values)).save(root / name)
    for name in ("1.png", "2.png"):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(root / name)
    code = MaskCode(values=(((0,), "background"), ((1,), "cat"), ((2,), "dog")))
    records = [Record(path="1.png", mask="m1.png", instances="i1.png"), Record(path="2.png", mask="m2.png")]
    return DataSet(
        root=root,
        source="x",
        task="segmentation",
        classes=("background", "cat", "dog"),
        records=records,
        masks=code,
    )


def class_maps(dataset: DataSet) -> list[list[list[str]]]:
    """The class names of all pixels, image by image."""
    assert dataset.masks is not None
    names = {name: place for place, name in enumerate(dataset.classes)}
    known = np.array([*dataset.classes])
    return [
        known[raster.class_map(stored(dataset.root / one.mask), dataset.masks, names)].tolist()
        for one in dataset.records
    ]


@pytest.mark.parametrize("target", ["coco", "yolo"])
def test_masks_become_objects_and_masks_again_to_the_pixel(target: str, tmp_path: Path) -> None:
    given = squares(tmp_path / "given")
    sources.write(replace(given, records=given.records[:1]), tmp_path / "0", source="masks")
    done = convert(tmp_path / "0", tmp_path / "1", to=target)
    (record,) = sources.read(tmp_path / "1").records
    assert sorted((one.name, one.box) for one in record.boxes) == [
        ("cat", (3, 2, 9, 8)),
        ("cat", (12, 2, 18, 8)),
        ("dog", (5, 12, 25, 19)),
    ]
    assert "1 mask image became 3 objects" in done.changed
    convert(tmp_path / "1", tmp_path / "2", to="masks")
    assert class_maps(sources.read(tmp_path / "2")) == class_maps(sources.read(tmp_path / "0"))


def test_what_is_lost_is_named_with_its_count_and_refused(tmp_path: Path) -> None:
    features: frozenset[Feature] = frozenset({"boxes", "polygons", "crowd", "difficult", "points", "size"})
    given = generated(tmp_path / "given", 30, features)
    sources.write(given, tmp_path / "coco", source="coco")
    notes = [one for record in given.records for one in record.boxes]
    crowds, points = sum(one.crowd for one in notes), sum(bool(one.points) for one in notes)
    with pytest.raises(DataError) as raised:
        convert(tmp_path / "coco", tmp_path / "voc", to="voc")
    said = str(raised.value)
    assert f"{len(notes)} outlines become boxes" in said
    assert f"crowd flags of {crowds} objects are lost" in said
    assert f"points of {points} objects are lost" in said
    assert "difficult" not in said and "coco holds all of it" in said and "--lossy" in said
    assert len(said.splitlines()) <= 6
    assert not (tmp_path / "voc").exists()
    done = convert(tmp_path / "coco", tmp_path / "voc", to="voc", lossy=True)
    assert len(done.lost) == 3 and done.objects == len(notes)
    assert [one.difficult for record in sources.read(tmp_path / "voc").records for one in record.boxes].count(
        True
    ) == sum(one.difficult for one in notes)


@pytest.mark.parametrize("target", ["coco", "voc", "yolo", "masks"])
def test_a_format_that_can_hold_nothing_is_refused_even_lossily(target: str, tmp_path: Path) -> None:
    put(tmp_path / "given" / "cat", "1.png", (9, 9))
    put(tmp_path / "given" / "dog", "2.png", (9, 9))
    with pytest.raises(DataError, match=rf"{target} holds .*has none") as raised:
        convert(tmp_path / "given", tmp_path / "w", to=target, lossy=True)
    assert "csv or folder hold all of it" in str(raised.value)


def test_boxes_are_no_masks(tmp_path: Path) -> None:
    sources.write(generated(tmp_path / "g", 5, frozenset({"boxes"}), seed=5), tmp_path / "voc", source="voc")
    with pytest.raises(DataError, match="masks holds"):
        convert(tmp_path / "voc", tmp_path / "w", to="masks", lossy=True)


def test_annotations_of_a_picture_as_it_is_stored_are_turned_with_it(tmp_path: Path) -> None:
    """A camera stored 64x48 and turned it: a box at the stored top left lies at the shown top right."""
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "given").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "given" / "1.jpg", exif=exif.tobytes())
    ring = (0.0, 0.0, 10.0, 0.0, 10.0, 5.0)
    mask = raster.to_runs(raster.from_polygons([(0, 0, 10, 0, 10, 5, 0, 5)], (48, 64)))
    notes = (
        BoxNote(name="a", box=(0, 0, 10, 5)),
        BoxNote(name="b", box=(0, 0, 10, 5), polygons=(ring,)),
        BoxNote(name="c", box=(0, 0, 10, 5), runs=mask),
    )
    records = [Record(path="1.jpg", size=(64, 48), boxes=notes)]
    given = DataSet(
        root=tmp_path / "given", source="x", task="detection", classes=("a", "b", "c"), records=records
    )
    sources.write(given, tmp_path / "coco", source="coco")
    done = convert(tmp_path / "coco", tmp_path / "yolo", to="yolo")
    assert "annotations of 1 image turned upright as EXIF says" in done.changed
    (record,) = sources.read(tmp_path / "yolo").records
    assert record.size == (48, 64)
    assert [one.box for one in record.boxes] == [(43, 0, 48, 10)] * 3
    assert record.boxes[1].polygons == ((48, 0, 48, 10, 43, 10),)


def test_nothing_is_written_into_the_data_nor_around_it(tmp_path: Path) -> None:
    sources.write(
        generated(tmp_path / "g", 3, frozenset({"boxes"}), seed=5), tmp_path / "data" / "voc", source="voc"
    )
    for place in (tmp_path / "data" / "voc", tmp_path / "data" / "voc" / "new", tmp_path / "data", tmp_path):
        with pytest.raises(DataError, match=r"lies in the data's folder|not empty"):
            convert(tmp_path / "data" / "voc", place, to="coco")
    (tmp_path / "link").symlink_to(tmp_path / "data" / "voc")
    with pytest.raises(DataError, match="lies in the data's folder"):
        convert(tmp_path / "data" / "voc", tmp_path / "link" / "new", to="coco")


def test_a_destination_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources.write(generated(tmp_path / "g", 9, frozenset({"boxes"}), seed=5), tmp_path / "voc", source="voc")
    copied: list[Path] = []

    def full(source: Path, destination: Path, wanted: str, taken: set[str]) -> str:
        copied.append(source)
        if len(copied) > 4:
            raise OSError(28, "No space left on device")
        return wanted

    monkeypatch.setattr("convworks.data.sources.copying.copy", full)
    with pytest.raises(StorageError, match="could not be written"):
        convert(tmp_path / "voc", tmp_path / "w", to="coco")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g", "voc"]


def test_what_an_interrupted_conversion_left_is_swept(tmp_path: Path) -> None:
    sources.write(generated(tmp_path / "g", 9, frozenset({"boxes"}), seed=5), tmp_path / "voc", source="voc")
    (tmp_path / f".w{conversion.PART}").mkdir()
    (tmp_path / f".w{conversion.PART}" / "half").write_text("")
    (tmp_path / "w").mkdir()
    convert(tmp_path / "voc", tmp_path / "w", to="coco")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g", "voc", "w"]


def test_what_would_not_read_back_is_not_left_behind(tmp_path: Path) -> None:
    put(tmp_path / "data", "1.png", (9, 9))
    (tmp_path / "data" / "boxes.csv").write_text("path,label,x0,y0,x1,y1\n1.png,cat,1,2,3,4\n")
    with pytest.raises(DataError, match=r"could not be read again: .*one class"):
        convert(tmp_path / "data", tmp_path / "w", to="folder", lossy=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_names_are_looked_up_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='did you mean "yolo"'):
        convworks.convert(tmp_path, tmp_path / "w", to="yollo")


@pytest.mark.parametrize("pack", ["bccd", "one_animal"])
def test_the_packs_go_around_unchanged(pack: str, packs: Path, tmp_path: Path) -> None:
    given = sources.read(packs / pack, source="voc" if pack == "bccd" else "csv")
    given = replace(given, records=given.records[::6], set_aside=())
    back = around(given, tmp_path, ROUND)
    assert sizeless(back) == sizeless(given)


@pytest.mark.slow
@pytest.mark.parametrize("pack", ["bccd", "one_animal"])
def test_the_whole_packs_go_around_unchanged(pack: str, packs: Path, tmp_path: Path) -> None:
    given = replace(sources.read(packs / pack, source="voc" if pack == "bccd" else "csv"), set_aside=())
    back = around(given, tmp_path, ROUND)
    assert sizeless(back) == sizeless(given)


@pytest.mark.slow
def test_the_camvid_pack_becomes_objects_and_masks_again(packs: Path, tmp_path: Path) -> None:
    convert(packs / "camvid", tmp_path / "coco", to="coco", lossy=True)
    convert(tmp_path / "coco", tmp_path / "masks", to="masks")
    given, back = sources.read(packs / "camvid"), sources.read(tmp_path / "masks")
    assert given.masks is not None and back.masks is not None
    for one, other in zip(given.records, back.records, strict=True):
        ids = {name: place for place, name in enumerate(["background", *given.classes])}
        before = raster.class_map(stored(given.root / one.mask), given.masks, ids)
        after = raster.class_map(stored(back.root / other.mask), back.masks, ids)
        assert (np.where(before == 255, 0, before) == after).all()
