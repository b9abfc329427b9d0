"""How much to freeze: near data, freeze more; far data, freeze less. Near is measured, not guessed.

A linear model is cross-validated on what each stage of the frozen net gives. Where it answers nearly everything, the
net already knows what it needs and little has to change; where it does not, or where an early stage serves as well as
a late one, more of the net was made for something else and learns anew (Yosinski et al. 1411.1792, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from convworks.metrics.ranking import area, mean_known
from convworks.transfer import linear

MOST = 3_000  # images that decide; more would change no depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How many of `n` images a linear model on one stage's features gets right, cross-validated.

    Where images show several classes, `right` is `n` times the mean area under the curves of the classes: how often an
    image that shows a class is put before one that does not. Chance is 1/2 for every class, however rare, so that the
    way from chance to perfect means the same for each; average precision would start elsewhere for each.
    """

    name: str
    right: float
    n: int

    @property
    def share(self) -> float:
        """The share that is right."""
        return self.right / self.n


def probe(
    name: str,
    features: Float[np.ndarray, "n d"],
    labels: linear.Truth,
    classes: int,
    folds: Int[np.ndarray, "n"],
) -> Probe:
    """A linear model cross-validated on one stage's features, on at most `MOST` of the images."""
    rows = np.arange(len(labels))[:: -(-len(labels) // MOST)]
    if labels.ndim == 2:
        there = labels[rows]
        said = linear.ridge(np.asarray(features[rows], np.float64), there.astype(np.float64), folds[rows])
        areas = [area(column, truth) for column, truth in zip(said.T, there.T, strict=True)]
        return Probe(name=name, right=len(rows) * mean_known(np.array(areas)), n=len(rows))
    right = linear.ridge_right(features[rows], labels[rows], classes, folds[rows])
    return Probe(name=name, right=right, n=len(rows))


NEAR, FAR = 0.9, 0.7  # of the way from chance to perfect
LEARNS = {"near": 0.25, "half": 0.5}  # the share of the stages that learn


def choose(probes: Sequence[Probe], strides: Sequence[int], classes: int) -> tuple[int, str]:
    """How many stages, from the input, stay frozen; and why, in words.

    Measured is how much of the way from chance to perfect a linear model on the frozen net goes. Above `NEAR` the
    pictures are near to what the net knows, and the last quarter of the stages learns; above `FAR` the last half;
    below, all but the stages of stride 4 and less, which see edges. What comes after the first stage that serves as
    well as the best one, within a standard error, learns in any case.
    """
    best = max(probe.share for probe in probes)
    error = float(np.sqrt(max(best * (1 - best), 1 / probes[0].n) / probes[0].n))
    peak = next(place for place, probe in enumerate(probes) if probe.share >= best - error)
    chance = 1 / classes
    way = max(0.0, best - chance) / (1 - chance)
    edges = sum(stride <= 4 for stride in strides)
    if way >= NEAR:
        freeze, judged = _all_but(LEARNS["near"], probes), "your pictures are near to what the net knows"
    elif way >= FAR:
        freeze, judged = _all_but(LEARNS["half"], probes), "it knows much of what your pictures need, not all"
    else:
        freeze, judged = edges, "your pictures are far from what the net knows"
    why = f"a linear model on the frozen net scores {best:.2f}, {way:.0%} of the way from chance to perfect: {judged}"
    if peak + 1 < freeze:
        freeze = max(peak + 1, edges)
        why += f'; and what "{probes[peak].name}" gives is as good as what comes later'
    return max(min(freeze, len(probes) - 1), 0), why


def _all_but(share: float, probes: Sequence[Probe]) -> int:
    return len(probes) - max(1, math.ceil(len(probes) * share))
