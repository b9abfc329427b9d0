"""Each cue has its closed form on toy pictures, Bayes' rule is exact, and few windows find many objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convworks.data.synthetic import flat_scene
from convworks.errors import DataError
from convworks.geometry.boxes import iou
from convworks.regions import objectness
from convworks.regions.objectness import (
    Material,
    Objectness,
    _one_hot,
    _summed,
    contrast,
    density,
    prepared,
    salience,
    straddling,
)

BOX = np.array([[20.0, 30, 60, 70]])


def square() -> np.ndarray:
    """A red square of 40 pixels on blue."""
    image = np.zeros((100, 120, 3), np.uint8)
    image[...] = 30, 60, 200
    image[30:70, 20:60] = 200, 40, 30
    return image


def halves() -> Material:
    """A picture of 100 x 120 whose superpixels are a square of 40 and the rest."""
    parts = np.zeros((100, 120), np.int64)
    parts[30:70, 20:60] = 1
    return replace(prepared(square()), parts=_summed(_one_hot(parts)))


def test_a_window_along_superpixels_straddles_none() -> None:
    assert straddling(halves(), BOX)[0] == 1
    assert straddling(halves(), np.array([[0.0, 0, 120, 100]]))[0] == 1
    # The smoothing before the segmentation leaves a seam of a pixel around the square.
    assert straddling(prepared(square()), BOX)[0] > 0.99


def test_a_window_loses_the_smaller_side_of_what_it_cuts() -> None:
    material = halves()
    # 800 of the square's 1,600: all of the window
    assert straddling(material, np.array([[40.0, 30, 60, 70]]))[0] == 0
    # 400 of the square and 400 of the background: again all
    assert straddling(material, np.array([[10.0, 30, 30, 70]]))[0] == 0
    # the whole square, and 800 of the background's 10,400
    assert straddling(material, np.array([[20.0, 30, 80, 70]]))[0] == pytest.approx(1 - 800 / 2400)


def test_colours_that_differ_altogether_are_2_apart_and_those_alike_0() -> None:
    material = prepared(square())
    assert contrast(material, BOX)[0] == pytest.approx(2, abs=1e-5)
    assert contrast(material, np.array([[80.0, 10, 100, 30]]))[0] == pytest.approx(0, abs=1e-5)
    assert contrast(material, np.array([[0.0, 0, 120, 100]]))[0] == 0


def test_edges_count_in_the_ring_for_each_pixel_of_its_border() -> None:
    material = prepared(square())
    around, inside = density(material, np.array([[18.0, 28, 62, 72], [30, 40, 50, 60]]))
    assert around == pytest.approx(4 * 40 / (4 * 44), rel=0.1)
    assert inside == 0


def test_what_stands_out_is_salient() -> None:
    image = np.random.default_rng(0).integers(100, 130, (96, 96, 3), dtype=np.uint8)
    image[30:60, 40:70] = 250, 20, 20
    found = salience(prepared(image), np.array([[38.0, 28, 72, 62], [2, 2, 36, 36]]))
    assert found[0] > 3 * found[1]


def test_bayes_rule_is_exact() -> None:
    rule = Objectness(
        borders={"a": np.array([0.5]), "b": np.array([0.5])},
        evidence={"a": np.log([0.2 / 0.6, 0.8 / 0.4]), "b": np.log([0.5 / 0.9, 0.5 / 0.1])},
        prior=0.1,
    )
    found = rule.probability({"a": np.array([0.9, 0.1]), "b": np.array([0.9, 0.9])})
    both, one = 0.1 * 0.8 * 0.5, 0.1 * 0.2 * 0.5
    np.testing.assert_allclose(found, [both / (both + 0.9 * 0.4 * 0.1), one / (one + 0.9 * 0.6 * 0.1)])


def test_a_hundred_windows_find_twice_what_random_ones_do() -> None:
    classes = ["ellipse", "rectangle", "triangle"]
    drawn = [flat_scene(5, index, task="detection", classes=classes, size=(96, 96)) for index in range(16)]
    rule = objectness.learned([(one.image, one.boxes) for one in drawn[:8]], count=500)
    random = np.random.default_rng(0)
    found, chance = [], []
    for one in drawn[8:]:
        proposals = objectness.proposed(rule, one.image, 100)
        assert (np.diff(proposals.scores) <= 0).all()
        found.append(iou(proposals.boxes, one.boxes).max(0) >= 0.5)
        ends = np.sort(random.uniform(0, 96, (100, 2, 2)), 1).reshape(-1, 4)
        chance.append(iou(ends, one.boxes).max(0) >= 0.5)
    assert np.concatenate(found).mean() >= 2 * np.concatenate(chance).mean()


def test_no_object_is_said_and_tiny_pictures_are_no_trouble() -> None:
    with pytest.raises(DataError, match="object to learn"):
        objectness.learned([(square(), np.zeros((0, 4)))], count=50)
    for shape in ((1, 1), (1, 30), (30, 1)):
        material = prepared(np.zeros((*shape, 3), np.uint8))
        cues = objectness.measured(material, np.array([[0.0, 0, shape[1], shape[0]]]), tuple(objectness.CUES))
        assert all(np.isfinite(values).all() for values in cues.values())
