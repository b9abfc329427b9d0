"""What only the pixels of masks tell: names for values, objects for ids; and values that no one named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from convworks.data import raster, sources
from convworks.data.decode import stored
from convworks.data.load import load
from convworks.data.record import DataSet
from convworks.data.settled import settled
from convworks.errors import DataError, DecodeError


def put(
    root: Path, mask: Image.Image | np.ndarray, name: str = "1", folder: str = "masks", **options: object
) -> None:
    """An image, and a mask of it."""
    picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
    for where in ("images", folder):
        (root / where).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", picture.size, (90, 120, 30)).save(root / "images" / f"{name}.png")
    picture.save(root / folder / f"{name}.png", **options)


def classes_of(root: Path) -> tuple[DataSet, list[list[str]]]:
    """The settled set, and the names of the pixels of its first mask ("" where ignored)."""
    dataset = settled(sources.read(root))
    sample = load(dataset, dataset.records[0], {name: place for place, name in enumerate(dataset.classes)})
    return dataset, [
        [dataset.classes[value] if value < 255 else "" for value in row] for row in sample.class_map
    ]


ROWS = np.array([[0, 1, 2], [2, 1, 255]], np.uint8)


def test_values_without_names_are_called_after_themselves(tmp_path: Path) -> None:
    put(tmp_path, ROWS)
    dataset, names = classes_of(tmp_path)
    assert dataset.classes == ("0", "1", "2")
    assert names == [["0", "1", "2"], ["2", "1", ""]]
    assert any("3 values" in note for note in dataset.notes)


def test_a_palette_is_read_by_its_indices(tmp_path: Path) -> None:
    mask = Image.fromarray(ROWS).convert("P")
    mask.putdata(ROWS.ravel().tolist())
    mask.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200])
    put(tmp_path, mask)
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
    assert classes_of(tmp_path)[1] == [["sky", "road", "car"], ["car", "road", ""]]


def test_a_palette_is_read_by_its_colours_where_the_list_names_colours(tmp_path: Path) -> None:
    mask = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    mask.putdata([0, 1])
    mask.putpalette([200, 10, 10, 10, 200, 10])
    put(tmp_path, mask)
    (tmp_path / "label_colors.txt").write_text("10 200 10 tree\n200 10 10 house\n")
    assert classes_of(tmp_path)[1] == [["house", "tree"]]


def test_a_map_of_colours_is_read_by_its_list(tmp_path: Path) -> None:
    put(tmp_path, np.array([[[64, 0, 0], [0, 64, 0], [1, 2, 3]]], np.uint8))
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\ntree,0,64,0\nhouse,64,0,0\n")
    dataset, names = classes_of(tmp_path)
    assert names == [["house", "tree", ""]]
    assert dataset.classes == ("house", "tree")


def test_colours_without_names_are_called_after_themselves(tmp_path: Path) -> None:
    put(tmp_path, np.array([[[64, 0, 0], [0, 64, 0]]], np.uint8))
    assert classes_of(tmp_path)[1] == [["64 0 0", "0 64 0"]]


def test_gray_in_three_channels_is_an_index(tmp_path: Path) -> None:
    put(tmp_path, np.repeat(ROWS[..., None], 3, axis=2))
    assert classes_of(tmp_path)[1] == [["0", "1", "2"], ["2", "1", ""]]


@pytest.mark.parametrize("mode", ["L", "1"])
def test_black_and_white_is_background_and_object(mode: str, tmp_path: Path) -> None:
    put(tmp_path, Image.fromarray(np.array([[0, 255]], np.uint8)).convert(mode))
    dataset, names = classes_of(tmp_path)
    assert names == [["background", "object"]]
    assert any("black and white" in note for note in dataset.notes)


def test_two_names_are_black_and_white_where_the_masks_are(tmp_path: Path) -> None:
    put(tmp_path, np.array([[0, 255]], np.uint8))
    (tmp_path / "classes.txt").write_text("ground\ncell\n")
    dataset, names = classes_of(tmp_path)
    assert names == [["ground", "cell"]]
    assert "Masks are black and white: 255 is cell." in dataset.notes


def test_255_is_ignored_beside_other_values(tmp_path: Path) -> None:
    put(tmp_path, ROWS)
    assert settled(sources.read(tmp_path)).masks.ignore == ((255,),)  # type: ignore[union-attr]


def test_blended_edges_are_counted_and_not_taken_for_classes(tmp_path: Path) -> None:
    picture = np.zeros((200, 200), np.uint8)
    picture[40:160, 50:150] = 255
    put(tmp_path, Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1.5)))
    dataset = settled(sources.read(tmp_path))
    assert dataset.classes == ("background", "object")
    assert any("seem to be blended" in note for note in dataset.notes)


def test_rare_classes_on_a_large_background_stay_classes(tmp_path: Path) -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[0, :12] = np.arange(12)
    mask[50:60, 50:60] = 255
    put(tmp_path, mask)
    assert settled(sources.read(tmp_path)).classes == tuple(sorted(map(str, range(12))))


def test_ids_of_objects_among_masks_are_refused_with_the_folder_to_use(tmp_path: Path) -> None:
    put(tmp_path, np.arange(400, dtype=np.uint16).reshape(20, 20))
    with pytest.raises(DataError, match="400 values, too many for classes") as raised:
        settled(sources.read(tmp_path))
    assert "instances/" in raised.value.fix


def test_values_that_the_list_does_not_name_at_all_are_refused(tmp_path: Path) -> None:
    put(tmp_path, np.array([[[64, 0, 0], [0, 64, 0]]], np.uint8))
    (tmp_path / "classes.txt").write_text("tree\nhouse\n")
    with pytest.raises(DataError, match="they hold 0 64 0; 64 0 0") as raised:
        settled(sources.read(tmp_path))
    assert "red green blue" in raised.value.fix


def test_unexpected_values_are_listed_with_their_counts(tmp_path: Path) -> None:
    put(tmp_path, np.array([[0, 1, 7], [7, 1, 255]], np.uint8))
    assert raster.values(stored(tmp_path / "masks/1.png")) == {(1,): 2, (7,): 2, (0,): 1, (255,): 1}


def test_a_mask_that_cannot_be_read_is_set_aside_with_its_image(tmp_path: Path) -> None:
    put(tmp_path, ROWS)
    put(tmp_path, ROWS, "2")
    (tmp_path / "masks/2.png").write_bytes(b"")
    dataset = settled(sources.read(tmp_path))
    assert [record.path for record in dataset.records] == ["images/1.png"]
    assert dataset.set_aside[0].path == "masks/2.png"
    assert dataset.set_aside[0].reason == "empty (0 bytes)"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_ids_of_objects_become_boxes_and_masks(kind: type, tmp_path: Path) -> None:
    ids = np.zeros((6, 9), kind)
    ids[1:3, 2:5] = 200
    ids[4:, 6:] = 201 if kind == np.uint8 else 40_000
    put(tmp_path, ids, folder="instances")
    dataset = settled(sources.read(tmp_path))
    sample = load(dataset, dataset.records[0], {"object": 0})
    assert sample.boxes.tolist() == [[2, 1, 5, 3], [6, 4, 9, 6]]
    assert np.array_equal(sample.masks[0], ids == 200)


def test_objects_take_the_class_that_most_of_their_pixels_have(tmp_path: Path) -> None:
    ids = np.array([[1, 1, 1, 2, 2, 3]], np.uint8)
    put(tmp_path, ids, folder="instances")
    put(tmp_path, np.array([[0, 1, 1, 0, 0, 255]], np.uint8))
    (tmp_path / "classes.txt").write_text("tree\nhouse\n")
    dataset = settled(sources.read(tmp_path))
    assert [one.name for one in dataset.records[0].boxes] == ["house", "tree"]
    assert any("1 object left out" in note for note in dataset.notes)


def test_nothing_is_looked_at_where_nothing_is_missing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"")
    dataset = sources.read(tmp_path)
    assert settled(dataset) is dataset


@pytest.mark.parametrize(
    ("picture", "coloured", "values"),
    [
        (Image.new("LA", (1, 1), (7, 0)), False, [[7]]),
        (Image.new("RGBA", (1, 1), (7, 8, 9, 0)), False, [[[7, 8, 9]]]),
        (Image.new("L", (1, 1), 7), True, [[[7, 7, 7]]]),
        (Image.fromarray(np.array([[700]], np.uint16)), False, [[700]]),
    ],
)
def test_masks_of_any_mode_are_read_as_they_are_stored(
    picture: Image.Image, coloured: bool, values: list[object], tmp_path: Path
) -> None:
    picture.save(tmp_path / "m.png")
    assert stored(tmp_path / "m.png", coloured=coloured).tolist() == values


def test_a_mask_too_large_to_decode_is_refused(tmp_path: Path) -> None:
    Image.new("L", (30, 30)).save(tmp_path / "m.png")
    with pytest.raises(DecodeError, match="30 x 30"):
        stored(tmp_path / "m.png", max_pixels=800)
