"""Network in network: a small network slid over the map instead of a single filter.

Source: Lin et al., Network in Network, 1312.4400.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from convworks.arithmetic.spec import Pair
from convworks.errors import NetError


class Mlpconv2d(nn.Module):
    """A convolution to `widths[0]` channels, then a 1x1 convolution a further width, each with a ReLU.

    The 1x1 convolutions are, at each pixel, one and the same linear map across the channels: together they
    are a multilayer perceptron that looks through a window of `kernel` pixels. Raises NetError for no widths.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        kernel: Pair,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
    ) -> None:
        super().__init__()
        if not widths:
            raise NetError("Mlpconv2d: no widths.", expected="the channels of the conv, then of each 1x1")
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], kernel, stride, padding), nn.ReLU()]
        for before, width in pairwise(widths):
            layers += [nn.Conv2d(before, width, 1), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """The maps of the last width."""
        return self.layers(x)
