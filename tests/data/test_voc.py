"""VOC: where corners begin, whose image an XML file is, and every fault named by its file or its object."""

from __future__ import annotations

import contextlib
import struct
import time
from pathlib import Path

import pytest

from convworks.data import sources
from convworks.data.record import DataSet
from convworks.data.sources import voc, voc_xml
from convworks.data.sources.confine import Refused
from convworks.errors import DataError

Box = tuple[float, float, float, float]


def png(path: Path, width: int = 100, height: int = 80) -> Path:
    """A file that begins like a PNG of that size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height))
    return path


def thing(name: str = "cat", box: tuple[object, ...] = (1, 2, 30, 40), more: str = "") -> str:
    corners = "".join(
        f"<{tag}>{value}</{tag}>" for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name>{more}<bndbox>{corners}</bndbox></object>"


def xml(*things: str, filename: str = "", size: tuple[int, int] | None = (100, 80)) -> str:
    said = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    name = f"<filename>{filename}</filename>" if filename else ""
    return f"<annotation>{name}{said}{''.join(things)}</annotation>"


def put(root: Path, stem: str, text: str | bytes) -> None:
    """An image of 100x80 and its annotation file."""
    png(root / "JPEGImages" / f"{stem}.png")
    place = root / "Annotations" / f"{stem}.xml"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(text.encode() if isinstance(text, str) else text)


def boxes(dataset: DataSet) -> dict[str, list[Box]]:
    return {record.path.rpartition("/")[2]: [one.box for one in record.boxes] for record in dataset.records}


def reasons(dataset: DataSet) -> dict[str, str]:
    return {file.path.rpartition("/")[2]: file.reason for file in dataset.set_aside}


GOOD = xml(thing())


def test_corners_from_1_become_edges_from_0(tmp_path: Path) -> None:
    put(tmp_path, "a", xml(thing(box=(1, 1, 100, 80)), thing(box=(11, 21, 11.5, 40))))
    read = sources.read(tmp_path)
    assert (read.source, read.task, read.classes) == ("voc", "detection", ("cat",))
    assert boxes(read) == {"a.png": [(0, 0, 100, 80), (10, 20, 11.5, 40)]}
    assert read.records[0].size == (100, 80)
    assert "count from 1" in read.notes[0]


def test_a_corner_of_0_makes_a_whole_set_count_from_0(tmp_path: Path) -> None:
    put(tmp_path, "a", xml(thing(box=(10, 20, 30, 40))))
    put(tmp_path, "b", xml(thing(box=(0, 5, 100, 80))))
    read = sources.read(tmp_path)
    assert boxes(read) == {"a.png": [(10, 20, 30, 40)], "b.png": [(0, 5, 100, 80)]}
    assert "b.xml" in read.notes[0] and "count from 0" in read.notes[0]


def test_a_corner_of_0_in_an_object_that_cannot_be_used_decides_nothing(tmp_path: Path) -> None:
    put(tmp_path, "a", xml(thing(), thing(box=(0, 0, 0, 0))))
    assert boxes(sources.read(tmp_path)) == {"a.png": [(0, 1, 30, 40)]}


def test_a_box_over_the_border_does_not_tell_where_counting_begins(tmp_path: Path) -> None:
    put(tmp_path, "a", xml(thing(box=(-3, 2, 30, 40))))
    read = sources.read(tmp_path)
    assert boxes(read) == {"a.png": [(-4, 1, 30, 40)]}
    assert "1 box reaches over the border of the image." in read.notes


def test_decimals_are_moved_as_decimals(tmp_path: Path) -> None:
    put(tmp_path, "a", xml(thing(box=("45.70000076", "1.1", "99.9", "1e1"))))
    assert boxes(sources.read(tmp_path)) == {"a.png": [(44.70000076, 0.1, 99.9, 10.0)]}


def test_what_our_files_state_holds_whatever_their_corners_are(tmp_path: Path) -> None:
    """A box over the left border begins before 1, which would else be read as counting from 0."""
    put(tmp_path, "a", xml(thing(box=(1, 1, 5, 5))))
    first = sources.read(tmp_path).records[0].boxes[0]
    text = voc_xml.written("a.png", (100, 80), (first, voc_xml.BoxNote(name="dog", box=(-1, -2.5, 1, 9))))
    put(tmp_path, "a", text)
    assert boxes(sources.read(tmp_path)) == {"a.png": [(0, 0, 5, 5), (-1, -2.5, 1, 9)]}


@pytest.mark.parametrize("value", ["1", "true", "Yes"])
def test_difficult_objects_are_marked_and_truncated_ones_counted(tmp_path: Path, value: str) -> None:
    flags = f"<difficult>{value}</difficult><truncated>1</truncated>"
    put(tmp_path, "a", xml(thing(more=flags), thing("dog")))
    read = sources.read(tmp_path)
    assert [one.difficult for one in read.records[0].boxes] == [True, False]
    assert "Not read: truncated of 1 object." in read.notes


def test_a_file_without_a_size_is_read_and_counted(tmp_path: Path) -> None:
    put(tmp_path, "a", xml(thing(), thing(box=(200, 1, 210, 9)), size=None))
    read = sources.read(tmp_path)
    assert read.records[0].size == (0, 0) and len(read.records[0].boxes) == 1
    assert "outside the image of 100x80" in reasons(read)["a.xml"]
    assert any("1 file without the size" in note for note in read.notes)


def test_the_name_of_the_file_counts_before_the_name_in_it(tmp_path: Path) -> None:
    put(tmp_path, "a", xml(thing(), filename="b.png"))
    put(tmp_path, "b", xml(thing("dog"), filename="b.png"))
    read = sources.read(tmp_path)
    assert {record.path: record.boxes[0].name for record in read.records} == {
        "JPEGImages/a.png": "cat",
        "JPEGImages/b.png": "dog",
    }
    assert any("1 file names another image" in note and "a.xml" in note for note in read.notes)


def test_the_name_in_a_file_counts_where_its_own_leads_to_no_image(tmp_path: Path) -> None:
    png(tmp_path / "JPEGImages" / "photo.png")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "x1.xml").write_text(xml(thing(), filename="C:\\pictures\\photo.png"))
    assert sources.read(tmp_path).records[0].path == "JPEGImages/photo.png"


BOMB = "<!DOCTYPE l [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {name} '{f'&{before};' * 10}'>" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMBS = {
    "billion laughs": f"{BOMB}]><annotation><object><name>&i;</name></object></annotation>",
    "quadratic": f"<!DOCTYPE l [<!ENTITY a '{'x' * 100_000}'>]><annotation>{'&a;' * 100_000}</annotation>",
    "outside": '<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation><filename>&a;</filename></annotation>',
}

FAULTS: dict[str, tuple[str | bytes, str]] = {
    **{name: (text, "declares a document type") for name, text in BOMBS.items()},
    "wide bomb": (BOMBS["billion laughs"].encode("utf-16"), "declares a document type"),
    "cut": (GOOD[:-20], "not XML"),
    "empty": ("", "not XML"),
    "no XML": ("cat 1 2 30 40", "not XML"),
    "another kind": ("<labels/>", "<labels> where <annotation> belongs"),
    "encoding": (
        b'<?xml version="1.0" encoding="utf-8"?>' + GOOD.replace("cat", "caf\xe9").encode("latin-1"),
        "UTF-8",
    ),
    "unknown encoding": (b'<?xml version="1.0" encoding="klingon"?>' + GOOD.encode(), "KLINGON"),
    "undeclared entity": (GOOD.replace("cat", "&cat;"), "not XML"),
}

OBJECTS: dict[str, tuple[str, str]] = {
    "no name": (thing(""), "no name"),
    "no box": ("<object><name>cat</name></object>", "no bndbox"),
    "no xmax": (thing().replace("xmax", "xmaximum"), "no xmax"),
    "NaN": (thing(box=(1, 2, "nan", 40)), 'xmax "nan" is not a number of pixels'),
    "infinite": (thing(box=("-inf", 2, 30, 40)), "not a number of pixels"),
    "huge": (thing(box=(1, 2, "1e999", 40)), "not a number of pixels"),
    "long": (thing(box=(1, 2, "9" * 100_000, 40)), "not a number of pixels"),
    "word": (thing(box=(1, "two", 30, 40)), 'ymin "two"'),
    "swapped": (thing(box=(30, 2, 1, 40)), "edges in the wrong order: x 29 to 1"),
    "no area": (thing(box=(5, 7, 5, 7)), "no area: x 5 to 5, y 7 to 7"),
    "outside": (thing(box=(101, 2, 140, 40)), "outside the image of 100x80"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_cannot_be_read_is_set_aside_with_its_reason(tmp_path: Path, fault: str) -> None:
    put(tmp_path, "a", GOOD)
    put(tmp_path, "z", FAULTS[fault][0])
    read = voc.read(tmp_path)
    assert boxes(read) == {"a.png": [(0, 1, 30, 40)]}
    (aside,) = read.set_aside
    assert aside.path == "Annotations/z.xml" and FAULTS[fault][1] in aside.reason


@pytest.mark.parametrize("fault", OBJECTS)
def test_an_object_that_cannot_be_used_is_set_aside_and_the_others_stay(tmp_path: Path, fault: str) -> None:
    put(tmp_path, "a", xml(thing(), OBJECTS[fault][0], thing("dog")))
    read = sources.read(tmp_path)
    assert [one.name for one in read.records[0].boxes] == ["cat", "dog"]
    (aside,) = read.set_aside
    assert aside.path == "Annotations/a.xml" and OBJECTS[fault][1] in aside.reason


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_no_time(bomb: str) -> None:
    data = BOMBS[bomb].encode()
    began = time.process_time()
    with pytest.raises(Refused, match="document type"):
        voc_xml.parse(data, 1)
    assert time.process_time() - began < 0.05


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    with pytest.raises(Refused, match="2 MB"):
        voc_xml.parse(b" " * (voc_xml.MOST_BYTES + 1), 1)


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["<a/>", "<object/>", thing(), thing(box=(1, 1, 0, 0)), "<a>"])
def test_no_file_is_read_for_long(piece: str) -> None:
    data = f"<annotation>{piece * ((voc_xml.MOST_BYTES - 100) // len(piece))}</annotation>".encode()
    began = time.process_time()
    with contextlib.suppress(Refused):
        voc_xml.parse(data, 1)
    assert time.process_time() - began < 1


def test_other_encodings_are_read(tmp_path: Path) -> None:
    put(tmp_path, "a", GOOD.replace("cat", "café").encode("utf-16"))
    put(
        tmp_path,
        "b",
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + GOOD.replace("cat", "café").encode("latin-1"),
    )
    put(tmp_path, "c", b"\xef\xbb\xbf" + GOOD.replace("cat", "café").encode())
    assert sources.read(tmp_path).classes == ("café",)


def test_an_annotated_image_that_is_not_there_and_an_image_that_is_not_annotated(tmp_path: Path) -> None:
    put(tmp_path, "a", GOOD)
    put(tmp_path, "b", GOOD)
    (tmp_path / "JPEGImages" / "b.png").unlink()
    png(tmp_path / "JPEGImages" / "c.png")
    put(tmp_path, "empty", xml())
    read = sources.read(tmp_path)
    assert boxes(read) == {"a.png": [(0, 1, 30, 40)], "empty.png": []}
    assert reasons(read) == {"b.xml": "no image b", "c.png": "no XML file says what is in it"}
    assert "1 image without objects." in read.notes


def test_two_images_of_one_name_are_told_apart_by_the_name_in_the_file(tmp_path: Path) -> None:
    put(tmp_path, "a", xml(thing(), filename="a.jpg"))
    put(tmp_path, "b", xml(thing("dog")))
    png(tmp_path / "JPEGImages" / "a.jpg")
    png(tmp_path / "JPEGImages" / "b.jpg")
    read = sources.read(tmp_path)
    assert [record.path for record in read.records] == ["JPEGImages/a.jpg"]
    assert "2 images of its name" in reasons(read)["b.xml"]


def test_lists_give_the_split(tmp_path: Path) -> None:
    for name in ("a", "b 1", "c", "d", "e"):
        put(tmp_path, name, GOOD)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\r\nd\nghost\n")
    (lists / "val.txt").write_text("b 1\nd\n")
    (lists / "test.txt").write_text("c.png")
    (lists / "trainval.txt").write_text("a\nb 1\n")
    (lists / "cat_train.txt").write_text("a 1\ne -1\n")
    read = sources.read(tmp_path)
    assert {record.path: record.split for record in read.records} == {
        "JPEGImages/a.png": "train",
        "JPEGImages/b 1.png": "val",
        "JPEGImages/c.png": "test",
    }
    assert "train and val name it" in reasons(read)["d.xml"]
    assert "no list names it" in reasons(read)["e.xml"]
    assert "no annotated image" in reasons(read)["ghost"]


def test_trainval_alone_is_to_learn_from(tmp_path: Path) -> None:
    put(tmp_path, "a", GOOD)
    put(tmp_path, "b", GOOD)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "trainval.txt").write_text("a\n")
    (lists / "test.txt").write_text("b\n")
    assert [record.split for record in sources.read(tmp_path).records] == ["train", "test"]


LAYOUTS = {
    "voc": [("JPEGImages/1.png", "Annotations/1.xml", "")],
    "lower case": [("images/1.png", "annotations/1.xml", "")],
    "beside": [("1.png", "1.xml", "")],
    "beside in splits": [("train/1.png", "train/1.xml", "train"), ("valid/2.png", "valid/2.xml", "val")],
    "voc in splits": [
        ("train/images/1.png", "train/annotations/1.xml", "train"),
        ("val/images/1.png", "val/annotations/1.xml", "val"),
    ],
    "splits inside": [
        ("images/train/1.png", "annotations/train/1.xml", "train"),
        ("images/val/1.png", "annotations/val/1.xml", "val"),
    ],
    "xml folder": [("1.png", "xmls/1.xml", "")],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str) -> None:
    places = LAYOUTS[layout]
    for image, notes, _ in places:
        png(tmp_path / image)
        (tmp_path / notes).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / notes).write_text(GOOD)
    assert sources.find(tmp_path) == "voc"
    read = sources.read(tmp_path)
    assert [(record.path, record.split) for record in read.records] == [
        (image, split) for image, _, split in places
    ]
    assert read.set_aside == ()


def test_xml_of_something_else_is_not_voc(tmp_path: Path) -> None:
    png(tmp_path / "cat" / "1.png")
    png(tmp_path / "dog" / "1.png")
    (tmp_path / "project.xml").write_text("<project/>")
    assert sources.find(tmp_path) == "folder"
    with pytest.raises(DataError, match="Nothing is annotated"):
        voc.read(tmp_path)


def test_nothing_leads_out_of_the_folder(tmp_path: Path) -> None:
    secret = png(tmp_path / "secret" / "s.png")
    (tmp_path / "secret" / "s.xml").write_text(GOOD)
    data = tmp_path / "data"
    put(data, "good", GOOD)
    ways = (
        "../../secret/s.png",
        str(secret),
        "C:\\secret\\s.png",
        "\\\\host\\s.png",
        "%2e%2e/secret/s.png",
        "s\0.png",
    )
    for number, way in enumerate(ways):
        (data / "Annotations" / f"{number}.xml").write_text(xml(thing(), filename=way))
    (data / "JPEGImages" / "link.png").symlink_to(secret)
    (data / "Annotations" / "link.xml").write_text(GOOD)
    (data / "Annotations" / "out.xml").symlink_to(tmp_path / "secret" / "s.xml")
    png(data / "JPEGImages" / "out.png")
    (data / "train").symlink_to(tmp_path / "secret")
    read = sources.read(data)
    assert [record.path for record in read.records] == ["JPEGImages/good.png"]
    told = reasons(read)
    assert {f"{number}.xml" for number in range(len(ways))} | {"link.xml", "out.xml"} <= told.keys()
    assert "leads out" in told["link.xml"] and "leads out" in told["out.xml"]


def test_a_name_that_xml_cannot_hold_is_refused_before_it_is_lost(tmp_path: Path) -> None:
    put(tmp_path / "given", "a", GOOD)
    given = sources.read(tmp_path / "given")
    note = voc_xml.BoxNote(name="bell\x07", box=(0, 0, 1, 1))
    records = [type(given.records[0])(path=given.records[0].path, boxes=(note,))]
    with pytest.raises(DataError, match="XML cannot hold"):
        voc.write(
            DataSet(root=given.root, source="x", task="detection", classes=("x",), records=records),
            tmp_path / "w",
        )


def test_the_bccd_pack(packs: Path) -> None:
    """Its README counts 2,804, 1,137 and 945 boxes, and two of no area."""
    read = sources.read(packs / "bccd", source="voc")
    counts: dict[str, int] = {}
    for record in read.records:
        counts[record.split] = counts.get(record.split, 0) + len(record.boxes)
    assert counts == {"train": 2804, "val": 1137, "test": 945}
    assert [file.path for file in read.set_aside] == [
        "Annotations/BloodImage_00338.xml",
        "Annotations/BloodImage_00343.xml",
    ]
    assert read.classes == ("Platelets", "RBC", "WBC")
