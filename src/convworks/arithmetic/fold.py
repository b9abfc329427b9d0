"""What repeats in a net, and what rides on what: the layers in the portions that a picture or a program shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convworks.arithmetic.notation import write
from convworks.arithmetic.shape import fit
from convworks.arithmetic.spec import (
    BatchNorm,
    Dropout,
    Layer,
    LeakyReLU,
    NoisyReLU,
    ReLU,
    Sigmoid,
    Tanh,
    Volume,
)

LONGEST = 24
"""Layers of the longest portion whose repetition is looked for."""

RIDERS = (BatchNorm, Dropout, LeakyReLU, NoisyReLU, ReLU, Sigmoid, Tanh)
"""Layers that change no size: they are named beside the layer that they follow."""


class Run(NamedTuple):
    """Layers in a row, `times` times; `first` is the index of the first of them, `input` what goes in each time."""

    layers: tuple[Layer, ...]
    times: int
    first: int
    input: Volume


def runs(layers: Sequence[Layer], volume: Volume) -> list[Run]:
    """The layers as runs: of each portion that repeats on one and the same volume, how often it does.

    No portion but the first begins with a rider, which belongs to what stands before it.

    Raises NetError where a layer cannot be.

    >>> from convworks.arithmetic.notation import parse, volume, write
    >>> net = parse("conv3-8 relu 3*(conv3-8 p1 relu) fc10")
    >>> [(run.times, write(run.layers)) for run in runs(net, volume("32"))]
    [(1, 'conv3-8 relu'), (3, 'conv3-8 p1 relu'), (1, 'fc10')]
    """
    inputs = [volume]
    for layer in layers:
        inputs.append(fit(layer, inputs[-1]).output)
    names: dict[Layer, int] = {}
    codes = [names.setdefault(layer, len(names)) for layer in layers]
    found: list[Run] = []
    start = at = 0
    while at < len(codes):
        rides = at > 0 and isinstance(layers[at], RIDERS)
        length, times = (1, 1) if rides else _repetition(codes, inputs, at)
        if times == 1:
            at += 1
            continue
        if start < at:
            found.append(Run(layers=tuple(layers[start:at]), times=1, first=start, input=inputs[start]))
        found.append(Run(layers=tuple(layers[at : at + length]), times=times, first=at, input=inputs[at]))
        start = at = at + length * times
    if start < at:
        found.append(Run(layers=tuple(layers[start:at]), times=1, first=start, input=inputs[start]))
    return found


def folded(layers: Sequence[Layer], volume: Volume) -> str:
    """The notation with what repeats written once; `parse` gives the layers back. Raises NetError.

    >>> from convworks.arithmetic.notation import parse, volume
    >>> folded(parse("conv3-8 p1 relu conv3-8 p1 relu conv3-8 p1 relu fc10"), volume("32"))
    'conv3-8 p1 relu 2*(conv3-8 p1 relu) fc10'
    """
    return " ".join(
        f"{run.times}*({write(run.layers)})" if run.times > 1 else write(run.layers)
        for run in runs(layers, volume)
    )


def _repetition(codes: list[int], inputs: list[Volume], at: int) -> tuple[int, int]:
    """The length and the number of the portions from `at` on that save most; (1, 1) where none repeats."""
    best, saved = (1, 1), 0
    for length in range(1, min(LONGEST, (len(codes) - at) // 2) + 1):
        if inputs[at] != inputs[at + length]:
            continue
        times = 1
        while codes[at + length * times : at + length * (times + 1)] == codes[at : at + length]:
            times += 1
        if length * (times - 1) > saved:
            best, saved = (length, times), length * (times - 1)
    return best
