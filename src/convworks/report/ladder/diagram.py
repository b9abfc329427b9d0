"""What each step computes where: a row of parts, blue for what runs once a picture, orange for once a region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from convworks.report.drawing import box, curve, figure, line, text
from convworks.report.markup import Child, Markup, tag

Often = Literal["given", "once", "each"]
Glyph = Callable[[float, float, Often], list[Child]]
WIDTH, HIGH = 96, 66  # pixels of a glyph
GAP = 22  # pixels above what stands under it
ROW = 92  # pixels from part to part on a phone
EDGE = 14  # pixels beside the first and the last, for what is written under them


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a step: what is drawn, what it is, and how often it runs, of `kind`."""

    glyph: Glyph
    said: str
    often: str
    kind: Often


def diagram(parts: Sequence[Part], said: str, caption: Child) -> Markup:
    """The parts from left to right, or from above on a phone, with arrows from each to the next."""

    def draw(width: int) -> tuple[int, list[Child]]:
        return _across(parts, width) if width > 500 else _down(parts)

    return figure(said, draw, caption)


def _across(parts: Sequence[Part], width: int) -> tuple[int, list[Child]]:
    step = (width - WIDTH - 2 * EDGE) / (len(parts) - 1)
    drawn: list[Child] = []
    for number, part in enumerate(parts):
        left = EDGE + number * step
        middle = left + WIDTH / 2
        drawn += part.glyph(left, 4, part.kind)
        drawn += [
            text(middle, HIGH + GAP, part.said, "label", "middle"),
            text(middle, HIGH + GAP + 18, part.often, f"often {part.kind}", "middle"),
        ]
        if number + 1 < len(parts):
            drawn += _arrow(left + WIDTH + 8, 4 + HIGH / 2, left + step - 8, 4 + HIGH / 2)
    return HIGH + GAP + 26, drawn


def _down(parts: Sequence[Part]) -> tuple[int, list[Child]]:
    drawn: list[Child] = []
    for number, part in enumerate(parts):
        top = number * ROW + 2
        drawn += part.glyph(0, top, part.kind)
        drawn += [
            text(WIDTH + 14, top + 30, part.said, "label"),
            text(WIDTH + 14, top + 50, part.often, f"often {part.kind}"),
        ]
        if number + 1 < len(parts):
            drawn += _arrow(WIDTH / 2, top + HIGH + 4, WIDTH / 2, top + ROW - 4)
    return len(parts) * ROW - (ROW - HIGH) + 4, drawn


def _arrow(x1: float, y1: float, x2: float, y2: float) -> list[Child]:
    across, down = (1 if x2 > x1 else 0), (1 if y2 > y1 else 0)
    wings = [
        (x2 - 6 * across - 4 * down, y2 - 6 * down - 4 * across),
        (x2, y2),
        (x2 - 6 * across + 4 * down, y2 - 6 * down + 4 * across),
    ]
    return [line(x1, y1, x2, y2, "arrow"), curve(wings, "arrow")]


def picture(x: float, y: float, kind: Often) -> list[Child]:
    """A picture with two things in it."""
    return [
        box(x, y, WIDTH, HIGH, kind, 4),
        tag("circle", cx=f"{x + 30:.0f}", cy=f"{y + 38:.0f}", r=13, class_="thing"),
        tag("circle", cx=f"{x + 68:.0f}", cy=f"{y + 24:.0f}", r=8, class_="thing"),
    ]


def proposals(x: float, y: float, kind: Often) -> list[Child]:
    """The picture under many boxes."""
    places = (
        (14, 20, 34, 34),
        (20, 26, 26, 24),
        (10, 14, 48, 44),
        (56, 12, 24, 24),
        (60, 17, 16, 14),
        (44, 8, 42, 36),
    )
    return [*picture(x, y, kind), *(box(x + a, y + b, w, h, "faint") for a, b, w, h in places)]


