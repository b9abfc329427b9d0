"""One axis against PyTorch, exhaustively: sizes, and what is read how often."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F

from convworks.arithmetic.shape import output_of
from convworks.arithmetic.spec import TransposedConv, Volume
from convworks.arithmetic.window import Slide, Window, same, slide
from convworks.errors import NetError

SIZES = (1, 2, 3, 5, 7, 8, 10, 13, 16, 17, 24, 32)


def slid_or_none(size: int, window: Window) -> Slide | None:
    try:
        return slide(size, window)
    except NetError:
        return None


def summary(counts: list[int], found: Slide) -> tuple[int, int, int]:
    """Real pixels unread after the last window, unread before its end, and read twice."""
    end = (found.output - 1) * found.window.stride + found.window.reach - found.window.before
    after = sum(count == 0 for count in counts[max(0, end) :])
    return after, counts.count(0) - after, sum(count > 1 for count in counts)


def test_convolution_agrees_with_pytorch_in_3600_settings() -> None:
    compared = 0
    for size, kernel, stride, padding, dilation in product(
        SIZES, range(1, 6), range(1, 5), range(5), range(1, 4)
    ):
        window = Window(kernel=kernel, stride=stride, before=padding, after=padding, dilation=dilation)
        found = slid_or_none(size, window)
        x = torch.ones(1, 1, size, requires_grad=True)
        compared += 1
        try:
            output = F.conv1d(x, torch.ones(1, 1, kernel), None, stride, padding, dilation)
        except RuntimeError:
            assert found is None
            continue
        assert found is not None
        assert found.output == output.shape[2]
        (gradient,) = torch.autograd.grad(output.sum(), x)
        counts = [int(count) for count in gradient.flatten()]
        assert counts == found.counts()
        assert (found.unread, found.skipped, found.twice) == summary(counts, found)
    assert compared == 3600


def test_max_pooling_agrees_with_pytorch_in_3600_settings() -> None:
    compared = 0
    for size, kernel, stride, padding, dilation, ceil in product(
        SIZES, range(1, 6), range(1, 6), range(3), (1, 2), (False, True)
    ):
        window = Window(
            kernel=kernel, stride=stride, before=padding, after=padding, dilation=dilation, ceil=ceil
        )
        compared += 1
        found = slid_or_none(size, window)
        try:
            output = F.max_pool1d(torch.zeros(1, 1, size), kernel, stride, padding, dilation, ceil)
        except RuntimeError:
            assert found is None or padding > kernel // 2
            continue
        assert found is not None
        assert found.output == output.shape[2], window
    assert compared == 3600


def test_what_average_pooling_reads_agrees_with_pytorch() -> None:
    for size, kernel, stride, padding, ceil in product(
        SIZES, range(1, 6), range(1, 6), range(3), (False, True)
    ):
        found = slid_or_none(
            size, Window(kernel=kernel, stride=stride, before=padding, after=padding, ceil=ceil)
        )
        if found is None or 2 * padding > kernel:
            continue
        x = torch.ones(1, 1, size, requires_grad=True)
        output = F.avg_pool1d(x, kernel, stride, padding, ceil)
        (gradient,) = torch.autograd.grad(output.sum(), x)
        assert [count > 0 for count in found.counts()] == [value > 0 for value in gradient.flatten().tolist()]
        assert found.unread + found.skipped == int((gradient == 0).sum())


def test_transposed_convolution_agrees_with_pytorch_in_2205_settings() -> None:
    compared = 0
    for size, kernel, stride, dilation, padding in product(
        (1, 2, 3, 5, 7, 8, 13), range(1, 8), range(1, 4), range(1, 4), range(5)
    ):
        extra = (size + padding) % max(stride, dilation)
        layer = TransposedConv(
            channels=1,
            kernel=(1, kernel),
            stride=(1, stride),
            padding=(0, padding),
            output_padding=(0, extra),
            dilation=(1, dilation),
        )
        compared += 1
        try:
            found = output_of((layer,), Volume(height=1, width=size, channels=1)).width
        except NetError:
            found = None
        try:
            output = F.conv_transpose1d(
                torch.zeros(1, 1, size),
                torch.zeros(1, 1, kernel),
                None,
                stride,
                padding,
                extra,
                dilation=dilation,
            )
            assert found == output.shape[2]
        except RuntimeError:
            assert found is None
    assert compared == 2205


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_padding_agrees_with_pytorch_in_144_settings() -> None:
    compared = 0
    for size, kernel, dilation in product((5, 8, 9, 13, 16, 17, 21, 32), range(1, 7), range(1, 4)):
        before, after = same(size, kernel, 1, dilation, "same")
        x = torch.arange(1.0, size + 1)[None, None]
        weight = torch.arange(1.0, kernel + 1)[None, None]
        theirs = F.conv1d(x, weight, padding="same", dilation=dilation)
        ours = F.conv1d(F.pad(x, (before, after)), weight, dilation=dilation)
        assert torch.equal(ours, theirs)
        compared += 1
    assert compared == 144


def test_tensorflow_same_gives_the_rounded_up_share_and_pads_the_end_first() -> None:
    for size, kernel, stride, dilation in product(SIZES, range(1, 7), range(1, 5), (1, 2)):
        before, after = same(size, kernel, stride, dilation, "tfsame")
        window = Window(kernel=kernel, stride=stride, before=before, after=after, dilation=dilation)
        assert slide(size, window).output == -(-size // stride)
        assert after - before in (0, 1)
    assert same(224, 3, 2, 1, "tfsame") == (0, 1)
    assert same(225, 3, 2, 1, "tfsame") == (1, 1)


def test_the_exact_size_is_a_fraction() -> None:
    assert str(slide(7, Window(kernel=3, stride=3)).exact) == "7/3"
    assert slide(32, Window(kernel=5, stride=1)).exact == 28


@pytest.mark.parametrize(
    ("size", "window", "grade"),
    [
        (32, Window(kernel=5, stride=1), "fits"),
        (224, Window(kernel=3, stride=2, before=1, after=1), "padding unread"),
        (7, Window(kernel=3, stride=3), "unread"),
        (56, Window(kernel=1, stride=2), "skips"),
        (7, Window(kernel=2, stride=2, ceil=True), "fits"),
        (8, Window(kernel=2, stride=4), "skips"),
        (9, Window(kernel=2, stride=4), "unread"),
        (8, Window(kernel=3, stride=2, dilation=2), "unread"),
    ],
)
def test_grades(size: int, window: Window, grade: str) -> None:
    assert slide(size, window).grade == grade
