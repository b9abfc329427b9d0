"""The gradients of a depthwise convolution, quick on processors, where the library's are not.

On x86 processors oneDNN computes two of them with slow reference code: the weight gradient of any filter larger than
3x3, and the bfloat16 input gradient of a strided one. Here the first is put together from overlapping 3x3 weight
gradients of a shifted input (a 5x5 filter: rows and columns 0 to 2 and 2 to 4), and the second is taken in float32.
The values are those of the plain convolution, up to rounding.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Size = tuple[int, int]


def input_gradient(
    gradient: Float[Tensor, "n c h2 w2"],
    x: Float[Tensor, "n c h w"],
    weight: Float[Tensor, "c 1 k k2"],
    stride: Size,
    padding: Size,
) -> Float[Tensor, "n c h w"]:
    """The gradient for the input of a convolution with one filter a channel."""
    slow = x.dtype == torch.bfloat16 and stride != (1, 1)
    working = torch.float32 if slow else x.dtype
    given = _backward(gradient.to(working), x.to(working), weight.to(working), stride, padding, "x")
    return given.to(x.dtype)


def weight_gradient(
    gradient: Float[Tensor, "n c h2 w2"],
    x: Float[Tensor, "n c h w"],
    weight: Float[Tensor, "c 1 k k2"],
    stride: Size,
    padding: Size,
) -> Float[Tensor, "c 1 k k2"]:
    """The gradient for the filters of a convolution with one filter a channel."""
    height, width = weight.shape[2:]
    if max(height, width) <= 3 or min(height, width) < 3:
        return _backward(gradient, x, weight, stride, padding, "weight")
    rows, columns = gradient.shape[2:]
    tall, wide = (rows - 1) * stride[0] + 3, (columns - 1) * stride[1] + 3
    padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0])) if any(padding) else x
    whole = torch.empty_like(weight)
    small = weight[:, :, :3, :3]
    for top in _starts(height):
        for left in _starts(width):
            view = padded[:, :, top : top + tall, left : left + wide]
            part = _backward(gradient, view, small, stride, (0, 0), "weight")
            whole[:, :, top : top + 3, left : left + 3] = part
    return whole


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: Size, padding: Size, of: Literal["x", "weight"]
) -> Tensor:
    both = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight,
        None,
        stride,
        padding,
        (1, 1),
        False,
        (0, 0),
        x.shape[1],
        [of == "x", of == "weight", False],
    )
    return both[0 if of == "x" else 1]


def _starts(size: int) -> list[int]:
    """Where 3-wide windows begin that cover `size` together; where two overlap they agree."""
    return [*range(0, size - 3, 2 if size % 2 else 3), size - 3]
