import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.geometry import boxes as boxes_
from convworks.geometry import move
from convworks.geometry.move import Move, matrix

SIZE = (30, 40)
share = st.floats(0.25, 4)
shift = st.floats(-20, 20)


numbers = st.tuples(st.floats(-3, 3), st.floats(-0.5, 0.5), share, share, shift, shift)


def affine(drawn):
    angle, lean, across, down, x, y = drawn
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[across, lean], [0, down]])
    return Move(matrix(np.hstack([linear, [[x], [y]]]).tolist()), SIZE)


@given(numbers, numbers)
def test_two_moves_as_one_send_points_where_the_two_do(first, second):
    first, second = affine(first), affine(second)
    points = np.random.default_rng(0).uniform(0, 30, (5, 2))
    assert first.then(second).points(points) == pytest.approx(second.points(first.points(points)), abs=1e-6)
    assert first.then(second).size == second.size


@given(numbers)
def test_a_move_and_its_inverse_leave_points_where_they_were(drawn):
    there = affine(drawn)
    points = np.random.default_rng(0).uniform(0, 30, (5, 2))
    assert there.then(there.inverse(SIZE)).points(points) == pytest.approx(points, abs=1e-6)


@given(numbers)
def test_a_moved_box_holds_its_moved_corners_and_no_smaller_box_does(drawn):
    there = affine(drawn)
    corners = np.array([[2.0, 3.0], [11, 3], [11, 8], [2, 8]])
    moved = there.points(corners)
    found = there.boxes(np.array([[2.0, 3.0, 11, 8]]))[0]
    assert found == pytest.approx(np.concatenate([moved.min(axis=0), moved.max(axis=0)]))


def test_points_keep_their_kind_and_hidden_ones_stay_hidden():
    points = np.array([[[1, 2], [np.nan, np.nan]]], np.float32)
    moved = move.crop((1, 0, 3, 4), (8, 4)).points(points)
    assert moved.dtype == np.float32
    assert moved[0, 0].tolist() == [0, 4]
    assert np.isnan(moved[0, 1]).all()


def test_a_perspective_move_divides_by_depth():
    tilted = Move(matrix([[1, 0, 0], [0, 1, 0], [0.1, 0, 1]]), (10, 10))
    assert tilted.points(np.array([[10.0, 4.0]]))[0] == pytest.approx([5, 2])
    assert not tilted.is_affine


def test_one_flip_mirrors_and_two_do_not():
    flip = Move(matrix([[-1, 0, 40], [0, 1, 0]]), SIZE)
    assert flip.mirrors
    assert not flip.then(Move(matrix([[1, 0, 0], [0, -1, 30]]), SIZE)).mirrors


def test_a_box_half_out_of_an_upright_frame_is_cut_and_its_share_said():
    found, shown = move.crop((10, 0, 20, 10), (20, 20)).seen(
        np.array([[5, 2, 15, 4], [30, 0, 40, 9], [3, 3, 3, 8]], np.float32)
    )
    assert found.tolist() == [[0, 4, 10, 8], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert shown.tolist() == [0.5, 0, 0]


@pytest.mark.parametrize("tilt", [0.0, 0.004])
def test_what_a_turned_frame_shows_of_boxes_agrees_with_points_sown_in_them(tilt):
    generator = np.random.default_rng(0)
    for _ in range(20):
        angle = generator.uniform(-1, 1)
        rows = [
            [np.cos(angle), -np.sin(angle), generator.uniform(-9, 9)],
            [np.sin(angle), np.cos(angle), 0],
            [tilt, tilt / 2, 1],
        ]
        there = Move(matrix(rows), (24, 32))
        low = generator.uniform(0, 20, (4, 2))
        boxes = np.concatenate([low, low + generator.uniform(3, 18, (4, 2))], axis=1)
        found, shown = there.seen(boxes)
        for box, seen, part in zip(boxes, found, shown, strict=True):
            sown = generator.uniform(box[:2], box[2:], (20000, 2))
            moved = there.points(sown)
            inside = ((moved >= 0) & (moved < [32, 24])).all(axis=1)
            assert part == pytest.approx(inside.mean(), abs=0.02)
            if inside.sum() > 2000:
                tight = np.concatenate([moved[inside].min(axis=0), moved[inside].max(axis=0)])
                assert boxes_.iou(tight[None], seen[None])[0, 0] > 0.93


def test_a_quarter_turn_shows_boxes_on_the_frames_edge_whole_and_others_in_part():
    there = Move(matrix([[0, -1, 30], [1, 0, 0]]), (40, 30))
    boxes = np.array([[0, 0, 40, 30], [30, 10, 50, 20], [40, 0, 50, 30], [5, 5, 5, 9]], np.float32)
    found, shown = there.seen(boxes)
    assert found.tolist() == [[0, 0, 30, 40], [10, 30, 20, 40], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert shown.tolist() == [1, 0.5, 0, 0]


def test_seen_gives_full_shapes_for_no_boxes():
    for there in (move.identity(SIZE), Move(matrix([[0.8, 0.6, 0], [-0.6, 0.8, 3]]), SIZE)):
        found, shown = there.seen(np.zeros((0, 4), np.float32))
        assert found.shape == (0, 4)
        assert shown.shape == (0,)


def test_scales_are_those_of_the_matrix_and_of_the_middle_in_perspective():
    assert move.scales(move.crop((0, 0, 10, 20), (5, 40))) == pytest.approx((4, 0.25))
    there = Move(matrix([[1.3, 0.2, 3], [-0.1, 0.9, 2], [0.002, 0.001, 1]]), (20, 20))
    middle = there.inverse((20, 20)).points(np.array([10.0, 10.0]))
    nearby = there.points(middle + np.array([[1e-4, 0], [0, 1e-4]])) - there.points(middle)
    assert move.scales(there) == pytest.approx(np.linalg.norm(nearby, axis=1) / 1e-4, rel=1e-3)
