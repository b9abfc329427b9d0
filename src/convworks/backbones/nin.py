"""The network in network (Lin, Chen & Yan, 1312.4400): a small net of 1x1 convolutions behind each filter.

Its three mlpconv blocks and the dropout between them are those of the paper's CIFAR-10 net; batch norm after
each convolution is ours; global average pooling and the classes belong to the task's head. A stage's maps are
ceil(size / stride) high and wide.
"""

from __future__ import annotations

from torch import nn

from convworks.backbones.contract import Backbone
from convworks.backbones.rows import Row
from convworks.layers.conv_norm import ConvNorm

# (kernel, channels of the filter, of the first 1x1, of the second 1x1) of each block.
BLOCKS = ((5, 192, 160, 96), (5, 192, 192, 192), (3, 192, 192, 192))


def nin() -> Backbone:
    """For images of 32 to 96 pixels: three mlpconv blocks at strides 1, 2 and 4; 1.0 M parameters."""
    row = Row()
    inputs = 3
    for number, (kernel, wide, middle, outputs) in enumerate(BLOCKS, start=1):
        parts = [mlpconv(kernel, inputs, wide, middle, outputs)]
        reach = [(kernel, 1)]
        if number > 1:
            parts = [nn.MaxPool2d(3, stride=2, padding=1), nn.Dropout(0.5), *parts]
            reach = [(3, 2), *reach]
        row.add(f"mlpconv{number}", nn.Sequential(*parts), outputs, reach)
        inputs = outputs
    return row.finish("nin")


def mlpconv(kernel: int, inputs: int, wide: int, middle: int, outputs: int) -> nn.Module:
    """A filter and two 1x1 convolutions, which are one small fully connected net at each pixel."""
    return nn.Sequential(
        ConvNorm(inputs, wide, kernel), ConvNorm(wide, middle, 1), ConvNorm(middle, outputs, 1)
    )
