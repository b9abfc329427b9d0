"""How far each stage moved: closed forms, and the invariances that linear CKA promises (1905.00414, section 2)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from convworks import backbones
from convworks.transfer import drift


def test_the_change_is_the_length_of_the_step_over_the_length_of_the_weights() -> None:
    before = [torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])]
    after = [torch.tensor([3.0]), torch.tensor([[1.0, 4.0]])]
    assert drift.relative_change(before, after) == pytest.approx(1 / 5)


def test_equal_weights_did_not_change_at_all() -> None:
    weights = [torch.randn(7, 3), torch.zeros(4)]
    assert drift.relative_change(weights, [value.clone() for value in weights]) == 0.0


def test_leaving_nothing_is_an_infinite_change() -> None:
    assert drift.relative_change([torch.zeros(2)], [torch.ones(2)]) == math.inf


def _features(seed: int, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(40, width))


def test_features_are_wholly_like_themselves() -> None:
    assert drift.similarity(_features(0), _features(0)) == pytest.approx(1.0)


def test_rotation_scale_and_shift_change_nothing() -> None:
    features = _features(1)
    turn, _ = np.linalg.qr(_features(2)[:12])
    assert drift.similarity(features, 7.0 * features @ turn - 3.0) == pytest.approx(1.0)


def test_a_stretch_of_one_direction_does_change_it() -> None:
    features = _features(3)
    stretched = features * np.array([30.0] + [1.0] * 11)
    assert drift.similarity(features, stretched) < 0.5


def test_the_similarity_equals_the_definition_by_channels() -> None:
    first, second = _features(4), _features(5, width=9)
    x, y = first - first.mean(0), second - second.mean(0)
    by_channels = np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert drift.similarity(first, second) == pytest.approx(by_channels)


def test_orthogonal_features_have_nothing_in_common() -> None:
    assert drift.similarity(
        np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([[1.0], [1.0], [-1.0], [-1.0]])
    ) == pytest.approx(0.0)


def test_features_that_tell_nothing_apart_have_no_similarity() -> None:
    assert math.isnan(drift.similarity(np.ones((5, 3)), _features(6)[:5]))


def test_only_the_stage_that_was_moved_is_said_to_have_moved() -> None:
    net = backbones.create("residual-small", "none").eval()
    first = 1
    before = {
        name: value.detach().clone()
        for name, value in net.named_parameters()
        if int(name.split(".")[1]) >= first
    }
    after = {name: value.clone() for name, value in before.items()}
    moved = len(net.stages) - 1
    for name, value in after.items():
        if name.startswith(f"stages.{moved}."):
            value.mul_(1.5)
    assert drift.changes(before, after, len(net.stages)) == pytest.approx((0.0,) * moved + (0.5,))
    with torch.no_grad():
        columns = drift.outputs(net, before, after, first)(torch.rand(6, 3, 64, 64))
    alike = drift.similarities([column.numpy() for column in columns], first)
    assert len(alike) == len(net.stages)
    assert alike[:moved] == pytest.approx((1.0,) * moved)
    assert alike[moved] < 1


def test_the_weights_of_the_net_itself_stay_as_they_are() -> None:
    net = backbones.create("residual-small", "none").eval()
    before = {name: value.detach().clone() for name, value in net.named_parameters()}
    other = {name: 2 * value for name, value in before.items()}
    with torch.no_grad():
        drift.outputs(net, before, other, 0)(torch.rand(2, 3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in net.named_parameters())


def test_the_sentence_says_what_stayed_and_what_moved() -> None:
    stages = [("stem", 0.0, 1.0), ("blocks1", 0.0, 1.0), ("blocks2", 0.004, 0.998), ("head", 0.021, 0.91)]
    assert drift.sentence(stages, "fine-tuned") == (
        '"stem" to "blocks1" did not move. "blocks2" moved by 0.4 % and is 1.00 alike; "head" 2.1 %, 0.91 '
        "(1: says the same of your pictures)."
    )
    assert drift.sentence(stages, "probe").endswith("The probe was kept, so the model has none of this.")


def test_the_stage_that_moved_most_is_named_where_it_lies_between() -> None:
    stages = [("a", 0.01, 0.9), ("b", 0.005, 0.9), ("c", 0.03, 0.8), ("d", 0.02, 0.7)]
    told = drift.sentence(stages, "between 0.50")
    assert '"c" 3.0 %, 0.80' in told
    assert '"b"' not in told


def test_where_nothing_moved_it_is_said() -> None:
    assert drift.sentence([("stem", 0.0, 1.0)], "fine-tuned") == "No stage moved."
