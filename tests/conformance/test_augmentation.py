"""Every operation keeps a painted box, mask, class map and point, and their pixels, together.

A new operation joins by existing: in `moves.OPERATIONS`, `colour.LINEAR` or `colour.CURVES`, or as a knob of
the recipe.
"""

from dataclasses import fields, replace

import numpy as np
import pytest

from convworks.augmentation import colour, moves, plan, resample
from convworks.geometry import boxes as boxes_
from convworks.geometry.move import Move
from convworks.recipe.options import AugmentationOptions
from convworks.samples import Sample

NOTHING = AugmentationOptions(flip_horizontal=False, crop_scale=1.0, colour=0.0)
STRONG = {
    "flip_horizontal": True,
    "flip_vertical": True,
    "crop_scale": 0.35,
    "rotate": 45.0,
    "translate": 0.2,
    "shear": 15.0,
    "scale": 0.5,
    "perspective": 0.3,
    "colour": 0.3,
    "hue": 0.1,
    "grayscale": 0.5,
    "blur": 1.0,
    "noise": 0.02,
    "cutout": 0.2,
    "trivial": 1.0,
    "border": "inside",
}
UPRIGHT = {"flip_horizontal", "flip_vertical", "crop_scale", "translate", "scale"}
OF_SEVERAL = {"mosaic", "mixup", "cutmix"}  # of more than one sample: see tests/augmentation/test_mix.py
PLACED = sorted({*moves.OPERATIONS, "crop_scale"})
IN, OUT = (480, 640), (448, 512)
# Pixels give a box to within half a pixel an edge, so a side must be long for the IoU to mean something.
LONG = 110


