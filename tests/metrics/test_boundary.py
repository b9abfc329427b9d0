"""Boundary IoU equals a plain one by distance transforms, class by class."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from convworks.metrics import boundary
from convworks.samples import IGNORE


def blobs(classes: int, seed: int, size: tuple[int, int] = (48, 61)) -> np.ndarray:
    """A map of a few large regions."""
    draw = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(draw.normal(size=(classes, *size)), (0, 4, 4))
    return smooth.argmax(0).astype(np.uint8)


def edge(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask at most `width` from what is not of it, the outside of the picture among that."""
    padded = np.pad(mask, 1)
    return mask & (ndimage.distance_transform_cdt(padded, "chessboard")[1:-1, 1:-1] <= width)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("width", [1, 3, 7])
def test_it_equals_one_by_distance_transforms(seed: int, width: int) -> None:
    truth, answer = blobs(4, seed), blobs(4, seed + 100)
    truth[:, 50:] = truth[:, 49:50]
    known = np.random.default_rng(seed).random(truth.shape) < 0.9
    whole = truth.copy()
    truth = np.where(known, truth, IGNORE).astype(np.uint8)
    filled = np.where(known, whole, answer)
    counts = boundary.boundary_counts(truth, answer, 4, width)
    for one in range(4):
        first, second = edge(filled == one, width) & known, edge(answer == one, width) & known
        assert counts[:, one].tolist() == [(first & second).sum(), (first | second).sum()]


def test_a_square_shifted_by_a_pixel_is_the_closed_form() -> None:
    truth, answer = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    truth[10:20, 10:20] = answer[10:20, 11:21] = 1
    counts = boundary.boundary_counts(truth, answer, 2, 1)
    assert counts[:, 1].tolist() == [
        18,
        36 + 36 - 18,
    ]  # both rings of 36 share top and bottom rows but for a pixel


def test_the_truth_itself_scores_one_and_a_map_without_edges_is_unknown() -> None:
    truth = blobs(3, 1)
    assert boundary.mean_boundary_iou(boundary.boundary_counts(truth, truth, 3, 2)) == 1
    blank = np.full((9, 9), IGNORE, np.uint8)
    assert np.isnan(boundary.mean_boundary_iou(boundary.boundary_counts(blank, truth[:9, :9], 3, 2)))


def test_a_picture_smaller_than_its_edge_is_all_edge() -> None:
    assert boundary.band(np.zeros((3, 2), np.uint8), 5).all()
