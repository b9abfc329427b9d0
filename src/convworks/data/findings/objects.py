"""All boxes of a data set as a few arrays, beside the frames that they lie in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from convworks.data.findings.seen import Seen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objects:
    """Every box, in the order of the records: whose it is, its class, its edges, and the frame it lies in.

    `rows` are positions of records, `names` the classes by their first appearance, `kinds` positions in them. `boxes`
    are xyxy in pixels and `frames` the width and height of the image as it was decoded. Regions of a crowd are left
    out.
    """

    rows: Int64[np.ndarray, "b"]
    kinds: Int64[np.ndarray, "b"]
    names: tuple[str, ...]
    boxes: Float64[np.ndarray, "b 4"]
    frames: Float64[np.ndarray, "b 2"]

    @property
    def sides(self) -> Float64[np.ndarray, "b 2"]:
        """Width and height of each box."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    @property
    def whole(self) -> Bool[np.ndarray, "b"]:
        """Boxes of finite edges and some area."""
        with np.errstate(invalid="ignore"):
            return every(np.isfinite(self.boxes)) & every(self.sides > 0)

    def over(self) -> Float64[np.ndarray, "b 4"]:
        """How far each box reaches beyond the left, top, right and bottom of its frame, in pixels; below 0 within."""
        return np.hstack([-self.boxes[:, :2], self.boxes[:, 2:] - self.frames])

    def only(self, which: Bool[np.ndarray, "b"]) -> Objects:
        """Some of the boxes."""
        return Objects(
            rows=self.rows[which],
            kinds=self.kinds[which],
            names=self.names,
            boxes=self.boxes[which],
            frames=self.frames[which],
        )


def every(told: Bool[np.ndarray, "b n"]) -> Bool[np.ndarray, "b"]:
    """Which rows hold in all columns."""
    return np.asarray(told.all(1))


def some(told: Bool[np.ndarray, "b n"]) -> Bool[np.ndarray, "b"]:
    """Which rows hold in one column or more."""
    return np.asarray(told.any(1))


def objects(seen: Seen) -> Objects:
    """The boxes of all records."""
    number: dict[str, int] = {}
    rows: list[int] = []
    kinds: list[int] = []
    boxes: list[tuple[float, float, float, float]] = []
    for row, record in enumerate(seen.records):
        for note in record.boxes:
            if not note.crowd:
                rows.append(row)
                kinds.append(number.setdefault(note.name, len(number)))
                boxes.append(note.box)
    sizes = np.array([(fact.width, fact.height) for fact in seen.facts], np.float64).reshape(-1, 2)
    whose = np.array(rows, np.int64)
    return Objects(
        rows=whose,
        kinds=np.array(kinds, np.int64),
        names=tuple(number),
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        frames=sizes[whose],
    )
