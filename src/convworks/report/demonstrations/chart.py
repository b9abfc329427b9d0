"""Charts of several series over one axis: lines with their names at the end, in two widths."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from convworks.report.drawing import apart, curve, dot, line, text, ticks
from convworks.report.markup import Child

TOP, BOTTOM, LEFT = 30, 44, 50
KINDS = ("one", "other", "third", "fourth")
"""Blue, orange dashed, grey dotted, dark dash-dotted: told apart without colour."""

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Series(NamedTuple):
    """A line: its name, what is written at its end, and its points."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "one"


class Axis(NamedTuple):
    """An axis: what it is of, its lowest and highest value, and how a value on it is written."""

    said: str
    low: float
    high: float
    write: Callable[[float], str] = "{:g}".format
    log: bool = False
    at: Sequence[float] = ()

    def share(self, value: float) -> float:
        """Where a value lies on it, from 0 to 1."""
        if self.log:
            value = max(value, self.low)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def marks(self) -> list[float]:
        """The values that are written."""
        if self.at:
            return list(self.at)
        if not self.log:
            return [self.low + value for value in ticks(self.high - self.low)]
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1, max(1, math.ceil((last - first) / 5)))]


def lines(
    series: Sequence[Series], x: Axis, y: Axis, *, height: int = 300, dots: bool = True, level: str = ""
) -> Callable[[int], tuple[int, list[Child]]]:
    """What `drawing.figure` draws: the series over `x`; `level` names a dotted line at the first mark of `y`'s end.

    A `level` is written as "name=value".
    """

    def draw(width: int) -> tuple[int, list[Child]]:
        right = width - (120 if width > 500 else 96)
        left = LEFT

        def across(value: float) -> float:
            return left + x.share(value) * (right - left)

        def down(value: float) -> float:
            return TOP + (1 - min(max(y.share(value), 0.0), 1.0)) * (height - TOP - BOTTOM)

        drawn: list[Child] = [text(0, 14, y.said, "label")]
        for mark in y.marks():
            drawn += [
                line(left, down(mark), right, down(mark), "grid"),
                text(left - 8, down(mark) + 4, y.write(mark), "tick", "end"),
            ]
        marks = x.marks()
        every = max(1, math.ceil(len(marks) / (17 if width > 500 else 7)))
        for mark in marks[::every]:
            drawn.append(text(across(mark), height - BOTTOM + 18, x.write(mark), "tick", "middle"))
        drawn.append(text((left + right) / 2, height - 4, x.said, "label", "middle"))
        ends: list[tuple[float, str, str]] = []
        if level:
            name, _, value = level.rpartition("=")
            drawn.append(line(left, down(float(value)), right, down(float(value)), "guess"))
            ends.append((down(float(value)), name, "quiet"))
        for each in series:
            points = [(across(at), down(value)) for at, value in each.points if math.isfinite(value)]
            drawn.append(curve(points, f"line {each.kind}"))
            if dots:
                drawn += [dot(at, value, 3, each.kind) for at, value in points]
            ends.append((points[-1][1], each.name, f"{each.kind} label"))
        for place, (_, said, kind) in zip(apart([end[0] for end in ends], 16), ends, strict=True):
            drawn.append(text(right + 8, place + 4, said, kind))
        return height, drawn

    return draw


def power(value: float) -> str:
    """A power of ten.

    >>> power(1e-10)
    '10⁻¹⁰'
    """
    exponent = round(math.log10(value))
    return "1" if exponent == 0 else "10" + str(exponent).translate(SUPERSCRIPT)


def scientific(value: float) -> str:
    r"""A number that may be very small, in two digits, never broken over two lines.

    >>> scientific(3.1e-06), scientific(0.33)
    ('3.1\xa0·\xa010⁻⁶', '0.33')
    """
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.2g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}\xa0·\xa010{str(int(exponent)).translate(SUPERSCRIPT)}"
