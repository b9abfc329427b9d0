"""COCO files: every exporter's layout is found, what is wrong is set aside by its id, what was written comes back."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from convworks.data import sources, synthetic
from convworks.data.record import BoxNote, DataSet, Record
from convworks.data.sources import coco, runs
from convworks.errors import DataError

Json = dict[str, Any]


def example() -> Json:
    """Two images of 20x10 and one without objects; ids have gaps."""
    square = [1, 1, 5, 1, 5, 5, 1, 5]
    return {
        "info": {"year": 2026, "note": [{"images": []}]},
        "images": [
            {"id": 7, "file_name": "1.jpg", "width": 20, "height": 10},
            {"id": 40, "file_name": "2.jpg", "width": 20, "height": 10},
            {"id": 41, "file_name": "3.jpg", "width": 20, "height": 10},
        ],
        "annotations": [
            {
                "id": 5,
                "image_id": 7,
                "category_id": 3,
                "bbox": [1, 1, 4, 4],
                "segmentation": [square],
                "iscrowd": 0,
            },
            {"id": 9, "image_id": 7, "category_id": 90, "bbox": [2.5, 3, 10, 5]},
            {"id": 11, "image_id": 40, "category_id": 90, "bbox": [0, 0, 20, 10], "area": 200},
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 90, "name": "ant"}],
    }


def put(root: Path, said: Json | str, name: str = "annotations.json", images: str = "") -> Path:
    """An annotation file, and empty images 1.jpg to 3.jpg in a folder beside it."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    for number in (1, 2, 3):
        image = root / images / f"{number}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(b"")
    return path


def names(dataset: DataSet) -> dict[str, list[str]]:
    return {record.path.rpartition("/")[2]: [one.name for one in record.boxes] for record in dataset.records}


def reasons(dataset: DataSet) -> str:
    return "\n".join(f"{file.path}: {file.reason}" for file in dataset.set_aside)


WHOLE = {"1.jpg": ["cat", "ant"], "2.jpg": ["ant"], "3.jpg": []}


def test_ids_with_gaps_become_names_and_images_without_objects_stay(tmp_path: Path) -> None:
    put(tmp_path, example())
    read = sources.read(tmp_path)
    assert (read.source, read.task, read.classes) == ("coco", "detection", ("ant", "cat"))
    assert names(read) == WHOLE
    assert read.records[0] == Record(
        path="1.jpg",
        size=(20, 10),
        boxes=(
            BoxNote(name="cat", box=(1, 1, 5, 5), polygons=((1, 1, 5, 1, 5, 5, 1, 5),)),
            BoxNote(name="ant", box=(2.5, 3, 12.5, 8)),
        ),
    )
    assert read.set_aside == ()


@pytest.mark.parametrize(
    "layout",
    [
        {
            "train": ("annotations/instances_train2017.json", "train2017"),
            "val": ("annotations/instances_val2017.json", "val2017"),
        },
        {
            "train": ("annotations/instances_train2017.json", "images/train2017"),
            "val": ("annotations/instances_val2017.json", "images/val2017"),
        },
        {
            "train": ("train/_annotations.coco.json", "train"),
            "val": ("valid/_annotations.coco.json", "valid"),
            "test": ("test/_annotations.coco.json", "test"),
        },
        {"train": ("train.json", "images"), "val": ("val.json", "images")},
        {"train": ("instances_train.json", "JPEGImages"), "test": ("instances_test.json", "JPEGImages")},
        {"train": ("train/labels.json", "train/data"), "val": ("validation/labels.json", "validation/data")},
        {"": ("annotations.json", "")},
        {"": ("annotations/instances_default.json", "images")},
        {"": ("result.json", "images/deep")},
    ],
)
def test_layouts_in_the_wild_are_found(layout: dict[str, tuple[str, str]], tmp_path: Path) -> None:
    for file, images in layout.values():
        put(tmp_path, example(), file, images)
    read = sources.read(tmp_path)
    assert read.source == "coco"
    assert sorted({record.split for record in read.records}) == sorted(layout)
    assert {record.path.rpartition("/")[0] for record in read.records} == {
        images for _, images in layout.values()
    }
    assert read.set_aside == ()


