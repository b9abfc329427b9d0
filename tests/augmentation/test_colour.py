import colorsys

import numpy as np
import pytest

from convworks.augmentation import colour

LUMA = np.array(colour.LUMA)


def painted(*rgb):
    return np.array([[rgb]], np.uint8)


def test_each_linear_operation_does_nothing_in_the_middle_of_its_range():
    for name in ("brightness", "contrast", "saturation", "hue"):
        assert colour.LINEAR[name][1]((0.5,), 0.4).matrix() == pytest.approx(np.eye(3, 4)), name
    assert colour.grayscale((0.9,), 0.5).matrix() == pytest.approx(np.eye(3, 4))


def test_brightness_multiplies_contrast_leaves_middle_grey_saturation_and_hue_leave_the_light():
    rgb = np.array([200.0, 90, 40, 1])
    assert colour.brightness((1.0,), 0.2).matrix() @ rgb == pytest.approx([240, 108, 48])
    grey = np.array([127.5, 127.5, 127.5, 1])
    assert colour.contrast((0.1,), 0.9).matrix() @ grey == pytest.approx(grey[:3])
    for operation in (colour.saturation, colour.hue):
        for number in (0.0, 0.2, 0.8):
            assert LUMA @ operation((number,), 0.5).matrix() @ rgb == pytest.approx(LUMA @ rgb[:3])
            assert operation((number,), 0.5).matrix() @ grey == pytest.approx(grey[:3])


def test_hue_turns_as_the_colour_circle_does_and_a_whole_turn_returns():
    turn = colour.hue((1.0,), 1 / 3)
    assert colour.hue((1.0,), 1.0).matrix() == pytest.approx(np.eye(3, 4))
    assert turn.then(turn).then(turn) == pytest.approx(colour.Tint())
    red, green, blue = turn.matrix() @ [160, 100, 100, 1]
    assert colorsys.rgb_to_hsv(red, green, blue)[0] == pytest.approx(1 / 3)


def test_grayscale_makes_all_channels_the_light():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    grey = colour.apply(image.copy(), colour.grayscale((0.0,), 1.0), None)
    assert np.abs(grey - (image @ LUMA)[..., None]).max() <= 1


def test_composed_tints_equal_the_operations_one_after_the_other_without_cutting_off_between():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    steps = [
        colour.brightness((0.9,), 0.3),
        colour.saturation((0.2,), 0.4),
        colour.contrast((0.1,), 0.5),
        colour.hue((0.7,), 0.2),
    ]
    values, joined = image.astype(float), colour.Tint()
    for step in steps:
        matrix = step.matrix()
        values, joined = values @ matrix[:, :3].T + matrix[:, 3], joined.then(step)
    expected = np.clip(values, 0, 255)
    made = colour.apply(image.copy(), joined, None)
    assert np.abs(made - expected).max() <= 1


def test_curves_keep_their_closed_forms():
    values = np.arange(256)
    assert (colour.gamma((0.5,), 1.0) == values).all()
    assert colour.gamma((1.0,), 1.0)[128] == round(255 * (128 / 255) ** 2)
    assert (colour.invert((0.0,), 1.0) == 255 - values).all()
    assert (colour.solarise((0.0,), 1.0)[:255] == values[:255]).all()
    assert (colour.solarise((1.0,), 1.0) == 255 - values).all()
    assert len(set(colour.posterise((1.0,), 5 / 7).tolist())) == 8
    assert (colour.posterise((0.0,), 1.0) == values).all()


def test_the_table_is_looked_up_after_the_matrix():
    made = colour.apply(painted(10, 20, 30), colour.brightness((1.0,), 1.0), colour.invert((0.0,), 1.0))
    assert made.tolist() == [[[235, 215, 195]]]


def test_normalising_is_per_channel_and_lands_in_the_array_that_is_given():
    out = np.zeros((1, 1, 3), np.float32)
    made = colour.normalise(painted(255, 0, 51), (0.5, 0.25, 0.2), (0.5, 0.25, 2), out)
    assert np.shares_memory(made, out)
    assert out[0, 0] == pytest.approx([1, -1, 0], abs=1e-6)
