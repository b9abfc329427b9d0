"""From a net's specs to an `nn.Module` whose real sizes are the ones that the arithmetic gives."""

from __future__ import annotations

from typing import assert_never

from torch import nn

from convworks.arithmetic import spec
from convworks.arithmetic.shape import Slider, fit
from convworks.arithmetic.spec import Layer, Net, Pair, Volume
from convworks.arithmetic.walk import walk
from convworks.errors import NetError
from convworks.layers.activation import NoisyReLU
from convworks.layers.join import Stack, Sum
from convworks.layers.mlpconv import Mlpconv2d
from convworks.layers.padding import SpecPadding
from convworks.layers.pooling import GlobalL2Pool2d, L2Pool2d, UnevenAveragePool2d


def build(net: Net) -> nn.Sequential:
    """The net as a module, one part a layer, weights as PyTorch draws them; raises NetError.

    >>> import torch
    >>> from convworks.arithmetic import Volume, parse
    >>> net = Net(layers=parse("conv5-16 relu pool2 fc10"), input=Volume(height=32, width=32, channels=3))
    >>> build(net)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    followed = walk(net)
    if followed.error is not None:
        place = followed.rows[-1].place
        raise NetError(
            f"Layer {place} is impossible: {followed.error.found}.",
            expected=followed.error.expected,
            fix=followed.error.fix,
        )
    return row(net.layers, net.input)


def row(layers: tuple[Layer, ...], volume: Volume) -> nn.Sequential:
    """Layers one after the other; none pass their input on."""
    modules: list[nn.Module] = []
    for layer in layers:
        modules.append(module(layer, volume))
        volume = fit(layer, volume).output
    return nn.Sequential(*modules)


def module(layer: Layer, volume: Volume) -> nn.Module:
    """One layer for an input of this volume, of which only a linear layer needs height and width."""
    match layer:
        case spec.Conv() | spec.DepthwiseConv() | spec.Mlpconv():
            even = even_padding(layer)
            if even is not None:
                return filters(layer, volume.channels, even)
            return nn.Sequential(SpecPadding(layer, 0.0), filters(layer, volume.channels, (0, 0)))
        case spec.TransposedConv():
            return nn.ConvTranspose2d(
                volume.channels,
                layer.channels,
                layer.kernel,
                layer.stride,
                layer.padding,
                layer.output_padding,
                layer.groups,
                layer.bias,
                layer.dilation,
            )
        case spec.Pointwise():
            return nn.Conv2d(volume.channels, layer.channels, 1, bias=layer.bias)
        case spec.Pool():
            return pool(layer)
        case spec.AdaptivePool():
            return (
                nn.AdaptiveMaxPool2d(layer.size) if layer.kind == "max" else nn.AdaptiveAvgPool2d(layer.size)
            )
        case spec.GlobalPool():
            kinds = {"max": nn.AdaptiveMaxPool2d, "average": nn.AdaptiveAvgPool2d}
            return GlobalL2Pool2d() if layer.kind == "l2" else kinds[layer.kind](1)
        case spec.Linear():
            linear = nn.Linear(volume.elements, layer.features, bias=layer.bias)
            return linear if volume.flat else nn.Sequential(nn.Flatten(), linear)
        case spec.Flatten():
            return nn.Flatten()
        case spec.ReLU():
            return nn.ReLU()
        case spec.LeakyReLU():
            return nn.LeakyReLU(layer.slope)
        case spec.NoisyReLU():
            return NoisyReLU()
        case spec.Tanh():
            return nn.Tanh()
        case spec.Sigmoid():
            return nn.Sigmoid()
        case spec.Dropout():
            return nn.Dropout(layer.probability)
        case spec.BatchNorm():
            return nn.BatchNorm1d(volume.channels) if volume.flat else nn.BatchNorm2d(volume.channels)
        case spec.Upsample():
            corners = False if layer.mode == "bilinear" else None
            return nn.Upsample(scale_factor=layer.factor, mode=layer.mode, align_corners=corners)
        case spec.Residual():
            return Sum(row(layer.body, volume), row(layer.shortcut, volume))
        case spec.Concat():
            return Stack([row(branch, volume) for branch in layer.branches])
        case _:
            assert_never(layer)


def even_padding(layer: Slider) -> Pair | None:
    """The padding that PyTorch's own layer can do, the same at both ends; None where it cannot."""
    if isinstance(layer.padding, str):
        return None
    top, bottom, left, right = layer.padding
    return (top, left) if top == bottom and left == right else None


def filters(layer: spec.Conv | spec.DepthwiseConv | spec.Mlpconv, channels: int, padding: Pair) -> nn.Module:
    """A layer of filters with this padding."""
    match layer:
        case spec.Conv():
            return nn.Conv2d(
                channels,
                layer.channels,
                layer.kernel,
                layer.stride,
                padding,
                layer.dilation,
                layer.groups,
                layer.bias,
            )
        case spec.DepthwiseConv():
            return nn.Conv2d(
                channels,
                channels * layer.multiplier,
                layer.kernel,
                layer.stride,
                padding,
                layer.dilation,
                channels,
                layer.bias,
            )
        case spec.Mlpconv():
            return Mlpconv2d(channels, layer.widths, layer.kernel, layer.stride, padding)
        case _:
            assert_never(layer)


def pool(layer: spec.Pool) -> nn.Module:
    """A pooling layer; padding that PyTorch cannot do is put on before it."""
    even = even_padding(layer)
    kernel, stride, ceil = layer.kernel, layer.stride, layer.ceil
    match layer.kind:
        case "max" if even is not None:
            return nn.MaxPool2d(kernel, stride, even, layer.dilation, ceil_mode=ceil)
        case "max":
            return nn.Sequential(
                SpecPadding(layer, float("-inf")), nn.MaxPool2d(kernel, stride, dilation=layer.dilation)
            )
        case "average" if even is not None:
            return nn.AvgPool2d(kernel, stride, even, ceil_mode=ceil, count_include_pad=layer.count_padding)
        case "average":
            return UnevenAveragePool2d(layer)
        case "l2" if even is not None:
            return L2Pool2d(kernel, stride, even, ceil=ceil)
        case _:
            return nn.Sequential(SpecPadding(layer, 0.0), L2Pool2d(kernel, stride))
