"""What a view does not see has no effect on it, halves tile the box, and the whole is plain RoI align."""

from __future__ import annotations

import torch

from convworks.regions.multi_region import VIEWS, View, halved, hidden_bins, multi_region
from convworks.regions.pooling import aligned

BOXES, ROWS = torch.tensor([[16.0, 16, 80, 80], [10, 20, 50, 90]]), torch.tensor([0, 0])


def test_a_ring_ignores_its_inner_rectangle() -> None:
    """The gradient is exactly 0 at every cell that lies, with the reach of reading between cells, inside it."""
    maps = torch.randn(1, 2, 96, 96, generator=torch.Generator().manual_seed(0)).requires_grad_()
    ring = View(inner=0.5, outer=1.0)
    box = torch.tensor([[16.0, 16, 80, 80]])
    multi_region(maps, box, ROWS[:1], scale=1.0, size=8, views=[ring]).square().sum().backward()
    assert maps.grad is not None
    assert float(maps.grad[0, :, 33:63, 33:63].abs().max()) == 0
    assert float(maps.grad[0, :, 17:30, 17:79].abs().max()) > 0


def test_halves_tile_the_box() -> None:
    for pair in (("left", "right"), ("top", "bottom")):
        first, second = halved(BOXES, pair[0]), halved(BOXES, pair[1])
        assert torch.equal(torch.minimum(first, second)[:, :2], BOXES[:, :2])
        assert torch.equal(torch.maximum(first, second)[:, 2:], BOXES[:, 2:])
        area = [((one[:, 2:] - one[:, :2]).prod(1)) for one in (first, second, BOXES)]
        torch.testing.assert_close(area[0] + area[1], area[2])


def test_ten_views_stand_side_by_side_the_whole_first() -> None:
    maps = torch.randn(1, 4, 12, 12, generator=torch.Generator().manual_seed(0))
    found = multi_region(maps, BOXES, ROWS, scale=1 / 8)
    assert found.shape == (2, 40, 7, 7)
    assert torch.equal(found[:, :4], aligned(maps, BOXES, ROWS, scale=1 / 8))
    assert multi_region(maps, BOXES[:0], ROWS[:0], scale=1 / 8).shape == (0, 40, 7, 7)


def test_the_hidden_bins_are_those_of_the_inner_box() -> None:
    hidden = hidden_bins(View(inner=0.5), BOXES, 8)
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[2:6, 2:6] = True
    assert torch.equal(hidden, expected.expand(2, 8, 8))
    context = hidden_bins(VIEWS[-1], BOXES, 9)
    assert torch.equal(context[0, 4], torch.tensor([0, 0, 1, 1, 1, 1, 1, 0, 0], dtype=torch.bool))
