"""What was said of a picture is drawn where it was said to be, into a copy."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.data.raster import to_runs
from convworks.report.drawn import boxes_on, drawn, masks_on
from convworks.report.overlay import colours
from convworks.samples import Classification, Detection, Found, Localization, Segmentation

NAMES = ("cat", "dog")


def grey() -> np.ndarray:
    return np.full((120, 160, 3), 128, np.uint8)


def test_a_box_is_drawn_on_its_last_pixels_and_nothing_beyond_it() -> None:
    image = grey()
    made = boxes_on(image, [("dog", float("nan"), (40, 50, 100, 110))], NAMES)
    shade = colours(2)[1]
    assert (made[[50, 109], 70] == shade).all()
    assert (made[80, [40, 99]] == shade).all()
    assert (made[80, 45:95] == 128).all()
    assert (made[111:] == 128).all()
    assert (image == 128).all()


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (159, 119, 160, 120), (0, 0, 160, 120), (3, 3, 3, 3)])
def test_the_smallest_and_the_largest_box_can_be_drawn(box: tuple[int, int, int, int]) -> None:
    made = boxes_on(grey(), [("cat", 0.5, box)], NAMES)
    assert made.shape == (120, 160, 3)
    assert (made != 128).any()


def test_every_kind_of_answer_is_drawn_in_its_way() -> None:
    one = Found(name="cat", probability=0.9, box=(10, 20, 60, 70))
    found = drawn(grey(), Detection(found=(one,), size=(160, 120)), NAMES)
    same = Localization(names=NAMES, probabilities=(0.9, 0.1), box=one.box, size=(160, 120))
    assert np.array_equal(drawn(grey(), same, NAMES), found)
    assert np.array_equal(drawn(grey(), Detection(found=(), size=(160, 120)), NAMES), grey())
    assert np.array_equal(drawn(grey(), Classification(names=NAMES, probabilities=(0.9, 0.1)), NAMES), grey())
    half = np.zeros((120, 160), np.uint8)
    half[:, 80:] = 1
    painted = drawn(grey(), Segmentation(class_map=half, names=NAMES), NAMES)
    assert (painted[5, 5] != painted[5, 150]).any()


def test_a_mask_is_drawn_over_its_pixels_with_a_light_edge() -> None:
    mask = np.zeros((120, 160), np.bool_)
    mask[40:80, 50:100] = True
    one = Found(name="dog", probability=0.9, box=(50, 40, 100, 80), runs=to_runs(mask))
    made = masks_on(grey(), [(1, one.runs)], colours(2))
    assert (made[~mask] == 128).all()
    assert (made[40, 50:100] == 255).all()
    inner = made[60, 75].astype(int) - 128
    assert (np.sign(inner) == np.sign(colours(2)[1].astype(int) - 128)).all()
    whole = drawn(grey(), Detection(found=(one,), size=(160, 120)), NAMES)
    assert (whole[60, 75] == made[60, 75]).all()
