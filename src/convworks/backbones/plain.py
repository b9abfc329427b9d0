"""VGG-style nets: rows of 3x3 convolutions with a max pooling between them (Simonyan & Zisserman, 1409.1556).

Batch norm after each convolution is ours: it makes them learn from scratch without the paper's staged start.
A stage's maps are floor(size / stride) high and wide.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from torch import nn

from convworks.backbones.contract import Backbone
from convworks.backbones.rows import NATURAL, Row
from convworks.layers.conv_norm import ConvNorm


def vgg_small() -> Backbone:
    """For images of 32 to 96 pixels: two convolutions at each of strides 1, 2, 4 and 8; 4.7 M parameters."""
    return _vgg("vgg-small", ((2, 64), (2, 128), (2, 256), (2, 512)), size=32)


def vgg16() -> Backbone:
    """The convolutions and poolings of VGG-16 (configuration D), without its fully connected layers.

    A cell of the last stage sees 212 pixels.
    """
    row = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512), (0, 512))
    return _vgg("vgg16", row, size=224)


def _vgg(name: str, plan: tuple[tuple[int, int], ...], size: int) -> Backbone:
    """A net of (convolutions, channels) a stage, with a 2x2 max pooling between two stages."""
    row = Row()
    for number, ((_, before), (convolutions, channels)) in enumerate(pairwise(((0, 3), *plan)), start=1):
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if number > 1 else []
        inputs = (before, *[channels] * convolutions)
        layers += [ConvNorm(first, second, 3) for first, second in pairwise(inputs)]
        reach = [(2, 2)] * (number > 1) + [(3, 1)] * convolutions
        label = f"conv{number}" if convolutions else f"pool{number - 1}"
        row.add(label, nn.Sequential(*layers), channels, reach)
    return row.finish(name, replace(NATURAL, size=size))
