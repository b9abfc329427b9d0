"""The field that autograd's graph tells is the one of closed forms, and unknown where it must be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.backbones.reach import field_of


class Parallel(nn.Module):
    """Branches whose outputs are put side by side."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Padded(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (1, 2, 3, 4))


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean((2, 3), keepdim=True)


def field(net: nn.Module) -> int:
    picture = torch.randn(1, 4, 64, 64, requires_grad=True)
    return field_of(net.eval().requires_grad_(False)(picture), picture)


CASES = [
    (nn.Conv2d(4, 4, 3), 3),
    (nn.Conv2d(4, 4, 3, dilation=2), 5),
    (nn.Conv2d(4, 4, (1, 7)), 7),
    (nn.Sequential(nn.Conv2d(4, 4, 7, 2, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1)), 11),
    (nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(4, 4, 3), nn.SiLU()), 6),
    (nn.Sequential(Padded(), nn.Conv2d(4, 4, 5, 2)), 5),
    (Parallel(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 5, padding=2)), 5),
    # Padded on one side each, the two branches see 5 pixels together, though either sees 3.
    (Parallel(nn.Sequential(nn.ZeroPad2d((2, 0, 2, 0)), nn.Conv2d(4, 4, 3)),
              nn.Sequential(nn.ZeroPad2d((0, 2, 0, 2)), nn.Conv2d(4, 4, 3))), 5),
]  # fmt: skip


@pytest.mark.parametrize(("net", "pixels"), CASES)
def test_known_layers_give_the_closed_form(net: nn.Module, pixels: int) -> None:
    assert field(net) == pixels


@pytest.mark.parametrize(
    "net", [Gate(), nn.Sequential(nn.Flatten(2), nn.Linear(4096, 9)), nn.ConvTranspose2d(4, 4, 2, 2)]
)
def test_what_reads_elsewhere_makes_it_unknown(net: nn.Module) -> None:
    assert field(net) == 0


def test_without_a_graph_it_is_unknown() -> None:
    picture = torch.zeros(1, 3, 4, 4)
    assert field_of(picture * 2, picture) == 0
