"""Where to look: boxes of which a detector says what they hold, from nothing, from the training boxes, or from a file.

Each source is `(image) -> Proposals`: boxes (xyxy, pixels of the image), and scores where the source has any. Selective
search and objectness read the image; the whole image and grids its size alone; fixed boxes are the same in every
image, relative to its sides; given ones are looked up. The region network and MultiBox own weights, and read maps.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial import KDTree

from convworks.errors import DataError
from convworks.regions.selective_search import selective_search

Image = UInt8[np.ndarray, "h w 3"]
Boxes = Float[np.ndarray, "n 4"]

COLUMNS = ("path", "x0", "y0", "x1", "y1")
"""The columns of a file of proposals; `score` may follow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposals:
    """Boxes (xyxy, pixels of the image), and how promising each is, the larger the more; 0 where nobody says."""

    boxes: Float[np.ndarray, "n 4"]
    scores: Float[np.ndarray, "n"]


ProposalSource = Callable[[Image], Proposals]


def unscored(boxes: Boxes) -> Proposals:
    """Boxes without scores."""
    return Proposals(boxes=boxes.astype(np.float32), scores=np.zeros(len(boxes), np.float32))


def whole_image(image: Image) -> Proposals:
    """One box, all of the image: what localization looks at."""
    height, width = image.shape[:2]
    return unscored(np.array([[0.0, 0, width, height]]))


def searched(most: int) -> ProposalSource:
    """The first `most` boxes of selective search."""
    return lambda image: unscored(selective_search(image)[:most])


def grid(
    scales: Sequence[float] = (0.25, 0.4, 0.6), ratios: Sequence[float] = (0.5, 1, 2), step: float = 0.5
) -> Boxes:
    """Boxes at regular places, relative to the image's sides: every scale (square root of the area) and ratio
    (height over width), moved by `step` of their own sides, the first and last at the border.

    >>> grid((0.5,), (1,), 0.5).shape
    (9, 4)
    """
    found: list[list[float]] = []
    for scale in scales:
        for ratio in ratios:
            width, height = min(scale / ratio**0.5, 1.0), min(scale * ratio**0.5, 1.0)
            across = np.linspace(0, 1 - width, 1 + int(np.ceil((1 - width) / (step * width) - 1e-9)))
            down = np.linspace(0, 1 - height, 1 + int(np.ceil((1 - height) / (step * height) - 1e-9)))
            found += [[x, y, x + width, y + height] for y in down.tolist() for x in across.tolist()]
    return np.array(found)


def clustered(boxes: Boxes, count: int, seed: int = 0) -> Float[np.ndarray, "k 4"]:
    """`count` boxes that stand for those of the training pictures, all relative to their images' sides.

    K-means on (cx, cy, w, h), each cluster's mean; fewer where fewer boxes differ. Sorted by area, so that one seed
    gives one answer. Source: Lenc and Vedaldi, R-CNN minus R (1506.06981), section 3.1. Raises DataError for no box.
    """
    if not len(boxes):
        raise DataError(
            "There is no box to cluster.", expected="training pictures with boxes", fix="add boxes"
        )
    told = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1).astype(
        np.float64
    )
    different = np.unique(told, axis=0)
    if len(different) > count:
        start = different[np.random.default_rng(seed).choice(len(different), count, replace=False)]
        different = _means(told, start)
    order = np.argsort(different[:, 2] * different[:, 3], kind="stable")
    middle, half = different[order, :2], different[order, 2:] / 2
    return np.concatenate([middle - half, middle + half], 1)


def _means(points: Boxes, centres: Float[np.ndarray, "k 4"], rounds: int = 50) -> Float[np.ndarray, "l 4"]:
    """The means of the points nearest to each centre, again and again until nothing moves; those that keep any."""
    labels = np.full(len(points), -1)
    for _ in range(rounds):
        nearest = KDTree(centres).query(points)[1]
        if np.array_equal(nearest, labels):
            break
        labels = np.unique(nearest, return_inverse=True)[1]
        sums = np.stack([np.bincount(labels, column) for column in points.T], 1)
        centres = sums / np.bincount(labels)[:, None]
    return centres


def fixed(relative: Boxes) -> ProposalSource:
    """The same boxes in every image, told relative to its sides: a grid, or clustered ones."""

    def boxes(image: Image) -> Proposals:
        height, width = image.shape[:2]
        return unscored(relative * np.array([width, height, width, height]))

    return boxes


def given(path: Path) -> Mapping[str, Proposals]:
    """The proposals of a CSV file with the columns path, x0, y0, x1, y1 and perhaps score, by the path of the image.

    Raises DataError for a missing column, a number that is none, or a box that is turned over, with its line.
    """
    found: dict[str, list[list[float]]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
        if missing:
            raise DataError(
                f"{path}: there is no column {missing[0]}.",
                expected="the columns path, x0, y0, x1, y1 and, if there are any, score",
                fix="write a first line with these names",
            )
        for row in table:
            found.setdefault(row["path"], []).append(_numbers(path, table.line_num, row))
    return {
        name: Proposals(boxes=rows[:, :4], scores=rows[:, 4])
        for name, rows in ((name, np.array(rows, np.float32)) for name, rows in found.items())
    }


def _numbers(path: Path, line: int, row: Mapping[str, str]) -> list[float]:
    """The box and score of one line."""
    try:
        numbers = [float(row[name]) for name in COLUMNS[1:]] + [float(row.get("score") or 0)]
    except (TypeError, ValueError):
        numbers = [float("nan")]
    if not np.isfinite(numbers).all() or numbers[0] >= numbers[2] or numbers[1] >= numbers[3]:
        raise DataError(
            f"{path}, line {line}: this is not a box: {', '.join(str(value) for value in row.values())}.",
            expected="finite numbers with x0 < x1 and y0 < y1",
            fix="mend or remove the line",
        )
    return numbers
