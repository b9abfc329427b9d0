"""The guide's three poolings, where PyTorch lacks one: L2-norm pooling, and averages at uneven edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from convworks.arithmetic.spec import Pair, Pool
from convworks.layers.padding import SpecPadding


def root(total: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The square root, with gradient 0 where the total is 0 (where the true one is infinite)."""
    positive = total > 0
    return torch.where(positive, total, 1.0).sqrt() * positive


def l2_pool(
    x: Float[Tensor, "n c h w"], kernel: Pair, stride: Pair, padding: Pair = (0, 0), *, ceil: bool = False
) -> Float[Tensor, "n c h2 w2"]:
    """The root of the sum of squares in each window, in pixels (height, width); padding counts as 0.

    >>> l2_pool(torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]]), (2, 2), (2, 2)).item()
    5.0
    """
    return root(F.avg_pool2d(x.square(), kernel, stride, padding, ceil_mode=ceil, divisor_override=1))


class L2Pool2d(nn.Module):
    """L2-norm pooling: `l2_pool` as a layer."""

    def __init__(self, kernel: Pair, stride: Pair, padding: Pair = (0, 0), *, ceil: bool = False) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding, self.ceil = kernel, stride, padding, ceil

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        """The pooled map."""
        return l2_pool(x, self.kernel, self.stride, self.padding, ceil=self.ceil)


class GlobalL2Pool2d(nn.Module):
    """The root of the sum of squares of each whole map."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 1 1"]:
        """One number a channel."""
        return torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)


class UnevenAveragePool2d(nn.Module):
    """Average pooling whose padding differs from side to side.

    The divisor counts what PyTorch counts at even padding: real pixels, padding where the pool counts it, and
    never the part of a window that hangs over the padded edge.
    """

    def __init__(self, layer: Pool) -> None:
        super().__init__()
        self.kernel, self.stride = layer.kernel, layer.stride
        self.pad = SpecPadding(layer, 0.0)
        self.count = SpecPadding(layer, 1.0 if layer.count_padding else 0.0, beyond=0.0)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        """The mean of what counts in each window."""
        counted = F.avg_pool2d(self.count(torch.ones_like(x[:1, :1])), self.kernel, self.stride)
        return F.avg_pool2d(self.pad(x), self.kernel, self.stride) / counted
