"""Why a detector's finds are wrong, and what each way of being wrong costs in average precision.

Source: Bolya et al., TIDE (2008.08115), sections 2.2 and 2.3, at one overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from convworks.metrics import average_precision as ap
from convworks.metrics.matches import Evidence, assigned, overlaps, ranks
from convworks.samples import COUNTED, CROWD

FOUND, NEAR = 0.5, 0.1  # IoU from which a box is right, and from which it means some object at all
KINDS = ("box", "class", "twice", "background", "both")
"""What a wrong find got wrong, in the order in which it is asked: the last is what is left."""
MENDED = ("box", "class")
"""Kinds of finds that mean one object, which they would find if they were put right."""
RIGHT, PASSED = -1, -2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One image: a position in `KINDS`, or `RIGHT` or `PASSED`, for each find; what it means; and what was missed.

    `means` is the object that a find of a kind in `MENDED` would have found, else -1. `taken` are the objects that
    right finds have.
    """

    kinds: Int[np.ndarray, "n"]
    means: Int[np.ndarray, "n"]
    taken: Bool[np.ndarray, "g"]
    missed: Bool[np.ndarray, "g"]


def judged(evidence: Evidence, least: float = 0.0) -> Judged:
    """What each find of a score from `least` on got wrong; finds are in the order of the evidence, by falling score.

    An object is missed that no find means: neither as another class nor with a poor box. `evidence` is that of
    `tasks.detection.observe`.
    """
    n = int((evidence["scores"] >= least).sum())
    boxes, labels = evidence["boxes"][:n].astype(np.float64), evidence["labels"][:n]
    truth, names, aside = evidence["truth"].astype(np.float64), evidence["truth_labels"], evidence["aside"]
    right = (evidence["hits"][:n, 0] & 1) > 0
    passed = (evidence["skips"][:n, 0] & 1) > 0
    crowd, counts = aside == CROWD, aside == COUNTED
    shares = overlaps(boxes, truth, crowd)
    same = labels[:, None] == names[None]
    mine, others = np.where(same, shares, 0.0), np.where(same, 0.0, shares)
    best, other = mine.max(1, initial=0.0), others.max(1, initial=0.0)
    questions = [
        (best >= NEAR) & (best < FOUND),
        other >= FOUND,
        best >= FOUND,
        np.maximum(best, other) < NEAR,
    ]
    kinds = np.select([right, passed, *questions], [RIGHT, PASSED, 0, 1, 2, 3], default=4)
    means = np.full(n, -1)
    if len(truth):
        for place, near in enumerate((mine, others)):
            means = np.where(kinds == place, near.argmax(1), means)
    taken = _taken(same & (shares >= FOUND), shares, ~counts, crowd)
    meant = np.isin(np.arange(len(truth)), means[means >= 0])
    return Judged(kinds=kinds, means=means, taken=taken, missed=counts & ~taken & ~meant)


def counts(evidence: Sequence[Evidence], least: float) -> dict[str, int]:
    """How many finds of some images are right, and wrong in each way; and how many objects were missed."""
    total: dict[str, int] = dict.fromkeys(("right", *KINDS, "missed"), 0)
    for one in evidence:
        found = judged(one, least)
        total["right"] += int((found.kinds == RIGHT).sum())
        total["missed"] += int(found.missed.sum())
        for place, name in enumerate(KINDS):
            total[name] += int((found.kinds == place).sum())
    return total


def lost(evidence: Sequence[Evidence], classes: int) -> dict[str, float]:
    """How much average precision at an overlap of .5 each kind costs: what it would gain with that kind put right.

    A class or a box put right finds its object, if none has it and no surer find of the kind means it; all other
    wrong finds go; objects that are missed need no longer be found. In [-1, 1]; the parts do not add up to the whole.
    """
    before = _ap50(evidence, classes)
    every = [judged(one) for one in evidence]
    return {
        kind: _ap50([_mended(one, found, kind) for one, found in zip(evidence, every, strict=True)], classes)
        - before
        for kind in (*KINDS, "missed")
    }


def _mended(evidence: Evidence, found: Judged, kind: str) -> Evidence:
    """The evidence, of all sizes together, as if nothing were wrong in one way."""
    hits, counted = evidence["hits"][:, :1] & 1, evidence["counted"][:, :1]
    labels, stays = evidence["labels"], np.ones(len(found.kinds), np.bool_)
    if kind == "missed":
        counted = counted & ~found.missed[:, None]
    else:
        wrong = np.flatnonzero(found.kinds == KINDS.index(kind))
        stays[wrong] = False
        if kind in MENDED:
            free = wrong[(counted[:, 0] & ~found.taken)[found.means[wrong]]]
            objects, first = np.unique(found.means[free], return_index=True)
            put_right = free[first]
            stays[put_right] = True
            hits, labels = hits.copy(), labels.copy()
            hits[put_right], labels[put_right] = 1, evidence["truth_labels"][objects]
    return {
        "scores": evidence["scores"][stays],
        "labels": labels[stays],
        "ranks": ranks(labels[stays]),
        "hits": hits[stays],
        "skips": evidence["skips"][stays, :1] & 1,
        "truth_labels": evidence["truth_labels"],
        "counted": counted,
    }


def _taken(
    near: Bool[np.ndarray, "n g"],
    shares: Float[np.ndarray, "n g"],
    out: Bool[np.ndarray, "g"],
    crowd: Bool[np.ndarray, "g"],
) -> Bool[np.ndarray, "g"]:
    """The objects that right finds have, of pairs that are `near`; none of those that are `out`."""
    rows, columns = np.nonzero(near)
    taken = np.zeros(len(out), np.bool_)
    if len(rows):
        owner = assigned(rows, columns, shares[rows, columns], out, crowd, np.array([FOUND]))
        taken[owner[owner >= 0]] = True
    return taken & ~out


def _ap50(evidence: Sequence[Evidence], classes: int) -> float:
    return ap.twelve(ap.table(evidence, classes))["AP50"]
