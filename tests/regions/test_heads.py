"""Each way to name a region and to learn its box is the formula that it says it is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.ops import generalized_box_iou_loss

from convworks.regions.coding import deltas, from_deltas
from convworks.regions.heads import SIGMOID, SOFTMAX, overlapping, straight


def boxes(count: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=draw) * 50
    return torch.cat([low, low + 4 + torch.rand(count, 2, generator=draw) * 40], 1)


def test_classes_that_compete_and_straight_boxes_cost_what_they_cost_torchvision() -> None:
    draw = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(30, 4, generator=draw), torch.arange(30) % 4
    told, around, wanted = torch.randn(30, 3, 4, generator=draw), boxes(30, 1), boxes(30, 2)
    rolled = logits.roll(1, 1)  # background is their first class and our last
    padded = torch.cat([told[:, :1], told], 1).flatten(1)
    theirs = fastrcnn_loss(rolled, padded, [(labels + 1) % 4], [deltas(around, wanted)])
    torch.testing.assert_close(SOFTMAX.loss(logits, labels).mean(), theirs[0])
    objects = labels < 3
    own = told[objects, labels[objects]]
    torch.testing.assert_close(straight(around[objects], own, wanted[objects]).sum() / 30, theirs[1])


def test_classes_that_stand_alone_do_not_hear_of_each_other() -> None:
    logits = torch.tensor([[0.3, -1.2, 2.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(SIGMOID.loss(logits, torch.tensor([1])).sum(), logits)
    torch.testing.assert_close(slope, logits.detach().sigmoid() - torch.tensor([[0.0, 1, 0]]))
    background = SIGMOID.loss(logits, torch.tensor([3]))
    torch.testing.assert_close(background, F.softplus(logits).sum(1))
    assert SIGMOID.scores(torch.zeros(2, 3)).tolist() == [[0.5] * 3] * 2


def test_boxes_that_learn_by_overlap_cost_one_less_giou() -> None:
    around, wanted, told = boxes(20, 1), boxes(20, 2), torch.randn(20, 4, generator=torch.Generator())
    theirs = generalized_box_iou_loss(from_deltas(around, told), wanted)
    torch.testing.assert_close(overlapping(around, told, wanted), theirs, atol=1e-5, rtol=1e-5)
