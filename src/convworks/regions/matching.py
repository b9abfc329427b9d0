"""Which candidate learns which object: thresholds on the overlap, one to one, adaptive, and aligned with the task.

Every matcher gives, for each of n candidates, the position of its object, `BACKGROUND` for none, or `IGNORED` where it
learns nothing. n or m may be 0.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchvision.ops import box_iou

BACKGROUND, IGNORED = -1, -2


def by_overlap(
    overlaps: Float[Tensor, "n m"], high: float, low: float, *, best_of_each: bool = False
) -> Int[Tensor, "n"]:
    """The object that a candidate overlaps most: from IoU `high` on; below `low` background, between ignored.

    With `best_of_each`, the candidates that overlap an object most get their own best object however little that is,
    so that no object that anything touches goes without.

    Source: Faster R-CNN (1506.01497), section 3.1.2.

    >>> by_overlap(torch.tensor([[0.8, 0.1], [0.4, 0.5], [0.1, 0.0]]), 0.7, 0.3).tolist()
    [0, -2, -1]
    """
    n, m = overlaps.shape
    if not n or not m:
        return torch.full((n,), BACKGROUND, device=overlaps.device)
    share, chosen = overlaps.max(1)
    found = chosen.clone()
    found[share < high] = IGNORED
    found[share < low] = BACKGROUND
    if best_of_each:
        best = overlaps.amax(0)
        rows = ((overlaps == best) & (best > 0)).any(1)
        found[rows] = chosen[rows]
    return found


def excused(
    matches: Int[Tensor, "n"], boxes: Float[Tensor, "n 4"], aside: Float[Tensor, "c 4"]
) -> Int[Tensor, "n"]:
    """The matches, but background is ignored where half of its box or more lies in a region of `aside`.

    Such a region (a crowd, an object too hard to tell) holds objects that nobody outlined.

    >>> excused(torch.tensor([-1, -1]), torch.tensor([[0.0, 0, 2, 2], [4, 0, 9, 2]]), torch.tensor([[0.0, 0, 5, 5]]))
    tensor([-2, -1])
    """
    if not len(aside):
        return matches
    low = torch.maximum(boxes[:, None, :2], aside[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], aside[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1).amax(1)
    inside = shared >= 0.5 * (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    return torch.where(inside & (matches == BACKGROUND), IGNORED, matches)


def bipartite(cost: Float[Tensor, "n m"]) -> Int[Tensor, "n"]:
    """One candidate for each object, no two the same, so that the sum of the costs is the smallest there is.

    Source: MultiBox (1312.2249), section 3.2; Kuhn, The Hungarian method, 1955.

    >>> bipartite(torch.tensor([[1.0, 2.0], [0.9, 9.0], [9.0, 9.0]])).tolist()
    [1, 0, -1]
    """
    found = torch.full((len(cost),), BACKGROUND, device=cost.device)
    rows, columns = linear_sum_assignment(cost.detach().cpu().numpy())
    found[torch.as_tensor(rows, device=cost.device)] = torch.as_tensor(columns, device=cost.device)
    return found


def reachable(places: Float[Tensor, "n 2"], boxes: Float[Tensor, "m 4"]) -> Bool[Tensor, "n m"]:
    """Whether a place (x, y) lies inside a box, or is the nearest to a box that holds none."""
    offsets = torch.cat([places[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - places[:, None]], -1)
    inside = offsets.amin(-1) > 0
    lonely = ~inside.any(0)
    if len(places) and bool(lonely.any()):
        middles = (boxes[lonely, :2] + boxes[lonely, 2:]) / 2
        nearest = torch.cdist(places, middles, compute_mode="donot_use_mm_for_euclid_dist").argmin(0)
        inside[nearest, lonely.nonzero()[:, 0]] = True
    return inside


def adaptive(
    places: Float[Tensor, "n 2"],
    strides: Float[Tensor, "n"],
    boxes: Float[Tensor, "m 4"],
    *,
    nearest: int = 9,
    side: float = 8.0,
) -> Int[Tensor, "n"]:
    """Of the `nearest` cells of each level to an object, those that fit it better than most of them do.

    A cell stands for a square of `side` strides around it; the threshold of an object is the mean of the IoUs of its
    candidates plus their deviation. A cell that two objects want goes to the one that it overlaps more. An object
    without any gets its nearest cell.

    Source: ATSS (1912.02424), algorithm 1.
    """
    n, m = len(places), len(boxes)
    if not n or not m:
        return torch.full((n,), BACKGROUND, device=places.device)
    half = strides[:, None] * side / 2
    overlaps = box_iou(torch.cat([places - half, places + half], 1), boxes)
    far = torch.cdist(places, (boxes[:, :2] + boxes[:, 2:]) / 2, compute_mode="donot_use_mm_for_euclid_dist")
    candidate = torch.zeros(n, m, dtype=torch.bool, device=places.device)
    for stride in strides.unique().tolist():
        level = (strides == stride).nonzero()[:, 0]
        order = far[level].topk(min(nearest, len(level)), dim=0, largest=False).indices
        candidate.scatter_(0, level[order], True)
    count = candidate.sum(0)
    shown = overlaps * candidate
    mean = shown.sum(0) / count
    spread = (((overlaps - mean) ** 2 * candidate).sum(0) / (count - 1).clamp(min=1)).sqrt()
    inside = reachable(places, boxes)
    good = candidate & inside & (overlaps >= mean + spread)
    lonely = ~good.any(0)
    if bool(lonely.any()):
        first = torch.where(inside, -far, -torch.inf)[:, lonely].argmax(0)
        good[first, lonely.nonzero()[:, 0]] = True
    return _shared_out(good, torch.where(inside, overlaps + 1, overlaps))


def task_aligned(
    scores: Float[Tensor, "n m"],
    overlaps: Float[Tensor, "n m"],
    inside: Bool[Tensor, "n m"],
    *,
    top: int = 13,
    alpha: float = 1.0,
    beta: float = 6.0,
) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"]]:
    """The `top` candidates of each object by score^alpha x IoU^beta, and how good each is, in [0, 1].

    `scores` are what a candidate gives the class of an object, `overlaps` are the IoUs of its predicted box, and only
    candidates `inside` an object count. A candidate that two objects want goes to the one that it overlaps more. The
    goodness of an object's best is its largest IoU; the others have their share of that.

    Source: TOOD (2108.07755), section 3.2.
    """
    n, m = scores.shape
    if not n or not m:
        none = torch.full((n,), BACKGROUND, device=scores.device)
        return none, torch.zeros(n, dtype=scores.dtype, device=scores.device)
    aligned = (scores**alpha * overlaps**beta).masked_fill(~inside, -1)
    order = aligned.topk(min(top, n), dim=0).indices
    good = torch.zeros_like(inside).scatter_(0, order, True) & inside
    found = _shared_out(good, overlaps)
    mine = torch.nn.functional.one_hot(found.clamp(min=0), m).bool() & (found >= 0)[:, None]
    value = aligned.clamp(min=0) * mine
    best, reach = value.amax(0), (overlaps * mine).amax(0)
    return found, (value / best.clamp(min=torch.finfo(value.dtype).tiny) * reach).amax(1)


def _shared_out(good: Bool[Tensor, "n m"], preference: Float[Tensor, "n m"]) -> Int[Tensor, "n"]:
    """Each candidate's object among those that want it: the one it prefers."""
    chosen = preference.masked_fill(~good, -torch.inf).argmax(1)
    return torch.where(good.any(1), chosen, BACKGROUND)
