"""What stride costs: nothing where the masks are squares of it, everything where they are finer."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.metrics import stride
from convworks.samples import IGNORE


def test_stride_one_loses_nothing() -> None:
    truth = np.random.default_rng(0).integers(0, 5, (13, 17)).astype(np.uint8)
    assert stride.best_ious(stride.stride_counts(truth, 5, (1,))) == [1.0]


def test_half_planes_on_the_grid_survive_every_stride() -> None:
    truth = np.zeros((64, 64), np.uint8)
    truth[:, 32:] = 1
    assert stride.best_ious(stride.stride_counts(truth, 2, (4, 8, 16, 32))) == [1.0] * 4


def test_a_single_pixel_is_lost_from_stride_two_on() -> None:
    truth = np.zeros((32, 32), np.uint8)
    truth[9, 9] = 1
    kept, lost = stride.best_ious(stride.stride_counts(truth, 2, (1, 8)))
    assert kept == 1
    assert lost == pytest.approx((1023 / 1024 + 0) / 2)


def test_larger_strides_cost_more_on_round_things() -> None:
    y, x = np.mgrid[:96, :128]
    truth = sum((np.hypot(y - cy, x - cx) < r).astype(np.uint8) for cy, cx, r in [(30, 40, 19), (70, 95, 11)])
    means = stride.best_ious(stride.stride_counts(truth.astype(np.uint8), 2))
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.95
    assert means[-1] < 0.85


def test_what_is_unknown_counts_nowhere_whatever_the_size() -> None:
    truth = np.full((10, 7), IGNORE, np.uint8)
    truth[:5] = 2
    assert stride.stride_counts(truth, 3).sum((0, 2)).tolist() == [35 * 4] * 3
    assert (stride.coarse(np.full((5, 5), IGNORE, np.uint8), 4) == IGNORE).all()
