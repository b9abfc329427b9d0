"""The convolution in one pass is the plain operations: values and every gradient."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from convworks.layers.fused import Activation, Sides, activated, convolve

# float32 sums in another order; bfloat16 keeps 8 bits, so some 2^-8 of the largest value, and sums of such.
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 3e-2}
CHANNELS = 6
ACTIVATIONS: tuple[Activation, ...] = ("none", "relu", "relu6")


def plain(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: tuple[int, int],
    padding: Sides,
    groups: int,
    activation: Activation,
) -> Tensor:
    y = F.conv2d(F.pad(x, padding), weight, bias, stride, 0, 1, groups)
    return activated(y, activation)


def all_of(function: Any, values: list[Tensor | None], direction: Tensor | None, **how: Any) -> list[Tensor]:
    """The output, and the gradients of all inputs for a direction (the output's own size where it is None)."""
    given = [None if value is None else value.clone().requires_grad_() for value in values]
    out = function(*given, **how)
    out.backward(torch.ones_like(out) if direction is None else direction.to(out.dtype))
    return [out.detach(), *(value.grad for value in given if value is not None and value.grad is not None)]


def paddings(kernel: int) -> list[Sides]:
    half = kernel // 2
    return [(0, 0, 0, 0), (half, half, half, half), (half - 1, half, half, half - 1)]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("groups", [1, 2, CHANNELS])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_it_equals_the_plain_operations(kernel: int, groups: int, dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(kernel)
    choices = itertools.product((1, 2, 3), paddings(kernel), ACTIVATIONS)
    for number, (stride, padding, activation) in enumerate(choices):
        x = torch.randn(2, CHANNELS, 13, 16, generator=draw).to(dtype)
        weight = torch.randn(CHANNELS, CHANNELS // groups, kernel, kernel, generator=draw).to(dtype)
        bias = torch.randn(CHANNELS, generator=draw).to(dtype) if number % 2 else None
        how = {"stride": (stride, stride), "padding": padding, "groups": groups, "activation": activation}
        shape = plain(x.float(), weight.float(), None, **how).shape  # type: ignore[arg-type]
        direction = torch.randn(shape, generator=draw)
        ours = all_of(convolve, [x, weight, bias], direction, **how)
        if activation == "none" or dtype == torch.float32:
            wide = [None if value is None else value.float() for value in (x, weight, bias)]
            theirs = all_of(plain, wide, direction.to(dtype).float(), **how)
        else:  # where a value rounds to the edge of an activation its gradient is another: compare in one dtype
            theirs = all_of(plain, [x, weight, bias], direction, **how)
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.dtype == dtype
            error = (mine.float() - other.float()).abs().max() / other.float().abs().max()
            assert error < TOLERANCE[dtype], (how, bias is not None, float(error))


def test_a_window_that_is_not_square_is_the_plain_one() -> None:
    draw = torch.Generator().manual_seed(0)
    values: list[Tensor | None] = [
        torch.randn(1, 4, 12, 15, generator=draw),
        torch.randn(4, 1, 5, 3, generator=draw),
        None,
    ]
    how = {"stride": (2, 1), "padding": (0, 0, 1, 1), "groups": 4, "activation": "none"}
    for mine, other in zip(
        all_of(convolve, values, None, **how), all_of(plain, values, None, **how), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


def test_under_autocast_it_computes_in_autocasts_dtype_and_gives_gradients_in_the_weights() -> None:
    x, weight = torch.randn(1, 2, 8, 8), torch.randn(2, 1, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = convolve(x, weight, None, stride=(1, 1), padding=(1, 1, 1, 1), groups=2, activation="relu")
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


def test_no_pictures_give_no_maps() -> None:
    out = convolve(
        torch.zeros(0, 2, 8, 8),
        torch.ones(4, 2, 3, 3),
        None,
        stride=(2, 2),
        padding=(0, 1, 0, 1),
        groups=1,
        activation="relu6",
    )
    assert out.shape == (0, 4, 4, 4)
