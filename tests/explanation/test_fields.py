"""What a unit sees: the measured field lies in the theoretical one, and shrinks in it as Luo et al. say."""

import numpy as np
import pytest
import torch
from torch import nn

from convworks import backbones
from convworks.arithmetic.field import seen
from convworks.arithmetic.notation import parse, volume
from convworks.arithmetic.spec import Net
from convworks.errors import NetError
from convworks.explanation.fields import Seen, leading, seen_by, seen_in_backbone, seen_in_net
from convworks.layers.build import build

SLOW = pytest.mark.slow


def net(notation: str, size: str = "32x40x3") -> Net:
    return Net(layers=parse(notation), input=volume(size))


def noise(of: Net, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, of.input.channels, of.input.height, of.input.width, generator=generator)


def reached(found: Seen) -> tuple[list[int], list[int]]:
    """The rows and columns with any gradient."""
    return found.effective.any(1).nonzero()[0].tolist(), found.effective.any(0).nonzero()[0].tolist()


@pytest.mark.parametrize("unit", [(0, 0), (3, 4), (6, 9)])
def test_the_gradient_reaches_all_of_the_theoretical_field_and_no_more(unit: tuple[int, int]) -> None:
    made = net("conv3-6 p1 tanh avgpool2 conv5-6 s2 p2 tanh res(conv3-6 p1) tanh")
    found = seen_in_net(made, noise(made), unit=unit, draws=1)
    assert reached(found) == seen(made.layers, made.input, unit)
    left, top, right, bottom = found.clipped
    assert reached(found) == (list(range(top, bottom)), list(range(left, right)))
    assert found.effective.sum() == pytest.approx(1, abs=1e-4)


def test_a_field_that_leaves_the_picture_is_clipped_to_it() -> None:
    made = net("conv3-4 p1 conv3-4 p1", "16x16x3")
    found = seen_in_net(made, noise(made), unit=(0, 15), draws=1)
    assert found.box == (13, -2, 18, 3)
    assert found.clipped == (13, 0, 16, 3)
    assert "5x5 px of 16x16, of which 3x3 lie within the picture" in str(found)


def test_the_effective_field_of_stacked_averages_is_the_closed_form() -> None:
    """Filters of ones convolved with each other are a binomial: its core is known (Luo et al., section 2)."""
    made = net("4*(conv3-1 nobias)", "21x21x1")
    module = build(made)
    for part in module.parameters():
        nn.init.ones_(part)
    found = seen_by(module, noise(made), unit=(6, 6))
    row = np.ones(1)
    for _ in range(4):
        row = np.convolve(row, np.ones(3))
    expected = np.outer(row, row) / row.sum() ** 2
    assert np.allclose(found.effective[6:15, 6:15], expected, atol=1e-6)
    assert found.box == (6, 6, 15, 15)
    order = np.sort(expected.ravel())[::-1]
    few = int(np.searchsorted(np.cumsum(order), 0.95)) + 1
    assert found.core().sum() == few
    assert found.share() == pytest.approx(few / 81)


def test_the_share_of_the_field_that_matters_falls_with_depth() -> None:
    """The effective field grows with the root of the depth, the theoretical one with the depth."""
    shares = []
    for depth in (2, 8, 20):
        made = net(f"{depth}*(conv3-4 p1)", "48x48x1")
        shares.append(seen_in_net(made, noise(made)).share())
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.5


def test_a_unit_inside_a_branch_is_found() -> None:
    made = net("conv3-4 cat(pool3 s1 p1 | conv1-2 conv5-2 p2) conv3-2", "20x20x3")
    found = seen_in_net(made, noise(made), layer="2.2.2", unit=(9, 9), draws=1)
    assert found.units == (18, 18)
    assert found.box == (7, 7, 14, 14)


def test_a_flat_layer_sees_all_of_the_picture() -> None:
    made = net("conv3-4 relu fc5", "9x9x1")
    found = seen_in_net(made, noise(made), layer=3)
    assert (found.unit, found.units) == ((0, 0), (1, 1))
    assert found.clipped == (0, 0, 9, 9)


@pytest.mark.parametrize(
    "name",
    ["residual-small", pytest.param("vgg-small", marks=SLOW), pytest.param("timm/resnet18", marks=SLOW)],
)
def test_the_measured_field_of_a_backbone_lies_in_the_one_told(name: str) -> None:
    backbone = backbones.create(name, "none")
    found = seen_in_backbone(backbone, torch.randn(1, 3, 96, 128), stage=1)
    rows, columns = reached(found)
    left, top, right, bottom = found.clipped
    assert top <= rows[0] and rows[-1] < bottom and left <= columns[0] and columns[-1] < right
    assert max(found.box[2] - found.box[0], found.box[3] - found.box[1]) >= backbone.info[1].field > 0


def test_a_gate_over_the_whole_map_sees_all_of_it() -> None:
    class Gate(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.mean((2, 3), keepdim=True)

    found = seen_by(Gate(), torch.rand(1, 2, 8, 6))
    assert (found.clipped, found.exact) == ((0, 0, 6, 8), False)
    assert found.effective.min() > 0


def test_a_unit_that_nothing_moves_is_said() -> None:
    found = seen_by(
        nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU()).requires_grad_(False), -torch.ones(1, 1, 8, 8)
    )
    shut = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU())
    nn.init.ones_(shut[0].weight)
    nn.init.constant_(shut[0].bias, 0)
    found = seen_by(shut, -torch.ones(1, 1, 8, 8))
    assert found.core().sum() == 0
    assert found.share() == 0
    assert "its ReLU is shut" in str(found)


def test_the_module_and_the_random_state_are_left_as_they_were() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5)).train()
    module[0].bias.requires_grad_(False)
    seen_by(module, torch.rand(1, 3, 8, 8))
    assert module.training and module[1].training
    assert module[0].weight.requires_grad and not module[0].bias.requires_grad
    assert module[0].weight.grad is None
    state = torch.random.get_rng_state()
    made = net("conv3-4")
    seen_in_net(made, noise(made))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_same_seed_gives_the_same_field() -> None:
    made = net("conv3-4 relu conv3-4 relu")
    one, two = (seen_in_net(made, noise(made), seed=3).effective for _ in range(2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize(
    ("layer", "unit"), [("9", None), ("1.1", None), ("x", None), (1, (99, 0)), (1, (0, -1))]
)
def test_what_is_not_there_is_refused(layer: int | str, unit: tuple[int, int] | None) -> None:
    made = net("conv3-4 relu")
    with pytest.raises(NetError, match="There is no"):
        seen_in_net(made, noise(made), layer=layer, unit=unit)


def test_a_stage_that_is_not_there_is_refused() -> None:
    with pytest.raises(NetError, match="residual-small has no stage 9"):
        seen_in_backbone(backbones.create("residual-small", "none"), torch.rand(1, 3, 32, 32), stage=9)


def test_the_way_into_a_branch() -> None:
    layers = parse("conv3-8 res(relu conv3-8 p1 | bn) fc10")
    assert leading(layers, "2.2.1") == (layers[0], parse("bn")[0])
    assert leading(layers, "2") == layers[:2]
