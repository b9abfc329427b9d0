"""What mixes: linear layers, products of matrices, attention, and what reads whole dimensions at once."""

from __future__ import annotations

from math import prod
from typing import Any

from torch import Tensor

from convworks.arithmetic.shape import Fit, flat
from convworks.arithmetic.spec import NO_PADDING, Linear, Plain, Pointwise, Volume
from convworks.errors import NetError
from convworks.layers.tracing.call import Call, empty, listed, without_numbers
from convworks.layers.tracing.kernels import kernel
from convworks.layers.tracing.pooling import mean_of_map
from convworks.layers.tracing.recorder import Recorder, Rule, Stopped
from convworks.layers.tracing.value import (
    REACHES,
    Value,
    dimension,
    gated,
    lost,
    mixed_over,
    plain,
    volume_of,
)
from convworks.layers.tracing.windows import known


def linear(recorder: Recorder, call: Call) -> Any:
    """aten::linear(input, weight, bias): the last dimension, wherever the others are."""
    x, weight = call.args[0], call.args[1]
    if id(x) not in recorder.values or weight.dim() != 2 or x.dim() == 0:
        return kernel(recorder, call)
    features, written = weight.shape
    return applied(recorder, call, features, written, call.given(2, "bias") is not None)


def applied(recorder: Recorder, call: Call, features: int, written: int, bias: bool) -> Any:
    """A matrix of weights on the last dimension of the first argument."""
    x: Tensor = call.args[0]
    value = recorder.values[id(x)]
    numbers = x.shape[-1]
    layer: Plain = Linear(features=features, inputs=written, bias=bias)
    layer = recorder.changed.get(recorder.place, layer)
    if written != numbers and not (recorder.lenient or recorder.place in recorder.changed):
        raise Stopped(_wrong_inputs(value, x, features, written), known=True, layer=layer)
    result = empty((*x.shape[:-1], features), x)
    after = mixed_over(value, [x.dim() - 1])
    after = after._replace(axes=(*value.axes[:-1], dimension("", features)), margin=value.margin)
    rows = prod(x.shape[:-1])
    single = volume_of(value, x.shape)
    if rows == 1:
        volume = single if single is not None and single.elements == numbers else flat(numbers)
        layer = Linear(features=features, inputs=numbers, bias=bias)
        fit = Fit(output=flat(features))
    else:
        layer = Pointwise(channels=features, bias=bias)
        spread = single is not None and single.channels == numbers and not single.flat
        volume = single if spread and single is not None else Volume(height=rows, width=1, channels=numbers)
        fit = known(layer, volume)[0]
    recorder.add(
        call.name,
        call,
        result,
        after,
        layer=layer,
        input=volume,
        fit=fit,
        multiply_adds=rows * numbers * features,
    )
    return result


def _wrong_inputs(value: Value, x: Tensor, features: int, written: int) -> NetError:
    """Why a linear layer cannot take what it gets, and the line to write."""
    numbers = x.shape[-1]
    volume = volume_of(value, x.shape)
    if x.dim() > 2 and volume is not None and volume.elements == written:
        return NetError(
            f"it gets {volume}, row by row, and was written for {written} numbers",
            fix=f"put a flatten before it: {volume} is {written} numbers",
        )
    return NetError(
        f"it gets {numbers} numbers and was written for {written}",
        fix=f"write Linear({numbers}, {features})",
    )


def matmul(recorder: Recorder, call: Call) -> Any:
    """A product of two tensors: weights on features, or features with features, as in attention."""
    left, right = _operands(call)
    if (
        right.dim() == 2
        and id(left) in recorder.values
        and id(right) not in recorder.values
        and left.dim() > 1
    ):
        return applied(recorder, call._replace(args=(left, right)), right.shape[1], right.shape[0], False)
    result = kernel(recorder, call, note=False)
    inner = left.shape[-1]
    if id(left) in recorder.values or id(right) in recorder.values:
        after = _contracted(recorder, left, right, result)
        recorder.add(call.name, call, result, after, multiply_adds=result.numel() * inner)
    return result


def _operands(call: Call) -> tuple[Tensor, Tensor]:
    first = 1 if call.name in ("addmm", "baddbmm", "addbmm") else 0
    return call.args[first], call.args[first + 1]


def _contracted(recorder: Recorder, left: Tensor, right: Tensor, result: Tensor) -> Value:
    """What a product of two depends on: their rows and columns, and all of what it sums over."""
    first, second = (_summed(recorder, x, back) for x, back in ((left, 1), (right, 2)))
    if first is None or second is None:
        only = first or second
        assert only is not None
        return _fitted(only, result, back=1 if first is not None else 2)
    if not second.letters:
        gate = "all" if second.reach == "all" else "unknown"
        reach = REACHES[
            max(REACHES.index(first.reach), REACHES.index(gate if first.letters else second.reach))
        ]
        return _fitted(first, result, back=1)._replace(reach=reach)
    whole = all(
        _attends(recorder.values[id(x)]) and recorder.values[id(x)].reach != "unknown" for x in (left, right)
    )
    if not whole:
        return lost(first, result.shape)
    after = _fitted(first, result, back=1)
    return after._replace(fields=None, reach="all", margin=NO_PADDING)


