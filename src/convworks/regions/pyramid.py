"""A light feature pyramid: maps of several strides, each told what the coarser ones saw.

Source: Lin et al., Feature pyramid networks (1612.03144), section 3, with one 3x3 a level and sums.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.layers.conv_norm import normalised


class Pyramid(nn.Module):
    """Reads the last map of each stride from `finest` on and gives those up to `coarsest`, all `width` channels wide.

    `channels` and `strides` are those of the net's maps, in their order; its own `strides` are those of the maps that
    it gives, finest first. Where the net has no map so fine or so coarse, the nearest stands in.
    """

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], *, finest: int, coarsest: int, width: int
    ) -> None:
        super().__init__()
        self.taps, given = levels(strides, finest, coarsest)
        self.strides = tuple(strides[tap] for tap in self.taps[:given])
        self.lateral = nn.ModuleList(nn.Conv2d(channels[tap], width, 1, bias=False) for tap in self.taps)
        self.lateral_norm = nn.ModuleList(nn.BatchNorm2d(width) for _ in self.taps)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in self.strides)
        self.smooth_norm = nn.ModuleList(nn.BatchNorm2d(width) for _ in self.strides)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> list[Float[Tensor, "n c _ _"]]:
        """One map for each of `strides`."""
        found: list[Tensor] = []
        for place in reversed(range(len(self.taps))):
            here = normalised(maps[self.taps[place]], self.lateral[place], self.lateral_norm[place], "none")
            if found:
                here = here + F.interpolate(found[0], here.shape[-2:], mode="bilinear", align_corners=False)
            found.insert(0, F.relu(here))
        pairs = zip(found, self.smooth, self.smooth_norm, strict=False)
        return [normalised(one, smooth, norm, "relu") for one, smooth, norm in pairs]


def levels(strides: Sequence[int], finest: int, coarsest: int) -> tuple[list[int], int]:
    """The maps that a pyramid reads, finest first, and how many of them it gives back: at least one.

    >>> levels((2, 4, 8, 8, 16, 32), 8, 16)
    ([3, 4, 5], 2)
    >>> levels((2, 4, 8, 8, 16, 32), 64, 64)
    ([5], 1)
    """
    last = {stride: place for place, stride in enumerate(strides)}
    read = [stride for stride in sorted(last) if stride >= min(finest, max(last))]
    return [last[stride] for stride in read], max(1, sum(stride <= coarsest for stride in read))
