import numpy as np
import pytest

from convworks.augmentation import plan, preview
from convworks.geometry.move import Move, crop, matrix
from convworks.recipe.options import AugmentationOptions
from convworks.samples import Sample


def scene():
    image = np.full((60, 80, 3), 90, np.uint8)
    boxes = np.array([[20, 20, 40, 40], [0, 0, 20, 10]], np.float32)
    mask = np.zeros((2, 60, 80), bool)
    mask[0, 24:36, 24:36] = True
    mask[1, 2:8, 2:18] = True
    points = np.array([[[30, 30]], [[np.nan, np.nan]]], np.float32)
    return Sample(image=image, boxes=boxes, labels=np.array([0, 1]), masks=mask, points=points)


def colours(picture):
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_a_kept_box_is_blue_and_a_box_that_leaves_the_frame_is_struck_out():
    everything = preview.cell(plan.fixed((60, 80), (60, 80)), scene())
    assert preview.BLUE in colours(everything)
    assert preview.ORANGE not in colours(everything)
    moved = preview.cell(plan.Drawn(size_in=(60, 80), move=crop((16, 0, 80, 60), (60, 64))), scene())
    assert moved[5, 0].tolist() == list(preview.ORANGE)
    assert moved[20, 10].tolist() == list(preview.BLUE)
    gone = preview.cell(plan.Drawn(size_in=(60, 80), move=crop((42, 0, 80, 60), (60, 38))), scene())
    assert colours(gone) == {(90, 90, 90)}


def test_the_strike_crosses_what_is_left_of_the_box():
    boxes = np.array([[0, 0, 100, 30]], np.float32)
    sample = Sample(image=np.zeros((60, 120, 3), np.uint8), boxes=boxes, labels=np.array([0]))
    drawn = plan.Drawn(size_in=(60, 120), move=crop((80, 0, 120, 60), (60, 40)))
    struck = (preview.cell(drawn, sample) == preview.ORANGE).all(axis=2)
    assert struck[14:16, 9:11].any()
    assert not struck[31:].any()


def test_masks_and_points_move_along():
    flip = Move(matrix([[-1, 0, 80], [0, 1, 0]]), (60, 80))
    plain, mirrored = (
        preview.cell(plan.Drawn(size_in=(60, 80), move=move), scene())
        for move in (crop((0, 0, 80, 60), (60, 80)), flip)
    )
    assert (plain[28:33, 46:54] == 90).all()
    assert (mirrored[30, 50] == preview.BLUE).all()
    assert (mirrored[25, 45] == plain[25, 34]).all()
    assert (mirrored[25, 45] != 90).any()


def test_the_sheet_shows_each_image_and_what_the_epochs_of_a_run_would_see():
    options = AugmentationOptions(crop_scale=0.5, rotate=20)
    page = preview.sheet([scene(), scene()], options, (48, 64), seed=3, count=4)
    drawn = plan.draw(options, plan.rng(3, 1, 1), (60, 80), (48, 64))
    expected = preview.cell(drawn, scene())
    left, top = preview.GAP + 2 * (64 + preview.GAP), preview.GAP + 48 + preview.CAPTION + preview.GAP
    assert (page[top : top + 48, left : left + 64] == expected).all()
    assert (page == preview.sheet([scene(), scene()], options, (48, 64), seed=3, count=4)).all()


@pytest.mark.parametrize("mirror", [False, True])
def test_words_say_scale_mirror_and_angle(mirror):
    turn = np.radians(20)
    rows = [[2 * np.cos(turn), -2 * np.sin(turn), 0], [2 * np.sin(turn), 2 * np.cos(turn), 0]]
    flip = matrix([[-1, 0, 40], [0, 1, 0]]) if mirror else np.eye(3)
    move = Move(matrix(rows) @ flip, (40, 40))
    words = preview.said(plan.Drawn(size_in=(40, 40), move=move, noise=0.1))
    assert words == ("x2 mirrored +20° noise" if mirror else "x2 +20° noise")
