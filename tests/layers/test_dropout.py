"""Dropout's identities: its two forms agree, its mean is scaling where it is linear, and it can be left on."""

import itertools

import pytest
import torch
from torch import nn

from convworks.errors import NetError
from convworks.layers.dropout import Dropout, Form, dropout, monte_carlo


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_classic_training_times_the_missing_scale_is_inverted_training() -> None:
    x = torch.randn(1000)
    classic = dropout(x, 0.3, training=True, form="classic", generator=seeded())
    inverted = dropout(x, 0.3, training=True, form="inverted", generator=seeded())
    torch.testing.assert_close(classic / 0.7, inverted)
    torch.testing.assert_close(
        dropout(x, 0.3, training=False, form="classic"), 0.7 * dropout(x, 0.3, training=False)
    )


@pytest.mark.parametrize("form", ["classic", "inverted"])
def test_the_mean_of_training_is_the_test_in_either_form(form: Form) -> None:
    x = torch.ones(400_000)
    layer = Dropout(0.4, form, seeded())
    trained = layer.train()(x)
    assert trained.mean().item() == pytest.approx(layer.eval()(x).mean().item(), abs=0.005)
    assert (trained == 0).float().mean().item() == pytest.approx(0.4, abs=0.005)
    assert torch.equal(layer(x), layer(x))


def test_a_linear_layers_mean_over_all_masks_is_its_scaled_answer() -> None:
    weight, x = torch.randn(3, 8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    masks = torch.tensor(list(itertools.product((0.0, 1.0), repeat=8)), dtype=torch.float64)
    mean = ((masks * x) @ weight.T).mean(0)
    torch.testing.assert_close(mean, weight @ dropout(x, 0.5, training=False, form="classic"))


def test_a_softmaxs_geometric_mean_over_all_masks_is_its_scaled_answer_but_the_mean_is_not() -> None:
    torch.manual_seed(0)
    weight, x = 3 * torch.randn(3, 12, dtype=torch.float64), torch.randn(12, dtype=torch.float64)
    masks = torch.tensor(list(itertools.product((0.0, 1.0), repeat=12)), dtype=torch.float64)
    chances = ((masks * x) @ weight.T).softmax(1)
    geometric = chances.log().mean(0).softmax(0)
    scaled = (weight @ dropout(x, 0.5, training=False, form="classic")).softmax(0)
    torch.testing.assert_close(geometric, scaled)
    assert (chances.mean(0) - scaled).abs().max() > 0.05


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), Dropout(0.5), Dropout(0.5, "classic"), nn.Dropout1d(0.5)])
def test_monte_carlo_gives_the_mean_and_spread_of_a_linear_layer(layer: nn.Module) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Unflatten(1, (6, 1)), layer, nn.Flatten(), nn.Linear(6, 2, bias=False)).eval()
    x = torch.randn(1, 6)
    weight = net[3].weight
    found = monte_carlo(net, x, passes=1500, seed=2)
    keep = 0.5 if isinstance(layer, Dropout) and layer.form == "classic" else 1.0
    expected = (weight * x).square().sum(1).sqrt() * keep  # sqrt(p / (1 - p)) = 1 at p = 1/2
    torch.testing.assert_close(found.mean, x @ weight.T * keep, atol=0.1, rtol=0.1)
    torch.testing.assert_close(found.deviation[0], expected, atol=0.1, rtol=0.1)


def test_monte_carlo_repeats_itself_and_leaves_everything_as_it_was() -> None:
    net = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2)).train()
    net[0].eval()
    buffers = {name: held.clone() for name, held in net.named_buffers()}
    x, state = torch.randn(3, 4), torch.get_rng_state()
    first, second = monte_carlo(net, x, passes=5), monte_carlo(net, x, passes=5)
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(torch.get_rng_state(), state)
    assert [part.training for part in net.modules()] == [True, False, True, True]
    assert all(torch.equal(held, buffers[name]) for name, held in net.named_buffers())
    assert not first.mean.requires_grad
    other = monte_carlo(net, x, passes=5, seed=1)
    assert not torch.equal(first.mean, other.mean)


def test_monte_carlo_without_dropout_or_passes_is_refused() -> None:
    for net in (nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.0))):
        with pytest.raises(NetError, match="no dropout"):
            monte_carlo(net, torch.zeros(1, 2))
    with pytest.raises(NetError, match="passes is 0"):
        monte_carlo(nn.Dropout(0.5), torch.zeros(1, 2), passes=0)


def test_a_probability_outside_its_range_is_refused() -> None:
    for probability in (1.0, -0.1):
        with pytest.raises(NetError, match="at least 0 and below 1"):
            dropout(torch.ones(1), probability, training=True)
