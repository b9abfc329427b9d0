"""One layer's windows sliding over its input, drawn from the arithmetic: what they read, skip and never reach.

This is the guide's picture of a filter that moves by its stride, with the formula and the user's own numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from convworks.arithmetic.formula import LETTERS, slide_formula
from convworks.arithmetic.grid import SAID, Axis, Cell, axes, cell, find
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.spec import Volume
from convworks.arithmetic.svg import LETTER, LINE, Picture, arrow, broken, element, line, rectangles, words
from convworks.arithmetic.walk import Row
from convworks.arithmetic.window import Slide

MARGIN = 20.0
LARGEST, SMALLEST = 26.0, 11.0
"""Pixels of a cell."""
MOST = 30
"""Cells along an axis; of a longer one both ends are drawn, with the first windows in full where they fit."""
FEW = 16
"""Cells of an output that are drawn, where it is larger."""
WAY = 64.0
"""Pixels between an input and an output beside it."""
GAP = 22.0
"""Pixels where cells are left out."""

KINDS: dict[Cell, str] = {
    "once": "blue wash1 cell",
    "several": "blue wash2 cell",
    "skipped": "fenced",
    "unread": "framed",
    "padding": "outside",
    "padding unread": "faint",
}


class Track(NamedTuple):
    """Where the shown positions of an axis lie, in pixels of the picture."""

    places: tuple[tuple[int, float], ...]
    side: float

    @property
    def end(self) -> float:
        """Where the last cell ends."""
        return self.places[-1][1] + self.side

    def edge(self, position: int) -> float:
        """Where a position begins; for one that is left out, the middle of the gap."""
        before = self.places[0]
        for place in self.places:
            if place[0] == position:
                return place[1]
            if place[0] > position:
                return (before[1] + self.side + place[1]) / 2
            before = place
        return self.end


def windows_svg(rows: Sequence[Row], layer: int | str, width: int = 720) -> str:
    """The picture of a layer's windows, `width` pixels wide; raises NetError for a layer that has none."""
    row = find(rows, layer)
    vertical, horizontal = axes(row, rows)
    output = row.output
    assert output is not None
    drawing = _Drawing(row, vertical, horizontal, output, width)
    return drawing.document()


def described(row: Row, vertical: Axis, horizontal: Axis) -> str:
    """What the picture shows, in words."""
    down, across = vertical.slid, horizontal.slid
    said = (
        f"A window of {_by(down.window.reach, across.window.reach)} moves "
        f"{_by(down.window.stride, across.window.stride)} pixels at a time over an input of "
        f"{_by(down.size, across.size)} and gives {_by(down.output, across.output)}."
    )
    for slid, name in ((down, "row"), (across, "column")):
        if slid.unread:
            said += f" {_last(slid.unread, name)} never read."
        if slid.skipped:
            said += f" {slid.skipped} {name}{'s' if slid.skipped > 1 else ''} between the taps are skipped."
    return f"Layer {row.place}, {write_layer(row.layer)}. {said}"


