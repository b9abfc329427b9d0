"""One round is a plain pass; further rounds move boxes nearer; votes steady them; nothing is nothing."""

from __future__ import annotations

import torch
from torchvision.ops import box_iou

from convworks.regions.refine import iterated, settled

TRUTH = torch.tensor([[10.0, 10, 50, 40], [60, 20, 90, 80]])


def halfway(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores are the IoU with each object, one a class; boxes go half of the way to it."""
    return box_iou(boxes, TRUTH), (boxes[:, None] + TRUTH[None]) / 2


def boxes(count: int = 20) -> torch.Tensor:
    noise = torch.randn(count, 4, generator=torch.Generator().manual_seed(0)) * 6
    return TRUTH[torch.arange(count) % 2] + noise


def test_one_round_is_a_single_pass() -> None:
    scores, moved = halfway(boxes())
    found, score, labels = iterated(boxes(), halfway, rounds=1, least=0.3)
    rows, columns = (scores >= 0.3).nonzero(as_tuple=True)
    assert torch.equal(found, moved[rows, columns])
    assert torch.equal(score, scores[rows, columns])
    assert torch.equal(labels, columns)


def test_each_round_brings_the_best_box_nearer() -> None:
    fits = []
    for rounds in (1, 2, 3):
        found = settled(*iterated(boxes(), halfway, rounds=rounds), vote=None)
        best = found[0][[int((found[2] == label).nonzero()[0, 0]) for label in (0, 1)]]
        fits.append(float(box_iou(best, TRUTH).diagonal().mean()))
    assert fits[0] < fits[1] < fits[2]


def test_votes_bring_noisy_boxes_nearer() -> None:
    noisy = TRUTH[torch.arange(40) % 2] + torch.randn(40, 4, generator=torch.Generator().manual_seed(1)) * 3
    labels = torch.arange(40) % 2
    scores = torch.rand(40, generator=torch.Generator().manual_seed(2))
    alone, voted = (settled(noisy, scores, labels, vote=vote) for vote in (None, 0.5))
    fits = [float(box_iou(found[:2], TRUTH[kept[:2]]).diagonal().mean()) for found, _, kept in (alone, voted)]
    assert fits[1] > fits[0] + 0.05
    assert torch.equal(alone[1], voted[1])


def test_classes_do_not_suppress_each_other_and_most_is_kept_to() -> None:
    same = TRUTH[:1].repeat(3, 1)
    found = settled(same, torch.tensor([0.5, 0.9, 0.7]), torch.tensor([0, 1, 1]))
    assert found[2].tolist() == [1, 0]
    assert len(settled(same, torch.tensor([0.5, 0.9, 0.7]), torch.tensor([0, 1, 2]), most=2)[0]) == 2


def test_nothing_in_nothing_out() -> None:
    for rounds in (1, 3):
        found = settled(*iterated(torch.zeros(0, 4), halfway, rounds=rounds))
        assert [part.shape for part in found] == [(0, 4), (0,), (0,)]
    assert len(iterated(boxes(), halfway, rounds=2, least=2.0)[0]) == 0


def test_what_has_no_area_is_no_answer() -> None:
    boxes = torch.tensor([[0.0, 5, 9, 5], [3, 3, 3.001, 9], [0, 0, 1, 1]])
    found = settled(boxes, torch.tensor([0.9, 0.8, 0.1]), torch.zeros(3, dtype=torch.int64))
    assert found[0].tolist() == [[0, 0, 1, 1]]
