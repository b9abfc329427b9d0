"""A net as a strip: a cell a layer, as high as its map, with a letter for its kind and a mark where it does not fit."""

from __future__ import annotations

from functools import partial
from html import escape
from itertools import groupby, takewhile

from convworks.arithmetic import spec
from convworks.arithmetic.flow import Lines, Span, Thing
from convworks.arithmetic.formula import fit_words
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.spec import Net, Volume
from convworks.arithmetic.svg import LETTER, LINE, Picture, broken, element, words
from convworks.arithmetic.volumes import ATTENTION, POOLED, described
from convworks.arithmetic.walk import Row, Walk

MARGIN = 20.0
CELL, GAP = 21.0, 3.0
TALLEST, LEAST = 44.0, 18.0

SIGNS: dict[type, tuple[str, str]] = {
    spec.Conv: ("C", "convolution"),
    spec.DepthwiseConv: ("W", "depthwise convolution"),
    spec.TransposedConv: ("T", "transposed convolution"),
    spec.Pointwise: ("1", "1x1 convolution"),
    spec.Mlpconv: ("M", "mlpconv"),
    spec.Pool: ("P", "pooling"),
    spec.AdaptivePool: ("A", "adaptive pooling"),
    spec.GlobalPool: ("G", "global pooling"),
    spec.Linear: ("F", "fully connected"),
    spec.Flatten: ("L", "flatten"),
    spec.ReLU: ("r", "ReLU"),
    spec.LeakyReLU: ("l", "leaky ReLU"),
    spec.NoisyReLU: ("n", "noisy ReLU"),
    spec.Tanh: ("t", "tanh"),
    spec.Sigmoid: ("s", "sigmoid"),
    spec.Dropout: ("d", "dropout"),
    spec.BatchNorm: ("b", "batch norm"),
    spec.Upsample: ("U", "upsampling"),
    spec.Residual: ("+", "sum of both"),
    spec.Concat: ("=", "stack of all"),
}
"""The letter of each kind, small for those that change no size."""


def strip_svg(net: Net, walk: Walk, width: int = 960) -> str:
    """The net as a strip, on as many lines as `width` pixels ask for."""
    count = len(walk.rows)
    title = f"The {count} layer{'s' if count != 1 else ''} of a net on {net.input}"
    picture = Picture(title, described(net, walk), f"strip{width}")
    volumes = [net.input, *(row.output or row.input for row in walk.rows)]
    largest = max(max(volume.height, volume.width) for volume in volumes)
    things: list[Thing] = []
    spans = _joins(walk)
    for said, group in groupby(enumerate(volumes), key=lambda pair: _size(pair[1])):
        members = [number for number, _ in group]
        needed = LETTER * 1.15 * len(said) + 14
        wide = max(CELL, needed / len(members) - GAP)
        for number in members:
            row = walk.rows[number - 1] if number else None
            height = max(
                LEAST, TALLEST * (max(volumes[number].height, volumes[number].width) / largest) ** 0.5
            )
            draw = partial(_cell, picture, row, net, wide, height)
            above = height / 2 + (16 if row is not None and row.grade in ATTENTION else 3)
            things.append(Thing(wide, above, height / 2, draw))
        spans.append(Span("bracket", members[0], members[-1], 0, said, under=True))
    lines = Lines(things, spans, MARGIN, width - MARGIN, GAP, ways=False)
    y = lines.draw(picture, MARGIN) + LINE
    width = min(width, max(340, round(lines.reach + MARGIN)))
    for part in broken(_key(walk), int((width - 2 * MARGIN) / (1.06 * LETTER))):
        picture.add(words(MARGIN, y, part, "soft"))
        y += LINE
    return picture.document(width, y + 2)


def _cell(
    picture: Picture, row: Row | None, net: Net, wide: float, height: float, x: float, axis: float
) -> None:
    """One layer; what it is and gives is said when the pointer rests on it."""
    top = axis - height / 2
    letter, kind, said = "in", "none", f"input {net.input}"
    if row is not None:
        letter = SIGNS[type(row.layer)][0]
        small = letter.islower() or letter in "+="
        kind = "none" if small else "grey wash2" if isinstance(row.layer, POOLED) else "blue wash3"
        said = f"{row.place} {write_layer(row.layer)}: {row.output or 'impossible'} {fit_words(row)}".rstrip()
    frame = {"x": x, "y": top, "width": wide, "height": height, "rx": 3}
    middle = x + wide / 2
    parts = [element("title", escape(said)), element("rect", **frame, class_=kind)]
    if row is not None and row.grade in ATTENTION:
        plate = {"x": middle - 7, "y": axis - 8, "width": 14, "height": 16}
        parts += [
            element("rect", **frame, class_="framed", fill=picture.hatch),
            element("rect", **plate, class_="ground"),
            words(middle, top - 5, "x" if row.error else "!", "alert", "middle"),
        ]
    else:
        parts.append(element("rect", **frame, class_="thin"))
    parts.append(words(middle, axis + 4, letter, "soft" if kind == "none" else "strong", "middle"))
    picture.add(element("g", *parts))


def _joins(walk: Walk) -> list[Span]:
    """An arc for each join, from what its branches read to where they meet; the input is cell 0."""
    found: list[Span] = []
    for last, row in enumerate(walk.rows, start=1):
        if not isinstance(row.layer, spec.Residual | spec.Concat):
            continue
        first = last
        while first > 1 and walk.rows[first - 2].place.startswith(f"{row.place}."):
            first -= 1
        inner = takewhile(lambda span, first=first: span.first >= first - 1, reversed(found))
        level = 1 + max((span.level for span in inner), default=-1)
        found.append(Span("arc", first - 1, last, level))
    return found


def _key(walk: Walk) -> str:
    """What the letters mean that are there."""
    kinds = {type(row.layer) for row in walk.rows}
    said = [
        f"{letter}\xa0{name.replace(' ', chr(160))}"
        for kind, (letter, name) in SIGNS.items()
        if kind in kinds
    ]
    end = (
        ". An arc leads from what branches read to where they meet"
        if {spec.Residual, spec.Concat} & kinds
        else ""
    )
    attention = ". Hatched with ! : does not fit" if any(row.grade in ATTENTION for row in walk.rows) else ""
    return f"{', '.join(said)}{end}{attention}."


def _size(volume: Volume) -> str:
    return "row" if volume.flat else f"{volume.height}×{volume.width}"
