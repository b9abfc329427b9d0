"""L2 pooling in closed form, against PyTorch, and where PyTorch's own gradient fails; averages at uneven edges."""

import pytest
import torch
import torch.nn.functional as F

from convworks.arithmetic.spec import Pool
from convworks.layers.pooling import GlobalL2Pool2d, L2Pool2d, UnevenAveragePool2d, l2_pool


def test_l2_pooling_is_the_root_of_the_sum_of_squares() -> None:
    x = torch.tensor([[[[3.0, 4.0, 0.0], [0.0, 0.0, 12.0], [0.0, 0.0, 5.0]]]])
    assert torch.equal(l2_pool(x, (2, 2), (1, 1))[0, 0, 0], torch.tensor([5.0, 160**0.5]))
    assert GlobalL2Pool2d()(x).item() == pytest.approx(194**0.5)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), (2, 2)), ((3, 2), (1, 2)), ((3, 3), (2, 3))])
def test_l2_pooling_agrees_with_pytorch(kernel: tuple[int, int], stride: tuple[int, int], ceil: bool) -> None:
    x = torch.rand(2, 3, 8, 9) + 0.1
    theirs = F.lp_pool2d(x, 2.0, kernel, stride)
    ours = L2Pool2d(kernel, stride, ceil=ceil)(x)
    torch.testing.assert_close(ours[:, :, : theirs.shape[2], : theirs.shape[3]], theirs)


def test_an_overhanging_or_padded_window_sums_what_is_there() -> None:
    ones = torch.ones(1, 1, 3, 3)
    assert l2_pool(ones, (2, 2), (2, 2), ceil=True).square().round().flatten().tolist() == [4, 2, 2, 1]
    assert l2_pool(ones, (2, 2), (2, 2), (1, 1)).square().round().flatten().tolist() == [1, 2, 2, 4]


def test_the_gradient_of_nothing_is_zero_and_else_the_direction() -> None:
    x = torch.tensor([[[[0.0, 0.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]]]], requires_grad=True)
    pooled = L2Pool2d((2, 2), (2, 2))(x)
    assert pooled.flatten().tolist() == [0.0, 5.0]
    (gradient,) = torch.autograd.grad(pooled.sum(), x)
    torch.testing.assert_close(gradient[0, 0, 0], torch.tensor([0.0, 0.0, 0.6, 0.8]))
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("count", [True, False])
@pytest.mark.parametrize("ceil", [True, False])
def test_averages_with_even_sides_written_unevenly_agree_with_pytorch(count: bool, ceil: bool) -> None:
    layer = Pool(
        kind="average",
        kernel=(3, 2),
        stride=(2, 3),
        padding=(1, 1, 1, 1),
        ceil=ceil,
        count_padding=count,
    )
    x = torch.rand(2, 3, 8, 9)
    theirs = F.avg_pool2d(x, (3, 2), (2, 3), (1, 1), ceil_mode=ceil, count_include_pad=count)
    torch.testing.assert_close(UnevenAveragePool2d(layer)(x), theirs)


def test_a_padded_corner_counts_four_of_nine_or_all() -> None:
    ones = torch.ones(1, 1, 4, 4)
    padded = Pool(kind="average", kernel=(3, 3), stride=(1, 1), padding=(1, 1, 1, 1))
    real = Pool(kind="average", kernel=(3, 3), stride=(1, 1), padding=(1, 1, 1, 1), count_padding=False)
    assert UnevenAveragePool2d(padded)(ones)[0, 0, 0, 0].item() == pytest.approx(4 / 9)
    assert UnevenAveragePool2d(real)(ones)[0, 0, 0, 0].item() == pytest.approx(1)
