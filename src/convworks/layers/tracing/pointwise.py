"""What keeps every unit in its place: activations, sums, products, stacking along channels, padding, shuffling."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from convworks.arithmetic.field import Fields, slid, through
from convworks.arithmetic.shape import Fit, joined_stack, joined_sum
from convworks.arithmetic.spec import (
    NO_PADDING,
    BatchNorm,
    Dropout,
    LeakyReLU,
    Plain,
    ReLU,
    Sides,
    Sigmoid,
    Tanh,
    Upsample,
    Volume,
)
from convworks.errors import NetError
from convworks.layers.tracing.call import Call, empty, positive, without_numbers
from convworks.layers.tracing.kernels import kernel
from convworks.layers.tracing.recorder import Recorder, Rule, Stopped
from convworks.layers.tracing.value import Value, dimension, joined, lost, map_axes, volume_of

UNTAGGED = {
    *(
        "alpha_dropout",
        "batch_norm",
        "bernoulli",
        "dropout",
        "dropout1d",
        "dropout2d",
        "elu",
        "feature_dropout",
    ),
    *("hardswish", "hardtanh", "masked_fill", "native_batch_norm", "native_dropout", "normal", "prelu"),
    *("rrelu", "selu", "copy", "fill", "zero", "uniform"),
}
"""Operators that keep every unit in its place without saying so themselves."""
LAYERS: dict[str, Plain] = {
    "batch_norm": BatchNorm(),
    "relu": ReLU(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
}
ALIKE = {"add", "dropout", "gelu", "hardswish", "mul", "relu6", "silu"}
"""Operators that give what is like their input, where all that they read is alike."""


def is_pointwise(call: Call) -> bool:
    """Whether an operator makes each number of what lies at the same place."""
    return torch.Tag.pointwise in call.operator.tags or call.name.rstrip("_") in UNTAGGED


def pointwise(recorder: Recorder, call: Call) -> Any:
    """An operator that makes each number of what lies at the same place of its inputs."""
    if call.name in LAYERS and id(call.args[0]) in recorder.values:
        return _alone(recorder, call, LAYERS[call.name])
    traced = [x for x in call.tensors if id(x) in recorder.values]
    values = [recorder.values[id(x)] for x in traced]
    first = traced[0]
    result, shape = _result(recorder, call, traced)
    alone = len(values) == 1 and len(values[0].axes) == len(shape)
    value, odd = (values[0], "") if alone else joined(values, shape)
    layer = _layer(call)
    input = fit = None
    if layer is not None:
        input = volume_of(value, shape)
    if layer is not None and input is not None:
        fit = Fit(output=input)
    inside = id(result) in recorder.values and id(result) in recorder.roots
    recorder.add(call.name.rstrip("_"), call, result, value, layer=layer, input=input, fit=fit, odd=odd)
    if call.in_place and (inside or result is not first):
        _spoil(recorder, result)
    return result


def _alone(recorder: Recorder, call: Call, layer: Plain) -> Tensor:
    """A layer that reads one tensor and leaves it as it is."""
    x: Tensor = call.args[0]
    result, value = without_numbers(x), recorder.values[id(x)]
    key = id(x)
    input = recorder.volumes[key] if key in recorder.volumes else volume_of(value, x.shape)
    fit = Fit(output=input) if input is not None else None
    recorder.add(call.name, call, result, value, layer=layer, input=input, fit=fit)
    return result


def _result(recorder: Recorder, call: Call, traced: list[Tensor]) -> tuple[Tensor, tuple[int, ...]]:
    """What the operator gives, without computing it."""
    first, target = traced[0], call.args[0]
    if call.in_place and isinstance(target, Tensor):
        _checked(recorder, call, traced)
        return target, tuple(target.shape)
    if call.name in ALIKE and first.is_floating_point() and _alike(call, first):
        return without_numbers(first), tuple(first.shape)
    _checked(recorder, call, traced)
    result = kernel(recorder, call, note=False)
    result = result[0] if isinstance(result, tuple) else result
    return result, tuple(result.shape)


def _alike(call: Call, first: Tensor) -> bool:
    """Whether the result is like the first tensor that is followed, and no kernel has to be asked."""
    return len(call.tensors) == 1 or all(
        x is first or not x.dim() or (x.shape == first.shape and x.dtype == first.dtype) for x in call.tensors
    )


def _checked(recorder: Recorder, call: Call, traced: list[Tensor]) -> None:
    """Raise Stopped, in the arithmetic's words, where two maps cannot be added or multiplied."""
    maps = [x for x in traced if recorder.values[id(x)].is_map]
    if len(maps) != 2 or len(traced) != 2:
        return
    first, second = (x.shape for x in maps)
    if all(a == b or 1 in (a, b) for a, b in zip(first, second, strict=True)):
        return
    left, right = (Volume(height=x.shape[2], width=x.shape[3], channels=x.shape[1]) for x in maps)
    try:
        joined_sum(left, right)
    except NetError as error:
        found = f"one side is {left} and the other {right}: they cannot be joined unit by unit"
        raise Stopped(
            NetError(found, expected="the same sizes from both", fix=error.fix), known=True
        ) from None


