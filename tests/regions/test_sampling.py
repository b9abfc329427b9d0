"""A sample keeps its shares, never holds what is to be ignored, and is the same for the same seed."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from convworks.regions.sampling import sampled


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    st.lists(st.integers(-2, 3), max_size=60),
    st.integers(0, 40),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_shares_hold_whatever_there_is(found: list[int], count: int, foreground: float) -> None:
    matches = torch.tensor(found, dtype=torch.int64)
    rows = sampled(matches, count=count, foreground=foreground, generator=seeded())
    objects, others = int((matches >= 0).sum()), int((matches == -1).sum())
    taken = min(objects, round(count * foreground))
    assert int((matches[rows] >= 0).sum()) == taken
    assert int((matches[rows] == -1).sum()) == min(others, count - taken)
    assert not bool((matches[rows] == -2).any())
    assert rows.tolist() == sorted(set(rows.tolist()))


def test_every_candidate_is_drawn_as_often_as_the_next() -> None:
    matches, generator = torch.full((20,), -1), seeded()
    counts = torch.zeros(20)
    for _ in range(2000):
        counts[sampled(matches, count=5, foreground=0.5, generator=generator)] += 1
    assert float((counts / 2000 - 0.25).abs().max()) < 0.05


def test_a_seed_decides_the_sample() -> None:
    matches = torch.arange(-1, 99) % 7 - 1
    first, again, other = (
        sampled(matches, count=16, foreground=0.25, generator=seeded(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_background_can_be_narrowed_to_what_is_nearly_an_object() -> None:
    matches = torch.tensor([-1, -1, -1, 0])
    near = torch.tensor([False, True, False, True])
    assert sampled(matches, count=4, foreground=0.5, generator=seeded(), background=near).tolist() == [1, 3]
