"""Padding that PyTorch's layers do not do: uneven sides, TensorFlow's "same", overhanging windows."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from convworks.arithmetic.shape import Slider, windows
from convworks.arithmetic.spec import Sides, Volume
from convworks.arithmetic.window import slide


def sides(layer: Slider, height: int, width: int) -> tuple[Sides, Sides]:
    """The padding of a layer on this input, and what its overhanging windows need beyond that."""
    vertical, horizontal = windows(layer, Volume(height=height, width=width, channels=1))
    beyond = [
        max(0, (slid.output - 1) * slid.window.stride + slid.window.reach - slid.room)
        for slid in (slide(height, vertical), slide(width, horizontal))
    ]
    padding = (vertical.before, vertical.after, horizontal.before, horizontal.after)
    return padding, (0, beyond[0], 0, beyond[1])


def padded(x: Float[Tensor, "n c h w"], by: Sides, value: float) -> Float[Tensor, "n c h2 w2"]:
    """The maps with `by` (top, bottom, left, right) pixels of `value` around them."""
    top, bottom, left, right = by
    return F.pad(x, (left, right, top, bottom), value=value)


class SpecPadding(nn.Module):
    """The padding of a layer that slides, for each input's size, and `beyond` for what overhangs it."""

    def __init__(self, layer: Slider, value: float, beyond: float | None = None) -> None:
        super().__init__()
        self.layer, self.value = layer, value
        self.beyond = value if beyond is None else beyond

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        """The maps padded so that the layer without padding gives what it should."""
        padding, beyond = sides(self.layer, x.shape[2], x.shape[3])
        return padded(padded(x, padding, self.value), beyond, self.beyond)
