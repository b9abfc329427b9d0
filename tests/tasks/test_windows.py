"""Large pictures through windows: all of it is seen, nothing twice as much, and no seam shows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from convworks import backbones, tasks
from convworks.augmentation.preprocess import Preprocessing
from convworks.errors import RecipeError
from convworks.model import Model
from convworks.tasks.windows import BLOCK, OVERLAP, blended, starts


@given(st.integers(1, 5000), st.sampled_from([32, 64, 96, 320, 480]))
def test_windows_cover_every_pixel_and_overlap(length: int, window: int) -> None:
    found = starts(length, window)
    assert found[0] == 0
    assert found[-1] + window >= length
    assert found[-1] + window < length + BLOCK or found == [0]
    assert all(start % BLOCK == 0 for start in found)
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert all(0 < gap <= max(BLOCK, window * (1 - OVERLAP)) for gap in gaps)


def normalise(image: np.ndarray) -> np.ndarray:
    return (image.astype(np.float32) / 255).transpose(2, 0, 1)


def shrunk(frames: np.ndarray) -> Tensor:
    """A net that says the mean colours of squares of four pixels."""
    return F.avg_pool2d(torch.from_numpy(frames), 4)


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (200, 333), (20, 500), (7, 5)])
def test_a_net_that_sees_no_further_than_its_cells_gives_what_it_gives_for_the_whole(
    size: tuple[int, int],
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    scores, move = blended(shrunk, normalise, image, (64, 96))
    assert move.size == (4 * scores.shape[1], 4 * scores.shape[2])
    rows, columns = size[0] // 4, size[1] // 4
    whole = (
        shrunk(normalise(image[: 4 * rows, : 4 * columns])[None])[0].numpy()
        if rows and columns
        else np.zeros((3, 0, 0))
    )
    np.testing.assert_allclose(scores[:, :rows, :columns], whole, atol=1e-6)


def largest_steps(size: tuple[int, int], window: tuple[int, int]) -> tuple[float, float]:
    """The largest change between neighbouring scores across the borders of windows, and elsewhere."""

    def outputs(frames: np.ndarray) -> Tensor:
        # A net that is uncertain near the edge of what it sees: its answers differ there from window to window.
        height, width = window[0] // 4, window[1] // 4
        edge = (
            torch.outer(torch.linspace(-1, 1, height) ** 8, torch.ones(width))
            + torch.linspace(-1, 1, width) ** 8
        )
        return F.avg_pool2d(torch.from_numpy(frames), 4) + edge

    y, x = np.mgrid[: size[0], : size[1]]
    waves = 127 + 120 * np.sin(x / 17) * np.cos(y / 23)
    scores, _ = blended(outputs, normalise, np.repeat(waves.astype(np.uint8)[..., None], 3, 2), window)
    step = np.abs(np.diff(scores, axis=2)).max((0, 1))[: size[1] // 4 - 1]
    at = sorted(
        {place // 4 - 1 for start in starts(size[1], window[1]) for place in (start, start + window[1])}
    )
    border = [place for place in at if 0 <= place < len(step)]
    return float(step[border].max()), float(np.delete(step, border).max())


def test_no_seam_shows_where_windows_meet() -> None:
    across, inside = largest_steps((300, 700), (96, 128))
    assert across <= inside


def small_model() -> Model:
    torch.manual_seed(0)
    prepare = Preprocessing(
        size=64, side=64, resize="squash", mean=(0.5,) * 3, deviation=(0.5,) * 3, shape=(64, 96)
    )
    net = backbones.create("conv3-8 p1 relu pool2 conv3-8 p1 relu pool2", "none")
    return Model.create(net, ("a", "b", "c"), prepare, task=tasks.find("segmentation"))


def test_a_picture_of_the_size_of_a_window_is_answered_as_ever() -> None:
    model = small_model()
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    assert (model.predict_in_windows(image).class_map == model.predict(image).class_map).all()


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_the_answer_has_the_size_of_the_picture(scale: float) -> None:
    image = np.random.default_rng(1).integers(0, 256, (301, 203, 3)).astype(np.uint8)
    found = small_model().predict_in_windows(image, scale=scale)
    assert found.class_map.shape == (301, 203)


def test_a_scale_that_is_none_is_refused() -> None:
    with pytest.raises(RecipeError, match="scale -1"):
        small_model().predict_in_windows(np.zeros((9, 9, 3), np.uint8), scale=-1.0)


@pytest.mark.slow
def test_a_picture_of_24_million_pixels_takes_less_than_four_gigabytes() -> None:
    import resource

    image = np.random.default_rng(1).integers(0, 256, (400, 600, 3)).astype(np.uint8)
    image = np.tile(image, (10, 10, 1))
    found = small_model().predict_in_windows(image)
    assert found.class_map.shape == (4000, 6000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20  # kilobytes
    across, inside = largest_steps((4000, 6000), (352, 480))
    assert across <= inside
