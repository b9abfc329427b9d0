"""What ReLU does: counts, dead filters, and the sum behind one negative value."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from convworks.explanation.relu import origin, rectified, watched
from convworks.layers.conv_norm import ConvNorm


def normed(activation: str = "relu", filters: int = 6) -> ConvNorm:
    torch.manual_seed(0)
    layer = ConvNorm(
        3, filters, 3, stride=2, activation="relu6" if activation == "relu6" else "relu", same=True
    )
    with torch.no_grad():
        layer.norm.weight.normal_()
        layer.norm.bias.normal_()
        assert layer.norm.running_mean is not None
        layer.norm.running_mean.normal_()
    return layer.eval()


def test_watching_changes_nothing_that_the_net_gives() -> None:
    net = nn.Sequential(normed("relu6"), nn.Conv2d(6, 4, 1), nn.ReLU())
    x = torch.randn(2, 3, 9, 9)
    seen: list[tuple[str, float]] = []
    before = net(x)
    with watched(net, lambda name, _, ceiling: seen.append((name, ceiling))):
        within = net(x)
    torch.testing.assert_close(within, before)
    torch.testing.assert_close(net(x), before)
    assert seen == [("0", 6.0), ("2", math.inf)]


def test_counts_shares_and_dead_filters_are_those_of_the_values() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -1.0, -1.0]).view(3, 1, 1, 1))
        net[0].bias.copy_(torch.tensor([0.0, 0.0, -5.0]))
    x = torch.tensor([[-2.0, 1.0], [3.0, 4.0]])[None, None]
    (found,) = rectified(net, x)
    assert found.zeroed == pytest.approx((1 + 3 + 4) / 12)
    assert (found.dead, found.filters) == (1, 3)
    assert (found.low, found.high) == (-9.0, 4.0)
    assert found.before.sum() == found.after.sum() == 12
    half = len(found.before) // 2
    assert found.edges[half] == 0
    assert found.before[:half].sum() == 8
    assert found.after[:half].sum() == 0
    assert found.cut == 0


def test_relu6_cuts_above_six() -> None:
    (found,) = rectified(nn.Sequential(nn.ReLU6()), torch.tensor([[[[-1.0, 3.0], [7.0, 9.0]]]]))
    assert found.cut == 0.5
    assert found.after[found.edges[:-1] > 6.5].sum() == 0


@pytest.mark.parametrize("place", [(0, 0), (2, 3), (4, 4)])
def test_the_parts_of_an_activation_sum_to_it(place: tuple[int, int]) -> None:
    layer = normed()
    x = torch.randn(1, 3, 9, 9)
    values: list[torch.Tensor] = []
    with torch.no_grad(), watched(layer, lambda _, seen, __: values.append(seen)):
        layer(x)
    for filter in range(6):
        found = origin(layer, x, filter, place)
        assert found.value == pytest.approx(float(values[0][0, filter, place[0], place[1]]), abs=1e-4)
        assert found.positive >= 0
        assert found.negative_input <= 0
        assert found.negative_weight <= 0
        assert found.both_negative >= 0


def test_positive_inputs_and_positive_weights_never_give_a_negative() -> None:
    layer = normed()
    with torch.no_grad():
        layer.conv.weight.abs_()
        layer.norm.weight.fill_(1)
    found = origin(layer, torch.rand(1, 3, 9, 9), 0, (2, 2))
    assert found.weights_below == 0
    assert found.negative_weight == found.negative_input == found.both_negative == 0
    assert found.value == pytest.approx(found.positive + found.constant)
    assert np.isfinite(found.value)
