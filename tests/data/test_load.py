"""Record -> Sample: everything said of an image lands on its pixels, however the camera held it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import raster, rgb, sources, upright
from convworks.data.load import load
from convworks.data.record import BoxNote, DataSet, MaskCode, Record
from convworks.errors import DataError, DecodeError
from convworks.samples import COUNTED, CROWD, DIFFICULT, Sample

WIDTH, HEIGHT = 12, 8
BOX = (3, 1, 8, 4)
"""Where the painted object lies in the stored picture."""
CODE = MaskCode(values=(((0,), "ground"), ((9,), "thing")))
IDS = {"thing": 1, "ground": 0}


def painted() -> np.ndarray:
    """A dark picture with a bright object in BOX."""
    picture = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    x0, y0, x1, y1 = BOX
    picture[y0:y1, x0:x1] = (255, 200, 100)
    return picture


def ring(box: tuple[float, float, float, float]) -> tuple[float, ...]:
    x0, y0, x1, y1 = box
    return (x0, y0, x1, y0, x1, y1, x0, y1)


def saved(root: Path, turn: int, suffix: str = "png") -> None:
    """The picture as a camera stores it that was held another way."""
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(painted()).save(root / f"1.{suffix}", exif=exif, quality=95)


def note(box: tuple[float, float, float, float], size: tuple[int, int], *, runs: bool) -> BoxNote:
    """The object in the frame of an image of `size` (width, height), with a mask and its corners as points."""
    mask = raster.from_polygons([ring(box)], (size[1], size[0]))
    x0, y0, x1, y1 = box
    return BoxNote(
        name="thing",
        box=box,
        runs=raster.to_runs(mask) if runs else (),
        polygons=() if runs else (ring(box),),
        points=((x0 + 0.5, y0 + 0.5, 2), (x1 - 0.5, y1 - 0.5, 1), (0, 0, 0)),
    )


def made(root: Path, record: Record) -> DataSet:
    return DataSet(
        root=root,
        source="test",
        task="detection",
        classes=("ground", "thing"),
        records=[record],
        masks=CODE,
        points=("left", "right", "none"),
    )


def bright(sample: Sample) -> np.ndarray:
    return sample.image[..., 0] > 128


def holds_together(sample: Sample) -> None:
    """Box, mask, class map and points lie on the painted object."""
    seen = bright(sample)
    assert seen.sum() == (BOX[2] - BOX[0]) * (BOX[3] - BOX[1])
    assert raster.box(seen) == tuple(sample.boxes[0])
    assert np.array_equal(sample.masks[0], seen)
    if sample.class_map.size:
        assert np.array_equal(sample.class_map == 1, seen)
    for x, y in sample.points[0, :2]:
        assert seen[int(y), int(x)]
    assert np.isnan(sample.points[0, 2]).all()
    assert sample.labels.tolist() == [1]


@pytest.mark.parametrize("runs", [True, False], ids=["runs", "polygons"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_what_was_annotated_as_the_picture_is_shown_lies_on_it(turn: int, runs: bool, tmp_path: Path) -> None:
    saved(tmp_path, turn)
    size = (WIDTH, HEIGHT) if turn < 5 else (HEIGHT, WIDTH)
    move = upright.move(turn, size[::-1])
    x0, y0, x1, y1 = move.boxes(np.array([BOX], np.float64))[0].tolist()
    mask = np.where(upright.turned(painted()[..., 0] > 128, turn), 9, 0).astype(np.uint8)
    Image.fromarray(mask).save(tmp_path / "m.png")
    for stated in (size, (0, 0)) if not runs else (size,):
        record = Record(
            path="1.png", boxes=(note((x0, y0, x1, y1), size, runs=runs),), size=stated, mask="m.png"
        )
        holds_together(load(made(tmp_path, record), record, IDS))


@pytest.mark.parametrize("runs", [True, False], ids=["runs", "polygons"])
@pytest.mark.parametrize("turn", range(5, 9))
def test_what_was_annotated_as_the_picture_is_stored_turns_with_it(
    turn: int, runs: bool, tmp_path: Path
) -> None:
    saved(tmp_path, turn)
    Image.fromarray(np.where(painted()[..., 0] > 128, 9, 0).astype(np.uint8)).save(tmp_path / "m.png")
    size = (WIDTH, HEIGHT)
    record = Record(path="1.png", boxes=(note(BOX, size, runs=runs),), size=size, mask="m.png")
    holds_together(load(made(tmp_path, record), record, IDS))


@pytest.mark.parametrize("turn", range(1, 9))
def test_pixels_and_points_turn_as_pillow_turns_pictures(turn: int) -> None:
    stored = np.arange(12, dtype=np.uint8).reshape(3, 4)
    exif = Image.Exif()
    exif[0x0112] = turn
    notes: list[str] = []
    shown = rgb.to_rgb(Image.fromarray(stored), turn, notes)[..., 0]
    assert np.array_equal(upright.turned(stored, turn), shown)
    for y, x in np.ndindex(3, 4):
        across, down = upright.move(turn, shown.shape).points(np.array([[x + 0.5, y + 0.5]]))[0]
        assert shown[int(down), int(across)] == stored[y, x]


def test_an_annotation_for_another_size_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    record = Record(path="1.png", size=(WIDTH, HEIGHT + 1))
    with pytest.raises(DataError, match=r"1.png: annotated as 12x9, but the image has 12x8"):
        load(made(tmp_path, record), record, IDS)
    record = Record(path="1.png", size=(HEIGHT, WIDTH))
    with pytest.raises(DataError, match="annotated as 8x12"):
        load(made(tmp_path, record), record, IDS)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    Image.new("L", (WIDTH, HEIGHT - 1)).save(tmp_path / "m.png")
    record = Record(path="1.png", mask="m.png")
    with pytest.raises(DataError, match=r"m\.png: a mask of 12x7 for an image of 12x8"):
        load(made(tmp_path, record), record, IDS)


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    (tmp_path / "m.png").write_bytes(b"no image")
    record = Record(path="1.png", mask="m.png")
    with pytest.raises(DecodeError, match=r"m\.png"):
        load(made(tmp_path, record), record, IDS)


def test_a_class_that_the_model_does_not_know_is_named(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    record = Record(path="1.png", boxes=(BoxNote(name="dog", box=(0, 0, 1, 1)),))
    with pytest.raises(DataError, match='"dog" is no class of the model'):
        load(made(tmp_path, record), record, IDS)


def test_a_box_over_the_border_is_clipped_and_one_outside_is_left_out(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    boxes = [(-5, -5, 3, 3), (20, 0, 25, 5), (10, 6, 99, 99)]
    record = Record(path="1.png", boxes=tuple(BoxNote(name="thing", box=box) for box in boxes))
    sample = load(made(tmp_path, record), record, IDS)
    assert sample.boxes.tolist() == [[0, 0, 3, 3], [10, 6, 12, 8]]
    assert len(sample.labels) == len(sample.points) == 2
    assert sample.masks.shape == (0, 0, 0)


def test_crowds_are_there_when_asked_for(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    crowd = BoxNote(name="thing", box=BOX, crowd=True, polygons=(ring(BOX),))
    record = Record(path="1.png", boxes=(crowd, note(BOX, (WIDTH, HEIGHT), runs=False)))
    dataset = made(tmp_path, record)
    assert len(load(dataset, record, IDS).boxes) == 1
    whole = load(dataset, record, IDS, crowds=True)
    assert (len(whole.boxes), len(whole.masks), len(whole.points)) == (2, 2, 2)


def test_nothing_said_is_empty_arrays_of_full_shape(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    record = Record(path="1.png", label="thing")
    sample = load(made(tmp_path, record), record, IDS)
    assert sample.label == 1
    assert (sample.boxes.shape, sample.labels.shape, sample.points.shape) == ((0, 4), (0,), (0, 3, 2))
    assert (sample.masks.shape, sample.class_map.shape) == ((0, 0, 0), (0, 0))
    assert (sample.boxes.dtype, sample.labels.dtype, sample.points.dtype) == (
        np.float32,
        np.int64,
        np.float32,
    )


def test_a_smaller_decoded_picture_takes_everything_along(tmp_path: Path) -> None:
    big = np.kron(painted(), np.ones((40, 40, 1), np.uint8))
    Image.fromarray(big).save(tmp_path / "1.jpg", quality=95)
    Image.fromarray(np.where(big[..., 0] > 128, 9, 0).astype(np.uint8)).save(tmp_path / "m.png")
    x0, y0, x1, y1 = (40.0 * edge for edge in BOX)
    one = BoxNote(name="thing", box=(x0, y0, x1, y1), polygons=(ring((x0, y0, x1, y1)),))
    record = Record(path="1.jpg", boxes=(one,), mask="m.png", size=(480, 320))
    sample = load(made(tmp_path, record), record, IDS, at_least=80)
    assert sample.image.shape == (80, 120, 3)
    assert sample.boxes.tolist() == [[10 * edge for edge in BOX]]
    assert np.array_equal(sample.masks[0], sample.class_map == 1)
    assert raster.box(sample.masks[0]) == tuple(10 * edge for edge in BOX)


def test_the_streets_pack_is_loaded_with_its_class_maps(packs: Path) -> None:
    dataset = sources.read(packs / "camvid")
    ids = {name: place for place, name in enumerate(dataset.classes)}
    seen: set[int] = set()
    for record in dataset.records[::30]:
        sample = load(dataset, record, ids)
        stored = np.asarray(Image.open(packs / "camvid" / record.mask))
        assert sample.class_map.shape == sample.image.shape[:2]
        assert np.array_equal(sample.class_map == 255, stored == 255)
        assert np.array_equal(sample.class_map == ids["Road"], stored == 3)
        seen |= set(np.unique(sample.class_map).tolist())
    assert len(seen) > 8


def test_what_does_not_count_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    notes = (
        BoxNote(name="cat", box=(0, 0, 10, 10)),
        BoxNote(name="cat", box=(5, 5, 20, 20), difficult=True),
        BoxNote(name="cat", box=(0, 0, 40, 30), crowd=True),
    )
    record = Record(path="a.png", boxes=notes)
    dataset = DataSet(root=tmp_path, source="coco", task="detection", classes=("cat",), records=(record,))
    every = load(dataset, record, {"cat": 0}, crowds=True)
    assert every.aside.tolist() == [COUNTED, DIFFICULT, CROWD]
    assert load(dataset, record, {"cat": 0}).aside.tolist() == [COUNTED, DIFFICULT]
