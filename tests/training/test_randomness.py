"""Every random number follows from what it is for, the same on every machine."""

from __future__ import annotations

import numpy as np
import torch

from convworks.training import randomness
from convworks.training.features import parts_of


def test_a_key_is_pinned_so_that_old_runs_resume_alike() -> None:
    assert randomness.key("order", 0, 1) == 4602570500139554110
    assert randomness.order(6, 0, 0).tolist() == [3, 1, 4, 5, 2, 0]
    assert randomness.key("a", 1) != randomness.key("a", 2)
    assert randomness.key("a", 11) != randomness.key("a", 1, 1)
    assert 0 <= randomness.key("x") < 2**63


def test_an_order_is_a_permutation_drawn_from_seed_and_epoch() -> None:
    first = randomness.order(50, 0, 0)
    assert sorted(first) == list(range(50))
    assert (first == randomness.order(50, 0, 0)).all()
    assert (first != randomness.order(50, 0, 1)).any()
    assert (first != randomness.order(50, 1, 0)).any()


def test_dropout_follows_from_what_it_was_seeded_for() -> None:
    def drawn(*parts: int) -> torch.Tensor:
        randomness.seed_layers(*parts)
        return torch.rand(8)

    assert torch.equal(drawn(0, 1, 2), drawn(0, 1, 2))
    assert not torch.equal(drawn(0, 1, 2), drawn(0, 2, 1))


def test_parts_are_as_few_as_their_size_allows_and_even() -> None:
    for n in range(40):
        for size in (1, 3, 8, 100):
            parts = list(parts_of(np.arange(n), size))
            assert len(parts) == -(-n // size)
            assert [row for part in parts for row in part] == list(range(n))
            sizes = [len(part) for part in parts]
            assert not sizes or (max(sizes) <= size and max(sizes) - min(sizes) <= 1)
