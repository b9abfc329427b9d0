"""The words of the notation: for each, the layer that it makes and the fields that may be written.

One table serves reading and printing, so that both agree. A new kind of layer joins by a line in `FORMS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from convworks.arithmetic import spec
from convworks.arithmetic.spec import Pair, Sides
from convworks.arithmetic.values import NEEDED

Read: TypeAlias = Callable[[str], Any]
Write: TypeAlias = Callable[[Any], str]


class Form(NamedTuple):
    """How a layer is written: its words (ours first), what follows the word, and what the word settles."""

    kind: type[spec.Layer]
    words: tuple[str, ...]
    head: str = ""
    channels: str = ""
    settles: tuple[tuple[str, Any], ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The fields that may follow as options."""
        taken = {self.head, self.channels, *(name for name, _ in self.settles)}
        return tuple(name for name in self.kind.FIELDS if name not in taken)


FORMS: tuple[Form, ...] = (
    Form(kind=spec.Conv, words=("conv",), head="kernel", channels="channels"),
    Form(kind=spec.DepthwiseConv, words=("dwconv", "depthwise"), head="kernel"),
    Form(kind=spec.TransposedConv, words=("tconv", "deconv"), head="kernel", channels="channels"),
    Form(kind=spec.Pointwise, words=("pointwise",), channels="channels"),
    Form(kind=spec.Mlpconv, words=("mlpconv",), head="kernel", channels="widths"),
    Form(kind=spec.Pool, words=("pool", "maxpool"), head="kernel", settles=(("kind", "max"),)),
    Form(kind=spec.Pool, words=("avgpool", "averagepool"), head="kernel", settles=(("kind", "average"),)),
    Form(kind=spec.Pool, words=("l2pool",), head="kernel", settles=(("kind", "l2"),)),
    Form(kind=spec.AdaptivePool, words=("adaptivemax",), head="size", settles=(("kind", "max"),)),
    Form(kind=spec.AdaptivePool, words=("adaptiveavg",), head="size", settles=(("kind", "average"),)),
    Form(kind=spec.GlobalPool, words=("globalmax", "gmp"), settles=(("kind", "max"),)),
    Form(kind=spec.GlobalPool, words=("globalavg", "gap"), settles=(("kind", "average"),)),
    Form(kind=spec.GlobalPool, words=("globall2",), settles=(("kind", "l2"),)),
    Form(kind=spec.Linear, words=("fc", "linear", "dense"), head="features"),
    Form(kind=spec.Flatten, words=("flatten",)),
    Form(kind=spec.ReLU, words=("relu",)),
    Form(kind=spec.LeakyReLU, words=("leakyrelu",), head="slope"),
    Form(kind=spec.NoisyReLU, words=("noisyrelu",)),
    Form(kind=spec.Tanh, words=("tanh",)),
    Form(kind=spec.Sigmoid, words=("sigmoid",)),
    Form(kind=spec.Dropout, words=("dropout",), head="probability"),
    Form(kind=spec.BatchNorm, words=("bn", "batchnorm")),
    Form(kind=spec.Upsample, words=("up", "upsample"), head="factor"),
    Form(kind=spec.Residual, words=("res", "residual")),
    Form(kind=spec.Concat, words=("cat", "concat")),
)

# Options with a value: letter -> field.
VALUED = {
    "s": "stride",
    "p": "padding",
    "d": "dilation",
    "g": "groups",
    "m": "multiplier",
    "op": "output_padding",
    "from": "inputs",
}
# Options that are a word: word -> field and value.
WORDED: dict[str, tuple[str, Any]] = {
    "same": ("padding", "same"),
    "tfsame": ("padding", "tfsame"),
    "nobias": ("bias", False),
    "ceil": ("ceil", True),
    "nocount": ("count_padding", False),
    "bilinear": ("mode", "bilinear"),
}

MOST_DIGITS = 7
"""More than any layer needs; arithmetic on a mistyped number stays quick."""


