"""The guide's formula with the user's own numbers, every letter named, and how a layer fits in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convworks.arithmetic.spec import TransposedConv
from convworks.arithmetic.window import Slide

if TYPE_CHECKING:
    from convworks.arithmetic.walk import Row

LETTERS = (
    "O is the output's height or width, W the input's, K the filter's, P the padding on each side, "
    "S the stride."
)


def formula(row: Row) -> str:
    """How a layer's output size comes about; empty for a layer that does not slide.

    >>> from convworks.arithmetic import Net, Volume, parse
    >>> from convworks.arithmetic.walk import walk
    >>> net = Net(layers=parse("conv5-3 conv3-8 s3"), input=Volume(height=32, width=32, channels=3))
    >>> for row in walk(net).rows: print(formula(row))
    O = (W - K + 2P)/S + 1 = (32 - 5 + 2*0)/1 + 1 = 28
    O = (W - K + 2P)/S + 1 = (28 - 3 + 2*0)/3 + 1 = 9.33, rounded down to 9
    """
    if isinstance(row.layer, TransposedConv):
        texts = [transposed_formula(row.layer, axis, row) for axis in (0, 1)]
    elif row.fit is not None and row.fit.slides is not None:
        texts = [slide_formula(slid) for slid in row.fit.slides]
    else:
        return ""
    return texts[0] if texts[0] == texts[1] else f"height: {texts[0]}; width: {texts[1]}"


def slide_formula(slid: Slide) -> str:
    """One axis of a layer that slides."""
    window = slid.window
    if window.before == window.after:
        letters, padding = "2P", f"2*{window.before}"
    else:
        letters, padding = "P", f"({window.before} + {window.after})"
    text = f"O = (W - K + {letters})/S + 1 = ({slid.size} - {window.reach} + {padding})/{window.stride} + 1"
    text += f" = {decimal(slid)}"
    if slid.remainder:
        up = slid.output * window.stride > slid.room - window.reach + window.stride
        text += f", rounded {'up' if up else 'down'} to {slid.output}"
    if window.dilation > 1:
        text += f" (K: {window.kernel} taps, {window.dilation} apart)"
    return text


def transposed_formula(layer: TransposedConv, axis: int, row: Row) -> str:
    """One axis of a transposed convolution."""
    size = (row.input.height, row.input.width)[axis]
    reach = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1
    extra = layer.output_padding[axis]
    text = f"O = (W - 1)*S - 2P + K = ({size} - 1)*{layer.stride[axis]} - 2*{layer.padding[axis]} + {reach}"
    output = (size - 1) * layer.stride[axis] - 2 * layer.padding[axis] + reach + extra
    return text + (f" + {extra} of output padding" if extra else "") + f" = {output}"


def decimal(slid: Slide) -> str:
    """The exact output size, to two decimals where it is not whole."""
    exact = (slid.room - slid.window.reach) / slid.window.stride + 1
    return f"{exact:.2f}" if slid.remainder else f"{exact:.0f}"


def fit_words(row: Row) -> str:
    """How a layer fits, in a few words; `!` marks what needs attention."""
    if row.fit is None:
        return "x impossible"
    if row.fit.slides is None or row.grade == "fits":
        return "fits" if row.fit.slides is not None else ""
    if row.grade == "unread":
        counts = [
            f"{slid.unread} {name}{'s' if slid.unread > 1 else ''}"
            for slid, name in zip(row.fit.slides, ("row", "column"), strict=True)
            if slid.unread
        ]
        return f"! {', '.join(counts)} unread"
    return "skips pixels" if row.grade == "skips" else "only padding unread"
