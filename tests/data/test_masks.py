"""Mask images as a source: layouts in the wild, lists of classes, and what cannot be paired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import sources, synthetic
from convworks.data.record import DataSet, MaskCode, Record
from convworks.data.sources import class_list, masks
from convworks.errors import DataError


def files(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")


def said(dataset: DataSet) -> list[tuple[str, str, str]]:
    return [(record.path, record.mask, record.split) for record in dataset.records]


def reasons(dataset: DataSet) -> dict[str, str]:
    return {file.path: file.reason for file in dataset.set_aside}


LAYOUTS: dict[str, list[tuple[str, str, str]]] = {
    "side by side": [("images/1.jpg", "masks/1.png", "")],
    "in splits": [
        ("train/images/1.jpg", "train/masks/1.png", "train"),
        ("val/images/2.jpg", "val/masks/2.png", "val"),
    ],
    "splits inside": [
        ("images/training/1.jpg", "annotations/training/1.png", "train"),
        ("images/validation/2.jpg", "annotations/validation/2.png", "val"),
    ],
    "SegNet": [
        ("train/1.png", "trainannot/1.png", "train"),
        ("val/2.png", "valannot/2.png", "val"),
        ("test/3.png", "testannot/3.png", "test"),
    ],
    "labels after the split": [
        ("train/1.png", "train_labels/1_L.png", "train"),
        ("val/2.png", "val_labels/2_L.png", "val"),
    ],
    "one more word": [("images/a_1.png", "labels/a_1_P.png", ""), ("images/a_2.png", "labels/a_2_P.png", "")],
    "capitals": [("Images/1.JPG", "Masks/1.PNG", "")],
    "VOC without lists": [("JPEGImages/1.jpg", "SegmentationClass/1.png", "")],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_in_the_wild_are_found(layout: str, tmp_path: Path) -> None:
    for image, mask, _ in LAYOUTS[layout]:
        files(tmp_path, image, mask)
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    read = sources.read(tmp_path)
    assert (read.source, read.task, read.classes) == ("masks", "segmentation", ("road", "sky"))
    assert said(read) == LAYOUTS[layout]
    assert read.set_aside == ()


def test_lists_of_voc_make_the_split(tmp_path: Path) -> None:
    files(tmp_path, *(f"JPEGImages/{name}.jpg" for name in "abcd"))
    files(tmp_path, *(f"Segmentation{kind}/{name}.png" for name in "abc" for kind in ("Class", "Object")))
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a\nb\n")
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("c\n")
    read = sources.read(tmp_path, source="masks")
    assert [(record.path[-5], record.split) for record in read.records] == [
        ("a", "train"),
        ("b", "train"),
        ("c", "val"),
    ]
    assert read.records[0].instances == "SegmentationObject/a.png"
    assert read.masks is None
    assert "classes are called after the values" in read.notes[-1]
    assert read.set_aside == ()


def test_ids_of_objects_alone_are_a_set_to_detect_in(tmp_path: Path) -> None:
    files(tmp_path, "images/1.png", "instances/1.png")
    read = sources.read(tmp_path)
    assert (read.task, read.classes, read.masks) == ("detection", ("object",), None)
    assert read.records[0].instances == "instances/1.png"


def test_what_sample_data_writes_is_read(tmp_path: Path) -> None:
    synthetic.write(
        tmp_path / "s", task="segmentation", count=8, classes=2, size=(40, 32), seed=0, style="shapes"
    )
    read = sources.read(tmp_path / "s")
    assert (read.source, len(read.records), read.set_aside) == ("masks", 8, ())
    assert read.masks is not None
    assert read.masks.values[0] == ((0,), "background")


def test_what_has_no_partner_is_set_aside(tmp_path: Path) -> None:
    files(
        tmp_path,
        "images/1.jpg",
        "images/2.jpg",
        "masks/1.png",
        "masks/3.png",
        "images/1.png",
        "images/.x.jpg",
    )
    (tmp_path / "masks/2.png").symlink_to("/etc/hosts")
    read = sources.read(tmp_path)
    assert said(read) == [("images/1.jpg", "masks/1.png", "")]
    assert reasons(read) == {
        "images/1.png": "has the name of images/1.jpg, but for its suffix",
        "images/2.jpg": "no mask of its name in masks/",
        "masks/2.png": "a link that leads out of the data's folder",
        "masks/3.png": "no image of its name in images/",
    }


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["a/1.jpg", "b/1.jpg"], "no images beside masks"),
        (["images/1.jpg", "masks/2.png"], "No image of .* has a mask"),
        (["val/images/1.jpg", "val/masks/1.png"], "but none of train"),
        (["images/1.jpg", "labels/1.txt"], "no images beside masks"),
    ],
)
def test_what_is_no_set_of_masks_is_refused(paths: list[str], found: str, tmp_path: Path) -> None:
    files(tmp_path, *paths)
    with pytest.raises(DataError, match=found):
        sources.read(tmp_path, source="masks")


def test_labels_of_text_beside_images_are_no_masks(tmp_path: Path) -> None:
    files(tmp_path, "images/1.jpg", "labels/1.txt")
    assert not masks.fits(tmp_path)


NAMED = (((0,), "Sky"), ((1,), "Side walk"))
COLOURED = (((128, 128, 128), "Sky"), ((128, 0, 0), "Side walk"))


@pytest.mark.parametrize(
    ("text", "values", "ignore"),
    [
        ("Sky\nSide walk\n", NAMED, ((255,),)),
        ("\ufeffSky\r\n\r\nSide walk", NAMED, ((255,),)),
        ("# names\nSky\nSide walk", NAMED, ((255,),)),
        ("0 Sky\n1 Side walk\n", NAMED, ((255,),)),
        ("0: Sky\n1: Side walk\n", NAMED, ((255,),)),
        ("0,Sky\n1,Side walk\n255,unlabelled", NAMED, ((255,),)),
        ("Sky\nSide walk\nVoid\n", NAMED, ((2,), (255,))),
        ("7 Sky\n300 Side walk", (((7,), "Sky"), ((300,), "Side walk")), ((255,),)),
        ("0 Sky\n255 Side walk", (((0,), "Sky"), ((255,), "Side walk")), ()),
        ("128 128 128 Sky\n128 0 0\tSide walk\n0 0 0 Void", COLOURED, ((0, 0, 0),)),
        ("Sky 128 128 128\nSide walk 128 0 0", COLOURED, ()),
        ("name,r,g,b\nSky,128,128,128\nSide walk,128,0,0\nVoid, 0, 0, 0\n", COLOURED, ((0, 0, 0),)),
        ("# label:color_rgb:parts:actions\nSky:128,128,128::\nSide walk:128,0,0::\n", COLOURED, ()),
        ("name,value\nSky,0\nSide walk,1\n,9\n", NAMED, ((9,),)),
    ],
)
def test_lists_of_classes_are_read_however_they_are_spelt(
    text: str,
    values: tuple[tuple[tuple[int, ...], str], ...],
    ignore: tuple[tuple[int, ...], ...],
    tmp_path: Path,
) -> None:
    (tmp_path / "classes.txt").write_bytes(text.encode())
    assert class_list.read(tmp_path / "classes.txt") == MaskCode(values=values, ignore=ignore)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0 Sky\n0 Road", "gives Sky, Road the same value 0"),
        ("Sky 300 0 0\nRoad 1 1 1", "line 1: 300, 0, 0 is no value from 0 to 255"),
        ("99999 Sky\n1 Road", "line 1: 99999 is no value from 0 to 65535"),
        ('name,value\n"Sky,0', "unexpected end of data"),
        ("name,value\nSky,red", "line 2: red"),
        ("void", "names 0 classes"),
        ("", "names 0 classes"),
        ("\n".join(f"c{number}" for number in range(300)), "names 300 classes"),
    ],
)
def test_a_list_that_says_no_value_is_refused_with_its_line(text: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=found):
        class_list.read(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    "code",
    [
        MaskCode(values=NAMED),
        MaskCode(values=COLOURED, ignore=((0, 0, 0),)),
        MaskCode(values=(((3,), "new\nline"), ((65535,), 'quo"te,'), ((0,), "é")), ignore=((255,), (9,))),
        MaskCode(values=(((0,), "a"), ((1,), "a"), ((255,), "b")), ignore=()),
        MaskCode(values=COLOURED, ignore=((255,),)),
    ],
)
def test_any_code_comes_back(code: MaskCode, tmp_path: Path) -> None:
    (tmp_path / "classes.csv").write_text(class_list.write(code), newline="")
    assert class_list.read(tmp_path / "classes.csv") == code


def test_masks_keep_to_their_images_where_names_meet(tmp_path: Path) -> None:
    root = tmp_path / "given"
    pairs = [("x/1.jpg", "m/x.png"), ("y/1.jpg", "m/y.png"), ("y/1.png", "m/z.tif")]
    files(root, *(path for pair in pairs for path in pair))
    for image, mask in pairs:
        (root / image).write_text(image)
        (root / mask).write_text(f"mask of {image}")
    records = [Record(path=image, mask=mask) for image, mask in pairs]
    given = DataSet(
        root=root,
        source="t",
        task="segmentation",
        classes=("a",),
        records=records,
        masks=MaskCode(values=(((0,), "a"),)),
    )
    sources.write(given, tmp_path / "w", source="masks")
    read = sources.read(tmp_path / "w")
    assert len(read.records) == 3
    for record in read.records:
        assert (read.root / record.mask).read_text() == f"mask of {(read.root / record.path).read_text()}"


def test_an_image_without_a_mask_is_not_written(tmp_path: Path) -> None:
    files(tmp_path, "1.jpg")
    given = DataSet(
        root=tmp_path, source="t", task="segmentation", classes=(), records=[Record(path="1.jpg")]
    )
    with pytest.raises(DataError, match="has no mask image"):
        sources.write(given, tmp_path / "w", source="masks")


def test_the_streets_pack_comes_back(packs: Path, tmp_path: Path) -> None:
    given = sources.read(packs / "camvid")
    assert (given.source, len(given.records), len(given.classes)) == ("masks", 213, 11)
    sources.write(given, tmp_path / "w", source="masks")
    read = sources.read(tmp_path / "w")
    assert list(read.records) == list(given.records)
    assert (read.masks, read.classes, read.set_aside) == (given.masks, given.classes, ())
    for record in given.records[::40]:
        assert (read.root / record.mask).read_bytes() == (given.root / record.mask).read_bytes()
        assert np.asarray(Image.open(read.root / record.mask)).max() <= 255
