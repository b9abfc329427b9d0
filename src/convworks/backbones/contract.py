"""What every backbone promises: a row of stages, each a tensor to a tensor, with its channels, stride and field.

A net that is a row of stages can be cut between any two: what lies before the cut is frozen and computed once, what
lies after it learns (`transfer`), and a detector or a segmenter taps the stages that it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage's output: its name, channels, stride against the input, and theoretical receptive field in pixels.

    `field` is 0 where it is unknown or covers everything (a squeeze-and-excite gate reads the whole map). `centre` is
    the middle of what the first cell sees, in pixels from the edge of a picture whose sides the stride divides; None
    where it is unknown, and taken to be the middle of the cell's square.
    """

    name: str
    channels: int
    stride: int
    field: int = 0
    centre: float | None = None


def tapped(info: Sequence[Stage], stride: int) -> int:
    """The last stage of the largest stride that is not above `stride`, or of the smallest there is."""
    fine = [stage.stride for stage in info if stage.stride <= stride]
    wanted = max(fine, default=min(stage.stride for stage in info))
    return max(place for place, stage in enumerate(info) if stage.stride == wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expects:
    """The input that the weights were trained on: RGB in [0, 1], less `mean`, over `deviation`, at about `size`."""

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    deviation: tuple[float, float, float] = (0.5, 0.5, 0.5)
    size: int = 224
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Where weights come from: what they are, their source, licence and sha256 ("" where there are none)."""

    name: str
    source: str
    licence: str
    sha256: str = ""


class Backbone(nn.Module):
    """A row of stages under one contract.

    `stages` are called one after the other; `info[i]` describes what stage i gives; `channels` are those of the
    input. Normalisation is not part of it:
    the input is already as `expects` says.
    """

    def __init__(
        self, name: str, stages: list[nn.Module], info: list[Stage], expects: Expects, card: Card
    ) -> None:
        super().__init__()
        if len(stages) != len(info):
            raise ValueError(f"{name}: {len(stages)} stages but {len(info)} descriptions")
        self.name = name
        self.stages = nn.ModuleList(stages)
        self.info = tuple(info)
        self.expects = expects
        self.card = card
        self.channels = 3
        self.frozen_stages = 0
        self.frozen_statistics = False

    def forward(
        self, x: Float[Tensor, "n c h w"], start: int = 0, stop: int | None = None
    ) -> list[Float[Tensor, "n c2 h2 w2"]]:
        """The outputs of stages `start` to `stop` (exclusive; None for all), `x` being the input of stage `start`."""
        outputs: list[Tensor] = []
        for stage in list(self.stages)[start:stop]:
            x = stage(x)
            outputs.append(x)
        return outputs

    def freeze(self, stages: int, *, statistics: bool = True) -> None:
        """The first `stages` stages stay as they are from now on, whatever `.train()` says.

        Their parameters take no gradients, and they stay in evaluation mode: batch statistics, dropout and all.
        With `statistics`, no batch norm anywhere in the net takes new statistics.
        """
        self.frozen_stages, self.frozen_statistics = stages, statistics
        for number, stage in enumerate(self.stages):
            stage.requires_grad_(number >= stages)
        self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """Training mode for what learns; what is frozen stays in evaluation mode."""
        super().train(mode)
        for stage in list(self.stages)[: self.frozen_stages]:
            stage.eval()
        if self.frozen_statistics:
            for module in self.modules():
                if isinstance(module, NORMS):
                    module.eval()
        return self
