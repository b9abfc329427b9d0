"""Which found box is which true one: what COCO and VOC count as found, found twice, and not counted, for one image.

What is left of an image is one row a found box: its score, its class, and at which overlaps it hit. From such rows of
many images every average precision follows, and rows of parts add up to the rows of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from convworks.geometry.boxes import area
from convworks.samples import COUNTED, CROWD

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""IoU from which a box counts as found: .5, .55, ..., .95."""
AREAS = ((0.0, 1e10), (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))
"""Square pixels, both ends included: all objects, small, medium, large."""

Evidence = Mapping[str, np.ndarray]


def coco_matches(
    boxes: Float[np.ndarray, "n 4"],
    scores: Float[np.ndarray, "n"],
    labels: Int[np.ndarray, "n"],
    truth: Float[np.ndarray, "g 4"],
    truth_labels: Int[np.ndarray, "g"],
    aside: Integer[np.ndarray, "g"],
    areas: Float[np.ndarray, "g"] | None = None,
) -> Evidence:
    """The rows of one image, by falling score; `areas` are those of the true objects where boxes do not tell.

    By name: `scores`, `labels`, and `ranks`, the place among the boxes of its class, each (n,); `hits` and `skips`
    (n, 4), whose bit t says for each of `AREAS` whether the box was found at `THRESHOLDS[t]` and whether it is passed
    over; `truth_labels` (g,) and `counted` (g, 4), the objects that are to be found. A better score chooses first,
    and takes the object that it overlaps most of those that are left.

    Source: Lin et al., Microsoft COCO (1405.0312), as its published evaluation counts.
    """
    boxes, truth = boxes.astype(np.float64), truth.astype(np.float64)
    shares = overlaps(boxes, truth, aside == CROWD)
    sizes = area(truth) if areas is None else areas
    return coco_rows(scores, labels, area(boxes), shares, truth_labels, aside, sizes)


def coco_rows(
    scores: Float[np.ndarray, "n"],
    labels: Int[np.ndarray, "n"],
    areas: Float[np.ndarray, "n"],
    shares: Float[np.ndarray, "n g"],
    truth_labels: Int[np.ndarray, "g"],
    aside: Integer[np.ndarray, "g"],
    truth_areas: Float[np.ndarray, "g"],
) -> Evidence:
    """The rows of one image, by name as `coco_matches` gives them, whatever was found in it: boxes or masks.

    `shares` is the IoU of each find with each object, of a crowd the share of the find that lies in it.
    """
    order = np.argsort(-scores, kind="stable")
    scores, labels, shares = scores[order], labels[order], shares[order]
    crowd = aside == CROWD
    counted = (aside == COUNTED)[:, None] & _within(truth_areas)
    rows, columns = np.nonzero((labels[:, None] == truth_labels[None]) & (shares >= THRESHOLDS[0]))
    outside = ~_within(areas[order])
    hits = np.zeros((len(scores), len(AREAS)), np.uint16)
    skips = np.zeros_like(hits)
    bits = (1 << np.arange(len(THRESHOLDS))).astype(np.uint16)
    for place in range(len(AREAS)):
        out = ~counted[:, place]
        owner = np.full((len(THRESHOLDS), len(scores)), -1)
        if len(rows):
            taken = assigned(rows, columns, shares[rows, columns], out, crowd, np.array(THRESHOLDS))
            owner[:, np.unique(rows)] = taken
        met = owner >= 0
        hidden = met & np.append(out, False)[owner]
        hits[:, place] = bits @ (met & ~hidden)
        skips[:, place] = bits @ (hidden | (~met & outside[:, place]))
    return _rows(scores, labels, hits, skips, truth_labels, counted)


