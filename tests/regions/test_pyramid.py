"""The pyramid gives the maps of its strides, whatever the sizes of what it reads."""

from __future__ import annotations

import pytest
import torch

from convworks.regions.pyramid import Pyramid

CHANNELS, STRIDES = (4, 6, 8, 8, 10), (2, 4, 8, 8, 16)


@pytest.mark.parametrize(
    ("finest", "coarsest", "given"),
    [(4, 16, (4, 8, 16)), (8, 8, (8,)), (16, 4, (16,)), (1, 2, (2,)), (64, 99, (16,))],
)
@pytest.mark.parametrize("size", [(64, 64), (48, 80), (33, 47)])
def test_maps_come_at_their_strides(
    finest: int, coarsest: int, given: tuple[int, ...], size: tuple[int, int]
) -> None:
    pyramid = Pyramid(CHANNELS, STRIDES, finest=finest, coarsest=coarsest, width=5)
    assert pyramid.strides == given
    maps = [
        torch.randn(2, channels, *(-(-side // stride) for side in size))
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]
    found = pyramid(maps)
    assert [one.shape for one in found] == [
        (2, 5, *(-(-side // stride) for side in size)) for stride in given
    ]


def test_a_fine_map_knows_what_the_coarse_one_saw() -> None:
    pyramid = Pyramid(CHANNELS, STRIDES, finest=8, coarsest=8, width=5).eval()
    maps = [
        torch.randn(1, channels, 32 // stride, 32 // stride)
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]
    maps[-1].requires_grad_(True)
    pyramid(maps)[0].sum().backward()
    assert maps[-1].grad is not None
    assert bool((maps[-1].grad != 0).any())
