"""The last layer of the tasks that say something of a whole picture."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from convworks.backbones.contract import Stage


class ClassificationHead(nn.Module):
    """The last stage's map, averaged over its positions, dropped out, and one linear layer: the logits.

    Source: global average pooling, Network in Network (1312.4400), section 3.2.
    """

    def __init__(self, channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, classes)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n k"]:
        """The logits from the outputs of the stages, of which the last is read."""
        return self.linear(self.dropout(maps[-1].float().mean((2, 3))))


def head(info: Sequence[Stage], classes: int, dropout: float) -> ClassificationHead:
    """A new last layer for a net whose stages `info` describes."""
    return ClassificationHead(info[-1].channels, classes, dropout)
