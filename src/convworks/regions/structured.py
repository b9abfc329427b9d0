"""A score that falls as a box slips off its object: the structured hinge, which teaches where as well as what.

A box that overlaps by .6 is no error and one of .2 is one; to a plain hinge both are either objects or background.
Here the true box has to score above every other by as much as that other is wrong.

Source: Zhang et al. (1504.03293), section 4, after Blaschko and Lampert, ECCV 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from convworks.errors import DataError

POSITIVE = 2.0
"""What an error on an object costs against one on a picture without."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """Features of the objects of a class (m may be 0), of the candidates, and the IoU of each pair."""

    objects: Float[Tensor, "m d"]
    candidates: Float[Tensor, "n d"]
    overlaps: Float[Tensor, "n m"]


def wrongness(overlaps: Float[Tensor, "*n"], low: float = 0.3, high: float = 0.7) -> Float[Tensor, "*n"]:
    """How wrong a box is by its IoU: 1 up to `low`, 0 from `high` on, a straight line between.

    >>> wrongness(torch.tensor([0.0, 0.3, 0.5, 0.7, 1.0])).round(decimals=3).tolist()
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """
    return ((high - overlaps) / (high - low)).clamp(0, 1)


def structured_hinge(
    objects: Float[Tensor, "m"], candidates: Float[Tensor, "n"], overlaps: Float[Tensor, "n m"]
) -> Float[Tensor, "m"]:
    """For each object, by how much the worst rival of its own box comes too near: 0 if every margin holds.

    A rival is any candidate, which has to stay below by its wrongness, and the answer "there is none", of score 0 and
    wrongness 1.

    >>> structured_hinge(torch.tensor([2.0]), torch.tensor([1.5, 9.0]), torch.tensor([[0.1], [0.9]])).tolist()
    [7.0]
    """
    rivals = torch.cat([wrongness(overlaps) + candidates[:, None], torch.ones_like(objects)[None]])
    return (rivals.amax(0) - objects).clamp(min=0)


def empty_hinge(candidates: Float[Tensor, "n"]) -> Float[Tensor, ""]:
    """For a picture without the object, by how much the best candidate is above -1."""
    return torch.cat([candidates + 1, candidates.new_zeros(1)]).amax()


def fit(pictures: Sequence[Picture], strength: float = 1.0, steps: int = 500) -> Float[Tensor, "d1"]:
    """The weights, then the bias, with the smallest `|w|^2 / 2 + C sum of hinges`, objects counting twice.

    `strength` is C. Subgradient steps of 1 / t from the penalty's strong convexity, the average of the second half
    kept: no step size to choose, and the same answer every time. Source of the steps: Shalev-Shwartz et al., Pegasos,
    2007. Raises DataError for no object.
    """
    if not any(len(picture.objects) for picture in pictures):
        raise DataError(
            "No picture has an object to learn from.", expected="at least one object", fix="add boxes"
        )
    problem = posed(pictures)
    weights = torch.zeros(problem.objects.shape[1], dtype=torch.float64)
    total = torch.zeros_like(weights)
    for step in range(steps):
        asked = weights.clone().requires_grad_()
        loss = objective(asked, problem, strength)
        (slope,) = torch.autograd.grad(loss, asked)
        weights = weights - slope * (2 / (step + 2))
        if step >= steps // 2:
            total += weights
    return (total / (steps - steps // 2)).float()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """All pictures at once: features with a last column of ones, and the pairs of a rival and an object it belongs to.

    A picture without objects has one of score 0, which only candidates have to stay below, by 1.
    """

    objects: Float[Tensor, "m d1"]
    costs: Float[Tensor, "m"]
    floors: Float[Tensor, "m"]
    candidates: Float[Tensor, "n d1"]
    rivals: Int[Tensor, "p"]
    owners: Int[Tensor, "p"]
    margins: Float[Tensor, "p"]


def posed(pictures: Sequence[Picture]) -> Problem:
    """What `fit` solves."""
    objects, costs, floors = list[Tensor](), list[Tensor](), list[Tensor]()
    rivals, owners, margins = list[Tensor](), list[Tensor](), list[Tensor]()
    seen = own = 0
    for picture in pictures:
        count, there = len(picture.candidates), bool(len(picture.objects))
        features = _with_one(picture.objects)
        empty = torch.zeros(1, features.shape[1], dtype=torch.float64)
        objects.append(features if there else empty)
        wrong = wrongness(picture.overlaps.double()) if there else empty.new_ones(count, 1)
        width = wrong.shape[1]
        costs.append(empty.new_full((width,), POSITIVE if there else 1.0))
        floors.append(empty.new_full((width,), float(there)))
        rivals.append((seen + torch.arange(count)).repeat_interleave(width))
        owners.append((own + torch.arange(width)).repeat(count))
        margins.append(wrong.flatten())
        seen, own = seen + count, own + width
    return Problem(
        objects=torch.cat(objects),
        costs=torch.cat(costs),
        floors=torch.cat(floors),
        candidates=torch.cat([_with_one(picture.candidates) for picture in pictures]),
        rivals=torch.cat(rivals),
        owners=torch.cat(owners),
        margins=torch.cat(margins),
    )


def objective(weights: Float[Tensor, "d1"], problem: Problem, strength: float) -> Float[Tensor, ""]:
    """What `fit` makes small."""
    reach = (problem.candidates @ weights)[problem.rivals] + problem.margins
    worst = problem.floors.scatter_reduce(0, problem.owners, reach, "amax")
    hinges = (worst - problem.objects @ weights).clamp(min=0)
    return weights @ weights / 2 + strength * (problem.costs * hinges).sum()


def _with_one(features: Float[Tensor, "n d"]) -> Float[Tensor, "n d1"]:
    """Features with the column that the bias multiplies."""
    return torch.cat([features.double(), features.new_ones(len(features), 1).double()], 1)
