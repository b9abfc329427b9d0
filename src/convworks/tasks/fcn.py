"""Fully convolutional networks: a score for each class at the coarsest map, refined by the finer maps before it.

Source: Long et al., Fully convolutional networks for semantic segmentation (1411.4038), section 4: FCN-32s reads the
last map alone, FCN-16s and FCN-8s add scores of the maps of stride 16 and 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.arithmetic.alignment import crop_offset
from convworks.backbones.contract import Stage
from convworks.geometry.boxes import Size
from convworks.tasks.enlarging import laid

PIXEL = 0.5  # the middle of the first pixel


class Enlarge(nn.Module):
    """A map enlarged by `factor` and laid upon a finer one, by the transposed convolution of the paper.

    `offset` is `arithmetic.alignment.crop_offset`; a part of a cell that it has goes into the filter, which is
    `1 - |i - c| / factor` and stays so unless it is `learned`. Beyond the map its border goes on, so that the picture's
    edge fades nowhere.
    """

    def __init__(self, classes: int, factor: int, offset: float, *, learned: bool = False) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset
        self.filters = (
            nn.Parameter(painting(factor, offset).expand(classes, 1, -1, -1).clone()) if learned else None
        )

    def forward(self, x: Float[Tensor, "n k h w"], size: Size) -> Float[Tensor, "n k h2 w2"]:
        """The map at `size` (height, width)."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            if self.filters is not None:
                return self._painted(x, self.filters, size)
            return laid(x, size, (self.offset + 0.5 - self.factor) / self.factor, 1 / self.factor)

    def _painted(self, x: Tensor, filters: Tensor, size: Size) -> Tensor:
        whole = math.floor(self.offset + 0.5)
        ends = [
            math.ceil((whole + to) / self.factor) - length
            for length, to in zip(x.shape[-2:], size, strict=True)
        ]
        around = max(1, *ends, 1 - whole // self.factor)
        grown = F.conv_transpose2d(
            F.pad(x, (around,) * 4, "replicate"), filters, stride=self.factor, groups=len(filters)
        )
        first = around * self.factor + whole
        return grown[..., first : first + size[0], first : first + size[1]]


def painting(factor: int, offset: float) -> Float[Tensor, "f f"]:
    """The filter that enlarges by `factor` bilinearly; the part of `offset` that is not whole moves it.

    >>> (4 * painting(2, 1.0)[1]).tolist()
    [0.75, 2.25, 2.25, 0.75]
    """
    part = offset - math.floor(offset + 0.5)
    places = torch.arange(2 * factor, dtype=torch.float64) + part
    line = (1 - (places - (factor - 0.5)).abs() / factor).clamp(min=0)
    return torch.outer(line, line).float()


class FullyConvolutional(nn.Module):
    """FCN-32s, 16s or 8s on the stages that `info` describes: scores at the coarsest map, and at those before it.

    `finest` is the stride of the last map that is added. All scores begin at zero. `scales` multiply the added maps,
    from the coarsest on: the paper trains all at once with .01 and .0001, where gradients are summed over pixels and
    taken as they are. `staged` nets begin without the finer maps; `ripen` lets them in.
    """

    def __init__(
        self,
        info: Sequence[Stage],
        classes: int,
        dropout: float,
        *,
        finest: int,
        staged: bool = False,
        learned: bool = False,
        scales: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.taps = taps(info, finest)
        self.scores = nn.ModuleList(nn.Conv2d(info[tap].channels, classes, 1) for tap in self.taps)
        for value in self.scores.parameters():
            nn.init.zeros_(value)
        ends = [(info[tap].stride, centre(info[tap])) for tap in self.taps] + [(1, PIXEL)]
        self.enlarge = nn.ModuleList(
            Enlarge(
                classes, coarse // fine, float(crop_offset(at, to, fine, coarse // fine)), learned=learned
            )
            for (coarse, at), (fine, to) in pairwise(ends)
        )
        self.dropout = nn.Dropout2d(dropout / 2)
        self.scales = (1.0, *scales, *[1.0] * (len(self.taps) - 1 - len(scales)))
        self.stride = info[self.taps[-1]].stride
        self.staged, self.opened = staged, len(self.taps)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n k h w"]:
        """The logits of every pixel of a picture whose sides the coarsest stride divides."""
        total = self.scores[0](self.dropout(maps[self.taps[0]]))
        for place in range(1, len(self.taps)):
            finer = maps[self.taps[place]]
            total = self.enlarge[place - 1](total, (finer.shape[-2], finer.shape[-1]))
            if place < self.opened:
                total = total + self.scores[place](self.scales[place] * finer)
        rows, columns = maps[self.taps[-1]].shape[-2:]
        return self.enlarge[-1](total, (rows * self.stride, columns * self.stride))

    def ripen(self, progress: float) -> None:
        """Let in as many of the finer maps as belong to a share of the training in [0, 1], one after the other."""
        if self.staged:
            self.opened = 1 + min(int(progress * len(self.taps)), len(self.taps) - 1)


def ripen(head: nn.Module, progress: float) -> None:
    """What of the head learns at a share of the training; any but a staged FCN is left as it is."""
    if isinstance(head, FullyConvolutional):
        head.ripen(progress)


def taps(info: Sequence[Stage], finest: int) -> list[int]:
    """The stages that are read: the last one, then the last of each smaller stride down to `finest`."""
    last = {stage.stride: place for place, stage in enumerate(info)}
    coarsest = info[-1].stride
    finer = [stride for stride in last if finest <= stride < coarsest and coarsest % stride == 0]
    return [len(info) - 1, *(last[stride] for stride in sorted(finer, reverse=True))]


def centre(stage: Stage) -> float:
    """The middle of what the stage's first cell sees, in pixels."""
    return stage.stride / 2 if stage.centre is None else stage.centre
