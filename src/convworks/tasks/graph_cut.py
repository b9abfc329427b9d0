"""Outlines refined by minimum cut: each pixel by what a net says of it, and neighbours that look alike together.

The energy is the sum of -log p of each pixel's class, and of a weight for each two neighbours of different classes,
small where their colours differ. Two classes are cut exactly; of more, one after the other takes what lowers it.

Source: Boykov, Veksler and Zabih, Fast approximate energy minimization via graph cuts (PAMI 2001), sections 3 and 5.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from torch.nn import functional as F

from convworks.tasks.enlarging import enlarged

UNIT = 1000  # whole numbers are cut: this many make 1
LARGEST = 20.0  # of -log p
SWEEPS = 2  # times that each class is tried
THERE = 0.05  # a class that is nowhere more probable is not tried


def cut(
    cost: Int[np.ndarray, "n"],
    first: Int[np.ndarray, "e"],
    second: Int[np.ndarray, "e"],
    weight: Int[np.ndarray, "e"],
) -> Bool[np.ndarray, "n"]:
    """The answer x of 0 and 1 with the least sum of `cost` x, and of `weight` where x is 0 at `first`, 1 at `second`.

    `cost` may be negative, `weight` not.

    >>> one, other = np.array([0, 1]), np.array([1, 0])  # two pixels that want to differ, and may not
    >>> cut(np.array([-3, 2]), one, other, np.array([5, 5])).tolist()
    [True, True]
    """
    n = len(cost)
    pixels, source, sink = np.arange(n), n, n + 1
    rows = np.concatenate([first, np.full(n, source), pixels])
    columns = np.concatenate([second, pixels, np.full(n, sink)])
    capacity = np.concatenate([weight, np.maximum(cost, 0), np.maximum(-cost, 0)]).astype(np.int32)
    there = capacity > 0
    graph = csr_array((capacity[there], (rows[there], columns[there])), shape=(n + 2, n + 2))
    graph.sum_duplicates()
    left = graph - maximum_flow(graph, source, sink).flow
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    answer = np.ones(n + 2, np.bool_)
    answer[reached] = False
    return answer[:n]


def expanded(
    costs: Float[np.ndarray, "k h w"], alike: tuple[Float[np.ndarray, "h w2"], Float[np.ndarray, "h2 w"]]
) -> Int[np.ndarray, "h w"]:
    """The class of each pixel for which `costs` and the weights of cut edges, right and below, are low together.

    Exact for two classes; for more, no class can take further pixels and lower the sum.
    """
    k, height, width = costs.shape
    number = np.arange(height * width).reshape(height, width)
    one = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    other = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    weight = np.round(UNIT * np.concatenate([alike[0].ravel(), alike[1].ravel()])).astype(np.int64)
    whole = np.round(UNIT * np.minimum(costs, LARGEST)).astype(np.int64).reshape(k, -1)
    best = whole.argmin(0)
    tried = [label for label in range(k) if costs[label].min() < -np.log(THERE)]
    for _ in range(SWEEPS):
        before = best
        for label in tried:
            best = _grown(label, best, whole, one, other, weight)
        if len(tried) <= 2 or (before == best).all():
            break
    return best.reshape(height, width)


def _grown(
    label: int,
    now: Int[np.ndarray, "n"],
    costs: Int[np.ndarray, "k n"],
    one: Int[np.ndarray, "e"],
    other: Int[np.ndarray, "e"],
    weight: Int[np.ndarray, "e"],
) -> Int[np.ndarray, "n"]:
    """`now`, with `label` wherever that lowers the energy: both stay a, only the second goes b, only the first c."""
    a, b, c = (
        weight * (now[one] != now[other]),
        weight * (now[one] != label),
        weight * (now[other] != label),
    )
    cost = costs[label] - costs[now, np.arange(len(now))]
    cost = cost + np.bincount(one, c - a, len(now)).astype(np.int64)
    cost = cost - np.bincount(other, c, len(now)).astype(np.int64)
    return np.where(cut(cost, one, other, b + c - a), label, now)


def likeness(
    picture: Float[np.ndarray, "c h w"], weight: float
) -> tuple[Float[np.ndarray, "h w2"], Float[np.ndarray, "h2 w"]]:
    """The weight of cutting right of each pixel and below: `weight` e^(-d / 2m) of colours d apart, m the mean of d."""
    right = np.square(np.diff(picture, axis=2)).sum(0)
    below = np.square(np.diff(picture, axis=1)).sum(0)
    mean = (
        max(float(np.concatenate([right.ravel(), below.ravel()]).mean()), 1e-12)
        if right.size + below.size
        else 1.0
    )
    return weight * np.exp(-right / (2 * mean)), weight * np.exp(-below / (2 * mean))


def refined(
    scores: Float[np.ndarray, "k h w"], picture: Float[np.ndarray, "c h2 w2"], weight: float
) -> Float[np.ndarray, "k h3 w3"]:
    """1 for the cut's class of each pixel, else 0: at half of the picture's size, or at that of finer scores."""
    size = tuple(max(own, side // 2) for own, side in zip(scores.shape[1:], picture.shape[1:], strict=True))
    grown, seen = (torch.from_numpy(np.ascontiguousarray(array))[None].float() for array in (scores, picture))
    costs = -enlarged(grown, (size[0], size[1])).log_softmax(1)[0]
    seen = F.interpolate(seen, size, mode="area")[0]
    best = expanded(costs.numpy(), likeness(seen.numpy(), weight))
    return (best == np.arange(len(scores))[:, None, None]).astype(np.float32)
