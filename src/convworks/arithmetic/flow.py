"""A row of things set like words on lines, with arcs over and brackets under what belongs together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from convworks.arithmetic.svg import LETTER, Picture, arrow, cut, element, words

TRACK = 20.0
"""Pixels for one level of arcs or brackets."""

LANDING = 12.0
"""Pixels between an arc and what lies under it, so that its tip has room."""


class Thing(NamedTuple):
    """Something on a line: how wide, how far it reaches above and below the line's axis, and how it is drawn.

    `draw` gets the x where it begins and the y of the axis.
    """

    width: float
    above: float
    below: float
    draw: Callable[[float, float], None]
    inset: float = 0.0
    """What is free on both sides of it, where its labels are wider than itself."""


class Span(NamedTuple):
    """What belongs together from the end of thing `first` to the start of thing `last`, drawn at a level.

    An arc begins after `first` and ends at `last`; a bracket holds both, and all between them.
    """

    kind: Literal["arc", "bracket"]
    first: int
    last: int
    level: int
    label: str = ""
    under: bool = False
    """Whether a bracket's label stands under its line, not in it."""


class Placed(NamedTuple):
    """A thing on its line: the line's number, and where it begins and ends."""

    line: int
    left: float
    right: float


class Piece(NamedTuple):
    """The part of a span on one line: from where to where, and whether the span begins and ends there."""

    span: Span
    left: float
    right: float
    opens: bool
    closes: bool


class Lines:
    """Things set on lines of a picture, `left` to `right`, from `top` down."""

    def __init__(
        self,
        things: list[Thing],
        spans: list[Span],
        left: float,
        right: float,
        gap: float,
        *,
        ways: bool = True,
    ) -> None:
        self.things, self.spans, self.ways = things, spans, ways
        self.left, self.right, self.gap = left, right, gap
        self.places: list[Placed] = []
        x, number = left, 0
        for thing in things:
            if x > left and x + thing.width > right:
                x, number = left, number + 1
            start = x + (gap if x == left and number and ways else 0.0)
            self.places.append(Placed(line=number, left=start, right=start + thing.width))
            x = start + thing.width + gap
        self.count = number + 1 if things else 0
        self.members: list[list[int]] = [[] for _ in range(self.count)]
        for index, place in enumerate(self.places):
            self.members[place.line].append(index)
        self.reach = max((place.right for place in self.places), default=left)
        self.edge = self.reach + (gap if ways else gap / 2)

    def draw(self, picture: Picture, top: float) -> float:
        """Everything; returns where the last line ends."""
        for number in range(self.count):
            members = self.members[number]
            arcs, brackets = self._pieces(number, "arc"), self._pieces(number, "bracket")
            above = max(self.things[index].above for index in members)
            below = max(self.things[index].below for index in members)
            levels = _levels(arcs)
            axis = top + (TRACK * levels + LANDING if levels else 0) + above
            if self.ways:
                self._ways(picture, members, axis)
            for index in members:
                self.things[index].draw(self.places[index].left, axis)
            for piece in arcs:
                self._arc(picture, piece, axis - above, axis)
            for piece in brackets:
                _bracket(picture, piece, axis + below + 8 + TRACK * piece.span.level)
            top = axis + below + TRACK * _levels(brackets) + 18
        return top

    def _pieces(self, number: int, kind: str) -> list[Piece]:
        """The parts of the spans of a kind on a line."""
        found: list[Piece] = []
        for span in self.spans:
            first, last = self.places[span.first], self.places[span.last]
            if span.kind != kind or not first.line <= number <= last.line:
                continue
            opens, closes = first.line == number, last.line == number
            if kind == "arc":
                left, right = first.right + self.gap / 2, (last.left + last.right) / 2
                if opens and not closes and first.right > self.right - self.gap:
                    left = first.right - 2
            else:
                left, right = first.left, last.right
            left, right = left if opens else self.left, right if closes else self.edge
            found.append(Piece(span, left, right, opens, closes))
        return found

    def _longest(self, span: Span) -> float:
        """The length of the longest part of a span."""
        lines = range(self.places[span.first].line, self.places[span.last].line + 1)
        return max(
            piece.right - piece.left
            for number in lines
            for piece in self._pieces(number, span.kind)
            if piece.span == span
        )

    def _ways(self, picture: Picture, members: list[int], axis: float) -> None:
        """Arrows between neighbours, and from one line to the next."""
        for index in members:
            place = self.places[index]
            inset = self.things[index].inset
            if index:
                before = self.places[index - 1]
                same = before.line == place.line
                start = before.right - self.things[index - 1].inset if same else self.left
                picture.add(*arrow(start + 2, place.left + inset - 1, axis))
            if index + 1 < len(self.places) and self.places[index + 1].line > place.line:
                end = min(place.right + self.gap, self.right + self.gap / 2)
                picture.add(
                    element("path", d=f"M{place.right - inset + 2:.1f} {axis:.1f}H{end:.1f}", class_="way"),
                    element("circle", cx=end, cy=axis, r=2, class_="tip"),
                )

    def _arc(self, picture: Picture, piece: Piece, ceiling: float, axis: float) -> None:
        """Up from the axis, over what lies between, and down into the last thing."""
        span, left, right = piece.span, piece.left, piece.right
        height = ceiling - LANDING - 4 - TRACK * span.level
        bend = min(10.0, abs(right - left) / 2)
        path = f"M{left:.1f} {axis:.1f}V{height + bend:.1f}Q{left:.1f} {height:.1f} {left + bend:.1f} {height:.1f}"
        path = path if piece.opens else f"M{left:.1f} {height:.1f}"
        landing = axis - self.things[span.last].above - 1
        if piece.closes:
            path += (
                f"H{right - bend:.1f}Q{right:.1f} {height:.1f} {right:.1f} {height + bend:.1f}V{landing:.1f}"
            )
        else:
            path += f"H{right:.1f}"
        picture.add(element("path", d=path, class_="arc"))
        if piece.closes:
            tip = f"M{right:.1f} {landing:.1f}l-3.5 -6h7z"
            picture.add(element("path", d=tip, class_="blue"))
        most = int((right - left - 2 * bend) / LETTER)
        if span.label and most >= 6 and right - left == self._longest(span):
            picture.add(words((left + right) / 2, height - 4, cut(span.label, most), "soft", "middle"))


def _bracket(picture: Picture, piece: Piece, height: float) -> None:
    """A bracket from below, its label in its middle or under it, where it holds that."""
    span, left, right = piece.span, piece.left, piece.right
    middle, wide = (left + right) / 2, LETTER * len(span.label) + 8
    said = (piece.opens and piece.closes) or right - left >= wide
    half = wide / 2 if said and not span.under else 0.0
    start, end = ("m0 -6v6" if piece.opens else ""), ("v-6" if piece.closes else "")
    path = f"M{left:.1f} {height:.1f}{start}H{middle - half:.1f}"
    path += f"M{middle + half:.1f} {height:.1f}H{right:.1f}{end}"
    picture.add(element("path", d=path, class_="edge"))
    if said:
        picture.add(words(middle, height + (15 if span.under else 4), span.label, "strong", "middle"))


def _levels(pieces: list[Piece]) -> int:
    """How many levels of spans there are."""
    return max((piece.span.level for piece in pieces), default=-1) + 1
