"""Each way to be wrong is told from the others."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.metrics.detection_errors import KINDS, PASSED, RIGHT, counts, judged, lost
from convworks.metrics.matches import Evidence, coco_matches
from convworks.samples import CROWD, DIFFICULT

TRUTH = [[0, 0, 10, 10], [50, 50, 70, 70]]


def seen(found: list, labels: list, truth: list = TRUTH, aside: list | None = None) -> Evidence:
    boxes = np.array(found, np.float32).reshape(-1, 4)
    true = np.array(truth, np.float32).reshape(-1, 4)
    flags = np.array(aside or [0] * len(true), np.uint8)
    scores = np.linspace(0.9, 0.5, len(boxes))
    rows = coco_matches(boxes, scores, np.array(labels, np.int64), true, np.zeros(len(true), np.int64), flags)
    return {**rows, "boxes": boxes, "truth": true, "aside": flags}


@pytest.mark.parametrize(
    ("box", "label", "kind"),
    [
        ([0, 0, 10, 10], 1, "class"),
        ([0, 0, 10, 4], 0, "box"),
        ([0, 0, 10, 4], 1, "both"),
        ([80, 80, 90, 90], 0, "background"),
    ],
)
def test_a_wrong_find_is_wrong_in_one_way(box: list, label: int, kind: str) -> None:
    found = judged(seen([box], [label]))
    assert [KINDS[place] for place in found.kinds.tolist()] == [kind]


def test_the_second_find_of_an_object_is_found_twice() -> None:
    found = judged(seen([TRUTH[0], [0, 0, 10, 9]], [0, 0]))
    assert found.kinds.tolist() == [RIGHT, KINDS.index("twice")]
    assert found.missed.tolist() == [False, True]


def test_an_object_that_some_find_meant_is_not_missed_besides() -> None:
    found = judged(seen([[0, 0, 10, 4], [50, 50, 70, 70]], [0, 1]))
    assert found.means.tolist() == [0, 1]
    assert not found.missed.any()


def test_what_does_not_count_is_neither_right_nor_wrong_nor_missed() -> None:
    found = judged(seen([TRUTH[0]], [0], aside=[CROWD, DIFFICULT]))
    assert found.kinds.tolist() == [PASSED]
    assert not found.missed.any()


def test_only_finds_of_the_score_are_asked_and_nothing_is_no_trouble() -> None:
    assert counts([seen([TRUTH[0], [80, 80, 90, 90]], [0, 0])], 0.8) == {
        "right": 1, "class": 0, "box": 0, "both": 0, "twice": 0, "background": 0, "missed": 1,
    }  # fmt: skip
    assert sum(counts([seen([], [], []), seen([], [])], 0.0).values()) == 2


def square(place: float, side: float = 10.0) -> list[float]:
    return [place, place, place + side, place + side]


def test_what_a_kind_costs_is_what_the_score_gains_without_it() -> None:
    """One class, two objects: found by the first, and by the third after one wrong find: AP .5 x 1 + .5 x 2/3."""
    whole = pytest.approx(1 - (51 + 50 * 2 / 3) / 101)
    for wrong, kind in (([80, 80, 90, 90], "background"), ([0, 0, 10, 9], "twice")):
        costs = lost([seen([TRUTH[0], wrong, TRUTH[1]], [0, 0, 0])], 1)
        assert costs[kind] == whole
        assert all(value == 0 for other, value in costs.items() if other != kind)


@pytest.mark.parametrize(("wrong", "label", "kind"), [([50, 50, 70, 58], 0, "box"), (TRUTH[1], 1, "class")])
def test_a_find_that_means_an_object_finds_it_when_put_right(wrong: list, label: int, kind: str) -> None:
    costs = lost([seen([TRUTH[0], wrong], [0, label])], 2)
    assert costs[kind] == pytest.approx(50 / 101), "half of the objects were found before, all after"
    assert costs["missed"] == 0


def test_of_two_finds_that_mean_an_object_one_is_put_right_and_the_other_goes() -> None:
    poor, poorer = [50, 50, 70, 58], [50, 50, 70, 57]
    assert lost([seen([TRUTH[0], poor, poorer], [0, 0, 0])], 1)["box"] == pytest.approx(50 / 101)
    taken = lost([seen([TRUTH[0], [0, 0, 10, 4], TRUTH[1]], [0, 0, 0])], 1)
    assert taken["box"] == pytest.approx(1 - (51 + 50 * 2 / 3) / 101), (
        "its object has been found: it only goes"
    )


def test_an_object_that_is_missed_costs_what_it_would_not_have_to_be_found() -> None:
    costs = lost([seen([TRUTH[0]], [0]), seen([], [], [square(5)])], 1)
    assert costs["missed"] == pytest.approx(1 - 34 / 101)
    assert sum(abs(value) for kind, value in costs.items() if kind != "missed") == 0


def test_each_kind_costs_nothing_where_nothing_is_wrong() -> None:
    costs = lost([seen(TRUTH, [0, 0])], 1)
    assert set(costs) == {*KINDS, "missed"}
    assert not any(costs.values())
