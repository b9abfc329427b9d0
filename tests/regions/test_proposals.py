"""Every source of boxes keeps one contract; clusters stand for the boxes they come from; a file says what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convworks.errors import DataError
from convworks.geometry.boxes import iou
from convworks.regions import proposals


def boxes(count: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    middle, half = draw.beta(4, 4, (count, 2)), draw.uniform(0.05, 0.25, (count, 2))
    return np.concatenate([middle - half, middle + half], 1).clip(0, 1)


SOURCES = {
    "whole image": proposals.whole_image,
    "grid": proposals.fixed(proposals.grid()),
    "clustered": proposals.fixed(proposals.clustered(boxes(300), 50)),
    "searched": proposals.searched(20),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("shape", [(40, 60), (3, 3), (1, 1)])
def test_boxes_lie_in_the_image_and_every_time_the_same(name: str, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found, again = SOURCES[name](image), SOURCES[name](image)
    assert len(found.boxes) == len(found.scores) > 0
    assert found.boxes.dtype == np.float32
    assert (found.boxes >= -1e-4).all()
    assert (found.boxes <= np.array([shape[1], shape[0]] * 2) + 1e-4).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    np.testing.assert_array_equal(found.boxes, again.boxes)


def test_more_clusters_cover_unseen_boxes_better() -> None:
    seen, unseen = boxes(1000), boxes(300, 1)
    covered = [iou(unseen, proposals.clustered(seen, count)).max(1).mean() for count in (5, 50, 200)]
    assert covered[0] + 0.1 < covered[1] < covered[2] - 0.03
    uniform = proposals.grid((0.2, 0.4), (0.5, 1, 2), 0.6)
    assert covered[2] > iou(unseen, uniform).max(1).mean()


def test_fewer_boxes_than_clusters_are_all_kept() -> None:
    seen = boxes(7)
    found = proposals.clustered(np.concatenate([seen, seen]), 50)
    assert len(found) == 7
    np.testing.assert_allclose(iou(seen, found).max(1), 1, atol=1e-9)
    with pytest.raises(DataError, match="no box"):
        proposals.clustered(np.zeros((0, 4)), 3)


def test_given_boxes_are_read_by_path(tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text("path,x0,y0,x1,y1,score\na.png,0,1,2,3,0.5\nb.png,0,0,9,9,\na.png,4,4,8,8,0.25\n")
    found = proposals.given(file)
    assert found["a.png"].boxes.tolist() == [[0, 1, 2, 3], [4, 4, 8, 8]]
    assert found["a.png"].scores.tolist() == [0.5, 0.25]
    assert found["b.png"].scores.tolist() == [0]


@pytest.mark.parametrize("line", ["a.png,3,0,3,3", "a.png,0,0,nan,3", "a.png,0,0,x,3", "a.png,0,0,1"])
def test_a_line_that_is_no_box_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text(f"path,x0,y0,x1,y1\na.png,0,0,1,1\n{line}\n")
    with pytest.raises(DataError, match="line 3"):
        proposals.given(file)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text("path,x0,y0,x1\n")
    with pytest.raises(DataError, match="column y1"):
        proposals.given(file)