def _layer(call: Call) -> Plain | None:
    name = call.name.rstrip("_")
    if name == "leaky_relu":
        slope = float(call.given(1, "negative_slope", 0.01))
        return LeakyReLU(slope=slope) if 0 <= slope < 1 else None
    if name == "dropout":
        probability = float(call.given(1, "p", 0.5))
        return Dropout(probability=probability) if 0 <= probability < 1 else None
    return LAYERS.get(name)


def _spoil(recorder: Recorder, part: Tensor) -> None:
    """Something was written into a part of another tensor: nothing more is known of the whole."""
    root = recorder.roots.get(id(part))
    whole = recorder.tensors.get(root) if root is not None else None
    if whole is not None and whole is not part:
        recorder.put(whole, lost(recorder.values[id(part)], whole.shape))


def cat(recorder: Recorder, call: Call) -> Any:
    """aten::cat(tensors, dim)."""
    tensors = [x for x in call.args[0] if not (x.dim() == 1 and x.shape[0] == 0)]
    traced = [x for x in tensors if id(x) in recorder.values]
    if not traced:
        return kernel(recorder, call)
    place = positive(call.given(1, "dim", 0), traced[0].dim())
    _stackable(recorder, tensors, place)
    result = kernel(recorder, call, note=False)
    values = [recorder.values[id(x)] for x in traced]
    spatial = any(letter for value in values for letter, _ in value.axes[place])
    if spatial:
        axes = (*values[0].axes[:place], dimension("?", result.shape[place]), *values[0].axes[place + 1 :])
        fields = [value._replace(axes=axes) for value in values]
        after, odd = (
            joined(fields, result.shape)
            if len({v.extent for v in values}) == 1
            else (lost(values[0], result.shape), "")
        )
    else:
        blank = [value._replace(axes=(*value.axes[:place], (), *value.axes[place + 1 :])) for value in values]
        after, odd = joined(blank, (*result.shape[:place], 1, *result.shape[place + 1 :]))
        axes = (*after.axes[:place], dimension("", result.shape[place]), *after.axes[place + 1 :])
        after = after._replace(axes=axes)
    recorder.add("cat", call, result, after, odd=odd)
    return result


def _stackable(recorder: Recorder, tensors: list[Tensor], place: int) -> None:
    """Raise Stopped, in the arithmetic's words, where maps cannot be stacked along their channels."""
    if place != 1 or not all(x.dim() == 4 and id(x) in recorder.values and min(x.shape) > 0 for x in tensors):
        return
    volumes = [Volume(height=x.shape[2], width=x.shape[3], channels=x.shape[1]) for x in tensors]
    try:
        joined_stack(volumes)
    except NetError as error:
        raise Stopped(error, known=True) from None


def stack(recorder: Recorder, call: Call) -> Any:
    """aten::stack(tensors, dim): a new dimension, of which each tensor is one unit."""
    traced = [x for x in call.args[0] if id(x) in recorder.values]
    result = kernel(recorder, call, note=False)
    if not traced:
        return result
    place = positive(call.given(1, "dim", 0), result.dim())
    values = [recorder.values[id(x)] for x in traced]
    after, odd = joined(values, traced[0].shape)
    axes = (*after.axes[:place], dimension("", result.shape[place]), *after.axes[place:])
    recorder.add("stack", call, result, after._replace(axes=axes), odd=odd)
    return result


