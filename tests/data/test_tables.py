"""Tables of boxes and of several labels: which columns are which, and each line that cannot be used named."""

from __future__ import annotations

from pathlib import Path

import pytest

from convworks.data import sources
from convworks.data.record import BoxNote, DataSet, Record
from convworks.data.sources import csv_labels
from convworks.errors import DataError


def table(root: Path, text: str, name: str = "t.csv") -> Path:
    """A table beside four empty images: 1.jpg to 4.jpg."""
    for number in range(1, 5):
        (root / f"{number}.jpg").write_bytes(b"")
    (root / name).write_text(text)
    return root / name


def reasons(dataset: DataSet) -> list[str]:
    return [file.reason for file in dataset.set_aside]


def boxes(dataset: DataSet) -> dict[str, list[tuple[float, ...]]]:
    return {record.path: [one.box for one in record.boxes] for record in dataset.records}


HEADERS = [
    "path,label,x0,y0,x1,y1",
    "filename,class,xmin,ymin,xmax,ymax",
    "image,category,x1,y1,x2,y2",
    "file,target,left,top,right,bottom",
    "Path,Label,X_Min,Y_Min,X_Max,Y_Max",
]


@pytest.mark.parametrize("header", HEADERS)
def test_edges_by_their_usual_names(tmp_path: Path, header: str) -> None:
    read = sources.read(table(tmp_path, f"{header}\n1.jpg,cat,1,2,30.5,40\n2.jpg,dog,0,0,5,6\n"))
    assert read.task == "localization"
    assert boxes(read) == {"1.jpg": [(1, 2, 30.5, 40)], "2.jpg": [(0, 0, 5, 6)]}
    assert [record.label for record in read.records] == ["cat", "dog"]
    assert any("as edges of boxes in pixels" in note for note in read.notes)
    assert "One box in every image: read for localization." in read.notes


@pytest.mark.parametrize(
    "names", ["x,y,w,h", "x,y,width,height", "left,top,width,height", "bbox_x,bbox_y,bbox_width,bbox_height"]
)
def test_a_corner_and_a_size(tmp_path: Path, names: str) -> None:
    read = sources.read(table(tmp_path, f"path,label,{names}\n1.jpg,cat,1,2,30,40\n"))
    assert boxes(read) == {"1.jpg": [(1, 2, 31, 42)]}
    assert any("as corner and size of boxes" in note for note in read.notes)


def test_width_and_height_beside_edges_are_the_images(tmp_path: Path) -> None:
    text = (
        "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        "1.jpg,100,80,cat,1,2,30,40\n"
        "2.jpg,100,80,cat,100,2,130,40\n"
    )
    read = sources.read(table(tmp_path, text))
    assert read.records[0].size == (100, 80)
    assert reasons(read) == ["line 3: outside the image of 100x80: x 100 to 130, y 2 to 40"]


def test_several_boxes_an_image_are_for_detection_and_an_empty_line_is_an_image_without(
    tmp_path: Path,
) -> None:
    text = (
        "path,label,x0,y0,x1,y1,split,group\n"
        "1.jpg,cat,1,2,30,40,train,p1\n"
        "2.jpg,,,,,,val,p2\n"
        "1.jpg,dog,5,6,7,8,train,p1\n"
    )
    read = sources.read(table(tmp_path, text))
    assert read.task == "detection" and read.classes == ("cat", "dog")
    assert [(one.path, len(one.boxes), one.split, one.group, one.label) for one in read.records] == [
        ("1.jpg", 2, "train", "p1", ""),
        ("2.jpg", 0, "val", "p2", ""),
    ]


def test_flags_of_objects(tmp_path: Path) -> None:
    text = (
        "path,label,x0,y0,x1,y1,difficult,iscrowd\n"
        "1.jpg,cat,1,2,3,4,1,0\n"
        "2.jpg,cat,1,2,3,4,,true\n"
        "3.jpg,cat,1,2,3,4,maybe,\n"
    )
    read = sources.read(table(tmp_path, text))
    assert [(one.boxes[0].difficult, one.boxes[0].crowd) for one in read.records] == [
        (True, False),
        (False, True),
    ]
    assert reasons(read) == ['line 4: "maybe" where 0 or 1 belongs']


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("9.jpg,cat,1,2,3,4", "no such file"),
        ("../1.jpg,cat,1,2,3,4", '".." in its path'),
        ("/1.jpg,cat,1,2,3,4", "an absolute path"),
        ("1.jpg,,1,2,3,4", "no label"),
        ("1.jpg,cat,1,2,3", 'y1 "" is not a finite number'),
        ("1.jpg,cat,1,2,nan,4", 'x1 "nan" is not a finite number'),
        ("1.jpg,cat,1,2,1e999,4", "not a finite number"),
        ("1.jpg,cat,1_0,2,30,4", "not a finite number"),
        ("1.jpg,cat,1,2,1e40,4", "a coordinate of 1e+40, further than any image reaches"),
        ("1.jpg,cat,3,2,1,4", "edges in the wrong order: x 3 to 1"),
        ("1.jpg,cat,3,2,3,4", "no area"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, reason: str) -> None:
    read = sources.read(table(tmp_path, f"path,label,x0,y0,x1,y1\n2.jpg,cat,1,2,3,4\n{line}\n"))
    assert boxes(read) == {"2.jpg": [(1, 2, 3, 4)]}
    (said,) = reasons(read)
    assert said.startswith("line 3: ") and reason in said


def test_lines_that_contradict_one_another_set_their_image_aside(tmp_path: Path) -> None:
    text = (
        "path,label,x0,y0,x1,y1,split\n"
        "1.jpg,cat,1,2,3,4,train\n"
        "2.jpg,cat,1,2,3,4,train\n"
        "2.jpg,dog,1,2,3,4,val\n"
    )
    read = sources.read(table(tmp_path, text))
    assert list(boxes(read)) == ["1.jpg"]
    assert reasons(read) == ["line 3 says train, line 4 says val"]


