"""How much to freeze follows from what each stage's features can tell, by stated rules."""

from __future__ import annotations

import numpy as np
import pytest

from convworks.transfer.depth import MOST, Probe, choose, probe

STRIDES = (2, 4, 8, 8, 16, 16, 32, 32)


def probes(*rights: int, n: int = 100) -> list[Probe]:
    return [Probe(name=f"s{place}", right=right, n=n) for place, right in enumerate(rights)]


@pytest.mark.parametrize(
    ("rights", "freeze"),
    [
        ((30, 40, 50, 60, 70, 80, 90, 98), 6),  # only the last reads it: near data; a quarter still learns
        ((30, 40, 90, 91, 91, 91, 91, 91), 2),  # stage 2 is as good as any: what comes after it learns
        ((95, 95, 95, 95, 95, 95, 95, 95), 2),  # edges (stride 4 and less) always stay
        ((30, 40, 50, 60, 89, 90, 91, 92), 5),  # 90 is within one standard error (2.7) of the best, 89 not
        ((100, 100, 100, 100, 100, 100, 100, 100), 2),
    ],
)
def test_the_depth_of_freezing_follows_the_first_stage_that_is_as_good(
    rights: tuple[int, ...], freeze: int
) -> None:
    found, why = choose(probes(*rights), STRIDES)
    assert found == freeze
    assert f"{max(rights) / 100:.2f}" in why


def test_near_and_far_are_told_apart_in_words() -> None:
    assert "near to what the net knows" in choose(probes(30, 40, 50, 60, 70, 80, 90, 98), STRIDES)[1]
    assert "made for other pictures" in choose(probes(30, 40, 90, 91, 91, 91, 91, 91), STRIDES)[1]


def test_something_is_left_to_learn_in_the_shortest_net() -> None:
    assert choose(probes(50, 90), (2, 4))[0] == 1
    assert choose(probes(90), (2,))[0] == 0


def test_a_probe_counts_what_a_linear_model_gets_right_and_looks_at_enough() -> None:
    draw = np.random.default_rng(0)
    labels = (np.arange(2 * MOST) % 2).astype(np.int64)
    features = (labels[:, None] * 8.0 + draw.normal(size=(len(labels), 1))).astype(np.float64)
    found = probe("s", features[:200], labels[:200], 2, np.arange(200) // 2 % 5)
    assert found.n == 200
    assert found.share > 0.98
