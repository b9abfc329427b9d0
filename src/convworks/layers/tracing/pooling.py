"""Pooling of every kind, and maps brought to another size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from torch import Tensor

from convworks.arithmetic.field import shared_out
from convworks.arithmetic.spec import (
    AdaptivePool,
    GlobalPool,
    Padding,
    Plain,
    Pool,
    PoolKind,
    Upsample,
    Volume,
)
from convworks.layers.tracing.call import Call
from convworks.layers.tracing.recorder import Recorder, Rule
from convworks.layers.tracing.value import Value, lost, map_axes, mixed_over, plain
from convworks.layers.tracing.windows import known, pair, sides, slid


def pool(kind: PoolKind) -> Rule:
    """aten::max_pool2d(input, kernel, stride, padding, dilation, ceil) or avg_pool2d(..., padding, ceil, count)."""

    def rule(recorder: Recorder, call: Call) -> Any:
        x = call.args[0]
        divisor = call.given(6, "divisor_override") if kind == "average" else None
        if x.dim() != 4 or divisor is not None:
            from convworks.layers.tracing.kernels import kernel

            return kernel(recorder, call)
        size = pair(call.given(1, "kernel_size"))
        stride = call.given(2, "stride", [])
        largest = kind == "max"
        layer = pool_layer(
            kind,
            size,
            pair(stride) if stride else size,
            sides(call.given(3, "padding", [0, 0])),
            pair(call.given(4, "dilation", [1, 1])) if largest else (1, 1),
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
        size = pair(call.given(1, "output_size"))
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
        recorder.add(call.name, call, result, after)
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
    recorder.add(call.name, call, result, after, layer=layer, input=volume, fit=known(layer, volume)[0])
    return True


RULES: dict[str, Rule] = {
    "adaptive_avg_pool2d": adaptive("average"),
    "_adaptive_avg_pool2d": adaptive("average"),
    "adaptive_max_pool2d": with_places(adaptive("max")),
    "avg_pool2d": pool("average"),
    "max_pool2d": pool("max"),
    "max_pool2d_with_indices": with_places(pool("max")),
    "upsample_bicubic2d": upsample("bicubic"),
    "upsample_bilinear2d": upsample("bilinear"),
    "upsample_nearest2d": upsample("nearest"),
    "_upsample_bicubic2d_aa": upsample("bicubic"),
    "_upsample_bilinear2d_aa": upsample("bilinear"),
}