@pytest.mark.parametrize(
    ("file", "images"),
    [("any name.json", "pictures"), ("annotations/instances_train2017.json", "train2017"), ("val.json", "")],
)
def test_the_path_of_a_file_is_read_without_a_split(file: str, images: str, tmp_path: Path) -> None:
    read = sources.read(put(tmp_path, example(), file, images))
    assert names(read) == WHOLE
    assert {record.split for record in read.records} == {""}


def test_what_sample_data_writes_is_read(tmp_path: Path) -> None:
    synthetic.write(
        tmp_path / "s", task="detection", count=10, classes=3, size=(64, 48), seed=0, style="shapes"
    )
    read = sources.read(tmp_path / "s")
    assert (read.source, len(read.records), read.set_aside) == ("coco", 10, ())
    assert {record.split for record in read.records} == {"train", "val"}
    for record in read.records:
        for one in record.boxes:
            assert one.box == runs.extent(one.runs, 48)


def test_two_files_of_one_split_are_not_mixed(tmp_path: Path) -> None:
    put(tmp_path, example(), "annotations/instances_train2014.json", "a")
    put(tmp_path, example(), "annotations/instances_train2017.json", "a")
    with pytest.raises(DataError, match="2 annotation files of train") as raised:
        sources.read(tmp_path)
    assert "give the path" in raised.value.fix


def test_captions_and_keypoints_beside_the_instances_are_left(tmp_path: Path) -> None:
    for kind in ("captions", "person_keypoints", "instances"):
        put(tmp_path, example(), f"annotations/{kind}_val2017.json", "val2017")
        put(tmp_path, example(), f"annotations/{kind}_train2017.json", "train2017")
    assert "instances_train2017.json (train)" in sources.read(tmp_path).notes[0]


def change(*path: str | int, to: Any) -> Callable[[Json], Json | str]:
    """The example with one value changed, or added."""

    def changed(said: Json) -> Json:
        at: Any = said
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to
        return said

    return changed


def added(key: str, *entries: Any) -> Callable[[Json], Json | str]:
    def changed(said: Json) -> Json:
        return {**said, key: [*said[key], *entries]}

    return changed


def replaced(old: str, new: str) -> Callable[[Json], Json | str]:
    def changed(said: Json) -> str:
        text = json.dumps(said)
        assert old in text
        return text.replace(old, new, 1)

    return changed


def all_edges(said: Json) -> Json:
    for number, one in enumerate([*said["annotations"]] * 3):
        said["annotations"].append({**one, "id": 100 + number, "bbox": [10, 4, 19, 9]})
    said["annotations"] = said["annotations"][3:]
    return said


FIRST = ("annotations", 0)
KEPT = {"1.jpg": ["ant"], "2.jpg": ["ant"], "3.jpg": []}
FULL = {"size": [10, 20], "counts": [0, 200]}