def crops(x: float, y: float, kind: Often) -> list[Child]:
    """Many small squares, each a picture of its own."""
    drawn: list[Child] = []
    for number in range(8):
        left, top = x + 4 + (number % 4) * 23, y + 9 + (number // 4) * 25
        drawn += [
            box(left, top, 19, 19, kind, 2),
            tag("circle", cx=f"{left + 9.5:.1f}", cy=f"{top + 9.5:.1f}", r=5.5, class_="thing"),
        ]
    return drawn


def net(x: float, y: float, kind: Often) -> list[Child]:
    """Layers that become lower and thicker; a heap of such nets where it runs for each region."""
    heap = (8, 4, 0) if kind == "each" else (0,)
    drawn: list[Child] = []
    for off in heap:
        for number, high in enumerate((56, 44, 32, 22)):
            drawn.append(
                box(x + 6 + 21 * number + off, y + (HIGH - high) / 2 - off / 2, 14 + number, high, kind, 2)
            )
    return drawn


def grids(x: float, y: float, kind: Often) -> list[Child]:
    """Grids of several sizes."""
    return [
        *_grid(x + 2, y + 15, 36, 6, kind),
        *_grid(x + 45, y + 18, 30, 3, kind),
        *_grid(x + 82, y + 26, 14, 1, kind),
    ]


def grid(x: float, y: float, kind: Often) -> list[Child]:
    """One grid of 7 cells a side."""
    return _grid(x + 22, y + 6, 54, 7, kind)


def machines(x: float, y: float, kind: Often) -> list[Child]:
    """A border between two kinds of points, and an arrow for the box that moves."""
    drawn: list[Child] = [box(x + 8, y + 4, 80, 58, kind, 4), line(x + 26, y + 56, x + 72, y + 10, "thing")]
    for a, b in ((24, 18), (36, 14), (30, 30)):
        drawn.append(tag("circle", cx=f"{x + a:.0f}", cy=f"{y + b:.0f}", r=3, class_="thing"))
    for a, b in ((60, 48), (72, 40), (66, 28)):
        drawn.append(box(x + a - 3, y + b - 3, 6, 6, "thing"))
    return drawn


def layers(x: float, y: float, kind: Often) -> list[Child]:
    """Two layers that end in two answers: the class and the box."""
    return [
        box(x + 10, y + 8, 12, 50, kind, 2),
        box(x + 32, y + 8, 12, 50, kind, 2),
        line(x + 48, y + 24, x + 60, y + 18, "thing"),
        line(x + 48, y + 42, x + 60, y + 48, "thing"),
        box(x + 64, y + 10, 22, 16, kind, 2),
        box(x + 64, y + 40, 22, 16, kind, 2),
    ]


def sliding(x: float, y: float, kind: Often) -> list[Child]:
    """A map with a small window that slides over it, and boxes around its middle."""
    return [
        *_grid(x + 18, y + 3, 60, 6, kind),
        box(x + 38, y + 23, 30, 30, "thing"),
        box(x + 30, y + 31, 46, 14, "faint"),
        box(x + 46, y + 15, 14, 46, "faint"),
    ]


def levels(x: float, y: float, kind: Often) -> list[Child]:
    """Maps of two strides, every cell of which answers."""
    return [*_grid(x + 2, y + 9, 48, 8, kind), *_grid(x + 60, y + 18, 32, 4, kind)]


def cells(x: float, y: float, kind: Often) -> list[Child]:
    """A map of whose cells one says a box."""
    return [
        *_grid(x + 20, y + 5, 56, 7, kind),
        box(x + 32, y + 13, 34, 38, "thing"),
        box(x + 44, y + 29, 8, 8, "thing"),
    ]


def _grid(x: float, y: float, side: float, count: int, kind: Often) -> list[Child]:
    step = side / count
    inner = [number * step for number in range(1, count)]
    return [
        box(x, y, side, side, kind, 1),
        *(line(x + at, y, x + at, y + side, "faint") for at in inner),
        *(line(x, y + at, x + side, y + at, "faint") for at in inner),
    ]
