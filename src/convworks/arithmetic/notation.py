"""A net on one line: `conv5-16 relu pool2 fc10` to layers and back.

    conv5-16            16 filters, 5 high and 5 wide; conv3x5-16 is 3 high and 5 wide
    conv3-8 s2 p1       stride 2, padding 1; also d (dilation), g (groups), nobias, same, tfsame
    p0+1  p1x2          padding before and after; vertical x horizontal
    pool2  avgpool3 s2  max and average pooling, also l2pool; the stride is their size unless it is given
    res(A | B)          A plus B; res(A) adds the input itself
    cat(A | B | C)      A, B and C side by side, along the channels
    3*(A)               A three times

All the words and their options are in `grammar`.
"""

from __future__ import annotations

from typing import Any

from convworks.arithmetic.grammar import VALUED, WORDED, Form, form_of, read_whole, texts, usual
from convworks.arithmetic.reader import Reader
from convworks.arithmetic.spec import Concat, Layer, Residual, Volume
from convworks.errors import NetError


def parse(text: str) -> tuple[Layer, ...]:
    """The layers of a notation; raises NetError that points at the character.

    >>> parse("pointwise-16 relu fc10")
    (Pointwise(channels=16, bias=True), ReLU(), Linear(features=10, inputs=0, bias=True))
    """
    reader = Reader(text)
    layers = reader.row(0)
    if reader.here:
        reader.wrong(reader.here, f'"{reader.here.text}" has nothing to close', "a layer, or the end")
    if not layers:
        raise NetError("The notation is empty.", expected='layers, as in "conv5-16 relu pool2 fc10"')
    return layers


def write(layers: tuple[Layer, ...]) -> str:
    """The notation of layers; `parse` gives them back exactly.

    >>> write(parse("conv5x5-16 maxpool2 s2 res(conv3-16 p1 relu|)"))
    'conv5-16 pool2 res(conv3-16 p1 relu)'
    """
    return " ".join(write_layer(layer) for layer in layers)


def write_layer(layer: Layer) -> str:
    """One layer as it is written."""
    form = form_of(layer)
    if isinstance(layer, Residual):
        branches = (layer.body, layer.shortcut) if layer.shortcut else (layer.body,)
        return _joined(form, branches)
    if isinstance(layer, Concat):
        return _joined(form, layer.branches)
    text = form.words[0]
    if form.head:
        text += texts(form, form.head)[1](getattr(layer, form.head))
    if form.channels:
        text += "-" + texts(form, form.channels)[1](getattr(layer, form.channels))
    unwritten = usual(form, {form.head: getattr(layer, form.head)} if form.head else {})
    options = [
        _write_option(form, name, getattr(layer, name))
        for name in form.options
        if getattr(layer, name) != unwritten[name]
    ]
    return " ".join([text, *options])


def volume(text: str) -> Volume:
    """An input written height x width x channels, or as one side of a square RGB image.

    >>> print(volume("32x32x3"), volume("224"))
    32x32x3 224x224x3
    """
    numbers = text.lower().replace("×", "x").split("x")
    try:
        sizes = [read_whole(number.strip()) for number in numbers]
        if len(sizes) == 1:
            return Volume(height=sizes[0], width=sizes[0], channels=3)
        height, width, channels = sizes if len(sizes) == 3 else (*sizes, 3)
        return Volume(height=height, width=width, channels=channels)
    except (ValueError, NetError):
        raise NetError(
            f'The input "{text[:60]}" is not a size.', expected="height x width x channels, as in 32x32x3"
        ) from None


def _joined(form: Form, branches: tuple[tuple[Layer, ...], ...]) -> str:
    return f"{form.words[0]}({' | '.join(map(write, branches))})"


def _write_option(form: Form, name: str, value: Any) -> str:
    for word, settled in WORDED.items():
        if settled == (name, value):
            return word
    letter = next(letter for letter, field in VALUED.items() if field == name)
    return letter + texts(form, name)[1](value)
