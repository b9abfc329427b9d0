"""What is proposed for boxes follows the smallest and the largest class, however few objects they have."""

from __future__ import annotations

from typing import Any

import pytest

from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.propose import BackboneFacts
from convworks.recipe.scenes import frame_side, propose_scene, strides

SMALL, USUAL, LARGE = (30.0, 38.0, 49.0), (88.0, 102.0, 115.0), (124.0, 189.0, 232.0)


def seen(**changes: Any) -> Fingerprint:
    """Blood cells: nine in ten objects are of the usual size."""
    given: dict[str, Any] = {
        "task": "detection",
        "counts": {"platelet": 150, "red": 205, "white": 200},
        "widths": (640.0,) * 3,
        "heights": (480.0,) * 3,
        "short_sides": (480.0,) * 3,
        "objects": (81.0, 102.0, 122.0),
        "by_class": {"platelet": SMALL, "red": USUAL, "white": LARGE},
        "total": 205,
    }
    return Fingerprint(**{**given, **changes})


def test_a_rare_small_class_makes_the_frame_larger() -> None:
    assert frame_side(seen())[0] == 544, "32 pixels for 38 of a picture of 640"
    assert frame_side(seen(by_class={}))[0] == 320
    assert "38 px" in frame_side(seen())[1]


def test_a_rare_large_class_is_looked_for_on_a_coarser_map() -> None:
    assert strides(seen(), 544)[:2] == (8, 16)
    assert strides(seen(by_class={}), 544)[:2] == (8, 8)


@pytest.mark.parametrize("by_class", [{}, {"only": USUAL}])
def test_a_class_of_the_usual_size_changes_nothing(by_class: dict[str, tuple[float, float, float]]) -> None:
    assert seen(by_class=by_class).common == (81.0, 122.0)


def test_what_is_frozen_of_the_default_net_is_what_costs_most() -> None:
    light = BackboneFacts(name="efficientnet-lite0", size=224, pretrained=True)
    assert propose_scene(seen(), light).transfer.freeze == 3
    assert propose_scene(seen(), BackboneFacts(name="vgg16", size=224, pretrained=True)).transfer.freeze == 2
