"""The cells under a layer's sliding windows: which are read, how often, and which never are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from convworks.arithmetic.spec import Pair
from convworks.arithmetic.walk import Row
from convworks.arithmetic.window import Slide
from convworks.errors import NetError

Cell: TypeAlias = Literal["once", "several", "skipped", "unread", "padding", "padding unread"]
"""Pixels read by one window, by several, by none between the taps or after the last window; and padding."""

SAID: dict[Cell, str] = {
    "once": "read by one window",
    "several": "read by several windows",
    "skipped": "skipped between the taps",
    "unread": "never read",
    "padding": "padding",
    "padding unread": "padding that no window reaches",
}


class Axis(NamedTuple):
    """One axis: `reads[i]` windows read position `first + i`; positions below 0 and from `size` on are padding."""

    slid: Slide
    first: int
    reads: tuple[int, ...]

    @property
    def positions(self) -> range:
        """All positions: padding, pixels, padding, and what the last window overhangs."""
        return range(self.first, self.first + len(self.reads))

    @property
    def end(self) -> int:
        """One past the last position that a window covers."""
        return self.start(self.slid.output - 1) + self.slid.window.reach

    def start(self, output: int) -> int:
        """Where the window of an output begins."""
        return output * self.slid.window.stride - self.slid.window.before

    def counted(self, position: int) -> int:
        """How many windows read a position."""
        return self.reads[position - self.first]

    def outside(self, position: int) -> bool:
        """Whether a position is padding."""
        return not 0 <= position < self.slid.size

    def shown(self, most: int) -> list[int]:
        """The positions, at most so many: where they are more, those at both ends."""
        every = list(self.positions)
        if len(every) <= most:
            return every
        tail = most // 2
        return every[: most - tail] + every[-tail:]


def axis(slid: Slide) -> Axis:
    """The positions of one axis and how often each is read.

    >>> from convworks.arithmetic.window import Window, slide
    >>> axis(slide(5, Window(kernel=3, stride=3, before=1, after=1))).reads
    (1, 1, 1, 1, 1, 1, 0)
    """
    window = slid.window
    first = -window.before
    end = max(slid.size + window.after, (slid.output - 1) * window.stride - window.before + window.reach)
    reads = [0] * (end - first)
    for output in range(slid.output):
        for tap in range(window.kernel):
            reads[output * window.stride + tap * window.dilation] += 1
    return Axis(slid=slid, first=first, reads=tuple(reads))


def cell(vertical: Axis, horizontal: Axis, row: int, column: int) -> Cell:
    """What becomes of the cell at a row and a column."""
    reads = vertical.counted(row) * horizontal.counted(column)
    if vertical.outside(row) or horizontal.outside(column):
        return "padding" if reads else "padding unread"
    if reads:
        return "once" if reads == 1 else "several"
    beyond = (not vertical.counted(row) and row >= vertical.end) or (
        not horizontal.counted(column) and column >= horizontal.end
    )
    return "unread" if beyond else "skipped"


def find(rows: Sequence[Row], layer: int | str) -> Row:
    """The row of a layer by its place, 3 or "4.1.2"; raises NetError where there is none."""
    found = next((row for row in rows if row.place == str(layer)), None)
    if found is None:
        last = rows[-1].place if rows else "none"
        raise NetError(
            f'There is no layer "{layer}".',
            expected=f"the number of a layer as the table shows it, from 1 to {last}",
        )
    return found


def axes(row: Row, rows: Sequence[Row]) -> tuple[Axis, Axis]:
    """The vertical and the horizontal axis of a layer; raises NetError where it has no window that slides."""
    if row.error is not None:
        raise row.error
    slides = row.fit.slides if row.fit is not None else None
    if slides is None:
        sliding = [other.place for other in rows if other.fit is not None and other.fit.slides is not None]
        raise NetError(
            f"Layer {row.place} has no window that slides over its input.",
            expected=f"one of the layers {', '.join(sliding[:12])}"
            if sliding
            else "a convolution or a pooling",
        )
    return axis(slides[0]), axis(slides[1])


MOST_SHOWN: Pair = (24, 34)
"""Rows and columns of cells that a terminal shows."""
LETTERS: dict[Cell, str] = {
    "once": "o",
    "several": "O",
    "skipped": "-",
    "unread": "/",
    "padding": ".",
    "padding unread": " ",
}


def text(vertical: Axis, horizontal: Axis) -> str:
    """The cells as letters, the first window in brackets, and what the letters mean.

    >>> from convworks.arithmetic.window import Window, slide
    >>> seven = axis(slide(7, Window(kernel=3, stride=3)))
    >>> print(text(seven, seven))
    [o o o]o o o /
    [o o o]o o o /
    [o o o]o o o /
     o o o o o o /
     o o o o o o /
     o o o o o o /
     / / / / / / /
    <BLANKLINE>
    [ ] the first window, the next is 3 rows or 3 columns further on
     o  read by one window
     /  never read
    """
    rows, columns = vertical.shown(MOST_SHOWN[0]), horizontal.shown(MOST_SHOWN[1])
    lines: list[str] = []
    met: set[Cell] = set()
    for place, row in enumerate(rows):
        if place and row != rows[place - 1] + 1:
            lines.append(" :")
        kinds: list[Cell] = [cell(vertical, horizontal, row, column) for column in columns]
        met.update(kinds)
        lines.append(_line(vertical, horizontal, row, columns, [LETTERS[kind] for kind in kinds]))
    down, across = vertical.slid.window.stride, horizontal.slid.window.stride
    said = f"[ ] the first window, the next is {_many(down, 'row')} or {_many(across, 'column')} further on"
    legend = [f" {LETTERS[kind]}  {SAID[kind]}" for kind in LETTERS if kind in met - {"padding unread"}]
    return "\n".join([*lines, "", said, *legend])


def _line(vertical: Axis, horizontal: Axis, row: int, columns: list[int], letters: list[str]) -> str:
    """One row of cells; brackets stand where the first window begins and ends."""
    window = horizontal.slid.window
    within = 0 <= row - vertical.first < vertical.slid.window.reach
    marks = {horizontal.first: "[", horizontal.first + window.reach: "]"} if within else {}
    said = ""
    for place, (column, letter) in enumerate(zip(columns, letters, strict=True)):
        gap = place > 0 and column != columns[place - 1] + 1
        said += (" .." if gap else "") + marks.get(column, " ") + letter
    return (said + marks.get(columns[-1] + 1, "")).rstrip()


def _many(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
