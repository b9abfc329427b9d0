"""Pooled regions are what the paper says, to the last bit, warped ones the pixels they are cut from."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torchvision import ops
from torchvision.ops.poolers import LevelMapper

from convworks.regions.pooling import aligned, level, pooled, pyramid_pooled, warped, with_context


def material(seed: int, count: int = 30) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Maps of two pictures, and boxes of every kind: outside, of one cell, larger than the picture, turned over."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, 3, 9, 11, generator=generator)
    low = torch.rand(count, 2, generator=generator) * 180 - 20
    boxes = torch.cat([low, low + torch.rand(count, 2, generator=generator) ** 3 * 200], 1)
    boxes[:4] = torch.tensor([[24.0, 8, 24, 8], [300, 300, 310, 320], [8, 8, 40, 24], [50, 60, 20, 30]])
    return maps, boxes, torch.randint(0, 2, (count,), generator=generator)


def by_the_letter(
    maps: torch.Tensor, box: torch.Tensor, row: int, scale: float, size: tuple[int, int]
) -> torch.Tensor:
    """One region pooled as Fast R-CNN says: corners to cells, bins from their floor to their ceiling, 0 for none."""
    left, top, right, bottom = (
        math.floor(abs(edge) + 0.5) * (1 if edge >= 0 else -1) for edge in (box * scale).tolist()
    )
    wide, high = max(right - left + 1, 1), max(bottom - top + 1, 1)
    found = torch.zeros(maps.shape[1], *size)
    for line, column in product(range(size[0]), range(size[1])):
        y0, y1 = (math.floor(top + line * high / size[0]), math.ceil(top + (line + 1) * high / size[0]))
        x0, x1 = (math.floor(left + column * wide / size[1]), math.ceil(left + (column + 1) * wide / size[1]))
        cells = maps[row, :, max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        if cells.numel():
            found[:, line, column] = cells.flatten(1).amax(1)
    return found


@pytest.mark.parametrize("size", [(7, 7), (1, 1), (3, 5)])
@pytest.mark.parametrize("scale", [1 / 16, 1 / 8])
def test_pooling_takes_the_largest_of_each_bin_of_cells(size: tuple[int, int], scale: float) -> None:
    for seed in range(3):
        maps, boxes, rows = material(seed)
        maps.requires_grad_()
        found = pooled(maps, boxes, rows, scale=scale, size=size)
        each = zip(boxes, rows.tolist(), strict=True)
        wanted = torch.stack([by_the_letter(maps, box, row, scale, size) for box, row in each])
        assert torch.equal(found, wanted)
        (ours,) = torch.autograd.grad(found.square().sum(), maps)
        (theirs,) = torch.autograd.grad(wanted.square().sum(), maps)
        torch.testing.assert_close(ours, theirs)


def test_a_bin_without_a_cell_is_0_and_no_box_gives_no_row() -> None:
    maps = torch.ones(1, 2, 4, 4) * 5
    found = pooled(maps, torch.tensor([[100.0, 100, 120, 120]]), torch.tensor([0]), scale=1.0, size=(2, 2))
    assert torch.equal(found, torch.zeros(1, 2, 2, 2))
    none = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
    assert pooled(maps, *none, scale=1.0).shape == (0, 2, 7, 7)
    assert aligned(maps, *none, scale=1.0).shape == (0, 2, 7, 7)
    assert warped(maps, *none, side=5, context=1).shape == (0, 2, 5, 5)


def test_a_pyramid_is_its_grids_one_after_the_other() -> None:
    maps, boxes, rows = material(1)
    found = pyramid_pooled(maps, boxes, rows, scale=1 / 16)
    assert found.shape == (30, 3 * 50)
    assert torch.equal(found[:, -3:], pooled(maps, boxes, rows, scale=1 / 16, size=(1, 1)).flatten(1))
    assert torch.equal(found[:, : 3 * 36], pooled(maps, boxes, rows, scale=1 / 16, size=(6, 6)).flatten(1))


def test_aligned_is_exact_on_a_slope() -> None:
    """A map that rises evenly has the value of the bin's centre as its mean, wherever the box lies."""
    across = torch.arange(12.0).expand(1, 1, 10, 12)
    box = torch.tensor([[13.7, 9.1, 61.3, 44.9]])
    found = aligned(across, box, torch.tensor([0]), scale=1 / 8, size=(4, 4))
    centres = (13.7 + (torch.arange(4) + 0.5) / 4 * (61.3 - 13.7)) / 8 - 0.5
    torch.testing.assert_close(found[0, 0], centres.expand(4, 4), atol=1e-5, rtol=0)


def test_a_region_of_the_net_s_own_size_is_cut_as_it_is() -> None:
    image = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    found = warped(image, torch.tensor([[10.0, 8, 26, 24]]), torch.tensor([0]), side=20, context=2)
    torch.testing.assert_close(found[0], image[0, :, 6:26, 8:28])


def test_what_lies_outside_the_picture_is_the_mean() -> None:
    image = torch.ones(1, 3, 20, 20)
    found = warped(image, torch.tensor([[0.0, 0, 20, 20]]), torch.tensor([0]), side=28, context=4)
    torch.testing.assert_close(found[0, :, 4:-4, 4:-4], torch.ones(3, 20, 20))
    assert float(found[0, :, :4].abs().max()) < 1e-5


def test_context_is_of_the_output_whatever_the_size_of_the_box() -> None:
    boxes = torch.tensor([[10.0, 10, 20, 50]])
    grown = with_context(boxes)
    share = (boxes[:, :2] - grown[:, :2]) / (grown[:, 2:] - grown[:, :2])
    torch.testing.assert_close(share, torch.full((1, 2), 16 / 227))


def test_aligned_is_torchvisions_half_a_cell_further_on_boxes_of_every_size() -> None:
    maps, boxes, rows = material(2)
    boxes = boxes[3:].sort(1).values[:, [0, 1, 2, 3]]
    theirs = ops.roi_align(maps, torch.cat([rows[3:, None].float(), boxes], 1), (3, 3), 1 / 8, 2)
    torch.testing.assert_close(aligned(maps, boxes + 4, rows[3:], scale=1 / 8, size=(3, 3)), theirs)


def test_the_map_for_each_size_is_torchvisions() -> None:
    side = torch.logspace(-1, 3.5, 500)[:, None]
    boxes = torch.cat([side * 0, side * 0, side, side * 1.7], 1)
    for strides, first, last in (((4, 8, 16, 32), 2, 5), ((8, 16), 3, 4), ((16,), 4, 4)):
        assert torch.equal(level(boxes, strides), LevelMapper(first, last)([boxes]))
