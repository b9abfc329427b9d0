"""EfficientNet-Lite (Tan & Le 2019, 1905.11946; the Lite variants drop the gates and use ReLU6): the default backbone.

Its ImageNet weights come from a package, so that it works on a machine without a model hub and without a network.
"""

from __future__ import annotations

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from convworks.backbones.contract import Backbone, Card, Expects, Stage
from convworks.layers.conv_norm import ConvNorm

EPSILON = 1e-3

# (kernel, stride, expansion, channels, repeats) of each row of blocks, for width and depth 1.
ROWS = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)

# (width, depth, native size) by name.
VARIANTS = {
    "efficientnet-lite0": (1.0, 1.0, 224),
    "efficientnet-lite1": (1.0, 1.1, 240),
    "efficientnet-lite2": (1.1, 1.2, 260),
}

RANDOM = Card(name="random", source="drawn from the seed", licence="none needed")

Variant = Literal["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]


class InvertedResidual(nn.Module):
    """Expand by a 1x1, filter each channel, project by a 1x1; added to its input where the shapes agree.

    Source: MobileNetV2 (1801.04381), section 3.3.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        layers = [ConvNorm(inputs, wide, 1, activation="relu6", epsilon=EPSILON)] if expansion > 1 else []
        layers += [
            ConvNorm(
                wide, wide, kernel, stride=stride, groups=wide, activation="relu6", same=True, epsilon=EPSILON
            ),
            ConvNorm(wide, outputs, 1, activation="none", epsilon=EPSILON),
        ]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """The block's output."""
        return x + self.layers(x) if self.residual else self.layers(x)


def efficientnet_lite0() -> Backbone:
    """The smallest: 3.4 million parameters before the classifier, .4 thousand million multiply-adds at 224 pixels."""
    return efficientnet_lite("efficientnet-lite0")


def efficientnet_lite1() -> Backbone:
    """A tenth deeper than the smallest, for 240 pixels."""
    return efficientnet_lite("efficientnet-lite1")


def efficientnet_lite2() -> Backbone:
    """A tenth wider and a fifth deeper than the smallest, for 260 pixels."""
    return efficientnet_lite("efficientnet-lite2")


def efficientnet_lite(name: Variant) -> Backbone:
    """An EfficientNet-Lite with random weights: a stem, seven rows of blocks, and the 1x1 of 1,280 channels."""
    width, depth, size = VARIANTS[name]
    stages: list[nn.Module] = [ConvNorm(3, 32, 3, stride=2, activation="relu6", same=True, epsilon=EPSILON)]
    info = [Stage(name="stem", channels=32, stride=2, field=3, centre=1.5)]
    inputs, stride, field, jump = 32, 2, 3, 2
    for number, (kernel, step, expansion, channels, repeats) in enumerate(ROWS, 1):
        ends = number in (1, len(ROWS))
        outputs = _rounded(channels * width)
        blocks: list[nn.Module] = []
        for block in range(repeats if ends else math.ceil(repeats * depth)):
            blocks.append(InvertedResidual(inputs, outputs, kernel, step if block == 0 else 1, expansion))
            field += (kernel - 1) * jump
            jump *= step if block == 0 else 1
            inputs = outputs
        stride *= step
        stages.append(nn.Sequential(*blocks))
        # Padded more on the right and below, each step down looks half a cell further that way.
        info.append(
            Stage(name=f"blocks{number}", channels=outputs, stride=stride, field=field, centre=stride - 0.5)
        )
    stages.append(ConvNorm(inputs, 1280, 1, activation="relu6", epsilon=EPSILON))
    info.append(Stage(name="head", channels=1280, stride=stride, field=field, centre=stride - 0.5))
    return Backbone(name, stages, info, Expects(size=size, interpolation="bicubic"), RANDOM)


def _rounded(channels: float) -> int:
    down = max(8, int(channels + 4) // 8 * 8)
    return down if down >= 0.9 * channels else down + 8
