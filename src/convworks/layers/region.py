"""A filter on a part of the input only: the guide's reader asked for the first 3 of 10 columns.

Zeroing the rest, as the guide answers, is not the same as leaving it away. On 10x10 with a 3x3 filter and the
first 3 columns, `slice` gives 8x1: what the filter makes of those columns. `mask` gives 8x8, of which column
0 equals the slice, columns 1 and 2 are mixed with zeros, and the rest are the bias. `partial` divides by the
share of each window that lies in the region, so that columns 1 and 2 keep their scale, and gives 0 elsewhere.
Source of partial: Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, 1804.07723.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from convworks.arithmetic.spec import Pair
from convworks.errors import NetError

RegionForm = Literal["slice", "mask", "partial"]
Region = tuple[int, int, int, int]
"""Left, top, right and bottom edge in pixels of the input, half-open."""


class RegionConv2d(nn.Module):
    """A convolution that sees a region of its input only, in one of three senses.

    Raises NetError for an empty region, or where it leaves the input.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: Pair,
        region: Region,
        form: RegionForm,
        *,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        bias: bool = True,
    ) -> None:
        super().__init__()
        left, top, right, bottom = region
        if not (0 <= left < right and 0 <= top < bottom):
            raise NetError(
                f"The region {region} is empty.",
                expected="left, top, right, bottom with left < right and top < bottom",
            )
        self.region, self.form = region, form
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f h2 w2"]:
        """The filtered region."""
        left, top, right, bottom = self.region
        if right > x.shape[3] or bottom > x.shape[2]:
            raise NetError(
                f"The region {self.region} leaves the input of {x.shape[2]}x{x.shape[3]}.",
                expected="left, top, right, bottom within it",
            )
        if self.form == "slice":
            return self.conv(x[:, :, top:bottom, left:right])
        mask = x.new_zeros(1, 1, *x.shape[2:])
        mask[:, :, top:bottom, left:right] = 1
        if self.form == "mask":
            return self.conv(x * mask)
        return self.partial(x * mask, mask)

    def partial(
        self, x: Float[Tensor, "n c h w"], mask: Float[Tensor, "1 1 h w"]
    ) -> Float[Tensor, "n f h2 w2"]:
        """The convolution over the share of each window that the mask lets through; 0 where that is none."""
        conv = self.conv
        area = conv.kernel_size[0] * conv.kernel_size[1]
        kernel = mask.new_full((1, 1, *conv.kernel_size), 1 / area)
        share = F.conv2d(mask, kernel, None, conv.stride, conv.padding)
        scale = torch.where(share > 0, 1 / share.clamp_min(0.5 / area), 0.0)
        filtered = F.conv2d(x, conv.weight, None, conv.stride, conv.padding) * scale
        if conv.bias is not None:
            filtered = filtered + conv.bias.view(1, -1, 1, 1) * (share > 0)
        return filtered
