"""Of many boxes that say the same thing, one: suppression for each class, softly, and voting on where it lies."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchvision.ops import batched_nms, box_iou


def per_class(
    boxes: Float[Tensor, "n 4"],
    scores: Float[Tensor, "n"],
    labels: Int[Tensor, "n"],
    threshold: float = 0.5,
    most: int | None = None,
) -> Int[Tensor, "k"]:
    """The positions of the boxes that stay, by falling score, at most `most`.

    A box goes where its IoU with a better one of its class is above `threshold`.

    >>> boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10]])
    >>> per_class(boxes, torch.tensor([0.5, 0.9, 0.1]), torch.tensor([0, 0, 0])).tolist()
    [1, 2]
    """
    return batched_nms(boxes, scores, labels, threshold)[:most]


def soft(
    boxes: Float[Tensor, "n 4"], scores: Float[Tensor, "n"], labels: Int[Tensor, "n"], sigma: float = 0.5
) -> Float[Tensor, "n"]:
    """The scores after each box has lowered those of its class that it overlaps, by exp(-IoU^2 / sigma).

    The best goes first, then the best of what its lowering left, and so on.

    Source: Bodla et al., Soft-NMS (1704.04503), equation 3.
    """
    lowering = torch.exp(-(box_iou(boxes, boxes) ** 2) / sigma)
    lowering = torch.where(labels[:, None] == labels[None], lowering, torch.ones_like(lowering))
    found, waiting = scores.clone(), scores.clone()
    for _ in range(len(scores)):
        best = int(waiting.argmax())
        found[best] = waiting[best]
        waiting = waiting * lowering[best]
        waiting[best] = -torch.inf
    return found


def voted(
    kept: Float[Tensor, "k 4"],
    kept_labels: Int[Tensor, "k"],
    boxes: Float[Tensor, "n 4"],
    scores: Float[Tensor, "n"],
    labels: Int[Tensor, "n"],
    threshold: float = 0.5,
) -> Float[Tensor, "k 4"]:
    """Each kept box moved to the mean of those of its class that overlap it by `threshold` IoU, weighted by score.

    Scores below 0 have no vote; a box that nobody votes for stays.

    Source: Multi-region CNN (1505.01749), section 4.
    """
    friends = (box_iou(kept, boxes) >= threshold) & (kept_labels[:, None] == labels[None])
    weights = friends * scores.clamp(min=0)[None]
    total = weights.sum(1, keepdim=True)
    mean = weights @ boxes / total.clamp(min=torch.finfo(boxes.dtype).tiny)
    return torch.where(total > 0, mean, kept)
