"""Which candidate learns what: closed forms, plain loops, and nothing left without."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from convworks.regions import matching
from convworks.regions.matching import (
    BACKGROUND,
    IGNORED,
    adaptive,
    bipartite,
    by_overlap,
    excused,
    task_aligned,
)


def grid(side: int, *strides: int) -> tuple[Tensor, Tensor]:
    """The middles of the cells of a square frame, and their strides."""
    places, each = [], []
    for stride in strides:
        row = (torch.arange(side // stride) + 0.5) * stride
        y, x = torch.meshgrid(row, row, indexing="ij")
        places.append(torch.stack([x, y], -1).reshape(-1, 2))
        each.append(torch.full((len(places[-1]),), float(stride)))
    return torch.cat(places), torch.cat(each)


@pytest.mark.parametrize("best", [True, False])
def test_thresholds_are_those_of_torchvision(best: bool) -> None:
    overlaps = torch.rand(200, 7, generator=torch.Generator().manual_seed(1))
    overlaps[:, 6] *= 0.2
    theirs = Matcher(0.9, 0.5, allow_low_quality_matches=best)(overlaps.T)
    assert torch.equal(by_overlap(overlaps, 0.9, 0.5, best_of_each=best), theirs)


def test_background_of_which_half_lies_in_a_region_set_aside_is_ignored() -> None:
    matches = torch.tensor([BACKGROUND, BACKGROUND, BACKGROUND, 0, IGNORED])
    boxes = torch.tensor([[0.0, 0, 10, 4], [0, 0, 10.2, 4], [50, 50, 60, 60], [0, 0, 5, 4], [0, 0, 5, 4]])
    crowds = torch.tensor([[0.0, 0, 5, 5], [90, 90, 99, 99]])
    assert excused(matches, boxes, crowds).tolist() == [IGNORED, BACKGROUND, BACKGROUND, 0, IGNORED]
    assert torch.equal(excused(matches, boxes, crowds[:0]), matches)


def test_an_object_that_nothing_touches_is_nobodys() -> None:
    found = by_overlap(torch.zeros(3, 1), 0.7, 0.3, best_of_each=True)
    assert found.tolist() == [BACKGROUND] * 3
    assert by_overlap(torch.tensor([[0.5]]), 0.7, 0.3).tolist() == [IGNORED]


@pytest.mark.parametrize("seed", range(5))
def test_one_to_one_costs_as_little_as_any_way_could(seed: int) -> None:
    cost = torch.rand(6, 4, generator=torch.Generator().manual_seed(seed))
    found = bipartite(cost)
    rows = (found >= 0).nonzero()[:, 0]
    assert sorted(found[rows].tolist()) == [0, 1, 2, 3]
    least = min(
        sum(float(cost[row, place]) for place, row in enumerate(order))
        for order in itertools.permutations(range(6), 4)
    )
    assert float(cost[rows, found[rows]].sum()) == pytest.approx(least)


def plainly_adaptive(places: Tensor, strides: Tensor, boxes: Tensor) -> list[int]:
    """ATSS with loops, for objects that all hold a cell that is good."""
    best = [(-1.0, BACKGROUND)] * len(places)
    for number, box in enumerate(boxes):
        middle = (box[:2] + box[2:]) / 2
        candidates: list[int] = []
        for stride in strides.unique():
            rows = (strides == stride).nonzero()[:, 0].tolist()
            rows.sort(key=lambda row: float((places[row] - middle).norm()))
            candidates += rows[:9]
        squares = [
            torch.cat([places[row] - 4 * strides[row], places[row] + 4 * strides[row]]) for row in candidates
        ]
        shares = box_iou(torch.stack(squares), box[None])[:, 0]
        least = shares.mean() + shares.std()
        for row, share in zip(candidates, shares.tolist(), strict=True):
            inside = bool((places[row] > box[:2]).all() and (places[row] < box[2:]).all())
            if inside and share >= least and share > best[row][0]:
                best[row] = (share, number)
    return [number for _, number in best]


def test_adaptive_matching_is_that_of_plain_loops() -> None:
    places, strides = grid(128, 8, 16, 32)
    boxes = torch.tensor([[3.0, 5, 70, 64], [50, 50.3, 97.7, 107.2], [61, 9, 127, 50.5], [13, 90, 31, 113]])
    found = adaptive(places, strides, boxes)
    assert found.tolist() == plainly_adaptive(places, strides, boxes)
    assert set(range(4)) <= set(found.tolist())


@pytest.mark.parametrize("side", [0.2, 1.0, 300.0])
def test_every_object_has_a_cell_however_small_or_large(side: float) -> None:
    places, strides = grid(64, 8, 16)
    middles = torch.tensor([[8.1, 40.3], [33.3, 12.7]])
    boxes = torch.cat([middles - side / 2, middles + side / 2], 1)
    if side > 100:
        boxes = boxes[:1]
    assert set(range(len(boxes))) <= set(adaptive(places, strides, boxes).tolist())
    inside = matching.reachable(places, boxes)
    assert bool(inside.any(0).all())
    found, quality = task_aligned(torch.full(inside.shape, 0.5), torch.rand(inside.shape), inside)
    assert set(range(len(boxes))) <= set(found.tolist())
    assert float(quality.max()) <= 1


def test_aligned_candidates_are_the_best_by_score_and_fit() -> None:
    scores = torch.tensor([[0.9], [0.5], [0.5], [0.1]])
    overlaps = torch.tensor([[0.5], [0.9], [0.6], [0.9]])
    inside = torch.tensor([[True], [True], [True], [False]])
    found, quality = task_aligned(scores, overlaps, inside, top=2)
    assert found.tolist() == [BACKGROUND, 0, 0, BACKGROUND]
    assert float(quality[1]) == pytest.approx(0.9), "the best of an object is as good as its best box"
    assert float(quality[2]) == pytest.approx(0.9 * (0.6 / 0.9) ** 6)


def test_of_two_objects_a_candidate_takes_the_one_it_fits_better() -> None:
    found, _ = task_aligned(torch.ones(1, 2), torch.tensor([[0.3, 0.6]]), torch.ones(1, 2, dtype=torch.bool))
    assert found.tolist() == [1]


@pytest.mark.parametrize(("n", "m"), [(0, 3), (5, 0), (0, 0)])
def test_no_candidates_and_no_objects_are_no_trouble(n: int, m: int) -> None:
    nothing = torch.zeros(n, m)
    assert by_overlap(nothing, 0.5, 0.5).tolist() == [BACKGROUND] * n
    assert bipartite(nothing).tolist() == [BACKGROUND] * n
    assert adaptive(torch.zeros(n, 2), torch.ones(n), torch.zeros(m, 4)).tolist() == [BACKGROUND] * n
    assert task_aligned(nothing, nothing, nothing.bool())[0].tolist() == [BACKGROUND] * n
    assert matching.reachable(torch.zeros(n, 2), torch.zeros(m, 4)).shape == (n, m)
