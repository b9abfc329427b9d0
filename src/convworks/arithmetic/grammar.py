"""The words of the notation: for each, the layer that it makes and the fields that may be written.

One table serves reading and printing, so that both agree. A new kind of layer joins by a line in `FORMS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, TypeAlias

from convworks.arithmetic import spec
from convworks.arithmetic.spec import Pair, Sides

Read: TypeAlias = Callable[[str], Any]
Write: TypeAlias = Callable[[Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
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
        return tuple(item.name for item in fields(self.kind) if item.name not in taken)


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

# Seven digits are more than any layer needs, and keep arithmetic on a mistyped number quick.
WHOLE = r"[0-9]{1,7}"
PAIR = re.compile(rf"({WHOLE})(?:x({WHOLE}))?")
SIDES = re.compile(rf"({WHOLE})(?:\+({WHOLE}))?(?:x({WHOLE})(?:\+({WHOLE}))?)?")
WIDTHS = re.compile(rf"{WHOLE}(?:-{WHOLE})*")
FRACTION = re.compile(rf"{WHOLE}(?:\.[0-9]{{1,20}})?(?:e-?[0-9]{{1,3}})?")


def read_pair(text: str) -> Pair:
    """ "3" or "3x5" (height x width)."""
    match = PAIR.fullmatch(text)
    if not match:
        raise ValueError('a whole number, or height x width as in "3x5"')
    return int(match[1]), int(match[2] or match[1])


def write_pair(pair: Pair) -> str:
    """The shortest text that reads as this pair."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def read_sides(text: str) -> Sides:
    """ "1", "1x2" (vertical x horizontal), "0+1" (before and after), or "1+0x2+3"."""
    match = SIDES.fullmatch(text)
    if not match:
        raise ValueError('a whole number, vertical x horizontal as in "1x2", or before + after as in "0+1"')
    top = int(match[1])
    bottom = int(match[2] or top)
    left = int(match[3]) if match[3] else top
    right = int(match[4]) if match[4] else left if match[3] else bottom
    return top, bottom, left, right


def write_sides(sides: Sides) -> str:
    """The shortest text that reads as these sides."""
    top, bottom, left, right = sides
    vertical = str(top) if top == bottom else f"{top}+{bottom}"
    horizontal = str(left) if left == right else f"{left}+{right}"
    return vertical if (top, bottom) == (left, right) else f"{vertical}x{horizontal}"


def read_whole(text: str) -> int:
    """A whole number of at most seven digits."""
    if not re.fullmatch(WHOLE, text):
        raise ValueError("a whole number of at most seven digits")
    return int(text)


def read_widths(text: str) -> tuple[int, ...]:
    """ "16" or "16-8-8"."""
    if not WIDTHS.fullmatch(text):
        raise ValueError('whole numbers joined by "-"')
    return tuple(int(width) for width in text.split("-"))


def read_fraction(text: str) -> float:
    """ "0.5" or "5e-1"."""
    if not FRACTION.fullmatch(text):
        raise ValueError('a number as in "0.5"')
    return float(text)


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
    return {item.name: item.default for item in fields(kind) if item.default is not MISSING}


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
