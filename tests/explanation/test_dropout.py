"""Dropout's identities over all masks, and a net with dropout left on."""

import numpy as np
import pytest
import torch
from torch import nn

from convworks.explanation.dropout import every_mask, identities, redrawn, sampled_mean
from convworks.explanation.material import picture, pretrained, read
from convworks.layers.dropout import monte_carlo


def test_what_is_exact_is_exact_and_what_is_not_is_not() -> None:
    found = identities()
    assert found.masks == 4096
    assert max(found.linear, found.geometric, found.forms) < 1e-12
    assert found.arithmetic > 0.01
    assert found.relu > 0.01


@pytest.mark.parametrize("seed", range(5))
def test_the_geometric_mean_is_exact_for_any_layer(seed: int) -> None:
    assert identities(inputs=7, classes=3, seed=seed).geometric < 1e-12


def test_every_mask_is_there_once() -> None:
    masks = every_mask(5)
    assert masks.shape == (32, 5)
    assert len(torch.unique(masks, dim=0)) == 32


def test_many_random_masks_come_to_the_linear_layer() -> None:
    assert sampled_mean(200_000) < 0.002
    assert sampled_mean(200) > sampled_mean(200_000)


def test_answers_with_dropout_on_spread_around_those_of_monte_carlo() -> None:
    found = redrawn(picture(), passes=300)
    model = pretrained()
    x = read(model, picture())
    with torch.no_grad():
        features = model.net.backbone(x)[-1].mean((2, 3))
    last = nn.Sequential(nn.Dropout(found.probability), model.net.head.linear, nn.Softmax(1))
    spread = monte_carlo(last, features, passes=300)
    best = model.classes.index(found.names[0])
    assert found.mean[0] == pytest.approx(float(spread.mean[0, best]), abs=0.04)
    assert found.deviation[0] == pytest.approx(float(spread.deviation[0, best]), abs=0.04)
    assert found.plain[0] == pytest.approx(model.predict(picture()).probability, abs=1e-4)
    assert (np.diff(found.plain) <= 0).all()


def test_the_same_seed_draws_the_same_answers() -> None:
    assert (redrawn(passes=5, seed=3).draws == redrawn(passes=5, seed=3).draws).all()