ASIDE: dict[str, tuple[Callable[[Json], Json | str], str]] = {
    "no category": (change(*FIRST, "category_id", to=4), "no category has its category_id 4"),
    "category of no kind": (change(*FIRST, "category_id", to=[3]), r"category_id is \[3\]"),
    "negative side": (change(*FIRST, "bbox", to=[5, 5, -4, 4]), "-4 x 4 has no area"),
    "zero area": (change(*FIRST, "bbox", to=[5, 5, 0, 4]), "0 x 4 has no area"),
    "outside": (change(*FIRST, "bbox", to=[20, 0, 4, 4]), "outside the image of 20x10"),
    "three numbers": (change(*FIRST, "bbox", to=[5, 5, 4]), r"bbox is \[5, 5, 4\]"),
    "text in numbers": (change(*FIRST, "bbox", to=["1", 1, 4, 4]), "1 is not a finite number"),
    "nan": (replaced("[1, 1, 4, 4]", "[NaN, 1, 4, 4]"), "nan is not a finite number"),
    "1e999": (replaced("[1, 1, 4, 4]", "[1, 1, 1e999, 4]"), "inf is not a finite number"),
    "whole number beyond floats": (
        replaced("[1, 1, 4, 4]", f"[1, 1, {'9' * 400}, 4]"),
        "not a finite number",
    ),
    "overflow in a sum": (change(*FIRST, "bbox", to=[1e308, 1, 1e308, 4]), "not a finite number"),
    "neither box nor outline": (
        replaced('"bbox": [1, 1, 4, 4], "segmentation"', '"other"'),
        "neither a bbox",
    ),
    "only a polygon of two points": (
        replaced(
            '"bbox": [1, 1, 4, 4], "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]]',
            '"segmentation": [[1, 1, 5, 5]]',
        ),
        "fewer than 3 points",
    ),
    "odd polygon": (change(*FIRST, "segmentation", to=[[1, 1, 5, 1, 5]]), "polygon of 5 numbers"),
    "infinite polygon": (replaced("[[1, 1, 5, 1, ", "[[1, 1, 1e999, 1, "), "inf is not a finite number"),
    "polygon far outside": (
        change(*FIRST, "segmentation", to=[[0, 0, 1e9, 0, 5, 5]]),
        "a polygon from 0, 0 to 1e",
    ),
    "polygon without end": (change(*FIRST, "segmentation", to=[[0, 0, 20, 10] * 500]), "pixels long"),
    "polygon of no kind": (change(*FIRST, "segmentation", to=[7]), "a polygon is 7"),
    "outline of no kind": (change(*FIRST, "segmentation", to="x"), "segmentation is x"),
    "runs too few": (
        change(*FIRST, "segmentation", to={**FULL, "counts": [0, 199]}),
        "199 pixels in an image of",
    ),
    "runs below 0": (
        change(*FIRST, "segmentation", to={**FULL, "counts": [-1, 201]}),
        "-1, not a whole number",
    ),
    "runs of halves": (
        change(*FIRST, "segmentation", to={**FULL, "counts": [0.5, 199.5]}),
        "0.5, not a whole",
    ),
    "runs of text that is none": (
        change(*FIRST, "segmentation", to={**FULL, "counts": "\x01\x02"}),
        "no text of COCO",
    ),
    "runs of text cut short": (
        change(*FIRST, "segmentation", to={**FULL, "counts": "0P"}),
        "end within a number",
    ),
    "runs of another size": (
        change(*FIRST, "segmentation", to={"size": [20, 10], "counts": [0, 200]}),
        "run lengths for 10x20 in an image of 20x10",
    ),
    "runs without size": (change(*FIRST, "segmentation", to={"counts": [0, 200]}), "a mask of size None"),
    "visibility 3": (change(*FIRST, "keypoints", to=[1, 1, 3]), "visibility 3"),
    "two numbers a point": (change(*FIRST, "keypoints", to=[1, 1]), "keypoints are"),
    "crowd of no kind": (change(*FIRST, "iscrowd", to="no"), "iscrowd is no"),
}


@pytest.mark.parametrize("fault", ASIDE)
def test_an_object_that_is_wrong_is_set_aside_by_its_id_and_its_image_stays(
    fault: str, tmp_path: Path
) -> None:
    made, reason = ASIDE[fault]
    put(tmp_path, made(example()))
    read = sources.read(tmp_path)
    assert names(read) == KEPT
    assert len(read.set_aside) == 1
    assert read.set_aside[0].path == "1.jpg"
    assert re.search(f"annotations.json, annotation 5: .*{reason}", read.set_aside[0].reason), reasons(read)


