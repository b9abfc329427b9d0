"""Stacked convolutions are one, exactly, over a grid of kernels and strides; with ReLU they are not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from convworks.errors import NetError
from convworks.explanation.collapse import Filters, bent, collapse, collapsed, compose, drawn, run


@settings(max_examples=40)
@given(
    layers=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5)), min_size=2, max_size=3
    ),
    seed=st.integers(0, 99),
)
def test_any_stack_without_padding_equals_its_one_convolution(
    layers: list[tuple[int, int, int]], seed: int
) -> None:
    kernels, strides, widths = zip(*layers, strict=True)
    stack = drawn((2, *widths), kernels, strides, seed=seed)
    double = [Filters(each.weight.double(), each.bias.double(), each.stride) for each in stack]
    one = collapsed(double)
    x = torch.randn(2, 2, 47, 45, dtype=torch.float64)
    torch.testing.assert_close(run((one,), x), run(double, x), rtol=0, atol=1e-12)
    reach, jump = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        reach, jump = reach + (kernel - 1) * jump, jump * stride
    assert one.weight.shape[2:] == (reach, reach)
    assert one.stride == (jump, jump)


def test_uneven_kernels_and_strides_compose_too() -> None:
    torch.manual_seed(0)
    first = Filters(torch.randn(3, 2, 1, 4), torch.randn(3), (2, 1))
    second = Filters(torch.randn(2, 3, 3, 2), torch.randn(2), (1, 3))
    x = torch.randn(1, 2, 21, 26)
    expected = F.conv2d(F.conv2d(x, *first), *second)
    torch.testing.assert_close(run((compose(first, second),), x), expected, rtol=1e-4, atol=1e-5)


def test_the_guides_case_agrees_to_five_digits_and_relu_breaks_it() -> None:
    found = collapse()
    assert found.without < 1e-5
    assert found.additive < 1e-5
    assert found.with_relu > 0.1
    assert found.additive_with_relu > 0.1
    assert found.one.weight.shape == (4, 3, 7, 7)
    assert found.one.numbers == 4 * 3 * 49 + 4


def test_filters_that_do_not_follow_each_other_are_refused() -> None:
    first, second = drawn((3, 8), (3,), (1,))[0], drawn((4, 2), (3,), (1,))[0]
    with pytest.raises(NetError, match="4 channels cannot follow one of 8"):
        compose(first, second)


def test_only_a_nonlinear_net_tells_a_disc_from_the_ring_around_it() -> None:
    flat, bends = bent(8, nonlinear=False, steps=200), bent(8, nonlinear=True, steps=200)
    assert flat.right < 0.75
    assert bends.right > 0.98
    assert bends.inside[32, 32]
    assert not bends.inside[0].any()
