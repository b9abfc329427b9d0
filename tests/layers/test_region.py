"""A filter on a part of the input, in its three senses: the reader's 3 of 10 columns."""

import pytest
import torch
import torch.nn.functional as F

from convworks.errors import NetError
from convworks.layers.region import RegionConv2d, RegionForm

FIRST_THREE = (0, 0, 3, 10)


def three(form: RegionForm, *, bias: bool = True) -> RegionConv2d:
    torch.manual_seed(0)
    return RegionConv2d(2, 4, (3, 3), FIRST_THREE, form, bias=bias)


def test_a_slice_gives_one_column_and_a_mask_eight_of_which_the_first_is_the_slice() -> None:
    x = torch.randn(1, 2, 10, 10)
    sliced, masked = three("slice")(x), three("mask")(x)
    assert sliced.shape == (1, 4, 8, 1)
    assert masked.shape == (1, 4, 8, 8)
    torch.testing.assert_close(masked[..., :1], sliced)
    bias = three("mask").conv.bias
    assert bias is not None
    torch.testing.assert_close(masked[..., 3:], bias.view(1, -1, 1, 1).expand(1, 4, 8, 5))
    assert not torch.allclose(masked[..., 1:2], sliced)


def test_partial_keeps_the_scale_where_part_of_the_window_is_seen() -> None:
    layer = RegionConv2d(1, 1, (3, 3), FIRST_THREE, "partial", bias=False)
    with torch.no_grad():
        layer.conv.weight.fill_(1.0)
    output = layer(torch.ones(1, 1, 10, 10))[0, 0]
    torch.testing.assert_close(output[:, :3], torch.full((8, 3), 9.0))
    assert output[:, 3:].abs().max() == 0


def test_partial_equals_the_slice_in_the_region_and_is_zero_outside() -> None:
    x = torch.randn(2, 2, 10, 10)
    sliced, partial = three("slice")(x), three("partial")(x)
    torch.testing.assert_close(partial[..., :1], sliced)
    assert partial[..., 3:].abs().max() == 0


@pytest.mark.parametrize("form", ["slice", "mask", "partial"])
def test_nothing_outside_the_region_is_ever_read(form: RegionForm) -> None:
    x = torch.randn(1, 2, 10, 10, requires_grad=True)
    layer = RegionConv2d(2, 3, (3, 3), (2, 1, 6, 7), form, stride=(2, 2), padding=(1, 1))
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), x)
    inside = torch.zeros(10, 10, dtype=torch.bool)
    inside[1:7, 2:6] = True
    assert gradient[:, :, ~inside].abs().max() == 0
    assert gradient[:, :, inside].abs().min() > 0


def test_the_whole_input_as_region_is_a_convolution() -> None:
    x = torch.randn(1, 2, 9, 8)
    for form in ("slice", "mask", "partial"):
        layer = RegionConv2d(2, 3, (3, 2), (0, 0, 8, 9), form, stride=(2, 1))
        plain = F.conv2d(x, layer.conv.weight, layer.conv.bias, (2, 1))
        torch.testing.assert_close(layer(x), plain)


def test_an_empty_region_and_one_outside_the_input_are_refused() -> None:
    with pytest.raises(NetError, match="is empty"):
        RegionConv2d(1, 1, (3, 3), (3, 0, 3, 5), "mask")
    with pytest.raises(NetError, match="leaves the input of 4x4"):
        RegionConv2d(1, 1, (3, 3), (0, 0, 5, 4), "mask")(torch.zeros(1, 1, 4, 4))
