"""What a layer costs: parameters, multiply-adds, and the numbers that training keeps for the way back.

Multiply-adds are those of filters and matrices for one image; biases, pooling and activations are not
counted. Numbers are float32, four bytes each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, assert_never

from convworks.arithmetic.shape import fit
from convworks.arithmetic.spec import (
    AdaptivePool,
    BatchNorm,
    Concat,
    Conv,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LeakyReLU,
    Linear,
    Mlpconv,
    NoisyReLU,
    Plain,
    Pointwise,
    Pool,
    ReLU,
    Residual,
    Sigmoid,
    Tanh,
    TransposedConv,
    Upsample,
    Volume,
    parts,
)

BYTES = 4


def parameters(layer: Layer, volume: Volume) -> int:
    """How many numbers of the layer are learned.

    >>> parameters(Conv(channels=3, kernel=(5, 5)), Volume(height=32, width=32, channels=3))
    228
    """
    match layer:
        case Conv():
            return layer.channels * (volume.channels // layer.groups * _area(layer) + layer.bias)
        case DepthwiseConv():
            return volume.channels * layer.multiplier * (_area(layer) + layer.bias)
        case TransposedConv():
            weights = volume.channels * (layer.channels // layer.groups) * _area(layer)
            return weights + layer.channels * layer.bias
        case Pointwise():
            return layer.channels * (volume.channels + layer.bias)
        case Linear():
            return layer.features * (volume.elements + layer.bias)
        case BatchNorm():
            return 2 * volume.channels
        case Mlpconv():
            return _summed(parameters, parts(layer), volume)
        case Residual():
            return _summed(parameters, layer.body, volume) + _summed(parameters, layer.shortcut, volume)
        case Concat():
            return sum(_summed(parameters, branch, volume) for branch in layer.branches)
        case (
            Pool()
            | AdaptivePool()
            | GlobalPool()
            | Flatten()
            | ReLU()
            | LeakyReLU()
            | NoisyReLU()
            | Tanh()
            | Sigmoid()
            | Dropout()
            | Upsample()
        ):
            return 0
        case _:
            assert_never(layer)


def multiply_adds(layer: Layer, volume: Volume) -> int:
    """How many multiplications, each with its addition, the layer's filters and matrices take for one image.

    >>> multiply_adds(Conv(channels=3, kernel=(5, 5)), Volume(height=32, width=32, channels=3))
    176400
    """
    match layer:
        case Conv():
            return fit(layer, volume).output.elements * (volume.channels // layer.groups) * _area(layer)
        case DepthwiseConv():
            return fit(layer, volume).output.elements * _area(layer)
        case TransposedConv():
            return volume.elements * (layer.channels // layer.groups) * _area(layer)
        case Pointwise():
            return volume.elements * layer.channels
        case Linear():
            return volume.elements * layer.features
        case Mlpconv():
            return _summed(multiply_adds, parts(layer), volume)
        case Residual():
            return _summed(multiply_adds, layer.body, volume) + _summed(multiply_adds, layer.shortcut, volume)
        case Concat():
            return sum(_summed(multiply_adds, branch, volume) for branch in layer.branches)
        case (
            Pool()
            | AdaptivePool()
            | GlobalPool()
            | Flatten()
            | ReLU()
            | LeakyReLU()
            | NoisyReLU()
            | Tanh()
            | Sigmoid()
            | Dropout()
            | BatchNorm()
            | Upsample()
        ):
            return 0
        case _:
            assert_never(layer)


class Kept(NamedTuple):
    """What training keeps of a layer until the way back: its input, its output, and further `extra` bytes."""

    input: bool = False
    output: bool = False
    extra: int = 0


def kept(layer: Plain, volume: Volume) -> Kept:
    """What PyTorch keeps for one image of a plain layer; padding that needs a copy is not counted."""
    match layer:
        case Conv() | DepthwiseConv() | TransposedConv() | Pointwise() | Linear() | BatchNorm() | LeakyReLU():
            return Kept(input=True)
        case ReLU() | NoisyReLU() | Tanh() | Sigmoid():
            return Kept(output=True)
        case Pool(kind="max") | AdaptivePool(kind="max") | GlobalPool(kind="max"):
            # The place of each maximum, a 64-bit number.
            return Kept(input=True, extra=8 * fit(layer, volume).output.elements)
        case Pool(kind="l2"):
            return Kept(input=True, output=True, extra=BYTES * volume.elements)
        case GlobalPool(kind="l2"):
            return Kept(input=True, output=True)
        case Pool() | AdaptivePool():
            return Kept(input=True)
        case Dropout():
            return Kept(extra=BYTES * volume.elements if layer.probability else 0)
        case Mlpconv():
            map_size = fit(layer, volume).output.height * fit(layer, volume).output.width
            return Kept(input=True, output=True, extra=BYTES * map_size * sum(layer.widths[:-1]))
        case GlobalPool() | Flatten() | Upsample():
            return Kept()
        case _:
            assert_never(layer)


def _area(layer: Conv | DepthwiseConv | TransposedConv) -> int:
    return layer.kernel[0] * layer.kernel[1]


def _summed(count: Callable[[Layer, Volume], int], layers: tuple[Layer, ...], volume: Volume) -> int:
    total = 0
    for layer in layers:
        total += count(layer, volume)
        volume = fit(layer, volume).output
    return total
