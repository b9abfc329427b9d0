"""A network is data: one frozen value a layer, in the guide's own words (conv, ReLU, pooling, dropout, 1x1).

Every pair is (height, width); every size is in pixels of the map that the layer reads. A value checks only
itself; whether it fits what comes before is the business of `shape`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from convworks.arithmetic.values import Value, value
from convworks.errors import NetError

Pair: TypeAlias = tuple[int, int]
Sides: TypeAlias = tuple[int, int, int, int]
"""Padding above, below, left and right."""
Padding: TypeAlias = Sides | Literal["same", "tfsame"]
"""`same`: PyTorch's, stride 1 only, the odd pixel after; `tfsame`: TensorFlow's, any stride."""
PoolKind: TypeAlias = Literal["max", "average", "l2"]

NO_PADDING: Sides = (0, 0, 0, 0)

# The least that each number may be; what is not named here is not a count.
LEAST = {
    "channels": 1,
    "dilation": 1,
    "factor": 1,
    "features": 1,
    "groups": 1,
    "height": 1,
    "inputs": 0,
    "kernel": 1,
    "multiplier": 1,
    "output_padding": 0,
    "padding": 0,
    "size": 1,
    "stride": 1,
    "width": 1,
    "widths": 1,
}


def square(side: int) -> Pair:
    """The pair of equal sides.

    >>> square(3)
    (3, 3)
    """
    return side, side


def around(vertical: int, horizontal: int | None = None) -> Sides:
    """The same padding above and below, and left and right.

    >>> around(2), around(1, 0)
    ((2, 2, 2, 2), (1, 1, 0, 0))
    """
    sideways = vertical if horizontal is None else horizontal
    return vertical, vertical, sideways, sideways


class Checked(Value):
    """Counts that are whole and large enough, or NetError naming the field."""

    __slots__ = ()

    def check(self) -> None:
        """Raise NetError for a number that is none or too small."""
        for name in type(self).FIELDS:
            least = LEAST.get(name)
            if least is None:
                continue
            value = getattr(self, name)
            if name == "padding" and value in ("same", "tfsame"):
                continue
            for number in value if isinstance(value, tuple) else (value,):
                if not isinstance(number, int) or number < least:
                    raise NetError(
                        f"{type(self).__name__}: {name} is {value}.",
                        expected=f"whole numbers of at least {least}",
                    )


def within(layer: object, name: str, value: float, low: float, high: float) -> None:
    """Raise NetError unless low <= value < high."""
    if not low <= value < high:
        raise NetError(
            f"{type(layer).__name__}: {name} is {value}.", expected=f"at least {low:g} and below {high:g}"
        )


@value
class Volume(Checked):
    """What a layer reads or writes for one image: height x width x channels, or a flat row of numbers."""

    height: int
    width: int
    channels: int
    flat: bool = False

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return self.height * self.width * self.channels

    def __str__(self) -> str:
        return str(self.channels) if self.flat else f"{self.height}x{self.width}x{self.channels}"


@value
class Conv(Checked):
    """Filters that slide over all channels of their group: `channels` of them, each giving one map."""

    channels: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True


@value
class DepthwiseConv(Checked):
    """`multiplier` filters for each input channel, which look at that channel only."""

    kernel: Pair
    multiplier: int = 1
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    bias: bool = True


@value
class TransposedConv(Checked):
    """A convolution run backwards: each input pixel paints its filter; `padding` is cut off at both ends."""

    channels: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    output_padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True


@value
class Pointwise(Checked):
    """Network in network's 1x1 convolution: at each pixel, the same linear map across the channels."""

    channels: int
    bias: bool = True


@value
class Mlpconv(Checked):
    """A convolution to `widths[0]` channels, then one 1x1 convolution a further width, each with a ReLU.

    Source: Lin et al., Network in Network, 1312.4400.
    """

    widths: tuple[int, ...]
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING

    def check(self) -> None:
        """Raise NetError for what cannot be."""
        Checked.check(self)
        if not self.widths:
            raise NetError(
                "Mlpconv: no widths.", expected="the channels of its convolution, then of each 1x1"
            )


