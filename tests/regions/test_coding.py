"""Each way to tell a box undoes itself, and is relative to what it says it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder

from convworks.regions import coding
from convworks.regions.coding import CODERS, deltas, from_deltas


def boxes(n: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(n, 2, generator=draw) * 100
    return torch.cat([corners, corners + 1 + torch.rand(n, 2, generator=draw) * 60], 1)


def references(name: str, n: int) -> Tensor:
    """What a coder's numbers are relative to."""
    if name in ("absolute", "distances"):
        return boxes(n, 9)[:, 2:]
    return boxes(n, 9)


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("n", [0, 1, 50])
def test_what_is_told_is_read_back(name: str, n: int) -> None:
    given, coder = boxes(n, 1), CODERS[name]
    told = coder.encode(references(name, n), given)
    assert told.shape == (n, 4)
    torch.testing.assert_close(coder.decode(references(name, n), told), given, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("name", ["deltas", "absolute"])
def test_a_picture_of_another_scale_tells_the_same(name: str) -> None:
    coder, given, around = CODERS[name], boxes(20, 2), references(name, 20)
    torch.testing.assert_close(coder.encode(2 * around, 2 * given), coder.encode(around, given))


def test_deltas_are_those_of_torchvision() -> None:
    theirs = BoxCoder((10.0, 10.0, 5.0, 5.0))
    around, given = boxes(40, 3), boxes(40, 4)
    torch.testing.assert_close(deltas(around, given), theirs.encode_single(given, around))
    numbers = torch.randn(40, 4, generator=torch.Generator().manual_seed(5)) * 3
    torch.testing.assert_close(from_deltas(around, numbers), theirs.decode_single(numbers, around))


def test_a_side_that_nobody_can_believe_is_cut() -> None:
    found = from_deltas(torch.tensor([[0.0, 0, 16, 16]]), torch.tensor([[0.0, 0, 1e4, 1e4]]))
    _, sides = coding.centred(found)
    torch.testing.assert_close(sides, torch.full((1, 2), 1000.0))


def test_a_box_without_a_side_gives_finite_numbers() -> None:
    point = torch.tensor([[5.0, 5, 5, 5]])
    assert bool(torch.isfinite(deltas(boxes(1, 6), point)).all())
    assert bool(torch.isfinite(deltas(point, boxes(1, 6))).all())
