"""Each way to be wrong is told from the others."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.metrics.detection_errors import KINDS, PASSED, RIGHT, counts, kinds
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
    found, _ = kinds(seen([box], [label]), 0.0)
    assert [KINDS[place] for place in found.tolist()] == [kind]


def test_the_second_find_of_an_object_is_found_twice() -> None:
    found, missed = kinds(seen([TRUTH[0], [0, 0, 10, 9]], [0, 0]), 0.0)
    assert found.tolist() == [RIGHT, KINDS.index("twice")]
    assert missed.tolist() == [1]


def test_an_object_that_some_find_meant_is_not_missed_besides() -> None:
    _, missed = kinds(seen([[0, 0, 10, 4], [50, 50, 70, 70]], [0, 1]), 0.0)
    assert missed.tolist() == []


def test_what_does_not_count_is_neither_right_nor_wrong_nor_missed() -> None:
    found, missed = kinds(seen([TRUTH[0]], [0], aside=[CROWD, DIFFICULT]), 0.0)
    assert found.tolist() == [PASSED]
    assert missed.tolist() == []


def test_only_finds_of_the_score_are_asked_and_nothing_is_no_trouble() -> None:
    assert counts([seen([TRUTH[0], [80, 80, 90, 90]], [0, 0])], 0.8) == {
        "right": 1, "class": 0, "box": 0, "both": 0, "twice": 0, "background": 0, "missed": 1,
    }  # fmt: skip
    assert sum(counts([seen([], [], []), seen([], [])], 0.0).values()) == 2
