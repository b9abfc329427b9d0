import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.augmentation import moves, plan
from convworks.geometry.move import Move
from convworks.recipe.options import AugmentationOptions

SIZE = (60, 80)
numbers = st.tuples(*[st.floats(0, 1, exclude_max=True)] * 4)
side = st.integers(1, 300)


def random_crop(drawn, size, size_out, smallest):
    return moves.random_crop(drawn, size, (0, 0, size[1], size[0]), size_out, smallest)


@given(numbers, side, side, side, side, st.floats(0.01, 1))
def test_a_random_crop_lies_in_the_image_and_keeps_the_share_asked_where_the_proportions_allow(
    drawn, height, width, out_height, out_width, smallest
):
    left, top, right, bottom = random_crop(drawn, (height, width), (out_height, out_width), smallest)
    assert -1e-6 <= left < right <= width * (1 + 1e-9)
    assert -1e-6 <= top < bottom <= height * (1 + 1e-9)
    kept = (right - left) * (bottom - top) / (height * width)
    aspect = (right - left) / (bottom - top) / (out_width / out_height)
    touches = right - left > width * 0.999 or bottom - top > height * 0.999
    assert kept >= smallest * 0.999 or touches
    assert 1 / moves.ASPECT * 0.999 <= aspect <= moves.ASPECT * 1.001 or touches


def test_random_crops_reach_every_part_of_the_image():
    generator = np.random.default_rng(0)
    hits = np.zeros((6, 8), int)
    for _ in range(500):
        box = random_crop(generator.random(4).tolist(), SIZE, (32, 32), 0.1)
        left, top, right, bottom = (int(edge) // 10 for edge in box)
        hits[top : bottom + 1, left : right + 1] += 1
    assert hits.min() > 25


def test_a_crop_of_everything_is_the_largest_in_the_middle():
    assert random_crop((0.3,) * 4, SIZE, (32, 32), 1.0) == (10, 0, 70, 60)


@given(numbers, st.floats(0.05, 0.99))
def test_a_crop_of_a_letterboxed_image_shows_as_much_of_the_image_as_it_can(drawn, smallest):
    left, top, right, bottom = moves.random_crop(drawn, (100, 100), (0, 40, 100, 60), (50, 50), smallest)
    assert -1e-9 <= left < right <= 100 + 1e-9
    if bottom - top > 20:
        assert top <= 40 + 1e-9
        assert bottom >= 60 - 1e-9
    else:
        assert 40 - 1e-9 <= top < bottom <= 60 + 1e-9


@pytest.mark.parametrize("name", ["rotate", "shear", "scale", "perspective"])
def test_the_middle_of_the_frame_stays_where_it_is(name):
    for number in (0.0, 0.3, 0.9):
        made = Move(moves.OPERATIONS[name]((number, 0.7, 0.2, 0.2), SIZE, 0.3), SIZE)
        assert made.points(np.array([40.0, 30.0])) == pytest.approx([40, 30])


@pytest.mark.parametrize("name", ["rotate", "shear", "scale", "perspective", "translate"])
def test_numbers_in_the_middle_do_nothing(name):
    assert moves.OPERATIONS[name]((0.5,) * 4, SIZE, 0.3) == pytest.approx(np.eye(3))


def test_rotation_keeps_lengths_and_turns_by_the_angle():
    made = moves.rotate((1.0,), SIZE, 30)
    assert made[:2, :2] @ [1, 0] == pytest.approx([np.cos(np.pi / 6), 0.5])
    assert np.linalg.det(made) == pytest.approx(1)


def test_a_scale_of_one_doubles_at_most_and_halves_at_least():
    assert moves.scale((1.0,), SIZE, 1.0)[0, 0] == pytest.approx(2)
    assert moves.scale((0.0,), SIZE, 1.0)[0, 0] == pytest.approx(0.5)


def test_a_flip_happens_as_often_as_asked():
    generator = np.random.default_rng(0)
    for name in ("flip_horizontal", "flip_vertical"):
        drawn = [moves.OPERATIONS[name](generator.random(4).tolist(), SIZE, 0.5) for _ in range(2000)]
        mirrored = np.mean([np.linalg.det(matrix) < 0 for matrix in drawn])
        assert mirrored == pytest.approx(0.5, abs=0.04)


def test_the_far_edge_is_shorter_than_the_near_one_by_the_share():
    made = Move(moves.perspective((1.0, 0.5), SIZE, 0.2), SIZE)
    corners = made.points(np.array([[0.0, 0], [80, 0], [80, 60], [0, 60]]))
    near, far = corners[3, 1] - corners[0, 1], corners[2, 1] - corners[1, 1]
    assert far / near == pytest.approx(0.9 / 1.1)


def test_no_draw_at_full_strength_brings_the_horizon_into_the_frame():
    options = AugmentationOptions(
        rotate=180, translate=0.9, shear=60, scale=3.0, perspective=0.9, trivial=1.0, crop_scale=0.01
    )
    corners = np.array([[0, 0, 1], [64, 0, 1], [64, 48, 1], [0, 48, 1]])
    for index in range(300):
        drawn = plan.draw(options, plan.rng(0, 0, index), SIZE, (48, 64))
        assert (np.linalg.inv(drawn.move.matrix) @ corners.T)[2].min() > 0


def test_perspective_keeps_the_frame_before_the_horizon_at_its_strongest():
    for number in (0.0, 1.0):
        for other in (0.0, 1.0):
            matrix = moves.perspective((number, other), SIZE, 0.9)
            corners = np.array([[0, 0, 1], [80, 0, 1], [80, 60, 1], [0, 60, 1]])
            assert (np.linalg.inv(matrix) @ corners.T)[2].min() > 0


@given(numbers, numbers, st.floats(-2, 2), st.floats(0.3, 3))
def test_inside_shows_nothing_but_the_image_and_keeps_what_already_does(drawn, more, angle, zoom):
    turned = moves.rotate((angle / 2 % 1,), SIZE, 180)
    tilted = moves.perspective(drawn, SIZE, 0.5)
    move = Move(tilted @ moves.scale(more, SIZE, zoom) @ turned, SIZE)
    kept = moves.inside(move, SIZE)
    left, top, right, bottom = kept.reach()
    assert min(left, top) >= -1e-6
    assert right <= 80 + 1e-6
    assert bottom <= 60 + 1e-6
    again = moves.inside(kept, SIZE)
    assert again.matrix / again.matrix[2, 2] == pytest.approx(kept.matrix / kept.matrix[2, 2], abs=1e-4)
