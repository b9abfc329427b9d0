"""The box ridge is the optimum that it says, finds a linear law, and is the same by either way of solving."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.errors import DataError
from convworks.regions import ridge


def pairs(n: int, d: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    features, law = draw.normal(size=(n, d)), draw.normal(size=(d, 4))
    return features, features @ law + 3 + noise * draw.normal(size=(n, 4)), law


def test_a_linear_law_is_found_when_the_penalty_is_small() -> None:
    features, deltas, law = pairs(200, 6)
    found = ridge.fit(features, deltas, strength=1e-9)
    np.testing.assert_allclose(found.weight, law, atol=1e-4)
    np.testing.assert_allclose(found.bias, 3, atol=1e-4)


@pytest.mark.parametrize(("n", "d"), [(40, 7), (9, 30)], ids=["more pairs", "more features"])
def test_no_other_map_has_a_smaller_objective(n: int, d: int) -> None:
    features, deltas, _ = pairs(n, d, 0.5)
    found, strength = ridge.fit(features, deltas, strength=5.0), 5.0
    centred = deltas - deltas.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred / n)
    white = vectors / np.sqrt(values + 0.001) @ vectors.T

    def objective(weight: np.ndarray) -> float:
        x = features - features.mean(0)
        return float(((x @ weight - centred @ white) ** 2).sum() + strength * (weight**2).sum())

    here = found.weight.astype(np.float64) @ white
    step = np.random.default_rng(1).normal(size=here.shape) * 1e-2
    assert objective(here) < objective(here + step)
    assert objective(here) < objective(here - step)
    slope = (objective(here + 1e-3 * step) - objective(here - 1e-3 * step)) / (2e-3 * np.linalg.norm(step))
    assert abs(slope) < 1e-3


def test_a_large_penalty_leaves_the_mean() -> None:
    features, deltas, _ = pairs(50, 5)
    found = ridge.fit(features, deltas, strength=1e12)
    np.testing.assert_allclose(found.deltas(features), np.tile(deltas.mean(0), (50, 1)), atol=1e-4)


def test_no_pair_is_said() -> None:
    with pytest.raises(DataError, match="no pair"):
        ridge.fit(np.zeros((0, 3)), np.zeros((0, 4)))
