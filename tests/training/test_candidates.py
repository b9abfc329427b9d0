"""Which of several finished nets is kept: the simplest, unless another is surely better."""

from __future__ import annotations

import numpy as np

from convworks.training.candidates import Judged, choose


def judged(hits: list[bool], losses: list[float]) -> Judged:
    return Judged(hits=np.array(hits), losses=np.array(losses, np.float64), temperature=1.0)


def noisy(mean: float, n: int, seed: int) -> list[float]:
    return (mean + np.random.default_rng(seed).normal(0, 0.5, n)).tolist()


def test_one_candidate_is_kept() -> None:
    assert choose({"probe": judged([True], [0.1])}) == "probe"


def test_a_challenger_that_may_be_lucky_is_not_kept() -> None:
    probe = judged([True] * 46 + [False] * 3, noisy(0.20, 49, 0))
    tuned = judged([True] * 47 + [False] * 2, noisy(0.18, 49, 1))
    assert choose({"probe": probe, "fine-tuned": tuned}) == "probe"


def test_a_challenger_with_a_surely_smaller_loss_is_kept() -> None:
    probe = judged([True] * 180 + [False] * 20, noisy(0.6, 200, 0))
    tuned = judged([True] * 180 + [False] * 20, noisy(0.3, 200, 1))
    assert choose({"probe": probe, "fine-tuned": tuned}) == "fine-tuned"


def test_many_more_right_answers_are_enough_where_single_losses_are_wild() -> None:
    wild = [0.2] * 195 + [9.0] * 5
    probe = judged([True] * 169 + [False] * 31, [0.3] * 200)
    tuned = judged([True] * 184 + [False] * 16, wild)
    assert np.mean(wild) > 0.3
    assert choose({"probe": probe, "fine-tuned": tuned}) == "probe", "a larger loss is never kept"
    tuned = judged([True] * 184 + [False] * 16, [0.1] * 197 + [9.0] * 3)
    assert choose({"probe": probe, "fine-tuned": tuned}) == "fine-tuned"


def test_the_challenger_is_the_one_with_the_smallest_loss() -> None:
    probe = judged([False] * 50, [1.0, 1.2] * 25)
    near, far = judged([True] * 50, [0.5, 0.4] * 25), judged([True] * 50, [0.2, 0.3] * 25)
    assert choose({"probe": probe, "between": near, "fine-tuned": far}) == "fine-tuned"
