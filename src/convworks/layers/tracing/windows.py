"""A layer that slides over a map, as the arithmetic's own: sizes, cost, what it sees, and the padding it is given.

An explicit padding before a layer that slides is taken as that layer's own, so that what is left unread of it is known
to be padding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from torch import Tensor

from convworks.arithmetic.cost import multiply_adds
from convworks.arithmetic.field import through
from convworks.arithmetic.shape import Fit, fit
from convworks.arithmetic.spec import (
    NO_PADDING,
    Conv,
    DepthwiseConv,
    GlobalPool,
    Padding,
    Plain,
    Pointwise,
    Pool,
    TransposedConv,
    Volume,
)
from convworks.arithmetic.values import replace
from convworks.errors import NetError
from convworks.layers.tracing.call import Call, empty
from convworks.layers.tracing.recorder import Recorder, Stopped
from convworks.layers.tracing.value import Value, lost, map_axes, map_volume


@lru_cache(maxsize=4096)
def known(layer: Plain, volume: Volume) -> tuple[Fit, int]:
    """The fit and the multiply-adds, remembered: nets repeat themselves. Raises NetError where it cannot be."""
    return fit(layer, volume), multiply_adds(layer, volume)


known_through = lru_cache(maxsize=4096)(through)


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
        found, cost = known(layer, volume)
    except NetError as error:
        raise Stopped(error, known=True, layer=layer) from None
    output = found.output
    result = empty((batch, output.channels, output.height, output.width), x)
    recorder.add(
        call.name,
        call,
        result,
        _after(value, layer, volume, output, batch),
        layer=layer,
        input=volume,
        fit=found,
        multiply_adds=batch * cost,
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


def pair(value: Any) -> tuple[int, int]:
    """A pair from one number or two."""
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])


def sides(value: Any) -> Padding:
    """Padding above, below, left and right, from one number, two, or a word."""
    if value == "same":
        return "same"
    if value == "valid":
        return NO_PADDING
    vertical, horizontal = pair(value)
    return vertical, vertical, horizontal, horizontal
