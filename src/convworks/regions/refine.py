"""Boxes corrected, scored again and corrected again, then put to the vote: the last step of a two-stage detector.

One round is what Fast R-CNN does: a region is scored once, and its box is moved once. In further rounds the moved
boxes are regions themselves, which need less moving and score more truly.

Source: Multi-region CNN (1505.01749), section 4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from convworks.regions.suppression import per_class, voted

Judge = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Boxes (n, 4) to their scores (n, k) for each class and the box (n, k, 4) that each class would have instead."""
Found = tuple[Float[Tensor, "f 4"], Float[Tensor, "f"], Int[Tensor, "f"]]

PRUNE = 0.95
"""IoU above which two boxes of a class are the same region to score again."""
THIN = 0.01
"""Pixels that a box is wide and high at least."""


def iterated(boxes: Float[Tensor, "n 4"], judge: Judge, *, rounds: int = 2, least: float = 0.05) -> Found:
    """Boxes, scores and classes from all rounds together, those with a score of `least` or more.

    In each round a region gives, for each class that its score allows, the moved box with the region's score; the moved
    boxes, one of those that are nearly the same, are the regions of the next round, each for its own class.
    """
    scores, moved = judge(boxes)
    rows, labels = (scores >= least).nonzero(as_tuple=True)
    found = [(moved[rows, labels], scores[rows, labels], labels)]
    for _ in range(rounds - 1):
        regions, score, labels = found[-1]
        kept = per_class(regions, score, labels, PRUNE)
        if not len(kept):
            break
        regions, labels = regions[kept], labels[kept]
        scores, moved = judge(regions)
        every = torch.arange(len(labels), device=labels.device)
        score = scores[every, labels]
        good = score >= least
        found.append((moved[every, labels][good], score[good], labels[good]))
    together = [torch.cat(parts) for parts in zip(*found, strict=True)]
    return together[0], together[1], together[2]


def settled(
    boxes: Float[Tensor, "n 4"],
    scores: Float[Tensor, "n"],
    labels: Int[Tensor, "n"],
    *,
    suppress: float = 0.3,
    vote: float | None = 0.5,
    most: int = 100,
) -> tuple[Float[Tensor, "k 4"], Float[Tensor, "k"], Int[Tensor, "k"]]:
    """The boxes that stay, at most `most`, by falling score, each where those that agree with it put it.

    Boxes thinner than a hundredth of a pixel go. Of two boxes of a class with an IoU above `suppress` the better stays;
    `vote` is the IoU from which a box votes, None for no vote.
    """
    there = ((boxes[:, 2:] - boxes[:, :2]) >= THIN).all(1)
    boxes, scores, labels = boxes[there], scores[there], labels[there]
    kept = per_class(boxes, scores, labels, suppress, most)
    places = boxes[kept]
    if vote is not None:
        places = voted(places, labels[kept], boxes, scores, labels, vote)
    return places, scores[kept], labels[kept]
