"""Boxes that are missing, broken, outside, doubled, or too small to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from convworks.data.findings import fit, scales
from convworks.data.findings.objects import Objects, every, objects, some
from convworks.data.findings.seen import Seen, about
from convworks.data.names import count, few
from convworks.events import Finding
from convworks.geometry.boxes import iou

LEAST = 1.0
"""A side below this, in pixels, is no object."""
DOUBLE = 0.95
"""Two boxes that overlap (intersection over union) by more than this are one."""
BEYOND = 0.02
"""A box reaches outside when it does by more than a pixel and this share of the frame's side."""
INPUT, STRIDE = 320, 8
"""The short side to which a detector's input is usually scaled, and the finest stride of its features."""
TINY, MANY_TINY = 0.1, 0.4
"""The share of tiny objects that is worth a word, and that which needs attention."""
EMPTY = 0.5
"""The share of images without a box that needs attention."""


def findings(seen: Seen) -> Iterator[Finding]:
    """What is wrong with the boxes of a data set that has them."""
    found = objects(seen)
    if not len(found.boxes) and seen.dataset.task not in ("detection", "instances", "localization"):
        return
    yield from _none(seen)
    whole = found.only(found.whole)
    misread = list(scales.shares(seen, whole)) or list(scales.spelling(seen, found))
    yield from misread
    if not misread:
        yield from _degenerate(seen, found)
    if not misread and len(whole.boxes):
        yield from list(scales.findings(seen, whole)) or fit.findings(seen, whole)
        yield from _outside(seen, whole)
        yield from _doubled(seen, whole)
        yield from _tiny(seen, whole)
        yield from _cut_off(seen, whole)


def _none(seen: Seen) -> Iterator[Finding]:
    without = [record.path for record in seen.records if not record.boxes and not record.mask]
    if without:
        every = seen.dataset.task == "localization"
        many = every or len(without) > EMPTY * len(seen.records)
        yield about(
            "no-boxes",
            "warning" if many else "note",
            f"{count(len(without), 'image')} of {len(seen.records):,} without a box.",
            files=without,
            why="all that they show is learned as background"
            if not every
            else "there is nothing in them to find, but one object an image is what is learned",
            action="make sure that nothing in them was left unmarked" if many else "",
        )


def _degenerate(seen: Seen, found: Objects) -> Iterator[Finding]:
    with np.errstate(invalid="ignore"):
        broken = ~every(np.isfinite(found.boxes)) | some(found.sides < LEAST)
    if broken.any():
        yield about(
            "degenerate",
            "warning",
            f"{count(int(broken.sum()), 'box', 'boxes')} with a side below {LEAST:g} pixel.",
            **_where(seen, found, broken),
            why="a box without an area teaches nothing, and can break a loss",
            action="draw them again, or remove them",
        )


def _outside(seen: Seen, found: Objects) -> Iterator[Finding]:
    over = found.over()
    gone = some(over >= found.sides[:, [0, 1, 0, 1]])
    room = np.maximum(1.0, BEYOND * found.frames)[:, [0, 1, 0, 1]]
    partly = some(over > room) & ~gone
    for which, code, where in (
        (gone, "outside", "outside their image"),
        (partly, "beyond", "partly outside"),
    ):
        if which.any():
            yield about(
                code,
                "warning",
                f"{count(int(which.sum()), 'box lies', 'boxes lie')} {where}.",
                **_where(seen, found, which),
                why="a box where the image is not is cut to what is inside; often it was drawn on another size",
                action="check the size on which they were drawn",
            )


def _doubled(seen: Seen, found: Objects) -> Iterator[Finding]:
    repeated, contested = _pairs(found)
    for pairs, code, said, action in (
        (repeated, "repeated", "is drawn twice", "remove one of each two"),
        (contested, "contested", "carries two classes", "decide which class is right"),
    ):
        if len(pairs):
            which = np.zeros(len(found.rows), np.bool_)
            which[pairs[:, 1]] = True
            classes = sorted({_names(found, pair) for pair in pairs})
            yield about(
                code,
                "warning",
                f"{count(len(pairs), 'object')} {said}"
                + (f": {few(classes)}." if code == "contested" else "."),
                **_where(seen, found, which),
                why="a right answer to one of the two is counted as a mistake about the other",
                action=action,
            )


def _pairs(found: Objects) -> tuple[Int64[np.ndarray, "p 2"], Int64[np.ndarray, "p 2"]]:
    """Boxes of one image that overlap by more than `DOUBLE`, in pairs: of one class, and of two."""
    starts = np.flatnonzero(np.diff(found.rows, prepend=-1))
    pairs = [np.zeros((0, 2), np.int64)]
    for start, end in zip(starts, [*starts[1:], len(found.rows)], strict=True):
        if end - start > 1:
            boxes = found.boxes[start:end]
            pairs.append(start + np.argwhere(np.triu(iou(boxes, boxes) > DOUBLE, 1)))
    both = np.concatenate(pairs)
    equal = found.kinds[both[:, 0]] == found.kinds[both[:, 1]]
    return both[equal], both[~equal]


def _names(found: Objects, pair: Int64[np.ndarray, "2"]) -> str:
    return " and ".join(sorted({found.names[kind] for kind in found.kinds[pair].tolist()}))


def _tiny(seen: Seen, found: Objects) -> Iterator[Finding]:
    scale = INPUT / found.frames.min(1)
    tiny = np.sqrt(found.sides.prod(1)) * np.minimum(scale, 1) < STRIDE
    if (share := float(tiny.mean())) > TINY:
        yield about(
            "tiny",
            "warning" if share > MANY_TINY else "note",
            f"{int(tiny.sum()):,} of {count(len(tiny), 'object')} are smaller than {STRIDE} pixels in an image with a "
            f"short side of {INPUT}.",
            **_where(seen, found, tiny),
            why=f"features with a stride of {STRIDE} have less than one place for each of them",
            action="train at a larger input size, or on parts of the images",
            values={"share": share, "input": INPUT, "stride": STRIDE},
        )


def _cut_off(seen: Seen, found: Objects) -> Iterator[Finding]:
    touching = some(found.over() >= -1)
    share = float(touching.mean())
    if share > EMPTY:
        yield about(
            "cut-off",
            "note",
            f"{int(touching.sum()):,} of {count(len(touching), 'object')} reach the border of their image.",
            **_where(seen, found, touching),
            why="of those only a part is seen; what is judged on whole objects will look worse",
            values={"share": share},
        )


def _where(seen: Seen, found: Objects, which: Bool[np.ndarray, "b"]) -> dict[str, Any]:
    """The files of some boxes, and in evidence the first of these with how many boxes."""
    rows, numbers = np.unique(found.rows[which], return_counts=True)
    paths = [seen.records[row].path for row in rows.tolist()]
    told = [path if n == 1 else f"{path} ({n})" for path, n in zip(paths, numbers.tolist(), strict=True)]
    return {"files": paths, "evidence": few(told), "number": int(which.sum())}
