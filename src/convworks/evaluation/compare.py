"""Which of two models is better on the same images: what was fixed, what broke, and may it be luck."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from convworks.errors import DataError
from convworks.evaluation.result import Evaluation
from convworks.evaluation.uncertainty import SURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The images that both evaluations answered, by who was right; `fixed` and `broken` are their paths.

    `difference` is the second's accuracy less the first's, with its 95 % interval; `p` is McNemar's exact
    two-sided probability of a split as uneven as fixed : broken by luck alone.
    """

    n: int
    both: int
    neither: int
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    difference: float
    low: float
    high: float
    p: float

    @property
    def said(self) -> str:
        """The verdict in one sentence."""
        gain, loss = len(self.fixed), len(self.broken)
        counts = f"it fixed {gain} and broke {loss} of {self.n} images"
        if gain == loss:
            return f"No difference: {counts}."
        better = "better" if gain > loss else "worse"
        if self.p < 0.05:
            by = f"{better} by {abs(self.difference):.1%}"
            return f"The second is {by}: {counts}, which is hardly luck (p = {self.p:.2g})."
        return f"No difference shown: {counts}, which may well be luck (p = {self.p:.2g})."


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """The paired comparison on the images, by path, that both answered.

    Raises DataError where they share no image, or where an image has another class in the other evaluation.
    Sources: Q. McNemar (1947), exact form; D. Bonett and R. Price, interval for a paired difference (2012).
    """
    rights = _rights(first, second)
    n = len(rights)
    fixed = tuple(path for path, (before, after) in rights.items() if after and not before)
    broken = tuple(path for path, (before, after) in rights.items() if before and not after)
    gain, loss = len(fixed), len(broken)
    uneven = gain + loss
    centre = (gain - loss) / (n + 2)
    spread = math.sqrt(((uneven + 2) / (n + 2) - centre**2) / (n + 2))
    return Comparison(
        n=n,
        both=sum(before and after for before, after in rights.values()),
        neither=sum(not before and not after for before, after in rights.values()),
        fixed=fixed,
        broken=broken,
        difference=(gain - loss) / n,
        low=max(-1.0, centre - SURE * spread),
        high=min(1.0, centre + SURE * spread),
        p=float(binomtest(gain, uneven, 0.5).pvalue) if uneven else 1.0,
    )


def _rights(first: Evaluation, second: Evaluation) -> dict[str, tuple[bool, bool]]:
    """Whether each of the two is right, by the paths that both have, in the order of the first."""
    one, other = _by_path(first), _by_path(second)
    shared = [path for path in one if path in other]
    if not shared:
        raise DataError(
            f"The two evaluations share no image: {first.n} of {first.root} and {second.n} of {second.root}.",
            fix="evaluate both runs on the same folder",
        )
    for path in shared:
        if one[path][0] != other[path][0]:
            raise DataError(
                f'{path} is "{one[path][0]}" in one evaluation and "{other[path][0]}" in the other.',
                fix="evaluate both runs on the same labels",
            )
    return {path: (one[path][1], other[path][1]) for path in shared}


def _by_path(evaluation: Evaluation) -> dict[str, tuple[str, bool]]:
    names = np.asarray(evaluation.classes, object)[evaluation.truth]
    rights = evaluation.answers == evaluation.truth
    return {
        path: (str(name), bool(right))
        for path, name, right in zip(evaluation.paths, names, rights, strict=True)
    }
