"""Why a nonlinearity is needed: "introduce nonlinearity to a system that basically has just been computing linear
operations". Convolutions stacked without one are, exactly, one convolution; with ReLU between them they are not.

A reader asks "why is non-linearity good?", and how setting negative values to 0 helps to see curves: each unit of
`bent` folds its input along one straight line, and many folds make a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.arithmetic.spec import Pair
from convworks.errors import NetError


class Filters(NamedTuple):
    """One convolution: `weight` (filters, channels, height, width), `bias`, and its stride as (down, across)."""

    weight: Float[Tensor, "o i h w"]
    bias: Float[Tensor, "o"]
    stride: Pair

    @property
    def numbers(self) -> int:
        """How many learned numbers it holds."""
        return self.weight.numel() + self.bias.numel()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Collapse:
    """A stack of convolutions and the one that equals it.

    Errors are the largest difference of any output, over the largest output: `without` between the stack and the
    one convolution, `with_relu` between the stack with a ReLU after each layer but the last and that one.
    `additive` is how far the stack is from f(a + b) = f(a) + f(b) - f(0), `additive_with_relu` the same with ReLU.
    """

    stack: tuple[Filters, ...]
    one: Filters
    without: float
    with_relu: float
    additive: float
    additive_with_relu: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boundary:
    """What a small net learned of a disc inside a ring: the share it gets right, and its answers over the plane.

    `inside` is its answer on a grid over [-1, 1] in both directions, the top row first; `points` (n, 2) as x, y are
    what it learned from, `labels` whether each is of the disc.
    """

    units: int
    nonlinear: bool
    right: float
    inside: Bool[np.ndarray, "g g"]
    points: Float[np.ndarray, "n 2"]
    labels: Bool[np.ndarray, "n"]


def compose(first: Filters, second: Filters) -> Filters:
    """The one convolution that does what `first` and then `second` do; none of them pads its input.

    With y(p) = sum of w(r) x(sp + r), two in a row reach x(s1 s2 p + s1 q + r): the second filter's taps are spread
    by the first one's stride, and each is replaced by a copy of the first filter. Raises NetError where `second`
    does not take what `first` gives.

    >>> ones = Filters(torch.ones(1, 1, 1, 2), torch.zeros(1), (1, 1))
    >>> compose(ones, ones).weight.flatten().tolist()
    [1.0, 2.0, 1.0]
    """
    if second.weight.shape[1] != len(first.weight):
        raise NetError(
            f"A convolution of {second.weight.shape[1]} channels cannot follow one of {len(first.weight)} filters.",
            expected="as many channels as the filters before it",
        )
    weight = F.conv_transpose2d(second.weight, first.weight, stride=first.stride)
    bias = second.bias + second.weight.sum((2, 3)) @ first.bias
    stride = (first.stride[0] * second.stride[0], first.stride[1] * second.stride[1])
    return Filters(weight, bias, stride)


def collapsed(stack: Sequence[Filters]) -> Filters:
    """The one convolution that equals the whole stack, which holds at least one."""
    one = stack[0]
    for layer in stack[1:]:
        one = compose(one, layer)
    return one


def run(
    stack: Sequence[Filters], x: Float[Tensor, "n c h w"], *, relu: bool = False
) -> Float[Tensor, "n o h2 w2"]:
    """What the stack gives, with a ReLU between its layers or without."""
    for number, layer in enumerate(stack):
        x = F.conv2d(F.relu(x) if relu and number else x, layer.weight, layer.bias, layer.stride)
    return x


def drawn(
    channels: Sequence[int], kernels: Sequence[int], strides: Sequence[int], *, seed: int = 0
) -> tuple[Filters, ...]:
    """A stack of random filters, scaled to keep the size of what goes through; `channels` has one number more."""
    generator = torch.Generator().manual_seed(seed)
    stack: list[Filters] = []
    for inputs, outputs, kernel, stride in zip(channels, channels[1:], kernels, strides, strict=False):
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=generator)
        weight /= (inputs * kernel * kernel) ** 0.5
        stack.append(Filters(weight, 0.1 * torch.randn(outputs, generator=generator), (stride, stride)))
    return tuple(stack)


def collapse(stack: Sequence[Filters] | None = None, *, side: int = 40, seed: int = 0) -> Collapse:
    """The stack (three 3x3 convolutions of 3, 8, 8 and 4 channels where None) against the one that equals it."""
    stack = tuple(stack or drawn((3, 8, 8, 4), (3, 3, 3), (1, 1, 1), seed=seed))
    one = collapsed(stack)
    generator = torch.Generator().manual_seed(seed + 1)
    shape = (1, stack[0].weight.shape[1], side, side)
    a, b = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    plain, rectified = run(stack, a), run(stack, a, relu=True)
    single = run((one,), a)

    def additive(relu: bool) -> float:
        none = run(stack, torch.zeros_like(a), relu=relu)
        parts = run(stack, a, relu=relu) + run(stack, b, relu=relu) - none
        return _apart(run(stack, a + b, relu=relu), parts)

    return Collapse(
        stack=stack,
        one=one,
        without=_apart(plain, single),
        with_relu=_apart(rectified, single),
        additive=additive(relu=False),
        additive_with_relu=additive(relu=True),
    )


def bent(units: int, *, nonlinear: bool, steps: int = 400, grid: int = 64, seed: int = 0) -> Boundary:
    """Two layers of `units` and one answer, with ReLU between them or without, taught to tell a disc from a ring."""
    draw = np.random.default_rng(seed)
    angle, inner = draw.uniform(0, 2 * np.pi, 240), np.arange(240) % 2 == 0
    radius = np.where(inner, draw.uniform(0, 0.38, 240), draw.uniform(0.55, 0.9, 240))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    x, labels = torch.tensor(points, dtype=torch.float32), torch.tensor(inner)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        activation = nn.ReLU if nonlinear else nn.Identity
        net = nn.Sequential(
            nn.Linear(2, units), activation(), nn.Linear(units, units), activation(), nn.Linear(units, 1)
        )
    optimiser = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(net(x)[:, 0], labels.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    places = torch.linspace(-1, 1, grid)
    y, across = torch.meshgrid(-places, places, indexing="ij")
    with torch.no_grad():
        right = float(((net(x)[:, 0] > 0) == labels).float().mean())
        inside = (net(torch.stack([across, y], -1))[..., 0] > 0).numpy()
    return Boundary(units=units, nonlinear=nonlinear, right=right, inside=inside, points=points, labels=inner)


def _apart(found: Float[Tensor, "..."], expected: Float[Tensor, "..."]) -> float:
    return float((found - expected).abs().max() / expected.abs().max())
