"""Noisy rectified linear units.

Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def noisy_relu(
    x: Float[Tensor, "..."], *, training: bool = True, generator: torch.Generator | None = None
) -> Float[Tensor, "..."]:
    """max(0, x + noise), the noise normal with mean 0 and variance sigmoid(x); without noise unless training.

    The gradient takes the noise as given: 1 where the result is positive, else 0.
    """
    if not training:
        return F.relu(x)
    with torch.no_grad():
        noise = torch.empty_like(x).normal_(generator=generator).mul_(torch.sigmoid(x).sqrt_())
    return F.relu(x + noise)


class NoisyReLU(nn.Module):
    """`noisy_relu` as a layer; its noise comes from `generator`, or PyTorch's own where that is None."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Rectified, with noise in training."""
        return noisy_relu(x, training=self.training, generator=self.generator)
