"""One label file of YOLO: a row an object, a class number and fractions of the image, each row checked by itself.

`class x y width height` is a box by its centre, `class x y x y x y ...` an outline, and in a set of points
`class x y width height` is followed by each point. Pixels are rounded to a millionth, so that edges that were whole
pixels, or thousandths, are so again.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from convworks.data.names import shown
from convworks.data.record import BoxNote
from convworks.data.sources.confine import Refused
from convworks.data.sources.objects import edges

MOST_BYTES = 8 << 20
MOST_ROWS = 10_000
"""More than the objects of one image need."""

Size = tuple[int, int]
Points = tuple[int, int]
"""How many points an object has, and whether each has two numbers or three; (0, 0) for none."""

_ROW = re.compile(r"[0-9.eE+\- ]*+")
_CLASS = re.compile(r"([0-9]{1,9})(?:\.0*)?")
_PIXELS = 2.0
"""A fraction above this was not meant as one."""


@dataclass(slots=True)
class Rows:
    """The objects of a file, what of it could not be used, by line, and how many lines repeated another."""

    objects: list[BoxNote] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    repeats: int = 0


def parse(data: bytes, size: Size, names: Mapping[int, str] | None, points: Points = (0, 0)) -> Rows:
    """The objects of a label file of an image of `size`. Raises Refused where it is no text.

    Without `names` a class is called by its number.
    """
    found = Rows()
    seen: set[tuple[str, ...]] = set()
    for number, line in enumerate(io.StringIO(_text(data)), start=1):
        words = tuple(line.split())
        if len(seen) > MOST_ROWS:
            raise Refused(f"more than {MOST_ROWS:,} rows")
        if words in seen:
            found.repeats += 1
        elif words:
            seen.add(words)
            try:
                found.objects.append(_object(words, size, names, points))
            except Refused as refusal:
                found.faults.append(f"line {number}: {refusal}")
    return found


def row(note: BoxNote, size: Size, number: int, points: Points = (0, 0)) -> str:
    """The line of an object of class `number`: its outline where it has one, else its box.

    Several outlines become one: each is walked around, and the way between two is walked there and back.
    """
    width, height = size
    if note.polygons and not points[0]:
        return _joined([number, *_fractions(_one_outline(note.polygons), size)])
    x0, y0, x1, y1 = note.box
    values: list[float] = [
        number, (x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height
    ]  # fmt: skip
    for x, y, seen in itertools.islice(itertools.chain(note.points, itertools.repeat((0, 0, 0))), points[0]):
        values += [x / width, y / height, seen]
    return _joined(values)


def _text(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise Refused(f"{len(data) >> 20} MB, more than the labels of an image need")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("not text") from None


def _object(words: tuple[str, ...], size: Size, names: Mapping[int, str] | None, points: Points) -> BoxNote:
    name, values = _class(words[0], names), _numbers(words[1:])
    if points[0]:
        expected = 4 + points[0] * points[1]
        if len(values) != expected:
            raise Refused(f"{len(words)} columns; a row of {points[0]} points has {expected + 1}")
        return _with_points(name, values, size, points)
    if len(values) == 4:
        return BoxNote(name=name, box=_box(values, size))
    if len(values) < 6 or len(values) % 2:
        raise Refused(f"{len(words)} columns; a box has 5, an outline 7, 9, 11 or more")
    _check(values)
    ring = tuple(_pixels(value, size[place % 2]) for place, value in enumerate(values))
    across, down = ring[::2], ring[1::2]
    box = edges((min(across), min(down), max(across), max(down)), size)
    return BoxNote(name=name, box=box, polygons=(ring,))


def _class(word: str, names: Mapping[int, str] | None) -> str:
    found = _CLASS.fullmatch(word)
    if not found:
        raise Refused(f'class "{shown(word)[:40]}" is not a number from 0 on')
    number = int(found[1])
    if names is None:
        return str(number)
    if number not in names:
        raise Refused(f"class {number}, of {len(names)} that have a name")
    return names[number]


def _numbers(words: tuple[str, ...]) -> list[float]:
    """The words as finite numbers."""
    if _ROW.fullmatch(" ".join(words)):
        with contextlib.suppress(ValueError):
            values = list(map(float, words))
            if all(map(math.isfinite, values)):
                return values
    raise Refused(next(reason for reason in map(_fault, words) if reason))


def _fault(word: str) -> str:
    """Why a word is no finite number; "" where it is one."""
    if "," in word:
        return f'a comma in "{shown(word)[:40]}"; numbers have points, and spaces between them'
    try:
        fine = bool(_ROW.fullmatch(word)) and math.isfinite(float(word))
    except ValueError:
        fine = False
    return "" if fine else f'"{shown(word)[:40]}" is not a finite number'


def _check(fractions: list[float]) -> None:
    if (most := max(fractions, key=abs)) and abs(most) > _PIXELS:
        raise Refused(f"{most:g} is no fraction of the image; are these pixels?")


def _box(values: list[float], size: Size) -> tuple[float, float, float, float]:
    _check(values)
    x, y, width, height = values
    if width <= 0 or height <= 0:
        raise Refused(f"no area: width {width:g}, height {height:g}")
    return edges(
        (
            _pixels(x - width / 2, size[0]),
            _pixels(y - height / 2, size[1]),
            _pixels(x + width / 2, size[0]),
            _pixels(y + height / 2, size[1]),
        ),
        size,
    )


def _with_points(name: str, values: list[float], size: Size, points: Points) -> BoxNote:
    found: list[tuple[float, float, int]] = []
    for at in range(4, len(values), points[1]):
        x, y = values[at : at + 2]
        seen = values[at + 2] if points[1] == 3 else 2 * (x != 0 or y != 0)
        if seen not in (0, 1, 2):
            raise Refused(f"a point that is {seen:g}; it is 0 (not labelled), 1 (hidden) or 2 (seen)")
        _check([x, y])
        found.append((_pixels(x, size[0]), _pixels(y, size[1]), int(seen)))
    labelled = any(seen for _, _, seen in found)
    return BoxNote(name=name, box=_box(values[:4], size), points=tuple(found) if labelled else ())


def _pixels(fraction: float, side: int) -> float:
    return round(fraction * side, 6) + 0.0


def _fractions(ring: tuple[float, ...], size: Size) -> list[float]:
    return [value / size[place % 2] for place, value in enumerate(ring)]


def _one_outline(rings: tuple[tuple[float, ...], ...]) -> tuple[float, ...]:
    if len(rings) == 1:
        return rings[0]
    there = [value for ring in rings for value in (*ring, *ring[:2])]
    back = [value for ring in reversed(rings[:-1]) for value in ring[:2]]
    return tuple(there + back)


def _joined(values: list[float]) -> str:
    return " ".join(str(int(value)) if value == int(value) else repr(value) for value in values)
