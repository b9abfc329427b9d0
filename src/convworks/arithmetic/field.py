"""The receptive field: which pixels of the image a unit of some layer can see.

Output q along an axis sees pixels `start + q * jump` to `start + q * jump + size - 1` of the input, padding
included. The three numbers are whole until something enlarges a map; from there on they are fractions and
bound the field from outside. `seen` is exact for any one unit.
Source of the recurrence: Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias, assert_never

from convworks.arithmetic.shape import fit, output_of, windows
from convworks.arithmetic.spec import (
    AdaptivePool,
    BatchNorm,
    Concat,
    Conv,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LeakyReLU,
    Linear,
    Mlpconv,
    NoisyReLU,
    Pair,
    Plain,
    Pointwise,
    Pool,
    ReLU,
    Residual,
    Sigmoid,
    Tanh,
    TransposedConv,
    Upsample,
    Volume,
)
from convworks.arithmetic.window import taps

if TYPE_CHECKING:
    from fractions import Fraction

Number: TypeAlias = "int | Fraction"


class Field(NamedTuple):
    """One axis, in input pixels: how much a unit sees, how far its neighbour's is, where unit 0's starts."""

    size: Number = 1
    jump: Number = 1
    start: Number = 0

    @property
    def end(self) -> Number:
        """One past the last pixel that unit 0 sees."""
        return self.start + self.size

    @property
    def pixels(self) -> int:
        """The size as whole pixels, rounded up."""
        return -int(-self.size // 1)


Fields: TypeAlias = tuple[Field, Field]
"""The vertical and the horizontal field."""

Units: TypeAlias = tuple[set[int], set[int]]
"""Rows and columns."""

PIXEL: Fields = (Field(), Field())


def receptive_field(layers: tuple[Layer, ...], volume: Volume) -> Fields:
    """The field of the last layer's units in the input of the first; raises NetError where a layer cannot be.

    >>> from convworks.arithmetic.notation import parse
    >>> receptive_field(parse("conv3-8 conv3-8 pool2"), Volume(height=32, width=32, channels=3))[0]
    Field(size=6, jump=2, start=0)
    """
    fields = PIXEL
    for layer in layers:
        fields = through(layer, volume, fields)
        volume = fit(layer, volume).output
    return fields


def through(layer: Layer, volume: Volume, fields: Fields) -> Fields:
    """The fields of the layer's units, given its input and the fields of that input's units."""
    match layer:
        case Conv() | DepthwiseConv() | Mlpconv() | Pool():
            vertical, horizontal = windows(layer, volume)
            return (
                slid(fields[0], vertical.reach, vertical.stride, vertical.before),
                slid(fields[1], horizontal.reach, horizontal.stride, horizontal.before),
            )
        case GlobalPool() | Linear() | Flatten():
            return whole(fields[0], volume.height), whole(fields[1], volume.width)
        case AdaptivePool():
            return (
                shared_out(fields[0], volume.height, layer.size[0]),
                shared_out(fields[1], volume.width, layer.size[1]),
            )
        case TransposedConv():
            return _painted(fields[0], layer, 0), _painted(fields[1], layer, 1)
        case Upsample():
            return _enlarged(fields[0], layer, 0), _enlarged(fields[1], layer, 1)
        case Pointwise() | ReLU() | LeakyReLU() | NoisyReLU() | Tanh() | Sigmoid() | Dropout() | BatchNorm():
            return fields
        case Residual():
            return _branched((layer.body, layer.shortcut), volume, fields)
        case Concat():
            return _branched(layer.branches, volume, fields)
        case _:
            assert_never(layer)


def slid(field: Field, reach: int, stride: int, before: int) -> Field:
    """The field after a window `reach` long, `stride` apart, with `before` pixels of padding in front."""
    return Field(
        size=field.size + (reach - 1) * field.jump,
        jump=field.jump * stride,
        start=field.start - before * field.jump,
    )


def whole(field: Field, units: int) -> Field:
    """The field of what reads all `units` of an axis."""
    return field._replace(size=field.size + (units - 1) * field.jump)


def shared_out(field: Field, units: int, outputs: int) -> Field:
    """The field after pooling `units` into `outputs` windows, overlapping where they must."""
    if units % outputs == 0:
        return slid(field, units // outputs, units // outputs, 0)
    from fractions import Fraction

    slack = Fraction(outputs - 1, outputs)
    step = Fraction(units, outputs)
    return _between(field, step, -slack, step + slack - 1)


def union(fields: list[Fields], outputs: Pair) -> Fields:
    """The field that covers those of all branches, at every one of `outputs` (height, width) units."""
    return (
        _covering([pair[0] for pair in fields], outputs[0]),
        _covering([pair[1] for pair in fields], outputs[1]),
    )


def coverage(field: Field, pixels: float) -> float:
    """The share of an object `pixels` long that one unit can see, from 0 to 1.

    >>> coverage(Field(size=14, jump=4), 28)
    0.5
    """
    return min(1.0, float(field.size) / pixels)


def _branched(branches: tuple[tuple[Layer, ...], ...], volume: Volume, fields: Fields) -> Fields:
    found: list[Fields] = []
    for branch in branches:
        inner, at = volume, fields
        for layer in branch:
            at = through(layer, inner, at)
            inner = fit(layer, inner).output
        found.append(at)
    output = output_of(branches[0], volume)
    return union(found, (output.height, output.width))


def _covering(fields: list[Field], units: int) -> Field:
    jump = fields[0].jump
    drift = [(units - 1) * (field.jump - jump) for field in fields]
    start = min(field.start + min(0, by) for field, by in zip(fields, drift, strict=True))
    end = max(field.end + max(0, by) for field, by in zip(fields, drift, strict=True))
    return Field(size=end - start, jump=jump, start=start)


def _between(field: Field, step: Fraction, first: Fraction, last: Fraction) -> Field:
    """The field where output q reads, at most, inputs `q * step + first` to `q * step + last`."""
    return Field(
        size=field.size + (last - first) * field.jump,
        jump=field.jump * step,
        start=field.start + first * field.jump,
    )


def _painted(field: Field, layer: TransposedConv, axis: int) -> Field:
    from fractions import Fraction

    stride, padding = layer.stride[axis], layer.padding[axis]
    reach = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1
    return _between(
        field, Fraction(1, stride), Fraction(padding - reach + 1, stride), Fraction(padding, stride)
    )


def _enlarged(field: Field, layer: Upsample, axis: int) -> Field:
    from fractions import Fraction

    factor = layer.factor[axis]
    if layer.mode == "nearest":
        return _between(field, Fraction(1, factor), Fraction(1 - factor, factor), Fraction(0))
    # Output q lies at (q + 1/2)/factor - 1/2 and reads the whole positions on both sides of that.
    middle = Fraction(1 - factor, 2 * factor)
    slack = Fraction(factor - 1, factor) if factor % 2 else Fraction(2 * factor - 1, 2 * factor)
    return _between(field, Fraction(1, factor), middle - slack, middle + slack)


def seen(layers: tuple[Layer, ...], volume: Volume, unit: Pair) -> tuple[list[int], list[int]]:
    """The real input rows and columns that the last layer's unit at (row, column) depends on, exactly.

    After a linear or flatten layer there is one unit, (0, 0). Raises NetError where a layer cannot be.

    >>> from convworks.arithmetic.notation import parse
    >>> seen(parse("conv3-8 p1 pool2"), Volume(height=7, width=7, channels=1), (0, 2))
    ([0, 1, 2], [3, 4, 5, 6])
    """
    rows, columns = _read(layers, volume, ({unit[0]}, {unit[1]}))
    return sorted(rows), sorted(columns)


def _read(layers: tuple[Layer, ...], volume: Volume, units: Units) -> Units:
    """The rows and columns of the first input that units after the last layer depend on."""
    inputs: list[Volume] = []
    for layer in layers:
        inputs.append(volume)
        volume = fit(layer, volume).output
    for layer, before in zip(reversed(layers), reversed(inputs), strict=True):
        if isinstance(layer, Residual | Concat):
            branches = layer.branches if isinstance(layer, Concat) else (layer.body, layer.shortcut)
            found = [_read(branch, before, units) for branch in branches]
            units = set().union(*(rows for rows, _ in found)), set().union(*(columns for _, columns in found))
        else:
            units = _read_by(layer, before, 0, units[0]), _read_by(layer, before, 1, units[1])
        if not (units[0] and units[1]):
            return set(), set()
    return units


def _read_by(layer: Plain, volume: Volume, axis: int, units: set[int]) -> set[int]:
    size = (volume.height, volume.width)[axis]
    match layer:
        case Conv() | DepthwiseConv() | Mlpconv() | Pool():
            window = windows(layer, volume)[axis]
            return {pixel for unit in units for pixel in taps(window, unit, size)}
        case GlobalPool() | Linear() | Flatten():
            return set(range(size))
        case AdaptivePool():
            outputs = layer.size[axis]
            return {
                pixel
                for unit in units
                for pixel in range(unit * size // outputs, -(-(unit + 1) * size // outputs))
            }
        case TransposedConv():
            reads = set[int]()
            for unit in units:
                for tap in range(layer.kernel[axis]):
                    source, rest = divmod(
                        unit + layer.padding[axis] - tap * layer.dilation[axis], layer.stride[axis]
                    )
                    if not rest and 0 <= source < size:
                        reads.add(source)
            return reads
        case Upsample():
            return {pixel for unit in units for pixel in _sources(unit, layer, axis, size)}
        case Pointwise() | ReLU() | LeakyReLU() | NoisyReLU() | Tanh() | Sigmoid() | Dropout() | BatchNorm():
            return units
        case _:
            assert_never(layer)


def _sources(unit: int, layer: Upsample, axis: int, size: int) -> set[int]:
    factor = layer.factor[axis]
    if layer.mode == "nearest":
        return {unit // factor}
    # The position is (2 * unit + 1 - factor) / (2 * factor), held inside the map.
    position = max(0, 2 * unit + 1 - factor)
    below, rest = divmod(position, 2 * factor)
    return {min(below, size - 1)} | ({min(below + 1, size - 1)} if rest else set())
