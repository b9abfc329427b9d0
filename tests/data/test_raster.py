"""Outlines to pixels by COCO's rule, to the pixel, and back; values of mask images to classes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convworks.data import raster
from convworks.data.record import MaskCode
from convworks.data.sources import runs
from convworks.errors import DataError

KNOWN = json.loads(Path(__file__).with_name("coco_masks.json").read_text())
MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@pytest.mark.parametrize("known", KNOWN, ids=range(len(KNOWN)))
def test_polygons_cover_the_pixels_that_cocos_tools_say(known: dict[str, object]) -> None:
    size = tuple(known["size"])  # type: ignore[arg-type]
    mask = raster.from_polygons(known["polygons"], size)  # type: ignore[arg-type]
    assert np.array_equal(mask, raster.from_runs(runs.unpacked(str(known["counts"])), size))  # type: ignore[arg-type]
    assert runs.packed(raster.to_runs(mask)) == known["counts"]


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("trials", [300, pytest.param(20_000, marks=pytest.mark.slow)])
def test_any_polygon_covers_what_cocos_tools_say(trials: int) -> None:
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    draw = np.random.default_rng(trials)
    for trial in range(trials):
        height, width = (int(side) for side in draw.integers(1, 80, 2))
        corners = draw.uniform(-20, 100, (draw.integers(3, 9), 2))
        if trial % 2:
            corners = np.round(corners * 4) / 4
        ring = corners.ravel().tolist()
        theirs = coco.decode(coco.frPyObjects([ring], height, width))[..., 0].astype(bool)
        assert np.array_equal(raster.from_polygons([tuple(ring)], (height, width)), theirs), ring


@given(MASKS)
def test_a_mask_is_the_same_after_being_outlined(mask: np.ndarray) -> None:
    assert np.array_equal(raster.from_polygons(raster.to_polygons(mask), mask.shape), mask)


def test_a_part_with_holes_is_one_outline() -> None:
    mask = np.ones((9, 9), np.bool_)
    mask[2, 2] = mask[5:7, 4:6] = False
    rings = raster.to_polygons(mask)
    assert len(rings) == 1
    assert np.array_equal(raster.from_polygons(rings, (9, 9)), mask)


@given(MASKS)
def test_a_mask_is_the_same_after_being_counted(mask: np.ndarray) -> None:
    lengths = raster.to_runs(mask)
    assert np.array_equal(raster.from_runs(lengths, mask.shape), mask)
    assert runs.extent(lengths, mask.shape[0]) == raster.box(mask)
    assert runs.area(lengths) == mask.sum()


def test_runs_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match="5 pixels in an image of 2x3"):
        raster.from_runs((2, 3), (3, 2))


@pytest.mark.parametrize("corner", [float("nan"), float("inf"), 1e300, -1e12])
def test_an_outline_that_is_nowhere_is_refused(corner: float) -> None:
    with pytest.raises(DataError, match="outline"):
        raster.from_polygons([(0, 0, corner, 5, 5, 5)], (10, 10))


def test_an_outline_that_winds_without_end_is_refused_at_once() -> None:
    ring = tuple(np.tile([0.0, 0.0, 1e6, 1e6], 10_000).tolist())
    start = time.process_time()
    with pytest.raises(DataError, match="pixels long"):
        raster.from_polygons([ring], (100, 100))
    assert time.process_time() - start < 1


def test_a_long_outline_is_laid_out_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    ring = tuple(draw.uniform(0, 50, 80).tolist())
    at_once = raster.from_polygons([ring], (50, 50))
    monkeypatch.setattr(raster, "_MOST_STEPS", 100)
    assert np.array_equal(raster.from_polygons([ring], (50, 50)), at_once)


CODE = MaskCode(values=(((0,), "sky"), ((7,), "road"), ((300,), "car")), ignore=((255,),))
IDS = {"car": 0, "road": 1, "sky": 2}


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32])
def test_values_become_classes_and_what_has_no_name_is_ignored(kind: type) -> None:
    stored = np.array([[0, 7], [9, 255]], kind)
    assert raster.class_map(stored, CODE, IDS).tolist() == [[2, 1], [255, 255]]


def test_values_of_sixteen_bits_become_classes() -> None:
    assert raster.class_map(np.array([[300, 301, 65535]], np.uint16), CODE, IDS).tolist() == [[0, 255, 255]]


def test_colours_become_classes() -> None:
    code = MaskCode(values=(((128, 64, 0), "road"), ((0, 0, 1), "sky")))
    stored = np.array([[[128, 64, 0], [0, 0, 1], [128, 64, 1]]], np.uint8)
    assert raster.class_map(stored, code, IDS).tolist() == [[1, 2, 255]]
    assert raster.values(stored) == {(0, 0, 1): 1, (128, 64, 0): 1, (128, 64, 1): 1}


def test_indices_where_colours_are_named_are_ignored() -> None:
    code = MaskCode(values=(((128, 64, 0), "road"),))
    assert raster.class_map(np.array([[128]], np.uint8), code, IDS).tolist() == [[255]]


def test_a_map_of_ids_holds_each_object_but_none_for_0() -> None:
    found = dict(raster.objects(np.array([[0, 9, 9], [40_000, 0, 9]], np.uint16)))
    assert sorted(found) == [9, 40_000]
    assert found[9].tolist() == [[False, True, True], [False, False, True]]


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_nothing_is_no_pixel(size: tuple[int, int]) -> None:
    assert raster.from_polygons([(0, 0, 4, 0, 4, 4)], size).shape == size
    assert raster.from_polygons([], (3, 4)).sum() == 0
    assert raster.to_polygons(np.zeros((3, 4), np.bool_)) == ()


@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4))
def test_a_box_of_whole_pixels_covers_just_those(x: int, y: int, width: int, height: int) -> None:
    ring = (x, y, x + width, y, x + width, y + height, x, y + height)
    mask = raster.from_polygons([ring], (8, 8))
    assert raster.box(mask) == (x, y, x + width, y + height)
    assert mask.sum() == width * height