def voc_matches(
    boxes: Float[np.ndarray, "n 4"],
    scores: Float[np.ndarray, "n"],
    labels: Int[np.ndarray, "n"],
    truth: Float[np.ndarray, "g 4"],
    truth_labels: Int[np.ndarray, "g"],
    aside: Integer[np.ndarray, "g"],
    threshold: float = 0.5,
) -> Evidence:
    """The same rows by the rules of PASCAL VOC: one threshold, one area.

    Each box has the object that it overlaps most, taken or not: the first box of an object finds it, the others are
    wrong, and those of objects that do not count are passed over.

    Source: Everingham et al., The PASCAL visual object classes challenge, 2010, section 4.2.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores, labels = boxes[order].astype(np.float64), scores[order], labels[order]
    n, g = len(boxes), len(truth)
    hits, skips = np.zeros((n, 1), np.uint16), np.zeros((n, 1), np.uint16)
    if n and g:
        shares = overlaps(boxes, truth.astype(np.float64), np.zeros(g, np.bool_))
        shares[labels[:, None] != truth_labels[None]] = -1
        best = shares.argmax(1)
        met = shares[np.arange(n), best] >= threshold
        skips[:, 0] = met & (aside[best] != COUNTED)
        found = np.flatnonzero(met & (aside[best] == COUNTED))
        _, first = np.unique(best[found], return_index=True)
        hits[found[first], 0] = 1
    return _rows(scores, labels, hits, skips, truth_labels, (aside == COUNTED)[:, None])


def _rows(
    scores: Float[np.ndarray, "n"],
    labels: Int[np.ndarray, "n"],
    hits: Integer[np.ndarray, "n a"],
    skips: Integer[np.ndarray, "n a"],
    truth_labels: Int[np.ndarray, "g"],
    counted: Bool[np.ndarray, "g a"],
) -> Evidence:
    return {
        "scores": scores,
        "labels": labels,
        "ranks": ranks(labels),
        "hits": hits,
        "skips": skips,
        "truth_labels": truth_labels,
        "counted": counted,
    }


def overlaps(
    boxes: Float[np.ndarray, "n 4"], truth: Float[np.ndarray, "g 4"], crowd: Bool[np.ndarray, "g"]
) -> Float[np.ndarray, "n g"]:
    """IoU of found with true boxes; of a crowd, the share of the found box that lies in it.

    >>> found, many = np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 4], [0.0, 0, 2, 4]])
    >>> overlaps(found, many, np.array([False, True])).tolist()
    [[0.5, 1.0]]
    """
    low = np.maximum(boxes[:, None, :2], truth[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], truth[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    mine = area(boxes)[:, None]
    whole = np.where(crowd[None], mine, mine + area(truth)[None] - shared)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def ranks(labels: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """How many of its class come before each.

    >>> ranks(np.array([3, 1, 3, 3, 1])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    found = np.empty(len(labels), np.int64)
    found[order] = np.arange(len(labels)) - starts
    return found


def assigned(
    rows: Int[np.ndarray, "p"],
    columns: Int[np.ndarray, "p"],
    shares: Float[np.ndarray, "p"],
    out: Bool[np.ndarray, "g"],
    crowd: Bool[np.ndarray, "g"],
    thresholds: Float[np.ndarray, "t"],
) -> Int[np.ndarray, "t r"]:
    """The object of each found box that appears in `rows`, in their order, at each threshold; -1 for none.

    Box `rows[i]` overlaps object `columns[i]` of its class by `shares[i]`; smaller rows choose first. A box prefers
    objects that count (not `out`), then the larger overlap, then the later object; only crowds can be had twice. In
    each round choose all those whose wish nobody before them could still have, which is what taking turns gives.
    """
    order = np.lexsort((-columns, -shares, out[columns], rows))
    rows, columns, shares = rows[order], columns[order], shares[order]
    boxes, starts, row = np.unique(rows, return_index=True, return_inverse=True)
    objects, column = np.unique(columns, return_inverse=True)
    by_object = np.lexsort((rows, columns))
    object_starts = np.searchsorted(columns[by_object], objects)
    left = shares[None] >= np.minimum(thresholds, 1 - 1e-10)[:, None]
    owner = np.full((len(thresholds), len(boxes)), -1)
    pairs, none = np.arange(len(rows)), len(rows)
    while left.any():
        wish = np.minimum.reduceat(np.where(left, pairs, none), starts, axis=1)
        first = np.minimum.reduceat(np.where(left, row, none)[:, by_object], object_starts, axis=1)
        level, who = np.nonzero(wish < none)
        pair = wish[level, who]
        sure = crowd[columns[pair]] | (first[level, column[pair]] == who)
        level, who, pair = level[sure], who[sure], pair[sure]
        owner[level, who] = columns[pair]
        done = owner >= 0
        taken = np.zeros((len(thresholds), len(objects)), np.bool_)
        single = ~crowd[columns[pair]]
        taken[level[single], column[pair[single]]] = True
        left &= ~done[:, row] & ~taken[:, column]
    return owner


def _within(sizes: Float[np.ndarray, "n"]) -> Bool[np.ndarray, "n a"]:
    low, high = np.array(AREAS).T
    return (sizes[:, None] >= low) & (sizes[:, None] <= high)
