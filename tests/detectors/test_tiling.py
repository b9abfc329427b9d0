"""Large pictures in pieces: everything is covered, each object is found once, and no tile's edge cuts a box."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convworks import backbones, tasks
from convworks.augmentation.preprocess import Preprocessing
from convworks.detectors import tiling
from convworks.detectors.answer import Answer
from convworks.errors import RecipeError
from convworks.model import Model

TILE = (64, 96)
OVERLAP = 20


def sees(tiles: Sequence[np.ndarray]) -> list[Answer]:
    """A perfect detector of one-coloured squares on black: it sees what lies in a tile, and is surer of larger ones."""
    return [seen(tile) for tile in tiles]


def seen(tile: np.ndarray) -> Answer:
    boxes: list[list[float]] = []
    for colour in np.unique(tile[..., 0])[1:].tolist():
        rows, columns = np.nonzero((tile[..., 0] == colour) & (tile[..., 1] == 0))
        if len(rows):
            boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    found = np.array(boxes, np.float32).reshape(-1, 4)
    areas = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    order = np.argsort(-areas, kind="stable")
    return Answer(boxes=found[order], scores=areas[order] / 1e4, labels=np.zeros(len(found), np.int64))


@given(st.integers(1, 3000), st.integers(8, 400), st.integers(0, 500))
def test_tiles_cover_every_pixel_and_share_what_was_asked(length: int, tile: int, overlap: int) -> None:
    begins = tiling.starts(length, tile, overlap)
    assert begins[0] == 0
    assert begins[-1] == max(0, length - tile)
    shared = min(overlap, 3 * tile // 4)
    assert all(0 < later - earlier <= tile - shared for earlier, later in pairwise(begins))


@given(st.integers(0, 260), st.integers(0, 170), st.integers(3, OVERLAP), st.integers(3, OVERLAP))
def test_an_object_anywhere_is_found_once_and_whole(x: int, y: int, wide: int, high: int) -> None:
    image = np.zeros((190, 280, 3), np.uint8)
    image[y : y + high, x : x + wide, 0] = 200
    answer = tiling.found(sees, image, TILE, OVERLAP)
    assert answer.boxes.tolist() == [[x, y, min(x + wide, 280), min(y + high, 190)]]


def test_neighbours_on_a_border_are_not_taken_for_one() -> None:
    image = np.zeros((64, 300, 3), np.uint8)
    truth = [[begin, 10, begin + 18, 28] for begin in range(2, 280, 19)]
    for colour, (left, top, right, bottom) in enumerate(truth, 30):
        image[top:bottom, left:right, 0] = colour
    answer = tiling.found(sees, image, TILE, OVERLAP)
    assert sorted(answer.boxes.tolist()) == truth


def test_one_tile_is_left_as_it_is() -> None:
    image = np.zeros((*TILE, 3), np.uint8)
    image[5:25, 5:30, 0] = 9
    [whole] = sees([image])
    answer = tiling.found(sees, image, TILE, OVERLAP)
    assert answer.boxes.tolist() == whole.boxes.tolist()
    assert answer.scores.tolist() == whole.scores.tolist()


def test_nothing_is_found_in_nothing() -> None:
    answer = tiling.found(sees, np.zeros((200, 300, 3), np.uint8), TILE, OVERLAP)
    assert answer.boxes.shape == (0, 4)
    assert answer.labels.shape == (0,)


def model(task: str = "detection") -> Model:
    torch.manual_seed(0)
    prepare = Preprocessing(
        size=96,
        side=80,
        resize="letterbox",
        mean=(0.5,) * 3,
        deviation=(0.5,) * 3,
        shape=TILE,
        learned=(128, 192),
        common=30.0,
    )
    net = backbones.create("conv3-8 p1 relu pool2 conv3-8 p1 relu pool2 conv3-8 p1 relu pool2", "none")
    return Model.create(net, ("a", "b"), prepare, task=tasks.find(task))


def noise(*size: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)


def test_a_picture_of_the_learned_size_is_answered_as_ever() -> None:
    made, image = model(), noise(128, 192)
    assert made.predict(image, tiles=True).found == made.predict(image).found


def test_a_larger_picture_is_seen_at_the_learned_scale() -> None:
    made, sizes = model(), []
    before = made.outputs

    def outputs(frames: np.ndarray, regions: object = None) -> torch.Tensor:
        sizes.append(frames.shape)
        return before(frames)

    made.outputs = outputs  # type: ignore[method-assign]
    found = made.predict(noise(256, 384), tiles=True)
    assert found.size == (384, 256)
    assert sum(shape[0] for shape in sizes) == 9, (
        "halved to 128 x 192 it takes three tiles each way, sharing 15"
    )
    assert {shape[2:] for shape in sizes} == {TILE}


def test_a_task_without_a_place_is_refused() -> None:
    with pytest.raises(RecipeError, match="classification does not look through windows"):
        model("classification").predict(noise(300, 300), tiles=True)


def test_two_looks_say_the_same_of_a_picture_and_of_its_mirror() -> None:
    made, image = model(), noise(128, 192)
    alone = made.predict(image)
    made.looks = 2
    both, turned = made.predict(image), made.predict(image[:, ::-1].copy())
    assert both.found != alone.found
    for one, other in zip(both.found[:20], turned.found[:20], strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-4)
