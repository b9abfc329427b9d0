"""Why a detector's finds are wrong: the class, the box, both, found twice, nothing there, and what it missed.

Source: Bolya et al., TIDE (2008.08115), section 2.2, at one score and one overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from convworks.metrics.matches import Evidence, overlaps
from convworks.samples import COUNTED, CROWD

FOUND, NEAR = 0.5, 0.1  # IoU from which a box is right, and from which it means some object at all
KINDS = ("class", "box", "both", "twice", "background")
"""What a wrong find got wrong, in the order in which it is asked."""
RIGHT, PASSED = -1, -2


def kinds(evidence: Evidence, least: float) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "m"]]:
    """What each find of a score from `least` on got wrong, and which true objects were missed (positions).

    The first is a position in `KINDS`, or `RIGHT`, or `PASSED` for what is neither right nor wrong; finds are in the
    order of the evidence, by falling score. An object is missed that no find means: neither as another class nor with
    a poor box. `evidence` is that of `tasks.detection.observe`.
    """
    n = int((evidence["scores"] >= least).sum())
    boxes, labels = evidence["boxes"][:n].astype(np.float64), evidence["labels"][:n]
    truth, names, aside = evidence["truth"].astype(np.float64), evidence["truth_labels"], evidence["aside"]
    right = (evidence["hits"][:n, 0] & 1) > 0
    passed = (evidence["skips"][:n, 0] & 1) > 0
    shares = overlaps(boxes, truth, aside == CROWD)
    same = labels[:, None] == names[None]
    mine = np.where(same, shares, 0.0).max(1, initial=0.0)
    others = np.where(same, 0.0, shares).max(1, initial=0.0)
    questions = [others >= FOUND, (mine >= NEAR) & (mine < FOUND), others >= NEAR, mine >= FOUND]
    found = np.select([right, passed, *questions], [RIGHT, PASSED, 0, 1, 2, 3], default=4)
    meant = (shares >= FOUND).any(0) | (same & (shares >= NEAR)).any(0)
    return found, np.flatnonzero(~meant & (aside == COUNTED))


def counts(evidence: Sequence[Evidence], least: float) -> dict[str, int]:
    """How many finds of some images are right, and wrong in each way; and how many objects were missed."""
    total: dict[str, int] = dict.fromkeys(("right", *KINDS, "missed"), 0)
    for one in evidence:
        found, missed = kinds(one, least)
        total["right"] += int((found == RIGHT).sum())
        total["missed"] += len(missed)
        for place, name in enumerate(KINDS):
            total[name] += int((found == place).sum())
    return total
