"""Convolution, normalisation and activation as one layer, quick where its normalisation is frozen.

Batch norm (Ioffe & Szegedy 2015, section 3.1) with fixed statistics is a scale and a shift for each channel. While it
is frozen, the scale is multiplied into the filter, a few thousand numbers, instead of into every activation; gradients
still reach the filter, and the scale and shift where those learn.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convworks.layers.fused import Activation, Sides, activated, convolve


class ConvNorm(nn.Module):
    """A convolution without bias, batch norm, and an activation.

    `padding` is (K - 1) / 2 all round, or for `same=True` what TensorFlow's SAME needs for the input at hand: more on
    the right and below where the total is odd. While its batch norm is in evaluation mode, which a frozen one
    always is, scale and shift are part of the convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: Activation = "relu",
        same: bool = False,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, epsilon)
        self.activation: Activation = activation
        self.same = same and stride > 1
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """The activation of the normalised convolution of `x`."""
        return normalised(x, self.conv, self.norm, self.activation, self._padding(x.shape[2], x.shape[3]))

    def _padding(self, height: int, width: int) -> Sides:
        """Zeros on the left, right, top and bottom."""
        (tall, wide), (down, across) = self.conv.kernel_size, self.conv.stride
        if not self.same:
            return wide // 2, wide // 2, tall // 2, tall // 2
        rows = max((-(-height // down) - 1) * down + tall - height, 0)
        columns = max((-(-width // across) - 1) * across + wide - width, 0)
        return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def normalised(
    x: Float[Tensor, "n c h w"],
    conv: nn.Module,
    norm: nn.Module,
    activation: Activation,
    padding: Sides | None = None,
) -> Float[Tensor, "n c2 h2 w2"]:
    """The activation of the batch norm of a Conv2d without bias, in one pass where the norm takes no statistics.

    `padding` is zeros on the left, right, top and bottom; None for half of the filter's size all round.
    """
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    tall, wide = conv.kernel_size[0] // 2, conv.kernel_size[1] // 2
    sides = (wide, wide, tall, tall) if padding is None else padding
    stride = (conv.stride[0], conv.stride[1])

    def convolved(weight: Tensor, bias: Tensor | None, kind: Activation) -> Tensor:
        return convolve(x, weight, bias, stride=stride, padding=sides, groups=conv.groups, activation=kind)

    if norm.training:
        return activated(norm(convolved(conv.weight, None, "none")), activation)
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return convolved(conv.weight * scale[:, None, None, None], norm.bias - mean * scale, activation)
