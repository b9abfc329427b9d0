"""Depthwise convolution with a backward pass that is quick on processors, where the library's is not.

On x86 processors oneDNN computes two gradients of a depthwise convolution with slow reference code: the weight
gradient of any filter larger than 3x3, and the bfloat16 input gradient of a strided one. Here the first is put
together from overlapping 3x3 weight gradients of a shifted input (a 5x5 filter: rows and columns 0 to 2 and 2 to 4),
and the second is taken in float32. The values are those of the plain convolution, up to rounding.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Size = tuple[int, int]


def depthwise_conv2d(
    x: Float[Tensor, "n c h w"],
    weight: Float[Tensor, "c 1 k k2"],
    bias: Float[Tensor, "c"] | None,
    stride: Size,
    padding: Size,
) -> Float[Tensor, "n c h2 w2"]:
    """The depthwise convolution of `x`, one filter a channel, with a quick backward pass on processors.

    Under autocast it computes in autocast's dtype. Elsewhere than on a processor it is `torch.nn.functional.conv2d`.
    """
    device = x.device.type
    if device != "cpu":
        return F.conv2d(x, weight, bias, stride, padding, 1, x.shape[1])
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    with torch.autocast(device, enabled=False):
        cast = None if bias is None else bias.to(dtype)
        return _Depthwise.apply(x.to(dtype), weight.to(dtype), cast, stride, padding)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.has_bias = stride, padding, bias is not None
        return F.conv2d(x, weight, bias, stride, padding, 1, x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (gradient,) = gradients
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        return (
            _input_gradient(gradient, x, weight, ctx.stride, ctx.padding) if needs_x else None,
            _weight_gradient(gradient, x, weight, ctx.stride, ctx.padding) if needs_weight else None,
            gradient.sum((0, 2, 3)) if needs_bias and ctx.has_bias else None,
            None,
            None,
        )


def _convolution_backward(
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


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
    slow = x.dtype == torch.bfloat16 and stride != (1, 1)
    working = torch.float32 if slow else x.dtype
    given = _convolution_backward(
        gradient.to(working), x.to(working), weight.to(working), stride, padding, "x"
    )
    return given.to(x.dtype)


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
    height, width = weight.shape[2:]
    if max(height, width) <= 3 or min(height, width) < 3:
        return _convolution_backward(gradient, x, weight, stride, padding, "weight")
    rows, columns = gradient.shape[2:]
    tall, wide = (rows - 1) * stride[0] + 3, (columns - 1) * stride[1] + 3
    padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    whole = torch.empty_like(weight)
    small = weight[:, :, :3, :3]
    for top in _starts(height):
        for left in _starts(width):
            view = padded[:, :, top : top + tall, left : left + wide]
            part = _convolution_backward(gradient, view, small, stride, (0, 0), "weight")
            whole[:, :, top : top + 3, left : left + 3] = part
    return whole


def _starts(size: int) -> list[int]:
    return [*range(0, size - 3, 2 if size % 2 else 3), size - 3]
