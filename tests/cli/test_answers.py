"""Each kind of answer has its line and its rows, and pictures of one name do not overwrite each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from convworks.cli import answers
from convworks.samples import Classification, Detection, Found, Localization, Segmentation

NAMES = ("cat", "dog")
FOUND = (
    Found(name="dog", probability=0.9, box=(1.25, 2, 30, 40)),
    Found(name="cat", probability=0.2, box=(0, 0, 5, 5)),
)


def test_an_object_is_a_row_and_a_picture_without_any_has_none() -> None:
    many = Detection(found=FOUND, size=(50, 50), path=Path("a.png"))
    none = Detection(found=(), size=(50, 50), path=Path("b.png"))
    rows = answers.table(NAMES, [many, none]).splitlines()
    assert rows == [
        "path,class,probability,x0,y0,x1,y1",
        "a.png,dog,0.900000,1.25,2.00,30.00,40.00",
        "a.png,cat,0.200000,0.00,0.00,5.00,5.00",
    ]
    assert answers.shown(none, 1) == "0 objects"
    assert "dog 0.90 at (1, 2, 30, 40)" in answers.shown(many, 1)


def test_objects_that_are_not_sure_enough_are_left_out() -> None:
    many = Detection(found=FOUND, size=(50, 50))
    left = answers.sure(many, 0.3)
    assert isinstance(left, Detection)
    assert [one.name for one in left.found] == ["dog"]
    whole = Classification(names=NAMES, probabilities=(0.1, 0.9))
    assert answers.sure(whole, 0.99) is whole


def test_one_object_a_picture_is_a_row_with_its_box_and_every_class() -> None:
    one = Localization(names=("dog", "cat"), probabilities=(0.75, 0.25), box=(1, 2, 3, 4), size=(9, 9))
    header, row = answers.table(NAMES, [one]).splitlines()
    assert header == "path,class,probability,x0,y0,x1,y1,cat,dog"
    assert row == ",dog,0.750000,1.00,2.00,3.00,4.00,0.250000,0.750000"


def test_of_outlines_a_row_says_how_much_each_class_covers() -> None:
    half = np.array([[0, 1], [1, 1]], np.uint8)
    rows = answers.table(NAMES, [Segmentation(class_map=half, names=NAMES, path=Path("a.png"))])
    assert rows.splitlines() == ["path,cat,dog", "a.png,0.250000,0.750000"]


def test_pictures_of_one_name_are_drawn_side_by_side(tmp_path: Path) -> None:
    taken: set[str] = set()
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (50, 50), (9, 9, 9)).save(tmp_path / folder / "a.png")
        answer = Detection(found=FOUND, size=(50, 50), path=tmp_path / folder / "a.png")
        answers.draw(answer, NAMES, tmp_path / "drawn", taken)
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["a-2.jpg", "a.jpg"]
    with Image.open(tmp_path / "drawn" / "a.jpg") as made:
        assert made.size == (50, 50)
