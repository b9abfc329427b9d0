"""Changes of one number of one layer, and putting the changed layer back into its net."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Any, TypeAlias

from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.shape import Slider, windows
from convworks.arithmetic.spec import Concat, Conv, Layer, Linear, Net, Pool, Residual, TransposedConv, Volume
from convworks.arithmetic.values import replace
from convworks.arithmetic.walk import walk
from convworks.arithmetic.window import Window, slide
from convworks.errors import NetError

FARTHEST = 8
"""How far a number is moved in search of a fix."""
MOST_GROUPS = 4096
"""Groups that are tried at most."""

Changed: TypeAlias = tuple[str, int, str, Layer]
"""The field that was changed, how far, the change in words, and the layer then."""
WORDS = {"stride": "stride", "padding": "padding", "kernel": "filter", "output_padding": "output padding"}


def put(net: Net, place: str, layer: Layer | None) -> Net:
    """The net with another layer at a place such as "4.1.2", or without the one that is there."""
    return replace(net, layers=put_in(net.layers, [int(part) for part in place.split(".")], layer))


def put_in(layers: tuple[Layer, ...], path: list[int], layer: Layer | None) -> tuple[Layer, ...]:
    """The layers with another one at a path of places, each counted from 1."""
    index = path[0] - 1
    if len(path) == 1:
        return (*layers[:index], *(() if layer is None else (layer,)), *layers[index + 1 :])
    join = layers[index]
    if isinstance(join, Residual):
        name = "body" if path[1] == 1 else "shortcut"
        inner: Layer = replace(join, **{name: put_in(getattr(join, name), path[2:], layer)})
    elif isinstance(join, Concat):
        branches = list(join.branches)
        branches[path[1] - 1] = put_in(branches[path[1] - 1], path[2:], layer)
        inner = Concat(branches=tuple(branches))
    else:
        raise ValueError(f"layer {path[0]} has no branches")
    return (*layers[:index], inner, *layers[index + 1 :])


def changes(layer: Layer, volume: Volume) -> Iterator[Changed]:
    """Every change of one number of a layer: its field, how far, in words, and the layer then."""
    for name, words in WORDS.items():
        value = getattr(layer, name, None)
        if isinstance(value, tuple):
            for step, text, changed in _moved(value):
                if name == "padding" and max(changed) >= max(getattr(layer, "kernel", changed)):
                    continue  # A window would see padding only.
                yield from _made(layer, step, f"{words} {text}", name, changed)
    if isinstance(layer, Slider):
        yield from _completed(layer, volume)
    if isinstance(layer, Pool) and not layer.ceil:
        yield from _made(layer, 2, "a last window over the edge (ceil)", "ceil", True)
    if getattr(layer, "padding", None) == "same":
        yield from _made(layer, 1, "padding tfsame", "padding", "tfsame")
    if isinstance(layer, Linear) and layer.inputs:
        yield from _made(layer, 1, f"Linear({volume.elements}, {layer.features})", "inputs", volume.elements)
    if isinstance(layer, Conv | TransposedConv) and layer.groups > 1:
        yield from _regrouped(layer, volume.channels)
    if isinstance(layer, Residual) and not layer.shortcut:
        yield from _projected(layer, volume)


def _regrouped(layer: Conv | TransposedConv, channels: int) -> Iterator[Changed]:
    """The nearest numbers of groups that divide input and filters, and of filters that the groups divide."""
    shared = gcd(channels, layer.channels)
    divisors = [count for count in range(1, min(shared, MOST_GROUPS) + 1) if shared % count == 0]
    below = layer.channels - layer.channels % layer.groups
    for name, options in (("groups", divisors), ("channels", [below, below + layer.groups])):
        value = getattr(layer, name)
        for option in sorted(options, key=lambda option: abs(option - value))[:2]:
            yield from _made(layer, abs(option - value), f"{name} {option}", name, option)


def _projected(layer: Residual, volume: Volume) -> Iterator[Changed]:
    """The 1x1 shortcut that brings the input to what the body gives."""
    inner = walk(Net(layers=layer.body, input=volume))
    output = inner.rows[-1].output if inner.rows else volume
    if output is None or output.flat or volume.flat:
        return
    stride = -(-volume.height // output.height), -(-volume.width // output.width)
    shortcut = Conv(channels=output.channels, kernel=(1, 1), stride=stride)
    yield "shortcut", 1, f"the shortcut {write_layer(shortcut)}", replace(layer, shortcut=(shortcut,))


def _moved(value: tuple[int, ...]) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    """A pair or four sides with one number moved: on both axes together, and on each axis alone."""
    per_axis = len(value) // 2
    axes = (value[:per_axis], value[per_axis:])
    for step in range(1, FARTHEST + 1):
        for by in (-step, step):
            if len(set(value)) == 1:
                yield step, str(value[0] + by), tuple(number + by for number in value)
            for axis, sense in ((0, "vertically"), (1, "horizontally")):
                if len(set(axes[axis])) == 1:
                    changed = tuple(number + by for number in axes[axis])
                    whole = changed + axes[1] if axis == 0 else axes[0] + changed
                    yield step, f"{changed[0]} {sense}", whole


def _completed(layer: Slider, volume: Volume) -> Iterator[Changed]:
    """Just enough padding below and on the right for one more whole step where pixels are left over."""
    if volume.flat or isinstance(layer.padding, str):
        return
    more = [
        _missing(window, size)
        for window, size in zip(windows(layer, volume), (volume.height, volume.width), strict=True)
    ]
    if any(more):
        top, bottom, left, right = layer.padding
        places = [
            f"{count} {place}" for count, place in zip(more, ("below", "on the right"), strict=True) if count
        ]
        words = f"padding of {' and '.join(places)} only"
        sides = (top, bottom + more[0], left, right + more[1])
        yield from _made(layer, max(more), words, "padding", sides)


def _missing(window: Window, size: int) -> int:
    """Pixels that the window lacks for its first, or its next whole step."""
    room = size + window.before + window.after
    if room < window.reach:
        return window.reach - room
    return (window.stride - slide(size, window).remainder) if slide(size, window).unread else 0


def _made(layer: Layer, step: int, words: str, name: str, value: Any) -> Iterator[Changed]:
    """The layer with one field changed, unless it refuses."""
    try:
        yield name, step, words, replace(layer, **{name: value})
    except NetError:
        return
