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
        ((30, 40, 50, 60, 70, 80, 90, 98), 6),  # near: only the last quarter learns
        ((10, 20, 30, 40, 50, 60, 70, 85), 4),  # 70 % of the way from chance (.5) to perfect: the last half
        ((10, 20, 30, 40, 50, 60, 65, 70), 2),  # far: all but the edges (stride 4 and less)
        ((30, 40, 95, 96, 96, 96, 96, 96), 3),  # stage 2 is as good as any: what comes after it learns
        ((96, 96, 96, 96, 96, 96, 96, 96), 2),  # edges always stay
        ((100, 100, 100, 100, 100, 100, 100, 100), 2),
    ],
)
def test_the_depth_of_freezing_follows_what_the_frozen_net_can_tell(
    rights: tuple[int, ...], freeze: int
) -> None:
    found, why = choose(probes(*rights), STRIDES, 2)
    assert found == freeze
    assert f"{max(rights) / 100:.2f}" in why


def test_the_way_is_measured_from_chance() -> None:
    rights = (10, 20, 30, 40, 50, 60, 70, 80)
    two, twenty = (choose(probes(*rights), STRIDES, classes) for classes in (2, 20))
    assert two[0] == 2 and "60% of the way" in two[1] and "far from" in two[1]
    assert twenty[0] == 4 and "79% of the way" in twenty[1]


def test_something_is_left_to_learn_in_the_shortest_net() -> None:
    assert choose(probes(50, 97), (2, 4), 2)[0] == 1
    assert choose(probes(97), (2,), 2)[0] == 0


def test_a_probe_counts_what_a_linear_model_gets_right_and_looks_at_enough() -> None:
    draw = np.random.default_rng(0)
    labels = (np.arange(2 * MOST) % 2).astype(np.int64)
    features = (labels[:, None] * 8.0 + draw.normal(size=(len(labels), 1))).astype(np.float64)
    found = probe("s", features[:200], labels[:200], 2, np.arange(200) // 2 % 5)
    assert found.n == 200
    assert found.share > 0.98


def test_where_images_show_several_classes_the_areas_under_their_curves_are_compared() -> None:
    draw = np.random.default_rng(0)
    truth = draw.random((120, 3)) < 0.3
    features = truth @ draw.normal(size=(3, 8)) + 0.3 * draw.normal(size=(120, 8))
    folds = np.arange(120) % 5
    known, blind = (probe("s", values, truth, 3, folds) for values in (features, draw.normal(size=(120, 8))))
    assert known.share > 0.95
    assert blind.share == pytest.approx(0.5, abs=0.15)
