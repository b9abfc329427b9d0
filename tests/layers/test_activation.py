"""Noisy rectified units: the noise's law, its absence at test time, the gradient."""

import pytest
import torch

from convworks.layers.activation import NoisyReLU, noisy_relu


@pytest.mark.parametrize("at", [1.0, 3.0])
def test_the_noise_has_variance_sigmoid_of_x(at: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.full((400_000,), at + 6.0)  # Far enough from 0 that nothing is cut off.
    noise = noisy_relu(x, generator=generator) - x
    assert noise.mean().item() == pytest.approx(0.0, abs=0.01)
    assert noise.var().item() == pytest.approx(torch.sigmoid(x[0]).item(), rel=0.01)


def test_the_variance_shrinks_below_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.full((400_000,), -1.0)
    positive = noisy_relu(x, generator=generator) > 0
    deviation = torch.sigmoid(torch.tensor(-1.0)).sqrt()
    expected = 0.5 * torch.erfc(1.0 / deviation / 2**0.5)
    assert positive.float().mean().item() == pytest.approx(expected.item(), rel=0.05)


def test_without_noise_it_is_a_rectifier() -> None:
    layer = NoisyReLU().eval()
    assert layer(torch.tensor([-1.0, 0.0, 2.0])).tolist() == [0.0, 0.0, 2.0]


def test_the_same_generator_gives_the_same_noise() -> None:
    x = torch.randn(100)
    first, second = (NoisyReLU(torch.Generator().manual_seed(3))(x) for _ in range(2))
    assert torch.equal(first, second)


def test_the_gradient_is_one_where_it_is_positive_and_else_zero() -> None:
    x = torch.randn(1000, requires_grad=True)
    output = noisy_relu(x)
    (gradient,) = torch.autograd.grad(output.sum(), x)
    assert torch.equal(gradient, (output > 0).float())