def read_whole(text: str) -> int:
    """A whole number of at most seven digits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        raise ValueError("a whole number of at most seven digits")
    return int(text)


def read_pair(text: str) -> Pair:
    """ "3" or "3x5" (height x width)."""
    try:
        numbers = [read_whole(part) for part in text.split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ValueError('a whole number, or height x width as in "3x5"')
    return numbers[0], numbers[-1]


def write_pair(pair: Pair) -> str:
    """The shortest text that reads as this pair."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def read_sides(text: str) -> Sides:
    """ "1", "1x2" (vertical x horizontal), "0+1" (before and after), or "1+0x2+3"."""
    try:
        axes = [[read_whole(end) for end in axis.split("+")] for axis in text.split("x")]
    except ValueError:
        axes = []
    if len(axes) not in (1, 2) or not all(len(ends) in (1, 2) for ends in axes):
        raise ValueError('a whole number, vertical x horizontal as in "1x2", or before + after as in "0+1"')
    vertical, horizontal = axes[0], axes[-1]
    return vertical[0], vertical[-1], horizontal[0], horizontal[-1]


def write_sides(sides: Sides) -> str:
    """The shortest text that reads as these sides."""
    top, bottom, left, right = sides
    vertical = str(top) if top == bottom else f"{top}+{bottom}"
    horizontal = str(left) if left == right else f"{left}+{right}"
    return vertical if (top, bottom) == (left, right) else f"{vertical}x{horizontal}"


def read_widths(text: str) -> tuple[int, ...]:
    """ "16" or "16-8-8"."""
    return tuple(read_whole(width) for width in text.split("-"))


def read_fraction(text: str) -> float:
    """ "0.5" or "5e-1"."""
    if not text.isascii() or len(text) > 24 or not text[:1].isdecimal():
        raise ValueError('a number as in "0.5"')
    try:
        return float(text)
    except ValueError:
        raise ValueError('a number as in "0.5"') from None


# How the text of a field is read and printed, by the field's name.
PAIRED: tuple[Read, Write] = (read_pair, write_pair)
COUNTED: tuple[Read, Write] = (read_whole, str)
TEXTS: dict[str, tuple[Read, Write]] = {
    "kernel": PAIRED,
    "stride": PAIRED,
    "dilation": PAIRED,
    "size": PAIRED,
    "factor": PAIRED,
    "output_padding": PAIRED,
    "padding": (read_sides, write_sides),
    "channels": COUNTED,
    "features": COUNTED,
    "groups": COUNTED,
    "inputs": COUNTED,
    "multiplier": COUNTED,
    "widths": (read_widths, lambda widths: "-".join(map(str, widths))),
    "slope": (read_fraction, repr),
    "probability": (read_fraction, repr),
}


def texts(form: Form, name: str) -> tuple[Read, Write]:
    """How a field is read and printed; a transposed convolution's padding is one number an axis."""
    return PAIRED if name == "padding" and form.kind is spec.TransposedConv else TEXTS[name]


@cache
def by_word() -> dict[str, Form]:
    """The form of each word."""
    return {word: form for form in FORMS for word in form.words}


@cache
def defaults(kind: type[spec.Layer]) -> dict[str, Any]:
    """The fields of a kind that need not be written, and what they are then."""
    return {name: default for name, default in kind.FIELDS.items() if default is not NEEDED}


def form_of(layer: spec.Layer) -> Form:
    """The form that prints this layer."""
    for form in FORMS:
        if form.kind is type(layer) and all(getattr(layer, name) == value for name, value in form.settles):
            return form
    raise AssertionError(f"{type(layer).__name__} has no form in FORMS")


def usual(form: Form, values: dict[str, Any]) -> dict[str, Any]:
    """What the fields are when they are not written; a pool steps by its own size."""
    found = dict(defaults(form.kind))
    if form.kind is spec.Pool and "kernel" in values:
        found["stride"] = values["kernel"]
    return found
