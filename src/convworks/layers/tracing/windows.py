"""What slides: convolutions, pooling and enlarging, each as the arithmetic's own layer where it has the word for it.

An explicit padding before a layer that slides is taken as that layer's own, so that what is left unread of it is known
to be padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

from torch import Tensor

from convworks.arithmetic.cost import multiply_adds
from convworks.arithmetic.field import shared_out, through
from convworks.arithmetic.shape import Fit, fit
from convworks.arithmetic.spec import (
    NO_PADDING,
    AdaptivePool,
    Conv,
    DepthwiseConv,
    GlobalPool,
    Padding,
    Plain,
    Pointwise,
    Pool,
    PoolKind,
    TransposedConv,
    Upsample,
    Volume,
)
from convworks.arithmetic.values import replace
from convworks.errors import NetError
from convworks.layers.tracing.call import Call, Rule, empty
from convworks.layers.tracing.recorder import Recorder, Stopped
from convworks.layers.tracing.value import Value, lost, map_axes, map_volume, mixed_over, plain


@lru_cache(maxsize=4096)
def known_fit(layer: Plain, volume: Volume) -> Fit:
    """`fit`, remembered: nets repeat themselves."""
    return fit(layer, volume)


known_cost = lru_cache(maxsize=4096)(multiply_adds)
known_through = lru_cache(maxsize=4096)(through)


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
        _tuple(call.given(3, "stride", [1, 1])),
        _padding(call.given(4, "padding", [0, 0])),
        _tuple(call.given(5, "dilation", [1, 1])),
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
        stride=_tuple(call.given(3, "stride", [1, 1])),
        padding=_tuple(call.given(4, "padding", [0, 0])),
        output_padding=_tuple(call.given(5, "output_padding", [0, 0])),
        dilation=_tuple(call.given(7, "dilation", [1, 1])),
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
    recorder.add(call.name, call.tensors, result, new, multiply_adds=places * one)
    return result


def slid(recorder: Recorder, call: Call, layer: Plain, written: int = 0) -> Tensor:
    """A layer on a map (batch, channels, height, width); `written` are the channels that it is written for."""
    x: Tensor = call.args[0]
    value = recorder.values[id(x)]
    batch, channels, height, width = x.shape
    layer = recorder.changed.get(recorder.place, layer)
    if min(height, width, channels) < 1:
        raise Stopped(NetError("its input is empty"), known=True, layer=layer)
    volume = map_volume(height, width, channels)
    if written and written != channels and not recorder.lenient:
        raise Stopped(_wrong_channels(layer, channels, written), known=True, layer=layer)
    if any(value.margin):
        layer, volume, value = _with_margin(layer, volume, value)
    try:
        found = known_fit(layer, volume)
    except NetError as error:
        raise Stopped(error, known=True, layer=layer) from None
    output = found.output
    result = empty((batch, output.channels, output.height, output.width), x)
    recorder.add(
        call.name,
        call.tensors,
        result,
        _after(value, layer, volume, output, batch),
        layer=layer,
        input=volume,
        fit=found,
        multiply_adds=batch * known_cost(layer, volume),
    )
    return result


def _after(value: Value, layer: Plain, volume: Volume, output: Volume, batch: int) -> Value:
    """The value of what such a layer gives."""
    extent = output.height, output.width
    if not value.is_map:
        return lost(value, (batch, output.channels, *extent))
    axes = map_axes(output, batch)
    if value.fields is None or (value.extent == (1, 1) and value.reach == "all" and extent != (1, 1)):
        return Value(axes=axes, fields=None, extent=extent, reach=value.reach)
    fields = known_through(layer, volume, value.fields)
    everything = isinstance(layer, GlobalPool) and value.reach != "unknown"
    margin = value.margin if isinstance(layer, Pointwise) else NO_PADDING
    return Value(
        axes=axes, fields=fields, extent=extent, reach="all" if everything else value.reach, margin=margin
    )


def _with_margin(layer: Plain, volume: Volume, value: Value) -> tuple[Plain, Volume, Value]:
    """The layer with the padding that its input already holds as its own, and the input without that.

    Only where the two are the same: the padding of an average pool counts, and one that hangs over rounds otherwise.
    """
    top, bottom, left, right = value.margin
    if not isinstance(layer, Conv | DepthwiseConv | Pool) or isinstance(layer.padding, str):
        return layer, volume, value
    if isinstance(layer, Pool):
        hanging = max(value.margin) > min(layer.kernel) // 2
        if layer.kind != "max" or layer.ceil or hanging:
            return layer, volume, value
    own = layer.padding
    inner = replace(volume, height=volume.height - top - bottom, width=volume.width - left - right)
    sides = (own[0] + top, own[1] + bottom, own[2] + left, own[3] + right)
    fields = value.fields
    if fields is not None:
        rows, columns = fields
        fields = (
            rows._replace(start=rows.start + top * rows.jump),
            columns._replace(start=columns.start + left * columns.jump),
        )
    extent = inner.height, inner.width
    unpadded = Value(axes=map_axes(inner), fields=fields, extent=extent, reach=value.reach)
    return replace(layer, padding=sides), inner, unpadded


def _wrong_channels(layer: Plain, channels: int, written: int) -> NetError:
    name = "ConvTranspose2d" if isinstance(layer, TransposedConv) else "Conv2d"
    if isinstance(layer, DepthwiseConv):
        return NetError(
            f"it gets {channels} channels and was written for {written}",
            fix=f"write {name}({channels}, {channels * layer.multiplier}, ..., groups={channels})",
        )
    filters = getattr(layer, "channels", 0)
    return NetError(
        f"it gets {channels} channels and was written for {written}",
        fix=f"write {name}({channels}, {filters}, ...)",
    )


def pool(kind: PoolKind) -> Rule:
    """aten::max_pool2d(input, kernel, stride, padding, dilation, ceil) or avg_pool2d(..., padding, ceil, count)."""

    def rule(recorder: Recorder, call: Call) -> Any:
        x = call.args[0]
        divisor = call.given(6, "divisor_override") if kind == "average" else None
        if x.dim() != 4 or divisor is not None:
            from convworks.layers.tracing.kernels import kernel

            return kernel(recorder, call)
        size = _tuple(call.given(1, "kernel_size"))
        stride = call.given(2, "stride", [])
        largest = kind == "max"
        layer = pool_layer(
            kind,
            size,
            _tuple(stride) if stride else size,
            _padding(call.given(3, "padding", [0, 0])),
            _tuple(call.given(4, "dilation", [1, 1])) if largest else (1, 1),
            bool(call.given(5 if largest else 4, "ceil_mode", False)),
            True if largest else bool(call.given(5, "count_include_pad", True)),
        )
        return slid(recorder, call, layer)

    return rule


@lru_cache(maxsize=1024)
def pool_layer(
    kind: PoolKind,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    dilation: tuple[int, int],
    ceil: bool,
    count: bool,
) -> Pool:
    """The layer of such a pooling."""
    return Pool(
        kind=kind,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil=ceil,
        count_padding=count,
    )


def adaptive(kind: str) -> Rule:
    """aten::adaptive_avg_pool2d(input, size) and adaptive_max_pool2d, which gives places too."""

    def rule(recorder: Recorder, call: Call) -> Any:
        x = call.args[0]
        size = _tuple(call.given(1, "output_size"))
        if x.dim() != 4:
            from convworks.layers.tracing.kernels import kernel

            return kernel(recorder, call)
        if size == (1, 1):
            layer: Plain = GlobalPool(kind="max" if kind == "max" else "average")
        else:
            layer = AdaptivePool(kind="max" if kind == "max" else "average", size=size)
        return slid(recorder, call, layer)

    return rule


def with_places(rule: Rule) -> Rule:
    """The same rule for an operator that also gives the place of each maximum."""

    def both(recorder: Recorder, call: Call) -> Any:
        import torch

        result = rule(recorder, call)
        if isinstance(result, tuple):
            return result
        places = torch.empty(result.shape, dtype=torch.int64, device="meta")
        recorder.put(places, recorder.values[id(result)])
        return result, places

    return both


def upsample(mode: str) -> Rule:
    """aten::upsample_nearest2d(input, size, scales...) and upsample_bilinear2d(input, size, align_corners, ...)."""

    def rule(recorder: Recorder, call: Call) -> Any:
        from convworks.layers.tracing.kernels import kernel

        x = call.args[0]
        value = recorder.values.get(id(x))
        if value is None or x.dim() != 4:
            return kernel(recorder, call)
        result = kernel(recorder, call, note=False)
        old, new = tuple(x.shape[2:]), tuple(result.shape[2:])
        whole = all(after % before == 0 for before, after in zip(old, new, strict=True))
        corners = mode != "nearest" and bool(call.given(2, "align_corners", False))
        if whole and mode in ("nearest", "bilinear") and not corners and not any(value.margin):
            factor = (new[0] // old[0], new[1] // old[1])
            layer = Upsample(factor=factor, mode="nearest" if mode == "nearest" else "bilinear")
            return slid(recorder, call, layer)
        after = _resampled(value, old, new, result.shape, mode)
        recorder.add(call.name, call.tensors, result, after)
        return result

    return rule


def _resampled(
    value: Value, old: Sequence[int], new: Sequence[int], shape: Sequence[int], mode: str
) -> Value:
    """A map brought to another size: followed exactly where it copies pixels, else only that it depends."""
    if not value.is_map:
        return lost(value, shape)
    volume = Volume(height=shape[2], width=shape[3], channels=shape[1])
    spread = Value(axes=map_axes(volume, shape[0]), fields=None, extent=(new[0], new[1]), reach=value.reach)
    if value.reach == "all" and value.extent == (1, 1):
        return spread
    if mode != "nearest" or value.fields is None or any(value.margin):
        return spread._replace(reach="unknown")
    fields = shared_out(value.fields[0], old[0], new[0]), shared_out(value.fields[1], old[1], new[1])
    return spread._replace(fields=fields)


def mean_of_map(recorder: Recorder, call: Call, result: Tensor, places: Sequence[int]) -> bool:
    """Note a mean over height and width as the global pooling that it is; whether it was one."""
    x = call.args[0]
    value = recorder.values[id(x)]
    if set(places) != {2, 3} or not value.is_map:
        return False
    volume = Volume(height=x.shape[2], width=x.shape[3], channels=x.shape[1])
    layer = GlobalPool(kind="average" if call.name == "mean" else "max")
    after = mixed_over(value, places)._replace(axes=plain(result.shape))
    recorder.add(
        call.name, call.tensors, result, after, layer=layer, input=volume, fit=known_fit(layer, volume)
    )
    return True


def _tuple(value: Any) -> tuple[int, int]:
    """A pair from one number or two."""
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])


def _padding(value: Any) -> Padding:
    if value == "same":
        return "same"
    if value == "valid":
        return NO_PADDING
    vertical, horizontal = _tuple(value)
    return vertical, vertical, horizontal, horizontal


FILTERS = {"conv1d", "conv2d", "conv3d"}
RULES: dict[str, Rule] = {
    "adaptive_avg_pool2d": adaptive("average"),
    "_adaptive_avg_pool2d": adaptive("average"),
    "adaptive_max_pool2d": with_places(adaptive("max")),
    "avg_pool2d": pool("average"),
    "conv1d": unbatched,
    "conv2d": conv2d,
    "conv3d": unbatched,
    "conv_transpose1d": unbatched,
    "conv_transpose2d": conv_transpose2d,
    "conv_transpose3d": unbatched,
    "max_pool2d": pool("max"),
    "max_pool2d_with_indices": with_places(pool("max")),
    "upsample_bicubic2d": upsample("bicubic"),
    "upsample_bilinear2d": upsample("bilinear"),
    "upsample_nearest2d": upsample("nearest"),
    "_upsample_bicubic2d_aa": upsample("bicubic"),
    "_upsample_bilinear2d_aa": upsample("bilinear"),
}
