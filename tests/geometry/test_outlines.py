import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.geometry import outlines

SQUARE = [(0.0, 0.0), (6.0, 0.0), (6.0, 6.0), (0.0, 6.0)]


def test_the_area_of_a_triangle_whichever_way_round():
    triangle = [(0.0, 0.0), (4.0, 0.0), (0.0, 3.0)]
    assert outlines.area(triangle) == outlines.area(triangle[::-1]) == 6


def test_the_hull_holds_all_points_and_touches_each_side():
    points = np.random.default_rng(0).normal(size=(5, 7, 2))
    found = outlines.hull(points)
    assert (points >= found[:, None, :2]).all()
    assert (points <= found[:, None, 2:]).all()
    assert (outlines.hull(outlines.corners(found)) == found).all()


edge = st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-4, 4))


@given(st.lists(edge, min_size=1, max_size=4))
def test_a_cut_outline_covers_what_fine_points_on_the_right_side_of_every_edge_cover(edges):
    left = outlines.cut(SQUARE, edges)
    steps = np.arange(0.025, 6, 0.05)
    x, y = np.meshgrid(steps, steps)
    inside = np.ones_like(x, bool)
    for a, b, c in edges:
        inside &= a * x + b * y + c >= 0
    assert outlines.area(left) == pytest.approx(inside.mean() * 36, abs=0.05 * 12 * len(edges))
    if inside.mean() > 0.01:
        box = outlines.hull(np.array(left))
        assert box[0] <= x[inside].min() <= x[inside].max() <= box[2]
        assert box[1] <= y[inside].min() <= y[inside].max() <= box[3]


def test_edges_that_leave_nothing_give_an_empty_outline():
    assert outlines.cut(SQUARE, [(1.0, 0.0, -7.0), (0.0, 1.0, 0.0)]) == []
    assert outlines.area([]) == 0


def test_edges_that_take_nothing_leave_the_outline():
    assert outlines.cut(SQUARE, [(1.0, 0.0, 1.0)]) == SQUARE
