"""Convolution, normalisation and activation as one layer, quick where its normalisation is frozen.

Batch norm (Ioffe & Szegedy 2015, section 3.1) with fixed statistics is a scale and a shift for each channel. While it
is frozen, the scale is multiplied into the filter, a few thousand numbers, instead of into every activation; gradients
still reach the filter, and the scale and shift where those learn.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.layers.depthwise import depthwise_conv2d

Activation = Literal["none", "relu", "relu6"]


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
        if not self.norm.training:
            scale = self.norm.weight * torch.rsqrt(self._variance() + self.norm.eps)
            shift = self.norm.bias - self._mean() * scale
            y = self._convolve(x, self.conv.weight * scale[:, None, None, None], shift)
        else:
            y = self.norm(self._convolve(x, self.conv.weight, None))
        if self.activation == "relu":
            return F.relu(y, inplace=True)
        return F.relu6(y, inplace=True) if self.activation == "relu6" else y

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        conv = self.conv
        if self.same:
            x, padding = self._pad_same(x), (0, 0)
        else:
            padding = (conv.kernel_size[0] // 2, conv.kernel_size[1] // 2)
        if conv.groups > 1 and conv.groups == conv.in_channels == conv.out_channels:
            return depthwise_conv2d(x, weight, bias, (conv.stride[0], conv.stride[1]), padding)
        return F.conv2d(x, weight, bias, conv.stride, padding, 1, conv.groups)

    def _pad_same(self, x: Tensor) -> Tensor:
        totals = [
            max((-(-size // stride) - 1) * stride + kernel - size, 0)
            for size, stride, kernel in zip(x.shape[2:], self.conv.stride, self.conv.kernel_size, strict=True)
        ]
        (top, left) = (total // 2 for total in totals)
        return F.pad(x, (left, totals[1] - left, top, totals[0] - top))

    def _mean(self) -> Tensor:
        mean = self.norm.running_mean
        assert mean is not None
        return mean

    def _variance(self) -> Tensor:
        variance = self.norm.running_var
        assert variance is not None
        return variance
