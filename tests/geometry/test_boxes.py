import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks.geometry import boxes


def painted(box, size):
    plane = np.zeros(size, bool)
    left, top, right, bottom = (int(edge) for edge in box)
    plane[top:bottom, left:right] = True
    return plane


whole_box = st.tuples(*[st.integers(0, 12)] * 4).map(
    lambda edges: (
        min(edges[0], edges[2]),
        min(edges[1], edges[3]),
        max(edges[0], edges[2]),
        max(edges[1], edges[3]),
    )
)


@given(st.lists(whole_box, max_size=4), st.lists(whole_box, max_size=4))
def test_iou_equals_counting_painted_pixels(first, second):
    found = boxes.iou(np.array(first, np.float32).reshape(-1, 4), np.array(second, np.float32).reshape(-1, 4))
    assert found.shape == (len(first), len(second))
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            both, either = painted(one, (12, 12)), painted(other, (12, 12))
            union = (both | either).sum()
            assert found[i, j] == pytest.approx((both & either).sum() / union if union else 0)


@given(whole_box)
def test_area_equals_the_number_of_painted_pixels(box):
    assert boxes.area(np.array([box], np.float32))[0] == painted(box, (12, 12)).sum()


def test_an_inside_out_box_has_no_area_and_overlaps_nothing():
    inverted = np.array([[5, 5, 1, 9]], np.float32)
    assert boxes.area(inverted)[0] == 0
    assert boxes.iou(inverted, np.array([[0, 0, 9, 9]], np.float32))[0, 0] == 0


@given(whole_box, st.integers(1, 12), st.integers(1, 12))
def test_clipping_paints_what_of_the_box_is_in_the_frame(box, height, width):
    clipped = boxes.clip(np.array([box], np.float32), (height, width))[0]
    assert (painted(clipped, (height, width)) == painted(box, (12, 12))[:height, :width]).all()


@pytest.mark.parametrize("source", ["xyxy", "xywh", "cxcywh"])
@pytest.mark.parametrize("target", ["xyxy", "xywh", "cxcywh"])
def test_every_spelling_converts_to_every_other_and_back(source, target):
    spelt = {"xyxy": [10, 20, 30, 60], "xywh": [10, 20, 20, 40], "cxcywh": [20, 40, 20, 40]}
    there = boxes.convert(np.array([spelt[source]], np.float32), source, target)
    assert there.tolist() == [spelt[target]]
    assert there.dtype == np.float32
    assert boxes.convert(there, target, source).tolist() == [spelt[source]]


def test_no_boxes_stay_no_boxes():
    nothing = np.zeros((0, 4), np.float32)
    assert boxes.area(nothing).shape == (0,)
    assert boxes.clip(nothing, (3, 3)).shape == (0, 4)
    assert boxes.convert(nothing, "xyxy", "cxcywh").shape == (0, 4)
    assert boxes.iou(nothing, np.ones((3, 4), np.float32)).shape == (0, 3)
