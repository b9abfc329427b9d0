"""The measures of outlines equal their closed forms, count nothing where nothing is known, and are quick."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.metrics import overlap
from convworks.samples import IGNORE


def maps(classes: int, seed: int, size: tuple[int, int] = (23, 31)) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, classes, size).astype(np.uint8)
    truth[draw.random(size) < 0.2] = IGNORE
    return truth, draw.integers(0, classes, size).astype(np.uint8)


@pytest.mark.parametrize("classes", [2, 11, 200])
def test_each_cell_counts_its_pixels(classes: int) -> None:
    truth, answer = maps(classes, classes)
    table = overlap.class_counts(truth, answer, classes)
    for true, said in np.random.default_rng(0).integers(0, classes, (50, 2)).tolist():
        assert table[true, said] == ((truth == true) & (answer == said)).sum()
    assert table.sum() == (truth != IGNORE).sum()


def test_the_four_measures_of_the_paper_by_hand() -> None:
    table = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    assert overlap.pixel_accuracy(table) == 9 / 12
    assert overlap.mean_accuracy(table) == pytest.approx((6 / 8 + 3 / 4) / 2)
    assert overlap.mean_iou(table) == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert overlap.weighted_iou(table) == pytest.approx((8 * 6 / 9 + 4 * 3 / 6) / 12)


def test_a_class_that_is_only_answered_counts_as_nothing_and_one_nowhere_not_at_all() -> None:
    table = np.array([[4, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert overlap.ious(table)[:2].tolist() == [0.8, 0.0]
    assert np.isnan(overlap.ious(table)[2])
    assert overlap.mean_iou(table) == pytest.approx(0.4)


def test_a_picture_of_which_nothing_is_known_measures_nothing() -> None:
    blank = np.full((4, 5), IGNORE, np.uint8)
    table = overlap.class_counts(blank, np.zeros((4, 5), np.uint8), 2)
    assert table.sum() == 0
    for measure in (overlap.mean_iou, overlap.pixel_accuracy, overlap.mean_accuracy, overlap.weighted_iou):
        assert np.isnan(measure(table))


@pytest.mark.packs
def test_sixty_real_masks_are_counted_within_a_second() -> None:
    packs = os.environ.get("CONVWORKS_PACKS")
    if not packs:
        pytest.skip("CONVWORKS_PACKS is not set")
    files = sorted((Path(packs) / "camvid" / "test" / "masks").glob("*.png"))
    masks = [np.array(Image.open(file)) for file in files]
    began = time.process_time()
    total = sum(overlap.class_counts(mask, np.minimum(mask, 10), 11) for mask in masks)
    assert time.process_time() - began < 1
    assert overlap.mean_iou(np.asarray(total)) > 0.9
