"""The guide's O = (W - K + 2P)/S + 1, exact: what comes out of a layer, and what of its input is never read.

Everything is per axis. A layer that slides has a window on each axis (`window`).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, assert_never

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
from convworks.arithmetic.values import replace
from convworks.arithmetic.window import GRADES, Grade, Slide, Window, same, slide
from convworks.errors import NetError

Slider: TypeAlias = Conv | DepthwiseConv | Mlpconv | Pool
"""A layer with a window that slides over its input."""


def windows(layer: Slider, volume: Volume) -> tuple[Window, Window]:
    """The vertical and the horizontal window of a layer on this input, `same` padding worked out."""
    dilation = (1, 1) if isinstance(layer, Mlpconv) else layer.dilation
    ceil = isinstance(layer, Pool) and layer.ceil
    found: list[Window] = []
    for axis, size in enumerate((volume.height, volume.width)):
        kernel, stride, spread = layer.kernel[axis], layer.stride[axis], dilation[axis]
        if isinstance(layer.padding, str):
            if layer.padding == "same" and stride > 1:
                raise NetError(
                    f'padding "same" with stride {stride}: PyTorch allows it at stride 1 only',
                    fix='write the padding as a number, or "tfsame" for TensorFlow\'s rule',
                )
            before, after = same(size, kernel, stride, spread, layer.padding)
        else:
            before, after = layer.padding[2 * axis : 2 * axis + 2]
        found.append(
            Window(kernel=kernel, stride=stride, before=before, after=after, dilation=spread, ceil=ceil)
        )
    return found[0], found[1]


class Fit(NamedTuple):
    """One layer on one input: what comes out, and for a layer that slides, how (vertical, horizontal)."""

    output: Volume
    slides: tuple[Slide, Slide] | None = None

    @property
    def grade(self) -> Grade:
        """The worse of the two axes."""
        if self.slides is None:
            return "fits"
        vertical, horizontal = self.slides[0].grade, self.slides[1].grade
        return vertical if GRADES.index(vertical) > GRADES.index(horizontal) else horizontal


def fit(layer: Layer, volume: Volume) -> Fit:
    """What the layer makes of this input; raises NetError where it cannot be."""
    match layer:
        case Conv() | DepthwiseConv() | Mlpconv() | Pool():
            _spatial(volume)
            vertical, horizontal = windows(layer, volume)
            if isinstance(layer, Pool):
                _half(layer, vertical)
                _half(layer, horizontal)
            channels = _channels(layer, volume.channels)
            slides = slide(volume.height, vertical), slide(volume.width, horizontal)
            output = Volume(height=slides[0].output, width=slides[1].output, channels=channels)
            return Fit(output=output, slides=slides)
        case TransposedConv():
            _spatial(volume)
            _grouped(volume.channels, layer.channels, layer.groups)
            height, width = _painted(layer, 0, volume.height), _painted(layer, 1, volume.width)
            return Fit(output=Volume(height=height, width=width, channels=layer.channels))
        case Pointwise():
            _spatial(volume)
            return Fit(output=replace(volume, channels=layer.channels))
        case AdaptivePool():
            _spatial(volume)
            return Fit(output=replace(volume, height=layer.size[0], width=layer.size[1]))
        case GlobalPool():
            _spatial(volume)
            return Fit(output=replace(volume, height=1, width=1))
        case Upsample():
            _spatial(volume)
            height, width = volume.height * layer.factor[0], volume.width * layer.factor[1]
            return Fit(output=replace(volume, height=height, width=width))
        case Linear():
            if layer.inputs and layer.inputs != volume.elements:
                raise NetError(
                    f"it gets {volume.elements} numbers and was written for {layer.inputs}",
                    fix=f"write Linear({volume.elements}, {layer.features})",
                )
            return Fit(output=flat(layer.features))
        case Flatten():
            return Fit(output=flat(volume.elements))
        case ReLU() | LeakyReLU() | NoisyReLU() | Tanh() | Sigmoid() | Dropout() | BatchNorm():
            return Fit(output=volume)
        case Residual():
            return Fit(output=joined_sum(output_of(layer.body, volume), output_of(layer.shortcut, volume)))
        case Concat():
            return Fit(output=joined_stack([output_of(branch, volume) for branch in layer.branches]))
        case _:
            assert_never(layer)


def output_of(layers: tuple[Layer, ...], volume: Volume) -> Volume:
    """What layers in a row make of this input; raises NetError at the first that cannot be."""
    for layer in layers:
        volume = fit(layer, volume).output
    return volume


def flat(elements: int) -> Volume:
    """A row of numbers."""
    return Volume(height=1, width=1, channels=elements, flat=True)


def joined_sum(body: Volume, shortcut: Volume) -> Volume:
    """The volume of a sum; raises NetError where the two differ."""
    if body == shortcut:
        return body
    remedies: list[str] = []
    if (body.height, body.width) != (shortcut.height, shortcut.width):
        remedies.append("padding and strides that give both the same height and width")
    if body.channels != shortcut.channels:
        remedies.append(f"a shortcut that ends in {body.channels} channels, such as conv1-{body.channels}")
    raise NetError(
        f"the body gives {body} and the shortcut {shortcut}: they cannot be added",
        expected="the same height, width and channels from both",
        fix=", and ".join(remedies),
    )


def joined_stack(outputs: list[Volume]) -> Volume:
    """The volume of branches stacked along the channels; raises NetError where heights or widths differ."""
    first = outputs[0]
    for number, output in enumerate(outputs[1:], start=2):
        if (output.height, output.width, output.flat) != (first.height, first.width, first.flat):
            raise NetError(
                f"branch 1 gives {first} and branch {number} gives {output}: they cannot be stacked",
                expected="the same height and width from every branch",
            )
    return replace(first, channels=sum(output.channels for output in outputs))


def _spatial(volume: Volume) -> None:
    if volume.flat:
        raise NetError(
            f"it needs height and width, and gets a row of {volume.channels} numbers",
            fix="put it before the first flatten or fc",
        )


def _half(layer: Pool, window: Window) -> None:
    """Refuse, as PyTorch does, a pool whose padding is more than half its window."""
    most = max(window.before, window.after)
    if most > window.kernel // 2 and not isinstance(layer.padding, str):
        raise NetError(
            f"a pool {window.kernel} long with padding {most}: some window could see padding only",
            expected=f"padding of at most {window.kernel // 2}, half the window",
        )


def _channels(layer: Slider, channels: int) -> int:
    match layer:
        case Conv():
            _grouped(channels, layer.channels, layer.groups)
            return layer.channels
        case DepthwiseConv():
            return channels * layer.multiplier
        case Mlpconv():
            return layer.widths[-1]
        case Pool():
            return channels
        case _:
            assert_never(layer)


def _grouped(channels: int, filters: int, groups: int) -> None:
    for name, count in (("input channels", channels), ("filters", filters)):
        if count % groups:
            raise NetError(
                f"{count} {name} cannot be shared out evenly among {groups} groups",
                expected=f"{name} that {groups} divides",
            )


def _painted(layer: TransposedConv, axis: int, size: int) -> int:
    """One axis of a transposed convolution's output."""
    stride, dilation, extra = layer.stride[axis], layer.dilation[axis], layer.output_padding[axis]
    if extra >= max(stride, dilation):
        raise NetError(
            f"output padding {extra} with stride {stride} and dilation {dilation}",
            expected=f"output padding below {max(stride, dilation)}",
        )
    reach = dilation * (layer.kernel[axis] - 1) + 1
    output = (size - 1) * stride - 2 * layer.padding[axis] + reach + extra
    if output < 1:
        raise NetError(
            f"padding {layer.padding[axis]} cuts away all of its {output + 2 * layer.padding[axis]} pixels"
        )
    return output
