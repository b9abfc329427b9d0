"""How a row of stages is described while it is put together: channels, stride and receptive field."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from convworks.arithmetic.alignment import middle
from convworks.arithmetic.field import Field, slid
from convworks.backbones.contract import Backbone, Card, Expects, Stage

RANDOM = Card(name="random", source="drawn from the seed", licence="none needed")

# Nets of our own learn from scratch, on pictures brought to the mean and deviation that ImageNet's have.
NATURAL = Expects(mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225), size=32)


class Row:
    """A row of stages that grows at its end; `finish` makes the backbone of it.

    Each stage is given with the (kernel, stride) of every layer on its longest way from input to output, padded by half
    of what its filter is longer than 1.
    """

    def __init__(self) -> None:
        self.stages: list[nn.Module] = []
        self.info: list[Stage] = []
        self._field = Field()

    def add(self, name: str, stage: nn.Module, channels: int, layers: Sequence[tuple[int, int]]) -> None:
        """Append `stage`, which gives `channels` and goes through `layers`."""
        for kernel, stride in layers:
            self._field = slid(self._field, kernel, stride, (kernel - 1) // 2)
        stride, field = int(self._field.jump), self._field.pixels
        self.stages.append(stage)
        centre = float(middle(self._field))
        self.info.append(Stage(name=name, channels=channels, stride=stride, field=field, centre=centre))

    def finish(self, name: str, expects: Expects = NATURAL) -> Backbone:
        """The row as a backbone with random weights."""
        return Backbone(name, self.stages, self.info, expects, RANDOM)
