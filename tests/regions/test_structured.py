"""The ramp is exact, held margins cost nothing, and the best-scored box fits better than a plain machine's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from convworks.errors import DataError
from convworks.regions import structured, svm


def test_the_ramp_is_exact_where_it_bends() -> None:
    found = structured.wrongness(torch.tensor([0.3, 0.5, 0.7], dtype=torch.float64))
    np.testing.assert_allclose(found, [1, 0.5, 0], atol=1e-12)


def test_held_margins_cost_nothing_and_the_worst_rival_costs_what_it_lacks() -> None:
    overlaps = torch.tensor([[0.1], [0.5], [0.9]])
    held = structured.structured_hinge(torch.tensor([1.0]), torch.tensor([0.0, 0.5, 1.0]), overlaps)
    assert held.tolist() == [0]
    near = structured.structured_hinge(torch.tensor([1.0]), torch.tensor([0.25, 0.5, 1.0]), overlaps)
    assert near.tolist() == [0.25]
    weak = structured.structured_hinge(torch.tensor([0.4]), torch.tensor([-9.0]), overlaps[:1])
    np.testing.assert_allclose(weak, [0.6], atol=1e-6)


def test_a_picture_without_objects_wants_every_score_below_minus_one() -> None:
    assert structured.empty_hinge(torch.tensor([-1.5, -1.0])).item() == 0
    assert structured.empty_hinge(torch.tensor([-0.5, -3.0])).item() == 0.5
    assert structured.empty_hinge(torch.zeros(0)).item() == 0
    assert structured.structured_hinge(torch.zeros(0), torch.ones(3), torch.zeros(3, 0)).shape == (0,)


def scenes(count: int, seed: int) -> list[structured.Picture]:
    """Features that tell, with noise, how well a box fits, beside two that tell only that an object is near."""
    draw = np.random.default_rng(seed)
    pictures: list[structured.Picture] = []
    for number in range(count):
        overlaps = draw.uniform(0, 1, (40, 1)) if number % 4 else np.zeros((40, 0))
        fit = overlaps[:, 0] if number % 4 else np.zeros(40)
        near = (fit > 0.2).astype(float)
        features = np.stack([fit + draw.normal(0, 0.15, 40), near, near], 1) + draw.normal(0, 0.05, (40, 3))
        truth = np.array([[1.0, 1, 1]]) + draw.normal(0, 0.05, (1, 3))
        pictures.append(
            structured.Picture(
                objects=torch.tensor(truth if number % 4 else np.zeros((0, 3))),
                candidates=torch.tensor(features),
                overlaps=torch.tensor(overlaps),
            )
        )
    return pictures


def test_all_pictures_at_once_cost_what_they_cost_one_by_one() -> None:
    pictures = scenes(9, 2)
    weights = torch.tensor([0.7, -0.2, 0.4, -0.3], dtype=torch.float64)
    cost = weights @ weights / 2
    for one in pictures:
        objects, candidates = (
            features @ weights[:3] + weights[3] for features in (one.objects, one.candidates)
        )
        if len(objects):
            cost = cost + 0.1 * 2 * structured.structured_hinge(objects, candidates, one.overlaps).sum()
        else:
            cost = cost + 0.1 * structured.empty_hinge(candidates)
    assert float(structured.objective(weights, structured.posed(pictures), 0.1)) == pytest.approx(float(cost))


def test_no_other_weights_cost_less() -> None:
    pictures = scenes(16, 0)
    found = structured.fit(pictures, strength=0.1, steps=1000).double()
    problem = structured.posed(pictures)
    best = float(structured.objective(found, problem, 0.1))
    generator = torch.Generator().manual_seed(0)
    for reach in (0.03, 0.1, 0.3):
        for _ in range(60):
            other = found + reach * torch.randn(4, generator=generator, dtype=torch.float64)
            assert float(structured.objective(other, problem, 0.1)) > best * 0.995


def test_the_best_scored_box_fits_better_than_a_plain_machines() -> None:
    pictures, unseen = scenes(40, 0), scenes(60, 1)
    weights = structured.fit(pictures).numpy()
    objects = np.concatenate([one.objects.numpy() for one in pictures])
    regions = [
        svm.Region(
            features=one.candidates.numpy(),
            overlaps=one.overlaps.numpy() if one.overlaps.shape[1] else np.zeros((40, 1)),
        )
        for one in pictures
    ]
    plain = svm.one_against_rest(objects, np.zeros(len(objects), np.int64), regions, 1)
    fits: dict[str, list[float]] = {"structured": [], "plain": []}
    for one in unseen:
        if len(one.objects):
            features, overlaps = one.candidates.numpy(), one.overlaps.numpy()[:, 0]
            fits["structured"].append(overlaps[(features @ weights[:-1]).argmax()])
            fits["plain"].append(overlaps[plain.scores(features)[:, 0].argmax()])
    assert np.mean(fits["structured"]) > np.mean(fits["plain"])


def test_no_object_is_said() -> None:
    with pytest.raises(DataError, match="object to learn"):
        structured.fit([scenes(1, 0)[0]])