LOST: dict[str, tuple[Callable[[Json], Json | str], str, dict[str, list[str]]]] = {
    "missing image": (
        added("images", {"id": 77, "file_name": "no.jpg", "width": 9, "height": 9}),
        "no.jpg: no such file",
        WHOLE,
    ),
    "no image of that id": (
        change(*FIRST, "image_id", to=1000),
        "annotation 5: no image has its image_id 1000",
        KEPT,
    ),
    "image id of no kind": (change(*FIRST, "image_id", to=None), "annotation 5: image_id is None", KEPT),
    "one id, two images": (
        change("images", 2, "id", to=7),
        "1.jpg: shares its id 7 with 3.jpg",
        {"2.jpg": ["ant"]},
    ),
    "image without name": (added("images", {"id": 50}), "an image's file_name is None", WHOLE),
    "annotation of no kind": (added("annotations", 17), "an entry of annotations is 17", WHOLE),
    "category without name": (added("categories", {"id": 4}), "category 4: its name is None", WHOLE),
    "no object of an image is right": (
        change("annotations", 2, "bbox", to=[1, 1, 0, 0]),
        "2.jpg: none of its 1 annotation can be used: annotation 11: bbox of 0 x 0",
        {"1.jpg": ["cat", "ant"], "3.jpg": []},
    ),
}


@pytest.mark.parametrize("fault", LOST)
def test_what_belongs_to_no_image_is_named(fault: str, tmp_path: Path) -> None:
    made, reason, left = LOST[fault]
    put(tmp_path, made(example()))
    read = sources.read(tmp_path)
    assert names(read) == left
    assert reason in reasons(read)


COUNTED: dict[str, tuple[Callable[[Json], Json | str], str]] = {
    "ids written 7.0": (replaced('"id": 7,', '"id": 7.0,'), "1 id is written with a point"),
    "one annotation id twice": (
        change("annotations", 1, "id", to=5),
        "1 annotation id is given twice; both stay",
    ),
    "one image twice": (
        added("images", {"id": 7, "file_name": "1.jpg", "width": 20, "height": 10}),
        "1 image is listed twice",
    ),
    "two ids, one image": (added("images", {"id": 8, "file_name": "1.jpg"}), "1 file named by two images"),
    "no size": (change("images", 0, "width", to="wide"), "1 width or height is no size"),
    "a size beyond all images": (change("images", 2, "height", to=10**30), "1 width or height is no size"),
    "over the border": (change(*FIRST, "bbox", to=[-1, 1, 4, 4]), "1 box reaches over the border"),
    "category never used": (added("categories", {"id": 1, "name": "dog"}), "nothing is annotated as dog"),
    "ring of two points": (
        change(*FIRST, "segmentation", to=[[1, 1, 5, 1, 5, 5], [1, 1, 2, 2]]),
        "1 polygon of fewer than 3 points left out",
    ),
    "points without names": (change(*FIRST, "keypoints", to=[1, 1, 2]), "keypoints of 1 object not read"),
}


@pytest.mark.parametrize("fault", COUNTED)
def test_what_can_be_read_all_the_same_is_counted(fault: str, tmp_path: Path) -> None:
    made, note = COUNTED[fault]
    put(tmp_path, made(example()))
    read = sources.read(tmp_path)
    assert names(read) == WHOLE
    assert note in "\n".join(read.notes)


