"""Convolutions and transposed ones, as layers of the arithmetic; along one or three axes by PyTorch's own sizes."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from torch import Tensor

from convworks.arithmetic.spec import NO_PADDING, Conv, DepthwiseConv, Padding, Pointwise, TransposedConv
from convworks.layers.tracing.call import Call
from convworks.layers.tracing.recorder import Recorder, Rule
from convworks.layers.tracing.value import lost, plain
from convworks.layers.tracing.windows import pair, sides, slid


def conv2d(recorder: Recorder, call: Call) -> Any:
    """aten::conv2d(input, weight, bias, stride, padding, dilation, groups)."""
    x, weight = call.args[0], call.args[1]
    if not isinstance(x, Tensor) or x.dim() != 4 or id(x) not in recorder.values:
        return unbatched(recorder, call)
    filters, channels, *kernel = weight.shape
    layer, written = conv_layer(
        filters,
        channels,
        tuple(kernel),
        pair(call.given(3, "stride", [1, 1])),
        sides(call.given(4, "padding", [0, 0])),
        pair(call.given(5, "dilation", [1, 1])),
        call.given(6, "groups", 1),
        call.given(2, "bias") is not None,
    )
    return slid(recorder, call, layer, written)


@lru_cache(maxsize=4096)
def conv_layer(
    filters: int,
    channels: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    dilation: tuple[int, int],
    groups: int,
    bias: bool,
) -> tuple[Conv | DepthwiseConv | Pointwise, int]:
    """The layer of such a convolution, and the channels that it is written for."""
    if (kernel, stride, padding, groups) == ((1, 1), (1, 1), NO_PADDING, 1):
        return Pointwise(channels=filters, bias=bias), channels
    if groups > 1 and channels == 1 and filters % groups == 0:
        depthwise = DepthwiseConv(
            kernel=kernel,
            multiplier=filters // groups,
            stride=stride,
            padding=padding,
            dilation=dilation,
            bias=bias,
        )
        return depthwise, groups
    layer = Conv(
        channels=filters,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )
    return layer, channels * groups


def conv_transpose2d(recorder: Recorder, call: Call) -> Any:
    """aten::conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation)."""
    x, weight = call.args[0], call.args[1]
    if x.dim() != 4 or id(x) not in recorder.values:
        return unbatched(recorder, call)
    groups = call.given(6, "groups", 1)
    layer = TransposedConv(
        channels=weight.shape[1] * groups,
        kernel=tuple(weight.shape[2:]),
        stride=pair(call.given(3, "stride", [1, 1])),
        padding=pair(call.given(4, "padding", [0, 0])),
        output_padding=pair(call.given(5, "output_padding", [0, 0])),
        dilation=pair(call.given(7, "dilation", [1, 1])),
        groups=groups,
        bias=call.given(2, "bias") is not None,
    )
    return slid(recorder, call, layer, weight.shape[0])


def unbatched(recorder: Recorder, call: Call) -> Any:
    """A convolution along one or three axes: its sizes are PyTorch's, its cost that of its filters."""
    from convworks.layers.tracing.kernels import kernel

    x, weight = call.args[0], call.args[1]
    if id(x) not in recorder.values:
        return kernel(recorder, call)
    result = kernel(recorder, call, note=False)
    one = prod(weight.shape[1:])
    places = x.numel() if "transpose" in call.name else result.numel()
    value = recorder.values[id(x)]
    spatial = any(letter for axis in value.axes[2:] for letter, _ in axis)
    new = lost(value, result.shape) if spatial else value._replace(axes=plain(result.shape))
    recorder.add(call.name, call, result, new, multiply_adds=places * one)
    return result


FILTERS = {"conv1d", "conv2d", "conv3d"}
RULES: dict[str, Rule] = {
    "conv1d": unbatched,
    "conv2d": conv2d,
    "conv3d": unbatched,
    "conv_transpose1d": unbatched,
    "conv_transpose2d": conv_transpose2d,
    "conv_transpose3d": unbatched,
}
