"""Average precision equals the published evaluations, number by number, and what can be worked out by hand."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from convworks.metrics import average_precision as ap
from convworks.metrics import matches
from convworks.metrics.matches import coco_matches, voc_matches
from convworks.samples import CROWD, DIFFICULT

Picture = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
STORED = json.loads((Path(__file__).parent / "coco_numbers.json").read_text())
"""Random sets with the twelve numbers that pycocotools gives for them, -1 for unknown."""


def picture(found: list, scores: list, labels: list, truth: list, names: list, aside: list) -> Picture:
    return (
        np.array(found, np.float64).reshape(-1, 4),
        np.array(scores, np.float64),
        np.array(labels, np.int64),
        np.array(truth, np.float64).reshape(-1, 4),
        np.array(names, np.int64),
        np.array(aside, np.int64),
    )


def twelve(pictures: list[Picture], classes: int) -> np.ndarray:
    numbers = ap.twelve(ap.table([coco_matches(*one) for one in pictures], classes))
    return np.nan_to_num(np.array(list(numbers.values())), nan=-1)


@pytest.mark.parametrize("number", range(len(STORED)))
def test_the_twelve_numbers_are_those_of_the_published_evaluation(number: int) -> None:
    stored = STORED[number]
    pictures = [picture(*one) for one in stored["images"]]
    np.testing.assert_allclose(twelve(pictures, stored["classes"]), stored["numbers"], atol=1e-6)


def random_set(seed: int) -> tuple[int, list[Picture]]:
    """A set with crowds, equal scores, equal overlaps, images without objects, and classes without boxes."""
    draw = np.random.default_rng(seed)
    classes, pictures = int(draw.integers(1, 5)), []
    for _ in range(int(draw.integers(1, 9))):
        g, n, span = int(draw.integers(0, 9)), int(draw.integers(0, 25)), float(draw.choice([40, 150, 400]))
        corners = draw.uniform(0, span, (g, 2))
        truth = np.concatenate([corners, corners + draw.uniform(1, span, (g, 2))], 1)
        found = np.tile([0.0, 0, 30, 30], (n, 1))
        if g and n:
            noise = draw.normal(0, span / 15, (n, 4)) * draw.choice([0, 0.3, 1, 3], (n, 1))
            found = truth[draw.integers(0, g, n)] + noise
            found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 0.5)
        if draw.random() < 0.3:
            truth, found = truth.round(), found.round()
            truth[:, 2:] = np.maximum(truth[:, 2:], truth[:, :2] + 1)
            found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        scores = draw.random(n).round(int(draw.choice([1, 6])))
        aside = np.where(draw.random(g) < 0.15, CROWD, 0)
        pictures.append(
            (found, scores, draw.integers(0, classes, n), truth, draw.integers(0, classes, g), aside)
        )
    return classes, pictures


@pytest.mark.slow
def test_two_hundred_random_sets_are_counted_as_pycocotools_counts_them() -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed here")
    from pycocotools.cocoeval import COCOeval

    for seed in range(200):
        classes, pictures = random_set(seed)
        true, said = [], []
        for image, (found, scores, labels, truth, names, aside) in enumerate(pictures):
            for box, name, kind in zip(truth.tolist(), names.tolist(), aside.tolist(), strict=True):
                x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
                about = {"image_id": image, "category_id": name, "iscrowd": int(kind == CROWD), "area": w * h}
                true.append({"id": len(true) + 1, "bbox": [x, y, w, h], **about})
            for box, score, name in zip(found.tolist(), scores.tolist(), labels.tolist(), strict=True):
                shape = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                said.append({"image_id": image, "category_id": name, "score": score, "bbox": shape})
        if not said:
            continue
        images = [{"id": place} for place in range(len(pictures))]
        categories = [{"id": place, "name": str(place)} for place in range(classes)]
        with contextlib.redirect_stdout(io.StringIO()):
            truths = coco.COCO()
            truths.dataset = {"images": images, "annotations": true, "categories": categories}
            truths.createIndex()
            theirs = COCOeval(truths, truths.loadRes(said), "bbox")
            theirs.evaluate()
            theirs.accumulate()
            theirs.summarize()
        np.testing.assert_allclose(twelve(pictures, classes), theirs.stats, atol=1e-6, err_msg=str(seed))


def test_rows_of_parts_add_up_whatever_their_order() -> None:
    classes, pictures = random_set(7)
    draw = np.random.default_rng(1)
    rows = [coco_matches(one[0], draw.random(len(one[0])), *one[2:]) for one in pictures]
    whole, other = ap.table(rows, classes), ap.table(rows[::-1], classes)
    np.testing.assert_allclose(whole.precision, other.precision)


def test_nothing_found_is_worth_nothing_and_nothing_there_is_unknown() -> None:
    missed = coco_matches(*picture([], [], [], [[0, 0, 50, 50]], [0], [0]))
    numbers = ap.twelve(ap.table([missed], 2))
    assert numbers["AP"] == numbers["AR100"] == numbers["AP medium"] == 0
    assert np.isnan(numbers["AP small"])
    assert np.isnan(ap.by_class(ap.table([missed], 2))[1])
    assert all(np.isnan(value) for value in ap.twelve(ap.table([], 2)).values())


def test_a_difficult_object_is_neither_missed_nor_wrongly_found() -> None:
    both = [[0, 0, 10, 10], [20, 20, 30, 30]]
    rows = coco_matches(*picture(both, [0.9, 0.8], [0, 0], both, [0, 0], [0, DIFFICULT]))
    assert ap.twelve(ap.table([rows], 1))["AP"] == pytest.approx(1)
    missed = coco_matches(*picture(both[:1], [0.9], [0], both, [0, 0], [0, DIFFICULT]))
    assert ap.twelve(ap.table([missed], 1))["AP"] == pytest.approx(1)


def test_a_crowd_hides_any_number_and_an_object_only_one() -> None:
    inside = [[1, 1, 9, 9], [2, 2, 8, 8], [3, 3, 9, 9]]
    crowd = coco_matches(*picture(inside, [0.9, 0.8, 0.7], [0] * 3, [[0, 0, 10, 10]], [0], [CROWD]))
    assert (crowd["skips"][:, 0] == 1023).all()
    one = coco_matches(*picture([[0, 0, 10, 10]] * 2, [0.9, 0.8], [0, 0], [[0, 0, 10, 10]], [0], [0]))
    assert one["hits"][:, 0].tolist() == [1023, 0]
    assert not one["skips"][:, 0].any()


def test_who_comes_later_gets_what_is_left() -> None:
    """The second box would rather have the object that the first took, and takes the other one."""
    truth = [[0, 0, 10, 10], [0, 2, 10, 12]]
    rows = coco_matches(
        *picture([[0, 0, 10, 10], [0, 0.5, 10, 10.5]], [0.9, 0.8], [0, 0], truth, [0, 0], [0, 0])
    )
    assert (rows["hits"][:, 0] & 1).tolist() == [1, 1]


def test_the_curve_of_a_class_is_what_was_found_so_far() -> None:
    found = [[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30]]
    truth = [[0, 0, 10, 10], [20, 20, 30, 30]]
    rows = coco_matches(*picture(found, [0.9, 0.8, 0.7], [1, 1, 1], truth, [1, 1], [0, 0]))
    scores, recall, precision = ap.curve([rows], 2, 1)
    assert scores.tolist() == [0.9, 0.8, 0.7]
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision.tolist() == pytest.approx([1, 0.5, 2 / 3])
    assert ap.curve([rows], 2, 0)[0].shape == (0,)


def test_the_numbers_of_voc_are_those_worked_out_by_hand() -> None:
    """Right, wrong, right of three: precision 1 until a third is found, then 2/3 until two thirds are, then none."""
    truth = [[0, 0, 10, 10], [20, 20, 30, 30], [70, 70, 90, 90]]
    found = [[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30]]
    rows = voc_matches(*picture(found, [0.9, 0.8, 0.7], [0, 0, 0], truth, [0] * 3, [0] * 3))
    numbers = ap.voc([rows], 2)
    assert numbers["all points"][0] == pytest.approx(1 / 3 + 2 / 9)
    assert numbers["11 points"][0] == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)
    assert np.isnan(numbers["all points"][1])


def test_voc_gives_a_box_its_best_object_taken_or_not() -> None:
    truth = [[0, 0, 10, 10], [0, 2, 10, 12]]
    given = picture([[0, 0, 10, 10], [0, 0.5, 10, 10.5]], [0.9, 0.8], [0, 0], truth, [0, 0], [0, 0])
    assert voc_matches(*given)["hits"][:, 0].tolist() == [1, 0]
    hard = picture([[0, 0, 10, 10]] * 2, [0.9, 0.8], [0, 0], truth[:1], [0], [DIFFICULT])
    assert voc_matches(*hard)["skips"][:, 0].tolist() == [1, 1]


def test_taking_turns_in_rounds_gives_what_taking_turns_gives() -> None:
    draw = np.random.default_rng(3)
    for _ in range(60):
        n, g = int(draw.integers(1, 12)), int(draw.integers(1, 8))
        shares = draw.random((n, g)).round(1)
        out, crowd = draw.random(g) < 0.3, np.zeros(g, np.bool_)
        crowd[out] = draw.random(int(out.sum())) < 0.5
        rows, columns = np.nonzero(shares >= 0.5)
        if not len(rows):
            continue
        owner = matches.assigned(rows, columns, shares[rows, columns], out, crowd, np.array([0.5, 0.8]))
        for level, threshold in enumerate((0.5, 0.8)):
            free, wanted = np.ones(g, np.bool_), []
            for row in np.unique(rows).tolist():
                able = [c for c in range(g) if shares[row, c] >= threshold and free[c]]
                best = max(able, key=lambda c: (not out[c], shares[row, c], c), default=-1)
                wanted.append(best)
                if best >= 0 and not crowd[best]:
                    free[best] = False
            assert owner[level].tolist() == wanted
