"""How much to freeze: near data, freeze more; far data, freeze less. Near is measured, not guessed.

A linear model is cross-validated on what each stage of the frozen net gives. Where the last stages serve the
user's classes best, the net already knows what it needs and little has to change; where an earlier stage does as
well, everything after it was made for something else and learns anew (Yosinski et al. 1411.1792, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from convworks.transfer import linear

MOST = 3_000  # images that decide; more would change no depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How many of `n` images a linear model on one stage's features gets right, cross-validated."""

    name: str
    right: int
    n: int

    @property
    def share(self) -> float:
        """The share that is right."""
        return self.right / self.n


def probe(
    name: str,
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, "n"],
    classes: int,
    folds: Int[np.ndarray, "n"],
) -> Probe:
    """A linear model cross-validated on one stage's features, on at most `MOST` of the images."""
    rows = np.arange(len(labels))[:: -(-len(labels) // MOST)]
    right = linear.ridge_right(features[rows], labels[rows], classes, folds[rows])
    return Probe(name=name, right=right, n=len(rows))


def choose(probes: Sequence[Probe], strides: Sequence[int]) -> tuple[int, str]:
    """How many stages, from the input, stay frozen; and why, in words.

    Frozen is everything up to the first stage that a linear model reads nearly as well as the last one (within
    one standard error of the best); at least the stages of stride 4 and less, which see edges, and at most all
    but the last quarter, so that something is left to learn.
    """
    n = probes[0].n
    share = max(probe.share for probe in probes)
    error = float(np.sqrt(max(share * (1 - share), 1 / n) / n))
    near = next(i for i, probe in enumerate(probes) if probe.share >= share - error)
    edges = sum(stride <= 4 for stride in strides)
    most = len(probes) - max(1, -(-len(probes) // 4))
    freeze = min(max(near, edges), most)
    where, judged = (
        ("only", "your pictures are near to what the net knows")
        if near >= most
        else ("already", "the rest was made for other pictures")
    )
    why = f'a linear model gets about its best, {share:.2f}, {where} after "{probes[near].name}": {judged}'
    return freeze, why