def painted_scene(generator):
    """Black, with one white rectangle and one point of it; its box, mask, class map and points say where."""
    low = generator.uniform((30, 30), (360, 200)).round()
    high = low + generator.uniform(130, 240, 2).round()
    left, top, right, bottom = np.concatenate([low, high]).astype(int)
    mask = np.zeros(IN, bool)
    mask[top:bottom, left:right] = True
    image = np.where(mask[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    return Sample(
        image=np.ascontiguousarray(image),
        boxes=np.array([[left, top, right, bottom]], np.float32),
        labels=np.array([3]),
        masks=mask[None],
        class_map=mask.astype(np.uint8),
    )


def box_of(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], np.float32)


def overlap(first, second):
    union = (first | second).sum()
    return (first & second).sum() / union if union else 1.0


def held_together(options, count, iou):
    """Draws `count` times; what is painted, recomputed from the pixels, agrees with what the sample says."""
    seen = 0
    for index in range(count):
        sample = painted_scene(np.random.default_rng(index))
        drawn = plan.draw(options, plan.rng(1, 0, index), IN, OUT)
        moved = plan.apply(drawn, sample)
        light = moved.image[..., 0] > resample.GREY
        assert moved.image.shape == (*OUT, 3)
        if light.any():
            assert overlap(light, moved.class_map == 1) > 0.97
        if not len(moved.boxes):
            share = drawn.move.seen(sample.boxes)[1]
            assert share[0] < plan.KEPT + 0.01
            continue
        assert moved.labels.tolist() == [3]
        assert (moved.boxes >= 0).all()
        assert (moved.boxes <= [OUT[1], OUT[0]] * 2).all()
        if min(moved.boxes[0, 2:] - moved.boxes[0, :2]) < LONG:
            continue
        seen += 1
        assert overlap(light, moved.masks[0]) > 0.97
        assert boxes_.iou(moved.boxes, box_of(light))[0, 0] >= iou, (index, moved.boxes, box_of(light))
    assert seen > count / 2


def points_held_together(options, count):
    """Draws `count` times; the middle of a small light spot, recomputed from pixels, is where its point went."""
    rows, columns = np.mgrid[: IN[0], : IN[1]] + 0.5
    seen = 0
    for index in range(count):
        x, y = np.random.default_rng(index).uniform((200, 150), (440, 330))
        near = (slice(int(y) - 20, int(y) + 20), slice(int(x) - 20, int(x) + 20))
        image = np.zeros((*IN, 3), np.uint8)
        distance = (rows[near] - y) ** 2 + (columns[near] - x) ** 2
        image[near] = (255 * np.exp(-distance / 2 / 3**2)).round()[..., None].astype(np.uint8)
        points = np.array([[[x, y], [np.nan, np.nan]]], np.float32)
        drawn = plan.draw(options, plan.rng(1, 0, index), IN, OUT)
        moved = plan.apply(drawn, Sample(image=image, points=points, class_map=np.zeros(IN, np.uint8)))
        assert np.isnan(moved.points[0, 1]).all()
        if np.isnan(moved.points[0, 0]).any():
            assert moved.image[5:-5, 5:-5][moved.class_map[5:-5, 5:-5] == 0].max(initial=0) < 230
            continue
        column, row = (int(value) for value in moved.points[0, 0])
        window = (slice(max(row - 30, 0), row + 30), slice(max(column - 30, 0), column + 30))
        light = moved.image[window][..., 0].astype(float)
        if light.shape != (60, 60) or (moved.class_map[window] == 255).any():
            continue
        seen += 1
        middle = np.array(
            [(light.sum(axis=0) * np.arange(60)).sum(), (light.sum(axis=1) * np.arange(60)).sum()]
        )
        found = middle / light.sum() + [column - 30 + 0.5, row - 30 + 0.5]
        # A spot seen from the side is a little lopsided; its middle is not quite its point.
        assert np.abs(found - moved.points[0, 0]).max() < (0.1 if drawn.move.is_affine else 0.5)
    assert seen > count / 4


@pytest.mark.parametrize("name", PLACED)
def test_one_operation_keeps_pixels_boxes_masks_and_points_together(name):
    options = replace(NOTHING, border="fill", **{name: STRONG[name]})
    held_together(options, 60, 0.98 if name in UPRIGHT else 0.95)
    points_held_together(options, 40)


def test_all_operations_composed_keep_pixels_boxes_masks_and_points_together():
    options = replace(NOTHING, border="fill", **{name: STRONG[name] for name in PLACED})
    held_together(options, 300, 0.95)
    points_held_together(options, 300)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", [*PLACED, "composed"])
def test_ten_thousand_draws_keep_everything_together(name):
    names = PLACED if name == "composed" else [name]
    options = replace(NOTHING, border="fill", **{one: STRONG[one] for one in names})
    held_together(options, 10_000, 0.98 if name in UPRIGHT else 0.95)
    points_held_together(options, 10_000)


def test_every_operation_has_a_knob_and_every_knob_does_something():
    knobs = {field.name for field in fields(AugmentationOptions)} - OF_SEVERAL
    assert knobs == STRONG.keys(), "say in STRONG how strong the new knob is to be tested"
    assert set(moves.OPERATIONS) <= knobs
    assert {knob for knob, _ in colour.LINEAR.values()} <= knobs
    image = np.random.default_rng(0).integers(0, 256, (*IN, 3), dtype=np.uint8)
    for name in sorted(knobs - {"border"}):
        options = replace(NOTHING, **{name: STRONG[name]})
        made = [
            plan.apply_image(plan.draw(options, plan.rng(0, 0, index), IN, OUT), image) for index in range(8)
        ]
        plain = plan.apply_image(plan.draw(NOTHING, plan.rng(0, 0, 0), IN, OUT), image)
        assert any((one != plain).any() for one in made), name


@pytest.mark.parametrize("name", sorted(set(STRONG) - set(PLACED)))
def test_what_does_not_move_pixels_leaves_boxes_masks_and_points_alone(name):
    options = replace(NOTHING, **{name: STRONG[name]} if name != "trivial" else {"hue": 0.1})
    for index in range(8):
        sample = painted_scene(np.random.default_rng(index))
        plain = plan.apply(plan.draw(NOTHING, plan.rng(0, 0, index), IN, OUT), sample)
        made = plan.apply(plan.draw(options, plan.rng(0, 0, index), IN, OUT), sample)
        assert (made.boxes == plain.boxes).all()
        assert (made.masks == plain.masks).all()
        assert (made.class_map == plain.class_map).all()


@pytest.mark.parametrize("name", sorted(plan.TRIVIAL))
def test_each_operation_of_trivial_augment_keeps_everything_together(name, monkeypatch):
    monkeypatch.setattr(plan, "TRIVIAL", {name: plan.TRIVIAL[name]})
    if name in moves.OPERATIONS:
        held_together(replace(NOTHING, trivial=1.0, border="fill"), 10, 0.95)
    image = np.random.default_rng(0).integers(0, 256, (*IN, 3), dtype=np.uint8)
    plain = plan.apply_image(plan.draw(NOTHING, plan.rng(0, 0, 0), IN, OUT), image)
    made = [
        plan.apply_image(plan.draw(replace(NOTHING, trivial=1.0), plan.rng(0, 0, index), IN, OUT), image)
        for index in range(6)
    ]
    assert any((one != plain).any() for one in made) == (name != "nothing")


def test_left_and_right_change_names_in_a_mirror_only():
    points = np.array([[[100, 200], [300, 210], [320, 240]]], np.float32)
    sample = Sample(image=np.zeros((*IN, 3), np.uint8), points=points)
    for flips in ({}, {"flip_horizontal": True}, {"flip_horizontal": True, "flip_vertical": True}):
        for index in range(10):
            drawn = plan.draw(replace(NOTHING, **flips), plan.rng(0, 0, index), IN, OUT)
            kept, swapped = plan.apply(drawn, sample), plan.apply(drawn, sample, swaps=[(0, 1)])
            order = [1, 0, 2] if np.linalg.det(drawn.move.matrix) < 0 else [0, 1, 2]
            assert (swapped.points == kept.points[:, order]).all()


def test_a_box_that_leaves_the_frame_is_dropped_with_its_label_mask_and_points():
    move = Move(np.array([[1.0, 0, -100], [0, 1, 0], [0, 0, 1]]), (100, 100))
    image = np.zeros((100, 200, 3), np.uint8)
    boxes = np.array([[0, 0, 90, 90], [120, 10, 150, 40], [20, 20, 105, 60], [80, 0, 120, 40]], np.float32)
    masks = np.zeros((4, 100, 200), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
    points = boxes.reshape(4, 2, 2)
    sample = Sample(image=image, boxes=boxes, labels=np.arange(4), masks=masks, points=points)
    made = plan.apply(plan.Drawn(size_in=(100, 200), move=move), sample)
    assert made.labels.tolist() == [1, 3]
    assert made.boxes.tolist() == [[20, 10, 50, 40], [0, 0, 20, 40]]
    assert made.masks.sum(axis=(1, 2)).tolist() == [900, 800]
    assert made.points[0].tolist() == [[20, 10], [50, 40]]
    assert np.isnan(made.points[1, 0]).all()


@pytest.mark.parametrize("border", ["reflect", "inside"])
def test_no_black_or_grey_borders_unless_asked(border):
    image = np.full((*IN, 3), 200, np.uint8)
    options = replace(NOTHING, border=border, **{name: STRONG[name] for name in PLACED})
    for index in range(60):
        made = plan.apply_image(plan.draw(options, plan.rng(0, 0, index), IN, OUT), image)
        assert (made == 200).all()
