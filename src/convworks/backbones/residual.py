"""A small residual net (He et al. 2015, 1512.03385, section 4.2): a block learns what to add to its input.

A stage's maps are ceil(size / stride) high and wide.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.backbones.contract import Backbone
from convworks.backbones.rows import Row
from convworks.layers.conv_norm import ConvNorm

# (channels, stride of the first block) of each stage of two blocks.
STAGES = ((32, 1), (64, 2), (128, 2), (256, 2))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose output is added to the input, or to a 1x1 of it where the shapes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.filters = nn.Sequential(
            ConvNorm(inputs, outputs, 3, stride=stride), ConvNorm(outputs, outputs, 3, activation="none")
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = (
            nn.Identity() if same else ConvNorm(inputs, outputs, 1, stride=stride, activation="none")
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """The block's output, never negative."""
        return F.relu(self.filters(x) + self.shortcut(x))


def residual_small() -> Backbone:
    """For images of 32 to 96 pixels: a stem and eight blocks at strides 1, 2, 4 and 8; 2.8 M parameters."""
    row = Row()
    inputs = STAGES[0][0]
    row.add("stem", ConvNorm(3, inputs, 3), inputs, [(3, 1)])
    for number, (channels, stride) in enumerate(STAGES, start=1):
        blocks = nn.Sequential(ResidualBlock(inputs, channels, stride), ResidualBlock(channels, channels, 1))
        row.add(f"blocks{number}", blocks, channels, [(3, stride), (3, 1), (3, 1), (3, 1)])
        inputs = channels
    return row.finish("residual-small")