def _summed(recorder: Recorder, x: Tensor, back: int) -> Value | None:
    """One side of a product after the sum over its dimension counted from the back; None where it is a constant."""
    value = recorder.values.get(id(x))
    if value is None:
        return None
    place = x.dim() - min(back, x.dim())
    axes = (*value.axes[:place], (), *value.axes[place + 1 :])
    return mixed_over(value, [place])._replace(axes=axes)


def _fitted(value: Value, result: Tensor, back: int) -> Value:
    """The value with the axes of a product; `back` is the dimension, from the back, that the other side gives."""
    if len(value.axes) != result.dim():
        return lost(value, result.shape) if value.letters else value._replace(axes=plain(result.shape))
    place = result.dim() - back
    axes = (*value.axes[:place], dimension("", result.shape[place]), *value.axes[place + 1 :])
    return value._replace(axes=axes)


def _attends(value: Value) -> bool:
    """Whether all of the picture lies in its last two dimensions, so that a product over them reads all of it."""
    return not any(letter for axis in value.axes[:-2] for letter, _ in axis)


def attention(recorder: Recorder, call: Call) -> Any:
    """aten::scaled_dot_product_attention(query, key, value, ...): every query reads every key."""
    query, key, values = call.args[:3]
    shape = (*query.shape[:-1], values.shape[-1])
    result = empty(shape, query)
    heads, pairs = prod(query.shape[:-2]), query.shape[-2] * key.shape[-2]
    cost = heads * pairs * (query.shape[-1] + values.shape[-1])
    known = [recorder.values[id(x)] for x in (query, key, values) if id(x) in recorder.values]
    if not known:
        return kernel(recorder, call)
    own = recorder.values.get(id(query), known[0])
    if all(map(_attends, known)) and all(value.reach != "unknown" for value in known):
        axes = (*own.axes[:-1], dimension("", shape[-1])) if len(own.axes) == len(shape) else plain(shape)
        after = Value(axes=axes, fields=None, extent=own.extent, reach="all")
    else:
        after = lost(own, shape)
        if len(own.axes) == len(shape):
            after = after._replace(axes=(*own.axes[:-1], dimension("", shape[-1])))
    recorder.add("attention", call, result, after, multiply_adds=cost)
    return result


def reduction(place: int = 1, name: str = "dim") -> Rule:
    """An operator that reads whole dimensions and gives one number for each: mean, sum, max, variance, norm."""

    def rule(recorder: Recorder, call: Call) -> Any:
        x = call.args[0]
        result = kernel(recorder, call, note=False)
        if id(x) not in recorder.values:
            return result
        value = recorder.values[id(x)]
        asked = call.given(place, name)
        places = listed(asked if isinstance(asked, int | list | tuple) else None, x.dim())
        results = [result] if isinstance(result, Tensor) else list(result)
        first = results[0]
        if not (call.name in ("mean", "amax") and mean_of_map(recorder, call, first, places)):
            mixed = mixed_over(value, places)
            keeps = first.dim() == x.dim()
            axes = tuple(
                () if number in places else axis
                for number, axis in enumerate(value.axes)
                if keeps or number not in places
            )
            after = mixed._replace(axes=axes if len(axes) == first.dim() else plain(first.shape))
            recorder.add(call.name, call, first, after)
        for other in results[1:]:
            recorder.put(other, recorder.values[id(first)])
        return result

    return rule


def normalised(places_of: Any) -> Rule:
    """An operator that scales each number by what it finds over some dimensions."""

    def rule(recorder: Recorder, call: Call) -> Any:
        x = call.args[0]
        if id(x) not in recorder.values:
            return kernel(recorder, call)
        result = without_numbers(x)
        after = gated(recorder.values[id(x)], places_of(call, x))
        recorder.add(call.name, call, result, after)
        return result

    return rule


def _last(call: Call, x: Tensor) -> list[int]:
    return list(range(x.dim() - len(call.args[1]), x.dim()))


def _but_batch(call: Call, x: Tensor) -> list[int]:
    return list(range(1, x.dim()))


def _map(call: Call, x: Tensor) -> list[int]:
    return list(range(2, x.dim())) if call.given(5, "use_input_stats", True) else []


def _chosen(call: Call, x: Tensor) -> list[int]:
    return listed(call.given(1, "dim"), x.dim())


PRODUCTS = {"bmm", "linear", "matmul", "mm"}
RULES: dict[str, Rule] = {
    **dict.fromkeys(("addmm", "baddbmm", *PRODUCTS), matmul),
    **dict.fromkeys(
        ("amax", "amin", "logsumexp", "max", "mean", "min", "prod", "std", "sum", "var"), reduction()
    ),
    **dict.fromkeys(("argmax", "argmin", "median", "nanmean"), reduction()),
    "group_norm": normalised(_but_batch),
    "instance_norm": normalised(_map),
    "layer_norm": normalised(_last),
    "linalg_vector_norm": reduction(2),
    "linear": linear,
    "log_softmax": normalised(_chosen),
    "norm": reduction(2),
    "rms_norm": normalised(_last),
    "scaled_dot_product_attention": attention,
    "softmax": normalised(_chosen),
}
