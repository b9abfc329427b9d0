"""The split of images into those that learn and those that measure, as properties."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convworks.data.split import split, undivided

LABELS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=60)
FRACTIONS = st.floats(0.02, 0.9)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def grouped(draw: st.DrawFn, mixed: bool) -> tuple[list[str], np.ndarray]:
    """Labels and groups; where not `mixed`, a group holds one class."""
    labels = draw(LABELS)
    numbers = draw(st.lists(st.integers(0, 30), min_size=len(labels), max_size=len(labels)))
    if not mixed:
        numbers = [number * 4 + "abcd".index(label) for number, label in zip(numbers, labels, strict=True)]
    return labels, np.array(numbers)


@settings(max_examples=150)
@given(st.one_of(grouped(mixed=False), grouped(mixed=True)), FRACTIONS, SEEDS)
def test_groups_stay_whole(data: tuple[list[str], np.ndarray], fraction: float, seed: int) -> None:
    labels, groups = data
    part = split(labels, groups, fraction, seed)
    for group in set(groups.tolist()):
        assert len(set(part[groups == group].tolist())) == 1


@settings(max_examples=150)
@given(grouped(mixed=False), FRACTIONS, SEEDS)
def test_every_class_that_can_be_is_on_both_sides(
    data: tuple[list[str], np.ndarray], fraction: float, seed: int
) -> None:
    labels, groups = data
    part = split(labels, groups, fraction, seed)
    for name in set(labels):
        rows = np.array([label == name for label in labels])
        sides = set(part[rows].tolist())
        assert sides == ({True, False} if len(set(groups[rows].tolist())) > 1 else {False})


@settings(max_examples=150)
@given(grouped(mixed=True), FRACTIONS, SEEDS)
def test_a_class_with_two_groups_of_its_own_is_on_both_sides_even_among_mixed_ones(
    data: tuple[list[str], np.ndarray], fraction: float, seed: int
) -> None:
    labels, groups = data
    part = split(labels, groups, fraction, seed)
    counts = Counter(zip(labels, part.tolist(), strict=True))
    for name in set(labels):
        alone = {
            group
            for group in set(groups.tolist())
            if {labels[i] for i in np.flatnonzero(groups == group)} == {name}
        }
        if len(alone) > 1:
            assert counts[name, True] and counts[name, False]


@settings(max_examples=150)
@given(LABELS, FRACTIONS, SEEDS)
def test_without_copies_each_class_gives_its_share_to_the_image(
    labels: list[str], fraction: float, seed: int
) -> None:
    part = split(labels, np.arange(len(labels)), fraction, seed)
    for name, size in Counter(labels).items():
        taken = sum(bool(is_taken) for label, is_taken in zip(labels, part, strict=True) if label == name)
        assert taken == (min(max(int(size * fraction + 0.5), 1), size - 1) if size > 1 else 0)


@settings(max_examples=50)
@given(grouped(mixed=True), FRACTIONS, SEEDS)
def test_it_is_a_function_of_the_seed(data: tuple[list[str], np.ndarray], fraction: float, seed: int) -> None:
    assert np.array_equal(split(*data, fraction, seed), split(*data, fraction, seed))


def test_seeds_differ() -> None:
    labels, groups = ["a"] * 40, np.arange(40)
    assert len({split(labels, groups, 0.25, seed).tobytes() for seed in range(20)}) == 20


def test_names_of_groups_and_order_of_images_do_not_matter_where_keys_are_given() -> None:
    labels = [("a", "b")[number % 3 == 0] for number in range(50)]
    keys = [f"{number}.jpg" for number in range(50)]
    groups = np.arange(50) // 2
    order = random.Random(0).sample(range(50), 50)
    first = split(labels, groups, 0.3, 5, keys=keys)
    renamed = np.array([900 - int(groups[row]) for row in order])
    second = split([labels[row] for row in order], renamed, 0.3, 5, keys=[keys[row] for row in order])
    assert np.array_equal(first[order], second)


def test_adding_images_moves_none_of_another_class_and_few_of_its_own() -> None:
    labels = ["a"] * 200 + ["b"] * 200
    keys = [f"{number}.jpg" for number in range(400)]
    before = split(labels, np.arange(400), 0.2, 0, keys=keys)
    more = [f"new{number}.jpg" for number in range(20)]
    after = split([*labels, *["a"] * 20], np.arange(420), 0.2, 0, keys=[*keys, *more])
    assert np.array_equal(before[200:], after[200:400])
    assert (before[:200] != after[:200]).sum() <= 8


def test_a_class_of_one_group_stays_to_learn_from_and_is_named() -> None:
    labels, groups = ["a", "a", "b", "b"], np.array([0, 1, 2, 2])
    assert split(labels, groups, 0.5, 0)[2:].sum() == 0
    (said,) = undivided(labels, groups)
    assert said.startswith("1 class has") and said.endswith("b.")
    assert undivided(["a", "a"], np.array([0, 1])) == ()


def test_nothing_is_held_out_of_nothing_or_by_a_share_of_nought() -> None:
    assert split([], np.zeros(0, np.int64), 0.2, 0).shape == (0,)
    assert not split(["a", "a"], np.arange(2), 0, 0).any()
    with pytest.raises(ValueError, match="fraction"):
        split(["a"], np.arange(1), 1.0, 0)


def test_a_hundred_thousand_images_would_take_under_ten_seconds() -> None:
    import time

    labels = [str(number % 1000) for number in range(20_000)]
    began = time.process_time()
    part = split(labels, np.arange(20_000), 0.2, 0)
    assert time.process_time() - began < 2
    assert part.sum() == 4_000