def pad(recorder: Recorder, call: Call) -> Any:
    """aten::pad(input, [left, right, top, bottom, ...], mode, value)."""
    x = call.args[0]
    result = kernel(recorder, call, note=False)
    if id(x) not in recorder.values:
        return result
    value = recorder.values[id(x)]
    sides = [*call.args[1], 0, 0, 0, 0][:4]
    around: Sides = (sides[2], sides[3], sides[0], sides[1])
    deeper = any(call.args[1][4:])
    if not any(call.args[1]):
        recorder.put(result, value, root=x)
        return result
    if value.is_map and not deeper and call.given(2, "mode", "constant") != "circular":
        volume = Volume(height=result.shape[2], width=result.shape[3], channels=result.shape[1])
        after = _padded(value, volume, around, result.shape[0])
    else:
        after = lost(value, result.shape)
    recorder.add("pad", call, result, after)
    return result


def _padded(value: Value, volume: Volume, around: Sides, batch: int) -> Value:
    """The padded map: unit 0 is now one of padding, or where the padding is negative the first that was not cut."""
    fields = value.fields
    top, bottom, left, right = (max(0, old + more) for old, more in zip(value.margin, around, strict=True))
    if fields is not None:
        rows, columns = fields
        fields = (
            rows._replace(start=rows.start - around[0] * rows.jump),
            columns._replace(start=columns.start - around[2] * columns.jump),
        )
    return Value(
        axes=map_axes(volume, batch),
        fields=fields,
        extent=(volume.height, volume.width),
        reach=value.reach,
        margin=(top, bottom, left, right),
    )


def shuffle(recorder: Recorder, call: Call) -> Any:
    """aten::pixel_shuffle(input, factor) and pixel_unshuffle: channels become places, or places channels."""
    x = call.args[0]
    result = kernel(recorder, call, note=False)
    value = recorder.values.get(id(x))
    if value is None:
        return result
    if not value.is_map:
        recorder.add(call.name, call, result, lost(value, result.shape))
        return result
    factor: int = call.args[1]
    fields: Fields | None = value.fields
    if fields is not None and call.name == "pixel_shuffle":
        volume = Volume(height=x.shape[2], width=x.shape[3], channels=x.shape[1])
        fields = through(Upsample(factor=(factor, factor)), volume, fields)
    elif fields is not None:
        fields = slid(fields[0], factor, factor, 0), slid(fields[1], factor, factor, 0)
    volume = Volume(height=result.shape[2], width=result.shape[3], channels=result.shape[1])
    after = value._replace(
        axes=map_axes(volume, result.shape[0]),
        fields=fields,
        extent=(volume.height, volume.width),
        margin=NO_PADDING,
    )
    recorder.add(call.name, call, result, after)
    return result


def channel_shuffle(recorder: Recorder, call: Call) -> Any:
    """An operator that only reorders what is not height or width."""
    x = call.args[0]
    result = empty(x.shape, x)
    recorder.add(call.name, call, result, recorder.values[id(x)])
    return result


def glu(recorder: Recorder, call: Call) -> Any:
    """aten::glu(input, dim): one half of a dimension gates the other."""
    x = call.args[0]
    result = kernel(recorder, call, note=False)
    value = recorder.values[id(x)]
    place = positive(call.given(1, "dim", -1), x.dim())
    if any(letter for letter, _ in value.axes[place]):
        after = lost(value, result.shape)
    else:
        axes = (*value.axes[:place], dimension("", result.shape[place]), *value.axes[place + 1 :])
        after = value._replace(axes=axes)
    recorder.add(call.name, call, result, after)
    return result


RULES: dict[str, Rule] = {
    "cat": cat,
    "channel_shuffle": channel_shuffle,
    "concat": cat,
    "constant_pad_nd": pad,
    "glu": glu,
    "pad": pad,
    "pixel_shuffle": shuffle,
    "pixel_unshuffle": shuffle,
    "stack": stack,
}
