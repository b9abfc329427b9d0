"""What a detector learns by: how wrong boxes and scores are, element by element, for the caller to weigh and sum."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-7


def smooth_l1(difference: Float[Tensor, "*n"], beta: float = 1.0) -> Float[Tensor, "*n"]:
    """Squared below `beta`, linear beyond, with one slope where they meet; `beta` 0 is the absolute value.

    Source: Fast R-CNN (1504.08083), section 2.3.

    >>> smooth_l1(torch.tensor([0.5, -3.0])).tolist()
    [0.125, 2.5]
    """
    size = difference.abs()
    if beta == 0:
        return size
    return torch.where(size < beta, 0.5 * size * size / beta, size - beta / 2)


def squared(difference: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Half the square: the Euclidean loss of the first localizers."""
    return 0.5 * difference * difference


def overlap(first: Float[Tensor, "*n 4"], second: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """IoU of each box with its partner, in [0, 1]; one minus it is the IoU loss (1608.01471)."""
    shared, union = _shared(first, second)
    return shared / union


def generalised_overlap(first: Float[Tensor, "*n 4"], second: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """IoU less the share of the hull that neither box covers, in (-1, 1]: it pulls boxes that do not touch.

    Source: GIoU (1902.09630), algorithm 1.

    >>> apart = generalised_overlap(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]]))
    >>> round(float(apart), 3)
    -0.333
    """
    shared, union = _shared(first, second)
    across, down = _hull(first, second)
    hull = across * down + EPSILON
    return shared / union - (hull - union) / hull


def distant_overlap(first: Float[Tensor, "*n 4"], second: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """IoU less the squared distance of the centres over that of the hull's corners, in (-1, 1].

    Source: DIoU (1911.08287), equation 6.
    """
    shared, union = _shared(first, second)
    across, down = _hull(first, second)
    between = (first[..., :2] + first[..., 2:] - second[..., :2] - second[..., 2:]) / 2
    return shared / union - (between * between).sum(-1) / (across**2 + down**2 + EPSILON)


def focal(
    logits: Float[Tensor, "*n"], truth: Float[Tensor, "*n"], alpha: float = 0.25, gamma: float = 2.0
) -> Float[Tensor, "*n"]:
    """Cross-entropy of yes or no, less of what is known well; `truth` is 0 or 1, `alpha` the weight of the 1.

    Source: RetinaNet (1708.02002), equation 5.
    """
    wrong = (logits.sigmoid() - truth).abs()
    weight = alpha * truth + (1 - alpha) * (1 - truth)
    return weight * wrong**gamma * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")


def quality_focal(
    logits: Float[Tensor, "*n"], quality: Float[Tensor, "*n"], beta: float = 2.0
) -> Float[Tensor, "*n"]:
    """The same for a truth in [0, 1], how well the box fits: a score that says both what and how well.

    Source: Generalized focal loss (2006.04388), equation 2.
    """
    wrong = (logits.sigmoid() - quality).abs()
    return wrong**beta * F.binary_cross_entropy_with_logits(logits, quality, reduction="none")


def distribution_focal(logits: Float[Tensor, "*n bins"], wanted: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Cross-entropy of a distribution over the whole numbers 0, 1, ... with the two on either side of `wanted`.

    Source: Generalized focal loss (2006.04388), equation 6.
    """
    last = logits.shape[-1] - 1
    wanted = wanted.clamp(0, last)
    below = wanted.long().clamp(max=last - 1)
    share = wanted - below
    logs = logits.log_softmax(-1)
    left = logs.gather(-1, below[..., None])[..., 0]
    right = logs.gather(-1, below[..., None] + 1)[..., 0]
    return -(left * (1 - share) + right * share)


def _shared(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of intersection and union, the latter never 0."""
    sides = torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    shared = sides.clamp(min=0).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1) for boxes in (first, second)]
    return shared, areas[0] + areas[1] - shared + EPSILON


def _hull(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of the box around both."""
    reach = torch.maximum(first[..., 2:], second[..., 2:]) - torch.minimum(first[..., :2], second[..., :2])
    return reach[..., 0], reach[..., 1]