def test_a_repeated_line_counts_once(tmp_path: Path) -> None:
    read = sources.read(table(tmp_path, "path,label,x0,y0,x1,y1\n" + "1.jpg,cat,1,2,3,4\n" * 3))
    assert boxes(read) == {"1.jpg": [(1, 2, 3, 4)]}
    assert "2 lines repeated another and counted once." in read.notes


def test_fractions_are_not_taken_for_pixels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fractions of the image"):
        sources.read(table(tmp_path, "path,label,x0,y0,x1,y1\n1.jpg,cat,0.1,0.2,0.3,1\n"))


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("cat;dog", ("cat", "dog")),
        ("cat|dog", ("cat", "dog")),
        (" dog ; cat; ;cat ", ("dog", "cat")),
        ("black cat", ("black cat",)),
        ("", ()),
        (r"a\|b;c\;d;e\\", ("a|b", "c;d", "e\\")),
        (r"C:\cats", (r"C:\cats",)),
    ],
)
def test_words_of_a_cell(cell: str, labels: tuple[str, ...]) -> None:
    assert csv_labels.words(cell) == labels
    assert csv_labels.words(csv_labels.cell(labels)) == labels


def test_several_labels_an_image(tmp_path: Path) -> None:
    text = "path,labels,split,patient\n1.jpg,cat|dog,train,p\n2.jpg,,train,q\n3.jpg,emu;cat,val,r\n"
    read = sources.read(table(tmp_path, text))
    assert (read.task, read.classes) == ("multilabel", ("cat", "dog", "emu"))
    assert [(one.path, one.labels, one.split, one.group) for one in read.records] == [
        ("1.jpg", ("cat", "dog"), "train", "p"),
        ("2.jpg", (), "train", "q"),
        ("3.jpg", ("emu", "cat"), "val", "r"),
    ]
    assert "1 image without labels." in read.notes
    assert "Not in train, so never learned: emu." in read.notes


def test_columns_of_0_and_1(tmp_path: Path) -> None:
    text = (
        "filename,cat,Black dog,note,split\n"
        "1.jpg,1,0,x,train\n"
        "2.jpg,1.0,1,y,train\n"
        "3.jpg,0,0,z,train\n"
        "4.jpg,2,0,z,val\n"
    )
    read = sources.read(table(tmp_path, text))
    assert read.task == "multilabel"
    assert [one.labels for one in read.records] == [("cat",), ("cat", "Black dog"), ()]
    assert reasons(read) == ['line 5: "2" where 0 or 1 belongs']
    assert any("2 columns of 0 and 1 as labels" in note for note in read.notes)
    assert any("not used: note" in note for note in read.notes)
    assert sources.find(tmp_path) == "csv"


def test_labels_that_spill_into_more_cells_are_not_lost_in_silence(tmp_path: Path) -> None:
    read = sources.read(table(tmp_path, "path;labels\n1.jpg;cat\n2.jpg;cat;dog\n"))
    assert reasons(read) == ["line 3: 3 cells in 2 columns"]


def test_one_column_of_0_and_1_is_no_table_of_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='no column "label"'):
        sources.read(table(tmp_path, "path,good\n1.jpg,1\n2.jpg,0\n"))


def test_boxes_without_labels_are_refused_with_the_column_to_add(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='no column "label"'):
        sources.read(table(tmp_path, "path,x0,y0,x1,y1\n1.jpg,1,2,3,4\n"))


def given(root: Path, task: str, records: list[Record]) -> DataSet:
    for record in records:
        (root / record.path).write_bytes(record.path.encode())
    names = sorted({name for one in records for name in (*one.labels, *(box.name for box in one.boxes))})
    return DataSet(root=root, source="x", task=task, classes=tuple(names), records=records)  # type: ignore[arg-type]


def test_everything_a_table_holds_is_written_and_read_back(tmp_path: Path) -> None:
    one = BoxNote(name='a;b|c,"d"', box=(0.1, 2, 30.000000000000004, 40), crowd=True)
    two = BoxNote(name="e\nf", box=(-3, -4, 5, 6.5), difficult=True)
    records = [
        Record(path="1.jpg", split="train", group="p 1", size=(100, 80), boxes=(one, two)),
        Record(path="2.jpg", split="val", boxes=(two,)),
        Record(path="3.jpg", split="val", group="p"),
    ]
    dataset = given(tmp_path, "detection", records)
    sources.write(dataset, tmp_path / "w", source="csv")
    assert list(sources.read(tmp_path / "w").records) == records


def test_labels_with_any_letters_are_written_and_read_back(tmp_path: Path) -> None:
    labels = [("a|b", "c;d"), ("e\\", "f\\|", "g, h"), (), ("i\nj",)]
    records = [Record(path=f"{place}.jpg", labels=names, split="train") for place, names in enumerate(labels)]
    sources.write(given(tmp_path, "multilabel", records), tmp_path / "w", source="csv")
    read = sources.read(tmp_path / "w")
    assert list(read.records) == records and read.task == "multilabel"


def test_the_one_animal_pack(packs: Path) -> None:
    """Its README counts 219 images to learn from and 72 to measure with, each with one box inside the image."""
    read = sources.read(packs / "one_animal")
    assert (read.source, read.task, read.classes) == ("csv", "localization", ("kangaroo", "raccoon"))
    assert [sum(one.split == split for one in read.records) for split in ("train", "val")] == [219, 72]
    assert read.set_aside == () and all(len(one.boxes) == 1 for one in read.records)