class _Drawing:
    """The picture as it grows downwards; `y` is where the next thing goes."""

    def __init__(self, row: Row, vertical: Axis, horizontal: Axis, output: Volume, width: int) -> None:
        self.row, self.vertical, self.horizontal, self.output = row, vertical, horizontal, output
        self.width = width
        title = f"Layer {row.place}: {write_layer(row.layer)}"
        self.picture = Picture(title, described(row, vertical, horizontal), str(width))
        self.y = MARGIN + 10
        self.met: set[Cell] = set()

    def document(self) -> str:
        """All of it."""
        self.lines(self.picture.title, "head")
        self.y += 4
        self.grids()
        self.legend()
        self.formulas()
        return self.picture.document(self.width, self.y + 4)

    def grids(self) -> None:
        """The input and, beside it or below it, the output."""
        room = self.width - 2 * MARGIN - GAP
        columns = _shown(self.horizontal, int(room / SMALLEST))
        outputs = _ends(range(self.output.width), FEW)
        beside = SMALLEST * (len(columns) + len(outputs)) <= room - WAY - GAP
        if beside:
            side = (room - WAY - GAP) / (len(columns) + len(outputs))
            title = 1.12 * LETTER * len(f"output {self.output}")
            side = min(side, (room - WAY - GAP - max(title, len(outputs) * SMALLEST)) / len(columns))
        else:
            side = room / max(len(columns), len(outputs))
        side = min(LARGEST, side)
        top = self.y + LINE + 6
        across = _placed(columns, MARGIN, side)
        down = _placed(_shown(self.vertical, MOST), top, side)
        self.heading(MARGIN, f"input {_of(self.row.input)}")
        self.input(across, down)
        if beside:
            left, middle = across.end + WAY, (top + down.end) / 2
            tall = _placed(_ends(range(self.output.height), FEW), 0, side).end
            start = max(top, middle - tall / 2)
            self.picture.add(*arrow(across.end + 14, left - 14, middle))
        else:
            left, start = MARGIN, down.end + LINE + 22
        self.picture.add(words(left, start - 8, f"output {_of(self.output)}", "strong"))
        bottom = self.outputs(left, start, side)
        self.y = max(down.end, bottom) + 26

    def heading(self, x: float, said: str) -> None:
        """The title of a grid."""
        self.picture.add(words(x, self.y + LINE - 2, said, "strong"))

    def input(self, across: Track, down: Track) -> None:
        """The cells of the input, and three windows: the first, the next, the last."""
        found: dict[Cell, list[tuple[float, float]]] = {}
        for row, y in down.places:
            for column, x in across.places:
                found.setdefault(cell(self.vertical, self.horizontal, row, column), []).append((x, y))
        self.met = set(found)
        fills = {"unread": self.picture.hatch, "skipped": self.picture.sparse}
        for kind in KINDS:
            if kind in ("padding", "padding unread"):
                inset = [(x + 1.5, y + 1.5) for x, y in found.get(kind, [])]
                self.picture.add(rectangles(inset, across.side - 3, KINDS[kind]))
            else:
                self.picture.add(rectangles(found.get(kind, []), across.side, KINDS[kind], fills.get(kind)))
        self.taps(across, down)
        self.gaps(across, down)
        last = self.vertical.slid.output - 1, self.horizontal.slid.output - 1
        second = self.second()
        self.frame(across, down, last, "edge")
        if second:
            self.frame(across, down, second, "second")
        self.frame(across, down, (0, 0), "first")

    def second(self) -> tuple[int, int] | None:
        """The output after the first: to the right where there is one, else below."""
        if self.horizontal.slid.output > 1:
            return 0, 1
        return (1, 0) if self.vertical.slid.output > 1 else None

    def taps(self, across: Track, down: Track) -> None:
        """Dots on what the first window reads, where it is spread."""
        vertical, horizontal = self.vertical.slid.window, self.horizontal.slid.window
        if vertical.dilation == horizontal.dilation == 1:
            return
        half = across.side / 2
        shown_rows, shown_columns = dict(down.places), dict(across.places)
        for row in range(self.vertical.first, self.vertical.first + vertical.reach, vertical.dilation):
            for column in range(
                self.horizontal.first, self.horizontal.first + horizontal.reach, horizontal.dilation
            ):
                if row in shown_rows and column in shown_columns:
                    x, y = shown_columns[column] + half, shown_rows[row] + half
                    self.picture.add(element("circle", cx=x, cy=y, r=half / 3, class_="blue"))

    def gaps(self, across: Track, down: Track) -> None:
        """Dots where cells are left out."""
        for track, upright in ((across, False), (down, True)):
            for before, after in pairwise(track.places):
                if after[0] == before[0] + 1:
                    continue
                middle = (before[1] + track.side + after[1]) / 2
                for other in (down if not upright else across).places[1::3]:
                    centre = other[1] + track.side / 2
                    x, y = (centre, middle) if upright else (middle, centre)
                    self.picture.add(element("circle", cx=x, cy=y, r=1.2, class_="tip"))

    def frame(self, across: Track, down: Track, output: tuple[int, int], kind: str) -> None:
        """The outline of the window of an output (row, column)."""
        top, left = self.vertical.start(output[0]), self.horizontal.start(output[1])
        y, x = down.edge(top), across.edge(left)
        bottom = down.edge(top + self.vertical.slid.window.reach)
        right = across.edge(left + self.horizontal.slid.window.reach)
        self.picture.add(element("rect", x=x, y=y, width=right - x, height=bottom - y, class_=kind))

    def outputs(self, left: float, top: float, side: float) -> float:
        """The cells of the output, the same three marked; returns where they end."""
        across = _placed(_ends(range(self.output.width), FEW), left, side)
        down = _placed(_ends(range(self.output.height), FEW), top, side)
        every = [(x, y) for _, y in down.places for _, x in across.places]
        self.picture.add(rectangles(every, side, "grey wash1 cell"))
        marks = [((self.output.height - 1, self.output.width - 1), "edge"), (self.second(), "second")]
        for place, kind in [*marks, ((0, 0), "first")]:
            if place:
                x, y = across.edge(place[1]) + 1, down.edge(place[0]) + 1
                self.picture.add(element("rect", x=x, y=y, width=side - 2, height=side - 2, class_=kind))
        return down.end

    def legend(self) -> None:
        """What the cells and outlines mean, in as many columns as there is room for."""
        outlines = [("first", "the first window and what it gives"), ("edge", "the last one")]
        if self.second():
            step = self.horizontal.slid.window.stride if self.horizontal.slid.output > 1 else None
            step = step or self.vertical.slid.window.stride
            outlines.insert(1, ("second", f"the next one, {step} pixel{'s' if step > 1 else ''} further on"))
        entries = outlines + [(KINDS[kind], SAID[kind]) for kind in KINDS if kind in self.met]
        fills = {KINDS["unread"]: self.picture.hatch, KINDS["skipped"]: self.picture.sparse}
        column = max(len(said) for _, said in entries) * LETTER + 36
        columns = max(1, int((self.width - 2 * MARGIN) // column))
        for number, (kind, said) in enumerate(entries):
            x = MARGIN + column * (number % columns)
            y = self.y + (LINE + 6) * (number // columns)
            self.picture.add(
                element("rect", x=x + 1, y=y - 11, width=14, height=14, class_=kind, fill=fills.get(kind)),
                words(x + 24, y, said),
            )
        self.y += (LINE + 6) * -(-len(entries) // columns) + 8

    def formulas(self) -> None:
        """The guide's formula with these numbers, and what its letters stand for."""
        self.picture.add(line(MARGIN, self.y - 10, self.width - MARGIN, self.y - 10, "rule"))
        self.y += 10
        slides: list[Slide] = [self.vertical.slid, self.horizontal.slid]
        texts = [slide_formula(slid) for slid in slides]
        if texts[0] == texts[1]:
            self.lines(_unbroken(texts[0]), "strong")
        else:
            self.lines(f"height: {_unbroken(texts[0])}", "strong")
            self.lines(f"width: {_unbroken(texts[1])}", "strong")
        self.lines(LETTERS, "soft")
        lost = [
            _last(slid.unread, name)
            for slid, name in zip(slides, ("row", "column"), strict=True)
            if slid.grade == "unread"
        ]
        if lost:
            self.lines(f"! {' never read. '.join(lost)} never read.", "alert")

    def lines(self, said: str, kind: str) -> None:
        """Text over the whole width."""
        size = LETTER * (1.15 if kind in ("head", "strong") else 1.0)
        for part in broken(said, int((self.width - 2 * MARGIN) / size)):
            self.picture.add(words(MARGIN, self.y, part, kind))
            self.y += LINE + 1


def _shown(axis: Axis, most: int) -> list[int]:
    """The positions to draw: all, or as much of both ends as shows the first two windows."""
    most = min(most, MOST)
    if len(axis.positions) <= most:
        return list(axis.positions)
    return axis.shown(min(most, 2 * max(FEW // 2, axis.slid.window.reach + axis.slid.window.stride)))


def _ends(positions: range, few: int) -> list[int]:
    """All positions, or both ends where they are many."""
    every = list(positions)
    return every if len(every) <= few else every[: few // 2] + every[-(few // 2) :]


def _placed(positions: list[int], start: float, side: float) -> Track:
    places: list[tuple[int, float]] = []
    for number, position in enumerate(positions):
        if number and position != positions[number - 1] + 1:
            start += GAP
        places.append((position, start + side * number))
    return Track(places=tuple(places), side=side)


def _unbroken(formula: str) -> str:
    """A formula that is broken before its equal signs only."""
    return formula.replace(" ", "\xa0").replace("\xa0=", " =").replace(",\xa0rounded", ", rounded")


def _of(volume: Volume) -> str:
    return str(volume).replace("x", "×")


def _by(height: int, width: int) -> str:
    return f"{height}×{width}"


def _last(count: int, name: str) -> str:
    return f"The last {name} is" if count == 1 else f"The last {count} {name}s are"
