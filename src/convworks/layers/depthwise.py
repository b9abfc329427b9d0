"""The gradients of a depthwise convolution, quick on processors, where the library's are not.

On x86 processors oneDNN computes two of them with slow reference code: the weight gradient of any filter wider than
3, and the bfloat16 input gradient of a strided one. Here the first is put together from weight gradients of 3 columns
each, of a shifted input (a 5x5 filter: columns 0 to 2 and 2 to 4), and the second is taken in float32.
The values are those of the plain convolution, up to rounding.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

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
    width, columns = weight.shape[3], gradient.shape[3]
    if width <= 3:
        return _backward(gradient, x, weight, stride, padding, "weight")
    wide = (columns - 1) * stride[1] + 3
    whole = torch.empty_like(weight)
    for left in _starts(width):
        seen = _columns(x, left - padding[1], wide)
        part = _backward(gradient, seen, weight[..., :3], stride, (padding[0], 0), "weight")
        whole[..., left : left + 3] = part
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


def _columns(x: Float[Tensor, "n c h w"], first: int, wide: int) -> Float[Tensor, "n c h w2"]:
    """The columns of `x` from `first` on, `wide` of them, with zeros where it has none."""
    start, end = max(first, 0), max(first, 0, min(first + wide, x.shape[3]))
    if end - start == wide:
        return x[..., start:end]
    n, channels, height, _ = x.shape
    out = torch.empty((n, channels, height, wide), dtype=x.dtype, memory_format=torch.channels_last)
    out[..., : start - first] = 0
    out[..., end - first :] = 0
    out[..., start - first : end - first] = x[..., start:end]
    return out


def _starts(size: int) -> list[int]:
    """Where 3-wide windows begin that cover `size` together; where two overlap they agree."""
    return [*range(0, size - 3, 2 if size % 2 else 3), size - 3]
