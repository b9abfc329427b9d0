"""YOLO: fractions to pixels, layouts as tools write them, and every fault named by its line."""

from __future__ import annotations

import contextlib
import struct
import time
from pathlib import Path

import pytest
from PIL import Image

from convworks.data import sources
from convworks.data.record import BoxNote, DataSet, Record
from convworks.data.sources import yolo, yolo_rows
from convworks.data.sources.confine import Refused
from convworks.errors import DataError

SIZE = (640, 480)
NAMES = {0: "cat", 1: "dog"}
YAML = "train: images/train\nval: images/val\nnames: [cat, dog]\n"
ROW = "0 0.5 0.5 0.25 0.5"
CAT = BoxNote(name="cat", box=(240, 120, 400, 360))


def png(path: Path, size: tuple[int, int] = SIZE) -> Path:
    """A file that begins like a PNG of that size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", *size))
    return path


def put(root: Path, image: str, labels: str | bytes | None, *, beside: str = "") -> None:
    """An image and its label file, in `labels/` or beside it; none where `labels` is None."""
    png(root / image)
    if labels is not None:
        name = (root / (beside or image.replace("images", "labels"))).with_suffix(".txt")
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(labels.encode() if isinstance(labels, str) else labels)


def reasons(dataset: DataSet) -> dict[str, str]:
    return {file.path: file.reason for file in dataset.set_aside}


def objects(dataset: DataSet) -> dict[str, tuple[BoxNote, ...]]:
    return {record.path: record.boxes for record in dataset.records}


def rows(text: str | bytes, points: tuple[int, int] = (0, 0)) -> yolo_rows.Rows:
    return yolo_rows.parse(text.encode() if isinstance(text, str) else text, SIZE, NAMES, points)


def test_fractions_become_pixels() -> None:
    assert rows(ROW).objects == [CAT]


def test_an_outline_has_its_bounds_for_a_box() -> None:
    (one,) = rows("1 0 0 0.5 0 0.5 0.25 0.25 0.5").objects
    assert one == BoxNote(name="dog", box=(0, 0, 320, 240), polygons=((0, 0, 320, 0, 320, 120, 160, 240),))


@pytest.mark.parametrize(
    "box", [(82.64, 4.17, 336.42, 232.5), (0, 0, 1, 1), (0.001, 479.999, 639.999, 480), (-3, -2, 7, 9)]
)
def test_thousandths_of_a_pixel_come_back_exactly(box: tuple[float, float, float, float]) -> None:
    note = BoxNote(name="cat", box=box)
    assert rows(yolo_rows.row(note, SIZE, 0)).objects == [note]


@pytest.mark.parametrize(
    "text",
    [
        ROW.encode(),
        b"\xef\xbb\xbf" + ROW.encode(),
        ROW.encode("utf-16"),
        f"{ROW}\r\n".encode(),
        f"\n  {ROW}  \n\n".encode(),
        ROW.replace(" ", "\t").encode(),
        b"0.0 5e-1 .5 0.25 0.50000",
    ],
    ids=["plain", "bom", "utf-16", "crlf", "blank", "tabs", "floats"],
)
def test_files_as_programs_write_them_read_alike(text: bytes) -> None:
    found = rows(text)
    assert found.objects == [CAT] and found.faults == [] and found.repeats == 0


FAULTS = {
    "pixels": ("0 320 240 160 240", "320 is no fraction"),
    "NaN": ("0 nan 0.5 0.25 0.5", '"nan" is not a finite number'),
    "infinite": ("0 0.5 0.5 1e999 0.5", '"1e999" is not a finite number'),
    "comma between": ("0,0.5,0.5,0.25,0.5", "not a number from 0 on"),
    "comma within": ("0 0,5 0,5 0,25 0,5", "a comma"),
    "columns": ("0 0.5 0.5 0.25", "4 columns; a box has 5"),
    "confidence": (f"{ROW} 0.9", "6 columns"),
    "two points": ("0 0.1 0.1 0.2", "4 columns"),
    "class range": (ROW.replace("0", "2", 1), "class 2, of 2 that have a name"),
    "negative class": (f"-1{ROW[1:]}", 'class "-1" is not a number'),
    "class name": (f"cat{ROW[1:]}", 'class "cat"'),
    "broken class": (f"0.5{ROW[1:]}", 'class "0.5"'),
    "zero area": ("0 0.5 0.5 0 0.5", "no area: width 0"),
    "negative size": ("0 0.5 0.5 -0.25 0.5", "no area: width -0.25"),
    "outside": ("0 1.5 0.5 0.25 0.5", "outside the image of 640x480"),
    "flat outline": ("0 0.1 0.5 0.2 0.5 0.3 0.5", "no area"),
    "word": ("0 0.5 half 0.25 0.5", '"half" is not a finite number'),
    "underscore": ("0 0.5 0.5 0_1 0.5", "not a finite number"),
    "long": (f"0 0.5 0.5 0.25 {'5' * 400}", "not a finite number"),
    "binary": ("0 0.5 0.5 \x00 0.5", "not a finite number"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_that_cannot_be_used_is_named_by_its_line_and_the_others_stay(fault: str) -> None:
    text, reason = FAULTS[fault]
    found = rows(f"{ROW}\n\n{text}\n1{ROW[1:]}\n")
    assert [one.name for one in found.objects] == ["cat", "dog"]
    (said,) = found.faults
    assert said.startswith("line 3: ") and reason in said


def test_a_repeated_row_counts_once() -> None:
    found = rows(f"{ROW}\n{ROW}\n1{ROW[1:]}\n{ROW}\n")
    assert len(found.objects) == 2 and found.repeats == 2


@pytest.mark.parametrize("data", [b"\xff\x00\x12", b"\xff\xfe\x00", b"0 0.5 caf\xe9"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="not text"):
        rows(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        "".join(f"0 0.5 0.5 0.1 0.{number}\n" for number in range(100_000, 800_000)),
        "".join(f"{number}\n" for number in range(1_000_000)),
        "0\n" * 4_000_000,
        "0 " + "0.123456 " * 800_000 + "0.1",
        "0 " + "0.123456 " * 800_000 + "x",
    ],
    ids=["rows", "faults", "repeats", "outline", "word"],
)
def test_no_file_is_read_for_long(data: str) -> None:
    began = time.process_time()
    with contextlib.suppress(Refused):
        rows(data)
    assert time.process_time() - began < 1


def test_a_file_of_more_rows_than_objects_is_refused() -> None:
    with pytest.raises(Refused, match="more than 10,000 rows"):
        rows("".join(f"0 0.5 0.5 0.1 0.{number}\n" for number in range(10_000, 30_000)))


def test_points_are_read_with_what_is_seen_of_them() -> None:
    found = rows(f"{ROW} 0.5 0.5 2 0.25 0.25 1 0 0 0", (3, 3))
    assert found.objects[0].points == ((320, 240, 2), (160, 120, 1), (0, 0, 0))
    assert found.objects[0].box == CAT.box
    assert rows(f"{ROW} 0.5 0.5 0 0", (2, 2)).objects[0].points == ((320, 240, 2), (0, 0, 0))
    assert rows(f"{ROW} 0 0 0 0 0 0", (2, 3)).objects[0].points == ()
    assert "7 columns; a row of 2 points has 11" in rows(f"{ROW} 1 1", (2, 3)).faults[0]
    assert "a point that is 5" in rows(f"{ROW} 0.5 0.5 5", (1, 3)).faults[0]


def test_several_outlines_are_joined_around_the_same_pixels() -> None:
    from convworks.data import raster

    squares = [(x, y, x + 9, y, x + 9, y + 9, x, y + 9) for x, y in ((3, 5), (40, 8), (20, 30), (50, 45))]
    note = BoxNote(
        name="cat", box=(3, 5, 59, 54), polygons=tuple(tuple(map(float, ring)) for ring in squares)
    )
    (back,) = rows(yolo_rows.row(note, SIZE, 0)).objects
    assert len(back.polygons) == 1 and back.box == note.box
    size = (60, 70)
    assert (raster.from_polygons(back.polygons, size) == raster.from_polygons(note.polygons, size)).all()


def test_a_missing_label_file_is_not_an_empty_one(tmp_path: Path) -> None:
    put(tmp_path, "images/1.png", ROW)
    put(tmp_path, "images/2.png", "")
    put(tmp_path, "images/3.png", None)
    read = sources.read(tmp_path)
    assert [(record.path, len(record.boxes)) for record in read.records] == [
        ("images/1.png", 1),
        ("images/2.png", 0),
    ]
    assert "no label file labels/3.txt" in reasons(read)["images/3.png"]
    assert any("1 image has no label file" in note for note in read.notes)


def test_faults_are_named_by_file_and_line(tmp_path: Path) -> None:
    put(tmp_path, "images/train/1.png", f"{ROW}\n0 2e3 1 1 1\n{ROW}\n")
    put(tmp_path, "images/val/2.png", b"\xff\x00")
    put(tmp_path, "images/val/3.png", ROW)
    (tmp_path / "images/train/4.png").write_bytes(b"no image")
    (tmp_path / "labels/train/4.txt").write_text(ROW)
    (tmp_path / "labels/train/5.txt").write_text(ROW)
    (tmp_path / "data.yaml").write_text(YAML)
    read = sources.read(tmp_path)
    told = reasons(read)
    assert told["labels/train/1.txt"].startswith("line 2: 2000 is no fraction")
    assert told["images/val/2.png"] == "labels/val/2.txt: not text"
    assert "header does not say its size" in told["images/train/4.png"]
    assert told["labels/train/5.txt"] == "labels without an image of that name"
    assert [(one.path, one.split) for one in read.records] == [
        ("images/train/1.png", "train"),
        ("images/val/3.png", "val"),
    ]
    assert "1 row repeated another of the same file and counted once." in read.notes
    assert "1 named class has no object here: dog." in read.notes


def test_an_image_that_its_camera_turned_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "images").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "images/1.jpg", exif=exif.tobytes())
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/1.txt").write_text("0 0.5 0.5 1 1")
    (record,) = sources.read(tmp_path).records
    assert record.size == (48, 64) and record.boxes[0].box == (0, 0, 48, 64)


LAYOUTS: dict[str, tuple[list[tuple[str, str, str]], str]] = {
    "splits inside": (
        [
            ("images/train/1.png", "labels/train/1.txt", "train"),
            ("images/val/2.png", "labels/val/2.txt", "val"),
        ],
        "",
    ),
    "splits outside": (
        [
            ("train/images/1.png", "train/labels/1.txt", "train"),
            ("valid/images/2.png", "valid/labels/2.txt", "val"),
        ],
        "",
    ),
    "flat folders": ([("images/1.png", "labels/1.txt", "")], ""),
    "beside": ([("1.png", "1.txt", "")], ""),
    "beside in splits": ([("train/1.png", "train/1.txt", "train"), ("test/1.png", "test/1.txt", "test")], ""),
    "data file": (
        [
            ("images/train/a/1.png", "labels/train/a/1.txt", "train"),
            ("images/val/2.png", "labels/val/2.txt", "val"),
        ],
        YAML,
    ),
    "steps up": (
        [
            ("train/images/1.png", "train/labels/1.txt", "train"),
            ("valid/images/2.png", "valid/labels/2.txt", "val"),
        ],
        "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['cat', 'dog']\nroboflow:\n  license: x\n",
    ),
    "path": (
        [("set/images/1.png", "set/labels/1.txt", "train"), ("set/val/2.png", "set/val/2.txt", "val")],
        "path: ./set\ntrain: images\nval: [val]\nnames: {0: cat, 1: dog}\n",
    ),
    "path elsewhere": (
        [("images/1.png", "labels/1.txt", "train"), ("val/2.png", "val/2.txt", "val")],
        "path: ../datasets/set\ntrain: images\nval: val\nnames: {0: cat, 1: dog}\n",
    ),
    "one for both": ([("images/1.png", "labels/1.txt", "")], "train: images\nval: images\nnames: [cat]\n"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str) -> None:
    files, text = LAYOUTS[layout]
    for image, label, _ in files:
        put(tmp_path, image, ROW, beside=label)
    if text:
        (tmp_path / "data.yaml").write_text(text)
    assert sources.find(tmp_path) == "yolo"
    read = sources.read(tmp_path)
    assert [(one.path, one.split) for one in read.records] == [(image, split) for image, _, split in files]
    assert read.set_aside == ()
    if text:
        assert read.classes == ("cat",)


def test_lists_of_images(tmp_path: Path) -> None:
    put(tmp_path, "images/1.png", ROW)
    put(tmp_path, "images/2.png", ROW)
    put(tmp_path, "images/3.png", ROW)
    (tmp_path / "train.txt").write_text("./images/1.png\nimages/3.png\n../../etc/x.png\n")
    (tmp_path / "val.txt").write_text("images/2.png\r\nimages/3.png\r\n")
    (tmp_path / "my.yaml").write_text("train: train.txt\nval: val.txt\nnames: [cat]\n")
    read = sources.read(tmp_path / "my.yaml")
    assert [(one.path, one.split) for one in read.records] == [
        ("images/1.png", "train"),
        ("images/2.png", "val"),
    ]
    assert reasons(read)["images/3.png"] == "in train and in val"
    assert '".."' in reasons(read)["../../etc/x.png"]


@pytest.mark.parametrize("name", ["classes.txt", "obj.names", "labels/classes.txt", "_darknet.labels"])
def test_class_names_without_a_data_file(tmp_path: Path, name: str) -> None:
    put(tmp_path, "images/1.png", ROW)
    (tmp_path / name).write_text("cat\ndog\n\n")
    read = sources.read(tmp_path)
    assert read.classes == ("cat",) and read.set_aside == ()
    assert f"Class names from {name}." in read.notes


def test_without_any_names_classes_are_called_by_their_numbers(tmp_path: Path) -> None:
    put(tmp_path, "images/1.png", f"{ROW}\n17{ROW[1:]}")
    read = sources.read(tmp_path)
    assert read.classes == ("0", "17")
    assert any("called by their numbers" in note for note in read.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (YAML.replace("names: [cat, dog]\n", ""), ["no names"]),
        (YAML.replace("[cat, dog]", "&x [cat]"), ["line 3", "more of YAML"]),
        (YAML + "nc: 3\n", ["nc: 3", "2 names"]),
        (YAML.replace("[cat, dog]", "[cat, '']"), ["class 1 has no name"]),
        (YAML.replace("[cat, dog]", "{cat: 0}"), ['"cat" is not the number of a class']),
        (YAML.replace("images/train", "images/trian"), ["there is no images/trian"]),
        (YAML.replace("images/train", "/etc"), ["there is no /etc"]),
        (YAML.replace("images/train", "../../../etc"), ["there is no ../../../etc"]),
        (YAML.replace("images/train", "link"), ["there is no link"]),
        ("names: [cat]\n", ["neither train:, val: nor test:"]),
        (YAML + "kpt_shape: [0, 3]\n", ["kpt_shape"]),
        (YAML + "kpt_shape: [2, 3]\nflip_idx: [1, 1]\n", ["flip_idx"]),
    ],
)
def test_a_data_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, words: list[str]) -> None:
    put(tmp_path / "d", "images/train/1.png", ROW)
    put(tmp_path / "d", "images/val/1.png", ROW)
    png(tmp_path / "secret" / "1.png")
    (tmp_path / "d" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "d" / "data.yaml").write_text(text)
    with pytest.raises(DataError) as raised:
        sources.read(tmp_path / "d")
    assert all(word in str(raised.value) for word in ["data.yaml", *words]), raised.value


def test_nothing_named_in_a_data_file_is_run(tmp_path: Path) -> None:
    put(tmp_path, "images/train/1.png", ROW)
    put(tmp_path, "images/val/2.png", ROW)
    marker = tmp_path / "ran"
    script = f"download: |\n  import pathlib\n  pathlib.Path({str(marker)!r}).touch()\n"
    (tmp_path / "data.yaml").write_text(YAML + script)
    read = sources.read(tmp_path)
    assert not marker.exists()
    assert "Not used of data.yaml, and never run: download." in read.notes


def test_points_of_a_set_have_names_and_change_places_in_a_mirror(tmp_path: Path) -> None:
    put(tmp_path, "images/1.png", f"{ROW} 0.5 0.5 2 0.25 0.25 1 0 0 0")
    text = "train: images\nnames: [cat]\nkpt_shape: [3, 3]\nflip_idx: [0, 2, 1]\n"
    (tmp_path / "data.yaml").write_text(f"{text}kpt_names:\n  0: [nose, left, right]\n")
    read = sources.read(tmp_path)
    assert read.points == ("nose", "left", "right") and read.swaps == (("left", "right"),)
    yolo.write(read, tmp_path / "w")
    again = sources.read(tmp_path / "w")
    assert (again.points, again.swaps) == (read.points, read.swaps)
    assert [one.boxes for one in again.records] == [one.boxes for one in read.records]


def test_two_images_with_one_label_file_are_set_aside(tmp_path: Path) -> None:
    put(tmp_path, "images/1.png", ROW)
    put(tmp_path, "images/2.png", ROW)
    png(tmp_path / "images/2.jpg")
    read = sources.read(tmp_path)
    assert list(objects(read)) == ["images/1.png"]
    assert "2 images for one label file" in reasons(read)["images/2.jpg"]


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    secret = png(tmp_path / "secret" / "s.png")
    (tmp_path / "secret" / "s.txt").write_text(ROW)
    data = tmp_path / "d"
    put(data, "images/1.png", ROW)
    (data / "images/out.png").symlink_to(secret)
    (data / "labels/out.txt").write_text(ROW)
    put(data, "images/2.png", None)
    (data / "labels/2.txt").symlink_to(tmp_path / "secret" / "s.txt")
    (data / "images/deep").symlink_to(tmp_path / "secret")
    read = sources.read(data)
    assert list(objects(read)) == ["images/1.png"]
    assert "leads out" in reasons(read)["images/out.png"] and "leads out" in reasons(read)["images/2.png"]


def test_an_image_annotated_in_another_size_is_not_written(tmp_path: Path) -> None:
    png(tmp_path / "1.png")
    records = [Record(path="1.png", size=(480, 640), boxes=(CAT,))]
    given = DataSet(root=tmp_path, source="x", task="detection", classes=("cat",), records=records)
    with pytest.raises(DataError, match="annotated as 480x640, but it is shown as 640x480"):
        yolo.write(given, tmp_path / "w")


def test_text_beside_images_is_no_labels(tmp_path: Path) -> None:
    png(tmp_path / "cat" / "1.png")
    png(tmp_path / "dog" / "1.png")
    put(tmp_path, "photo.png", "a caption of a photo", beside="photo.txt")
    assert sources.find(tmp_path) == "folder"