REFUSED: dict[str, tuple[Callable[[Json], Json | str], str]] = {
    "boxes as edges": (all_edges, "9 of 9 boxes leave their image"),
    "deep nesting": (lambda said: '{"images": [' + "[" * 100_000, "nested too deeply"),
    "cut short": (lambda said: json.dumps(said)[:-30], "line 1, column .*: not JSON"),
    "a key twice in an entry": (
        replaced('"bbox": [1, 1, 4, 4]', '"bbox": [1, 1, 4, 4], "bbox": []'),
        '"bbox" twice',
    ),
    "a list twice": (replaced('"images": [{', '"images": [], "images": [{'), 'the key "images" twice'),
    "a number without end": (replaced("[1, 1, 4, 4]", f"[1, 1, {'9' * 5000}, 4]"), "limit"),
    "no object": (lambda said: "[]", "expected an object with images"),
    "images of no kind": (change("images", to={}), 'expected a list as "images"'),
    "no images": (change("images", to=[]), "names no images"),
    "one id, two categories": (change("categories", 1, "id", to=3), "category 3 is cat and also ant"),
    "nothing annotated": (change("annotations", to=[]), "Nothing is annotated"),
    "more behind the end": (lambda said: json.dumps(said) + "{}", "more after the end"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_file_that_cannot_be_right_is_refused_by_name(fault: str, tmp_path: Path) -> None:
    made, said = REFUSED[fault]
    path = put(tmp_path, made(example()))
    with pytest.raises(DataError, match=said) as raised:
        sources.read(path, source="coco")
    assert "annotations.json" in raised.value.found or str(tmp_path) in raised.value.found
    assert len(str(raised.value).splitlines()) <= 4


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\xfa", b"", b"{", b'{"images": [{"id": 1, "file_name": "\xff"}]}', b"\0" * 100]
)
def test_bytes_that_are_no_text_are_refused(data: bytes, tmp_path: Path) -> None:
    path = put(tmp_path, example())
    path.write_bytes(data)
    with pytest.raises(DataError):
        sources.read(path, source="coco")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_of_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    said = example()
    said["categories"][0]["name"] = "ネコ"
    path = put(tmp_path, said)
    path.write_text(json.dumps(said, ensure_ascii=False), encoding=encoding)
    assert sources.read(path, source="coco").classes == ("ant", "ネコ")


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jpg",
        "a/../../secret.jpg",
        "..\\secret.jpg",
        "{root}/secret.jpg",
        "C:\\secret.jpg",
        "\\\\server\\share\\secret.jpg",
        "out.jpg",
        "away/secret.jpg",
        "1.jpg\0.png",
        "%2e%2e/secret.jpg",
    ],
)
def test_no_file_name_leads_out_of_the_data(name: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    put(data, example())
    (data / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    (data / "away").symlink_to(tmp_path)
    said = example()
    said["images"][0]["file_name"] = name.replace("{root}", str(tmp_path))
    put(data, said)
    read = sources.read(data)
    assert names(read) == {"2.jpg": ["ant"], "3.jpg": []}
    assert len(read.set_aside) == 1
    assert "2 annotations with it" in read.set_aside[0].reason


def test_the_order_of_the_lists_does_not_matter(tmp_path: Path) -> None:
    said = example()
    put(tmp_path / "one", said)
    put(tmp_path / "two", {key: said[key] for key in ("annotations", "categories", "info", "images")})
    assert list(sources.read(tmp_path / "one").records) == list(sources.read(tmp_path / "two").records)


def test_an_empty_category_that_only_groups_others_is_not_mentioned(tmp_path: Path) -> None:
    said = example()
    said["categories"] = [
        {"id": 0, "name": "animals", "supercategory": "none"},
        *({**one, "supercategory": "animals"} for one in said["categories"]),
    ]
    put(tmp_path, said)
    read = sources.read(tmp_path)
    assert read.classes == ("ant", "cat")
    assert "animals" not in " ".join(read.notes)


def test_a_box_that_is_not_stated_is_the_one_around_the_outline(tmp_path: Path) -> None:
    said = example()
    del said["annotations"][0]["bbox"]
    said["annotations"][1] = {
        **said["annotations"][1],
        "bbox": [],
        "segmentation": {"size": [10, 20], "counts": [23, 4, 6, 4, 163]},
    }
    put(tmp_path, said)
    boxes = sources.read(tmp_path).records[0].boxes
    assert [one.box for one in boxes] == [(1, 1, 5, 5), (2, 3, 4, 7)]


def test_runs_say_the_size_of_an_image_that_has_none(tmp_path: Path) -> None:
    said = example()
    del said["images"][1]["width"], said["images"][1]["height"]
    said["annotations"][2]["segmentation"] = {"size": [10, 20], "counts": "0X6"}
    put(tmp_path, said)
    record = sources.read(tmp_path).records[1]
    assert (record.size, record.boxes[0].runs) == ((20, 10), (0, 200))


def test_points_have_names_of_which_left_and_right_change_places(tmp_path: Path) -> None:
    said = example()
    said["categories"][0]["keypoints"] = ["nose", "left_eye", "right_eye"]
    said["annotations"][0]["keypoints"] = [1, 1, 2, 2.5, 1, 1, 0, 0, 0]
    put(tmp_path, said)
    read = sources.read(tmp_path)
    assert read.points == ("nose", "left_eye", "right_eye")
    assert read.swaps == (("left_eye", "right_eye"),)
    assert read.records[0].boxes[0].points == ((1, 1, 2), (2.5, 1, 1), (0, 0, 0))
    assert read.records[0].boxes[1].points == ()


def test_points_of_another_number_than_their_names_are_set_aside(tmp_path: Path) -> None:
    said = example()
    said["categories"][0]["keypoints"] = ["nose", "tail"]
    said["annotations"][0]["keypoints"] = [1, 1, 2]
    put(tmp_path, said)
    assert "1 keypoints, where its category has 2" in reasons(sources.read(tmp_path))


SPLITS = ("train", "val", "test")


def generated(root: Path, count: int, seed: int) -> DataSet:
    """Records of every kind that COCO holds, of images that are empty files."""
    draw = random.Random(seed)
    records: list[Record] = []
    for place in range(count):
        path = f"{draw.choice(['', 'a/', 'a/b c/'])}{place} {draw.choice(['é', 'x', '🐈'])}.jpg"
        width, height = draw.randint(1, 60), draw.randint(1, 60)
        objects = tuple(_object(draw, width, height) for _ in range(draw.choice([0, 1, 2, 5])))
        records.append(Record(path=path, split=SPLITS[place % 3], size=(width, height), boxes=objects))  # type: ignore[arg-type]
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    order = {"train": 0, "val": 1, "test": 2}
    records.sort(key=lambda record: (order[record.split], record.path))
    return DataSet(
        root=root,
        source="test",
        task="detection",
        classes=tuple(sorted({one.name for record in records for one in record.boxes})),
        records=records,
        points=("left hand", "right hand", "tail"),
        swaps=(("left hand", "right hand"),),
    )


def _object(draw: random.Random, width: int, height: int) -> BoxNote:
    x0, y0 = draw.uniform(0, width * 0.9), draw.uniform(0, height * 0.9)
    x1, y1 = draw.uniform(x0 + 1e-3, width), draw.uniform(y0 + 1e-3, height)
    kind = draw.randrange(3)
    ring = tuple(
        draw.uniform(0, 1) * (height if place % 2 else width) for place in range(2 * draw.randint(3, 9))
    )
    cuts = sorted(draw.randint(0, width * height) for _ in range(draw.randint(1, 9)))
    lengths = tuple(b - a for a, b in zip([0, *cuts], [*cuts, width * height], strict=True))
    points = tuple(
        (draw.uniform(0, width), float(draw.randint(0, height)), draw.randrange(3)) for _ in range(3)
    )
    return BoxNote(
        name=draw.choice(["10", "2", "Cat and dog", 'quo"te', "new\nline", "é"]),
        box=(x0, y0, x1, y1),
        polygons=(ring,) if kind == 1 else (),
        runs=lengths if kind == 2 else (),
        points=points if draw.random() < 0.3 else (),
        crowd=draw.random() < 0.1,
        difficult=draw.random() < 0.1,
    )


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_generated_records_come_back_bit_by_bit(count: int, tmp_path: Path) -> None:
    given = generated(tmp_path / "given", count, seed=count)
    sources.write(given, tmp_path / "w", source="coco")
    read = sources.read(tmp_path / "w")
    assert list(read.records) == given.records
    assert (read.classes, read.points, read.swaps) == (given.classes, given.points, given.swaps)
    assert read.set_aside == ()


def test_the_cells_pack_comes_back_bit_by_bit(packs: Path, tmp_path: Path) -> None:
    given = sources.read(packs / "bccd", source="coco")
    assert {split: sum(len(r.boxes) for r in given.records if r.split == split) for split in SPLITS} == {
        "train": 2804,
        "val": 1137,
        "test": 945,
    }
    sources.write(given, tmp_path / "w", source="coco")
    read = sources.read(tmp_path / "w")
    assert list(read.records) == list(given.records)
    assert read.classes == given.classes == ("Platelets", "RBC", "WBC")
    first = given.records[0].path
    assert (read.root / first).read_bytes() == (given.root / first).read_bytes()


def test_a_mask_without_the_size_of_its_image_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"")
    note = BoxNote(name="a", box=(0, 0, 1, 1), runs=(0, 1))
    record = Record(path="1.jpg", boxes=(note,))
    given = DataSet(root=tmp_path, source="test", task="detection", classes=("a",), records=[record])
    with pytest.raises(DataError, match="no size"):
        sources.write(given, tmp_path / "w", source="coco")


def _theirs(path: Path) -> Iterable[tuple[str, list[tuple[str, list[float], bool]]]]:
    tools = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    api = tools.COCO(str(path))
    for image in api.loadImgs(api.getImgIds()):
        found = api.loadAnns(api.getAnnIds(imgIds=[image["id"]]))
        yield (
            image["file_name"],
            [(api.cats[one["category_id"]]["name"], one["bbox"], bool(one["iscrowd"])) for one in found],
        )


def test_what_cocos_own_tools_read_is_what_we_read(tmp_path: Path) -> None:
    given = generated(tmp_path / "given", 200, seed=1)
    sources.write(given, tmp_path / "w", source="coco")
    for split in SPLITS:
        ours = {record.path: record.boxes for record in given.records if record.split == split}
        theirs = dict(_theirs(tmp_path / "w" / f"{split}.json"))
        assert theirs.keys() == ours.keys()
        for path, notes in ours.items():
            for (name, (x, y, width, height), crowd), one in zip(theirs[path], notes, strict=True):
                assert (name, crowd) == (one.name, one.crowd)
                assert (x, y, x + width, y + height) == pytest.approx(one.box, rel=1e-15)


def test_the_cells_pack_is_what_cocos_own_tools_read(packs: Path) -> None:
    ours = {
        (record.path.rpartition("/")[2], record.split): record
        for record in sources.read(packs / "bccd", source="coco").records
    }
    for split in SPLITS:
        for path, said in _theirs(packs / "bccd" / f"instances_{split}.json"):
            edges = [(name, (x, y, x + width, y + height)) for name, (x, y, width, height), _ in said]
            assert edges == [(one.name, one.box) for one in ours[path, split].boxes]


def test_masks_are_those_of_cocos_own_tools(tmp_path: Path) -> None:
    tools = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    import numpy as np

    from convworks.data import raster

    given = generated(tmp_path / "given", 200, seed=2)
    sources.write(given, tmp_path / "w", source="coco")
    read = {(r.path, r.split): r for r in sources.read(tmp_path / "w").records}
    for split in SPLITS:
        api = tools.COCO(str(tmp_path / "w" / f"{split}.json"))
        for image in api.loadImgs(api.getImgIds()):
            record = read[image["file_name"], split]
            size = (record.size[1], record.size[0])
            for one, said in zip(
                record.boxes, api.loadAnns(api.getAnnIds(imgIds=[image["id"]])), strict=True
            ):
                if one.runs:
                    assert np.array_equal(raster.from_runs(one.runs, size), api.annToMask(said).astype(bool))
                elif one.polygons:
                    assert np.array_equal(
                        raster.from_polygons(one.polygons, size), api.annToMask(said).astype(bool)
                    )


def test_the_source_names_what_it_holds() -> None:
    assert "runs" in coco.holds and "label" not in coco.holds
