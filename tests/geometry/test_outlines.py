import numpy as np
import pytest

from convworks.geometry import outlines


def test_the_area_of_a_triangle_whichever_way_round():
    triangle = np.array([[[0.0, 0], [4, 0], [0, 3]]])
    assert outlines.area(triangle) == outlines.area(triangle[:, ::-1]) == 6


def test_the_hull_holds_all_points_and_touches_each_side():
    points = np.random.default_rng(0).normal(size=(5, 7, 2))
    found = outlines.hull(points)
    assert (points >= found[:, None, :2]).all()
    assert (points <= found[:, None, 2:]).all()
    assert (outlines.hull(outlines.corners(found)) == found).all()


def turned_frame(angle, middle, half):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return middle + (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half) @ turn.T


def test_what_a_frame_shares_with_boxes_agrees_with_counting_fine_pixels():
    generator = np.random.default_rng(0)
    step = 0.05
    grid = np.stack(np.meshgrid(np.arange(-4, 14, step), np.arange(-4, 14, step)), axis=-1) + step / 2
    for _ in range(20):
        frame = turned_frame(
            generator.uniform(0, 6.3), generator.uniform(2, 8, 2), generator.uniform(1, 5, 2)
        )
        frame = frame[::-1] if generator.random() < 0.5 else frame
        low = generator.uniform(0, 6, (3, 2))
        boxes = np.concatenate([low, low + generator.uniform(0.5, 5, (3, 2))], axis=1)
        shapes, found = outlines.shared(frame, boxes)
        edges = np.roll(frame, -1, axis=0) - frame
        offsets = grid[..., None, :] - frame
        sides = edges[:, 0] * offsets[..., 1] - edges[:, 1] * offsets[..., 0]
        in_frame = (sides >= 0).all(axis=-1) | (sides <= 0).all(axis=-1)
        for box, shape, some in zip(boxes, shapes, found, strict=True):
            both = in_frame & (grid > box[:2]).all(axis=-1) & (grid < box[2:]).all(axis=-1)
            assert both.sum() * step**2 == pytest.approx(
                outlines.area(shape[None])[0] if some else 0, abs=step * 12
            )
            if both.sum() > 50:
                seen = grid[both]
                assert outlines.hull(shape) == pytest.approx(
                    np.concatenate([seen.min(axis=0), seen.max(axis=0)]), abs=4 * step
                )


def test_a_frame_and_a_box_apart_share_nothing():
    _, found = outlines.shared(turned_frame(0.3, [0, 0], 1), np.array([[5.0, 5, 6, 6], [-1, -1, 1, 1]]))
    assert found.tolist() == [False, True]


def test_a_box_around_the_whole_frame_shares_the_frame():
    frame = turned_frame(0.4, [5, 5], 2)
    shape, _ = outlines.shared(frame, np.array([[-50.0, -50, 50, 50]]))
    assert outlines.area(shape)[0] == pytest.approx(16)
    assert outlines.hull(shape)[0] == pytest.approx(outlines.hull(frame))
