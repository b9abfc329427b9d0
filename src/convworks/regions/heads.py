"""What is said of a region: its class, by logits that compete or that stand alone, and how much its box is off.

The other two heads are machines of their own on kept features: `svm` and `structured`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from convworks.regions.coding import deltas, from_deltas
from convworks.regions.losses import generalised_overlap, smooth_l1

SHARP = 1 / 9
"""The error, in deviations, beyond which the loss of a box is linear."""

Fit = Callable[[Tensor, Tensor, Tensor], Tensor]
"""References (n, 4), the deltas (n, 4) that were told of them, and the wanted boxes (n, 4), to a loss of each (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How logits name a class: `spare` of them beyond one for each of k classes.

    `loss` makes of logits (n, k + spare) and labels (n,), k for background, a loss of each; `scores` makes of them the
    score (n, k), in [0, 1], of each class.
    """

    spare: int
    loss: Callable[[Tensor, Tensor], Tensor]
    scores: Callable[[Tensor], Tensor]


def competing(logits: Float[Tensor, "n k1"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Cross-entropy over the classes and background.

    Source: Fast R-CNN (1504.08083), section 2.3.
    """
    return F.cross_entropy(logits, labels, reduction="none")


def competing_scores(logits: Float[Tensor, "n k1"]) -> Float[Tensor, "n k"]:
    """The probability of each class.

    >>> competing_scores(torch.zeros(1, 4)).tolist()
    [[0.25, 0.25, 0.25]]
    """
    return logits.softmax(1)[:, :-1]


def alone(logits: Float[Tensor, "n k"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """The sum over the classes of cross-entropy of yes or no; background is no to all of them.

    >>> alone(torch.tensor([[9.0, -9.0], [-9.0, -9.0]]), torch.tensor([0, 2])).round(decimals=3).tolist()
    [0.0, 0.0]
    """
    wanted = F.one_hot(labels, logits.shape[1] + 1)[:, :-1].to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1)


SOFTMAX = Naming(spare=1, loss=competing, scores=competing_scores)
SIGMOID = Naming(spare=0, loss=alone, scores=torch.sigmoid)


def straight(
    references: Float[Tensor, "n 4"], told: Float[Tensor, "n 4"], wanted: Float[Tensor, "n 4"]
) -> Float[Tensor, "n"]:
    """The smooth L1 of the four deltas, linear beyond a ninth of a deviation."""
    return smooth_l1(told - deltas(references, wanted), SHARP).sum(1)


def overlapping(
    references: Float[Tensor, "n 4"], told: Float[Tensor, "n 4"], wanted: Float[Tensor, "n 4"]
) -> Float[Tensor, "n"]:
    """One minus the GIoU of the box that is told: what is measured in the end, whatever the box's size.

    >>> box = torch.tensor([[0.0, 0, 8, 8]])
    >>> overlapping(box, torch.zeros(1, 4), box).round(decimals=3).tolist()
    [0.0]
    """
    return 1 - generalised_overlap(from_deltas(references, told), wanted)
