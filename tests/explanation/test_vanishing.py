"""The vanishing gradient: what reaches the first layer, against finite differences and against depth."""

import pytest
import torch
from torch.nn import functional as F

from convworks.explanation.material import gratings
from convworks.explanation.vanishing import ACTIVATIONS, Activation, gradients, learning, plain_net


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_norm_is_the_gradient_that_finite_differences_find(activation: Activation) -> None:
    images, labels = gratings(96)
    found = gradients(activation, 3)
    net = plain_net(activation, 3).double()
    weight = net[2].weight
    assert isinstance(weight, torch.Tensor)
    loss = F.cross_entropy(net(images.double()), labels)
    loss.backward()
    assert weight.grad is not None
    direction = weight.grad / weight.grad.norm()
    with torch.no_grad():
        ends = []
        for step in (1e-5, -1e-5):
            weight += step * direction
            ends.append(float(F.cross_entropy(net(images.double()), labels)))
            weight -= step * direction
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(float(found.norms[1]), rel=1e-3)


def test_the_same_seed_gives_every_activation_the_same_weights() -> None:
    first, second = (list(plain_net(name, 2).parameters()) for name in ("sigmoid", "relu"))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_sigmoid_loses_most_of_the_gradient_in_each_layer_and_the_others_keep_it() -> None:
    shallow, deep = gradients("sigmoid", 4), gradients("sigmoid", 12)
    assert deep.reaches < 1e-3 * shallow.reaches
    assert deep.factor < 0.3
    for kept in ("tanh", "relu"):
        assert gradients(kept, 12).factor > 0.8


def test_with_pytorchs_own_draw_a_deep_relu_net_vanishes_in_every_layer() -> None:
    he, default = gradients("relu", 16, "he"), gradients("relu", 16, "default")
    assert (default.norms < 1e-4 * he.norms).all()


def test_at_its_best_rate_a_relu_net_learns_what_a_sigmoid_net_does_not() -> None:
    rates = (0.02, 0.06)
    sigmoid = learning("sigmoid", 5, steps=30, rates=(0.06,))
    relu = learning("relu", 5, steps=30, rates=rates)
    assert relu.final < 0.6
    assert sigmoid.final > 1.05
    assert relu.rate in rates
    assert len(relu.losses) == 30