@value
class Pool(Checked):
    """The largest, the mean, or the root of the sum of squares of each window, channel by channel.

    `ceil` adds a last window that hangs over the edge; `count_padding` lets padding count in an average.
    """

    kind: PoolKind
    kernel: Pair
    stride: Pair
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    ceil: bool = False
    count_padding: bool = True

    def check(self) -> None:
        """Raise NetError for what cannot be."""
        Checked.check(self)
        if self.kind != "max" and self.dilation != (1, 1):
            raise NetError(f"Pool: dilation with {self.kind}.", expected="dilation for a max pool only")
        if self.kind != "average" and not self.count_padding:
            raise NetError(
                f"Pool: padding cannot be left out of the count with {self.kind}.",
                expected="that for an average pool only",
            )


@value
class AdaptivePool(Checked):
    """Pooling to a given output size, whatever the input's."""

    kind: Literal["max", "average"]
    size: Pair


@value
class GlobalPool(Checked):
    """One number a channel, from the whole map."""

    kind: PoolKind


@value
class Linear(Checked):
    """A fully connected layer; a volume is flattened first. `inputs` is what it is written for, 0 for any."""

    features: int
    inputs: int = 0
    bias: bool = True


@value
class Flatten(Checked):
    """A volume laid out as one row of numbers."""


@value
class ReLU(Checked):
    """max(0, x)."""


@value
class LeakyReLU(Checked):
    """x where positive, slope * x where negative."""

    slope: float = 0.01

    def check(self) -> None:
        """Raise NetError for what cannot be."""
        within(self, "slope", self.slope, 0.0, 1.0)


@value
class NoisyReLU(Checked):
    """max(0, x + noise) in training, noise of variance sigmoid(x); max(0, x) afterwards.

    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010.
    """


@value
class Tanh(Checked):
    """The hyperbolic tangent, from -1 to 1."""


@value
class Sigmoid(Checked):
    """1 / (1 + exp(-x)), from 0 to 1."""


@value
class Dropout(Checked):
    """Each activation set to zero with this probability, in training only."""

    probability: float = 0.5

    def check(self) -> None:
        """Raise NetError for what cannot be."""
        within(self, "probability", self.probability, 0.0, 1.0)


@value
class BatchNorm(Checked):
    """Each channel brought to mean 0 and deviation 1 over the batch, then scaled and shifted as learned."""


@value
class Upsample(Checked):
    """A map made `factor` times larger, by repeating pixels or between them."""

    factor: Pair
    mode: Literal["nearest", "bilinear"] = "nearest"


@value
class Residual(Checked):
    """What `body` gives plus what `shortcut` gives; an empty shortcut passes the input on."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()


@value
class Concat(Checked):
    """What each branch gives, stacked along the channels; an empty branch passes the input on."""

    branches: tuple[tuple[Layer, ...], ...]

    def check(self) -> None:
        """Raise NetError for what cannot be."""
        if not self.branches:
            raise NetError("Concat: no branches.", expected="at least one")


Plain: TypeAlias = (
    Conv
    | DepthwiseConv
    | TransposedConv
    | Pointwise
    | Mlpconv
    | Pool
    | AdaptivePool
    | GlobalPool
    | Linear
    | Flatten
    | ReLU
    | LeakyReLU
    | NoisyReLU
    | Tanh
    | Sigmoid
    | Dropout
    | BatchNorm
    | Upsample
)
Join: TypeAlias = Residual | Concat
Layer: TypeAlias = Plain | Join


@value
class Net(Value):
    """Layers one after the other, and the volume that goes in."""

    layers: tuple[Layer, ...]
    input: Volume


def parts(layer: Mlpconv) -> tuple[Conv | ReLU | Pointwise, ...]:
    """The plain layers that an mlpconv stands for."""
    first = Conv(channels=layer.widths[0], kernel=layer.kernel, stride=layer.stride, padding=layer.padding)
    rest = [part for width in layer.widths[1:] for part in (Pointwise(channels=width), ReLU())]
    return first, ReLU(), *rest
