"""What stays of many boxes: equal to plain loops over them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchvision.ops import box_iou

from convworks.regions.suppression import per_class, soft, voted


def many(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(n, 2, generator=draw) * 20
    boxes = torch.cat([corners, corners + 2 + torch.rand(n, 2, generator=draw) * 15], 1)
    return boxes, torch.rand(n, generator=draw), torch.randint(0, 2, (n,), generator=draw)


def test_suppression_is_that_of_a_plain_loop() -> None:
    boxes, scores, labels = many(60, 1)
    overlaps, kept = box_iou(boxes, boxes), []
    for row in scores.argsort(descending=True).tolist():
        if all(labels[row] != labels[one] or overlaps[row, one] <= 0.4 for one in kept):
            kept.append(row)
    assert per_class(boxes, scores, labels, 0.4).tolist() == kept
    assert per_class(boxes, scores, labels, 0.4, most=3).tolist() == kept[:3]


def test_nothing_is_suppressed_to_nothing() -> None:
    boxes, scores, labels = many(0, 1)
    assert per_class(boxes, scores, labels).shape == (0,)
    assert soft(boxes, scores, labels).shape == (0,)
    assert voted(boxes, labels, boxes, scores, labels).shape == (0, 4)


def test_soft_suppression_is_that_of_a_plain_loop() -> None:
    boxes, scores, labels = many(25, 2)
    left, wanted = dict(enumerate(scores.tolist())), [0.0] * 25
    while left:
        best = max(left, key=lambda one: left[one])
        wanted[best] = left.pop(best)
        for other in left:
            if labels[other] == labels[best]:
                left[other] *= math.exp(-(float(box_iou(boxes[[best]], boxes[[other]])) ** 2) / 0.5)
    torch.testing.assert_close(soft(boxes, scores, labels), torch.tensor(wanted))


def test_voting_is_the_weighted_mean_of_those_that_agree() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60], [0, 0, 10, 10]])
    scores, labels = torch.tensor([0.9, 0.3, 0.8, 0.9]), torch.tensor([0, 0, 0, 1])
    found = voted(boxes[:1], labels[:1], boxes, scores, labels)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0, 10.5, 10]]))


def test_votes_below_nothing_move_no_box() -> None:
    boxes, scores, labels = many(5, 3)
    torch.testing.assert_close(voted(boxes, labels, boxes, -scores, labels), boxes)
