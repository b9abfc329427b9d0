"""Average precision: how many of what is found is right, averaged over how much of what is there is found.

The twelve numbers of COCO and the two of PASCAL VOC, from the rows of `metrics.matches`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt16

from convworks.metrics.matches import THRESHOLDS, Evidence

RECALLS = np.linspace(0.0, 1.0, 101)
MOST = (1, 10, 100)
"""Boxes of one class and image that count, the best first."""
SIZES = ("all", "small", "medium", "large")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """What many images add up to, NaN for a class that has nothing to be found.

    `precision` is the average precision and `recall` the largest recall, at each threshold, of each class and size,
    with the most boxes; `recall_at` that of all sizes with the first 1, 10 and 100 boxes.
    """

    precision: Float[np.ndarray, "t k a"]
    recall: Float[np.ndarray, "t k a"]
    recall_at: Float[np.ndarray, "t k m"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The rows of many images by class and falling score, and how many objects of each class there are to find.

    Class k has the rows from `starts[k]` to `starts[k + 1]`.
    """

    starts: Int[np.ndarray, "_"]
    scores: Float[np.ndarray, "n"]
    ranks: Int[np.ndarray, "n"]
    hits: UInt16[np.ndarray, "n a"]
    skips: UInt16[np.ndarray, "n a"]
    there: Int[np.ndarray, "k a"]


def rows(evidence: Sequence[Evidence], classes: int) -> Rows:
    """The rows of some images together; where scores are equal, in the order of the images."""
    parts = {
        name: np.concatenate([one[name] for one in evidence])
        for name in ("scores", "labels", "ranks", "hits", "skips", "truth_labels", "counted")
    }
    order = np.lexsort((-parts["scores"], parts["labels"]))
    there = np.zeros((classes, parts["counted"].shape[1]), np.int64)
    np.add.at(there, parts["truth_labels"], parts["counted"].astype(np.int64))
    return Rows(
        starts=np.searchsorted(parts["labels"][order], np.arange(classes + 1)),
        scores=parts["scores"][order],
        ranks=parts["ranks"][order],
        hits=parts["hits"][order],
        skips=parts["skips"][order],
        there=there,
    )


def table(evidence: Sequence[Evidence], classes: int) -> Table:
    """Precision and recall of `classes` classes over some images, as COCO averages them."""
    levels = len(THRESHOLDS)
    precision = np.full((levels, classes, len(SIZES)), np.nan)
    recall = np.full_like(precision, np.nan)
    recall_at = np.full((levels, classes, len(MOST)), np.nan)
    if evidence:
        for place, size, hit, wrong, rank, there in _curves(rows(evidence, classes)):
            cuts = MOST if size == 0 else MOST[-1:]
            for column, most in enumerate(cuts, len(MOST) - len(cuts)):
                kept = rank < most
                found = hit[:, kept].cumsum(1)
                share = found / there
                reached = share[:, -1] if share.shape[1] else np.zeros(levels)
                if size == 0:
                    recall_at[:, place, column] = reached
                if most == MOST[-1]:
                    recall[:, place, size] = reached
                    precise = found / np.maximum(found + wrong[:, kept].cumsum(1), 1)
                    precision[:, place, size] = [
                        float(at_recalls(*level).mean()) for level in zip(share, precise, strict=True)
                    ]
    return Table(precision=precision, recall=recall, recall_at=recall_at)


def twelve(found: Table) -> dict[str, float]:
    """The twelve numbers that COCO shows, in its order, in [0, 1]; NaN where nothing was there."""
    at = {threshold: place for place, threshold in enumerate(THRESHOLDS)}
    numbers = {
        "AP": _mean(found.precision[..., 0]),
        "AP50": _mean(found.precision[at[0.5], :, 0]),
        "AP75": _mean(found.precision[at[0.75], :, 0]),
    }
    numbers |= {f"AP {size}": _mean(found.precision[..., place]) for place, size in enumerate(SIZES) if place}
    numbers |= {f"AR{most}": _mean(found.recall_at[..., place]) for place, most in enumerate(MOST)}
    numbers |= {f"AR {size}": _mean(found.recall[..., place]) for place, size in enumerate(SIZES) if place}
    return numbers


def by_class(found: Table) -> Float[np.ndarray, "k"]:
    """The AP of each class over all thresholds; NaN where nothing was there."""
    return found.precision[..., 0].mean(0)


def curve(
    evidence: Sequence[Evidence], classes: int, label: int, threshold: float = 0.5
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Scores, recall and precision of a class as boxes of falling score are taken in; empty where nothing was there."""
    level = THRESHOLDS.index(threshold)
    every = rows(evidence, classes)
    for place, size, hit, wrong, _, there in _curves(every):
        if place == label and size == 0:
            found, missed = hit[level].cumsum(), wrong[level].cumsum()
            scores = every.scores[every.starts[place] : every.starts[place + 1]]
            return scores, found / there, found / np.maximum(found + missed, 1)
    return np.zeros(0), np.zeros(0), np.zeros(0)


def voc(evidence: Sequence[Evidence], classes: int) -> Mapping[str, Float[np.ndarray, "k"]]:
    """The average precision of each class by PASCAL VOC, from `voc_matches`: "11 points" of 2007, "all points" since.

    NaN for a class that has nothing to be found.
    """
    found = {name: np.full(classes, np.nan) for name in ("11 points", "all points")}
    for place, _, hit, wrong, _, there in _curves(rows(evidence, classes)) if evidence else ():
        right = hit[0].cumsum()
        recall, precise = right / there, right / np.maximum(right + wrong[0].cumsum(), 1)
        envelope = _envelope(precise)
        tenths = np.searchsorted(recall, np.arange(11) / 10, side="left")
        found["11 points"][place] = np.append(envelope, 0.0)[tenths].mean()
        found["all points"][place] = float((np.diff(recall, prepend=0.0) * envelope).sum())
    return found


def at_recalls(recall: Float[np.ndarray, "n"], precision: Float[np.ndarray, "n"]) -> Float[np.ndarray, "101"]:
    """The best precision at 0, .01, ..., 1 recall or more; 0 beyond what was reached.

    >>> at_recalls(np.array([0.5, 0.5, 1.0]), np.array([1.0, 0.5, 0.6])).mean().round(3).item()
    0.802
    """
    places = np.searchsorted(recall, RECALLS, side="left")
    return np.append(_envelope(precision), 0.0)[places]


def _envelope(precision: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """The best precision from each place on."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def _curves(
    every: Rows,
) -> Iterator[tuple[int, int, Bool[np.ndarray, "t n"], Bool[np.ndarray, "t n"], Int[np.ndarray, "n"], int]]:
    """Class, size, whether each row hit or was wrong at each threshold, ranks, and how many were to be found.

    Classes and sizes of which nothing was there are left out.
    """
    bits = (1 << np.arange(len(THRESHOLDS)))[:, None]
    for place, (begin, end) in enumerate(zip(every.starts, every.starts[1:], strict=False)):
        for size, there in enumerate(every.there[place].tolist()):
            if there:
                hit = (every.hits[None, begin:end, size] & bits) > 0
                skip = (every.skips[None, begin:end, size] & bits) > 0
                yield place, size, hit, ~(hit | skip), every.ranks[begin:end], there


def _mean(values: Float[np.ndarray, "..."]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
