"""Padding, convolution, bias and activation in one pass over memory, forward and backward.

On a processor most of a light net's time goes into moving activations, not into multiplying. Here the activation is
applied while the convolution's output is still in the cache, and the backward pass keeps the output alone. The values
are those of the four plain operations, up to rounding.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from convworks.layers import depthwise
from convworks.layers.depthwise import Size

Activation = Literal["none", "relu", "relu6"]
Sides = tuple[int, int, int, int]


def convolve(
    x: Float[Tensor, "n c h w"],
    weight: Float[Tensor, "o i k k2"],
    bias: Float[Tensor, "o"] | None,
    *,
    stride: Size,
    padding: Sides,
    groups: int,
    activation: Activation,
) -> Float[Tensor, "n o h2 w2"]:
    """The activation of the convolution of `x`, padded with zeros by `padding` (left, right, top, bottom).

    Under autocast it computes in autocast's dtype. Elsewhere than on a processor it is the plain operations.
    """
    device = x.device.type
    if device != "cpu":
        left, right, top, bottom = padding
        if (left, top) != (right, bottom):
            x, left, top = F.pad(x, padding), 0, 0
        return activated(F.conv2d(x, weight, bias, stride, (top, left), 1, groups), activation)
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    with torch.autocast(device, enabled=False):
        cast = None if bias is None else bias.to(dtype)
        return _Convolve.apply(x.to(dtype), weight.to(dtype), cast, stride, padding, groups, activation)


def activated(y: Tensor, activation: Activation) -> Tensor:
    """`y` through the activation, in place."""
    if activation == "relu":
        return F.relu(y, inplace=True)
    return F.relu6(y, inplace=True) if activation == "relu6" else y


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Size,
        padding: Sides,
        groups: int,
        activation: Activation,
    ) -> Tensor:
        left, right, top, bottom = padding
        uneven = (left, top) != (right, bottom)
        read = _padded(x, padding) if uneven else x
        around = (0, 0) if uneven else (top, left)
        y = _forward(read, weight, bias, stride, around, groups, activation)
        ctx.save_for_backward(read, weight, *([] if activation == "none" else [y]))
        ctx.stride, ctx.around, ctx.groups, ctx.activation = stride, around, groups, activation
        ctx.inner = (top, left, *x.shape[2:]) if uneven else None
        ctx.has_bias = bias is not None
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        read, weight, *kept = ctx.saved_tensors
        gradient = gradients[0]
        if ctx.activation == "relu":
            gradient = torch.ops.aten.threshold_backward(gradient, kept[0], 0)
        elif ctx.activation == "relu6":
            gradient = torch.ops.aten.hardtanh_backward(gradient, kept[0], 0, 6)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        for_x, for_weight, for_bias = ctx.needs_input_grad[:3]
        if ctx.groups > 1 and ctx.groups == read.shape[1] == weight.shape[0]:
            found = (
                depthwise.input_gradient(gradient, read, weight, ctx.stride, ctx.around) if for_x else None,
                depthwise.weight_gradient(gradient, read, weight, ctx.stride, ctx.around)
                if for_weight
                else None,
                gradient.sum((0, 2, 3)) if for_bias else None,
            )
        elif weight.shape[2:] == (1, 1) and ctx.stride == (1, 1) and ctx.around == (0, 0) and ctx.groups == 1:
            found = _pointwise(gradient, read, weight, for_x, for_weight)
        else:
            found = torch.ops.aten.convolution_backward(
                gradient,
                read,
                weight,
                [weight.shape[0]],
                ctx.stride,
                ctx.around,
                (1, 1),
                False,
                (0, 0),
                ctx.groups,
                [for_x, for_weight, for_bias and ctx.has_bias],
            )
        of_x = found[0]
        if of_x is not None and ctx.inner is not None:
            top, left, height, width = ctx.inner
            of_x = of_x[:, :, top : top + height, left : left + width]
        return of_x, found[1], found[2] if ctx.has_bias else None, None, None, None, None


def _pointwise(
    gradient: Tensor, x: Tensor, weight: Tensor, for_x: bool, for_weight: bool
) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """The gradients of a 1x1 convolution as products of matrices, with a row for each place."""
    (outputs, inputs), (n, _, height, width) = weight.shape[:2], x.shape
    rows = gradient.permute(0, 2, 3, 1).reshape(-1, outputs)
    of_x = of_weight = None
    if for_x:
        of_x = (rows @ weight.reshape(outputs, inputs)).view(n, height, width, inputs).permute(0, 3, 1, 2)
    if for_weight:
        of_weight = (rows.T @ x.permute(0, 2, 3, 1).reshape(-1, inputs)).view(weight.shape)
    return of_x, of_weight, rows.sum(0)


def _forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size,
    groups: int,
    activation: Activation,
) -> Tensor:
    if not _has_pointwise(x.dtype):
        return activated(F.conv2d(x, weight, bias, stride, padding, 1, groups), activation)
    name, limits = ("hardtanh", [0.0, 6.0]) if activation == "relu6" else (activation, [])
    return torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, padding, stride, (1, 1), groups, name, limits, ""
    )


@cache
def _has_pointwise(dtype: torch.dtype) -> bool:
    """Whether this build of PyTorch has the fused operation for a dtype, and computes the right thing with it."""
    if dtype not in (torch.float32, torch.bfloat16) or not hasattr(
        torch.ops.mkldnn, "_convolution_pointwise"
    ):
        return False
    x = torch.linspace(-9, 9, 32, dtype=dtype).view(1, 2, 4, 4).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.ones(2, 2, 1, 1, dtype=dtype), torch.tensor([0.5, 1.0], dtype=dtype)
    try:
        y = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, (0, 0), (1, 1), (1, 1), 1, "hardtanh", [0.0, 6.0], ""
        )
    except (RuntimeError, NotImplementedError):
        return False
    return bool(torch.allclose(y, F.relu6(F.conv2d(x, weight, bias)), atol=0.1))


def _padded(x: Tensor, padding: Sides) -> Tensor:
    """`x` with zeros around it; only the border is written twice."""
    left, right, top, bottom = padding
    n, channels, height, width = x.shape
    out = torch.empty(
        (n, channels, height + top + bottom, width + left + right),
        dtype=x.dtype,
        memory_format=torch.channels_last,
    )
    out[:, :, top : top + height, left : left + width] = x
    out[:, :, :top] = 0
    out[:, :, top + height :] = 0
    out[:, :, :, :left] = 0
    out[:, :, :, left + width :] = 0
    return out
