"""The things on a picture of a net: a volume's box, a sum, a frame of branches, a layer that cannot be.

Height and width are drawn by their square root and channels by their cube root, so that 224 and 7, 3 and 2048 fit on
one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from convworks.arithmetic.flow import Thing
from convworks.arithmetic.spec import Volume
from convworks.arithmetic.svg import LETTER, LINE, Picture, broken, element, line, polygon, words
from convworks.arithmetic.walk import Row

LEAST = 5.0
"""Pixels of the smallest height or width."""
SLANT = (0.40, 0.30)
"""How far to the right and up a pixel of width goes."""
LETTERS = 14
"""Letters on a line of a label."""
SEEN = 4.0
"""Pixels that a window or a hatched strip takes at least."""

Label: TypeAlias = tuple[str, str | None]
"""A line of text, and its kind."""


class Extent(NamedTuple):
    """A box in pixels: its height, how far its width goes to the right, how thick its channels are."""

    height: float
    across: float
    thick: float

    @property
    def rise(self) -> float:
        """How far its width goes up."""
        return self.across / SLANT[0] * SLANT[1]

    @property
    def width(self) -> float:
        """All of it from left to right."""
        return self.thick + self.across


class Face(NamedTuple):
    """The visible map of a box: its near top corner, its extent, and the axis of its line."""

    x: float
    y: float
    extent: Extent
    axis: float

    def at(self, across: float, down: float) -> tuple[float, float]:
        """The point at these shares of its width and height."""
        return (
            self.x + across * self.extent.across,
            self.y - across * self.extent.rise + down * self.extent.height,
        )

    def patch(self, left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
        """The corners of a part of it, in shares."""
        return [self.at(left, top), self.at(right, top), self.at(right, bottom), self.at(left, bottom)]


class Boxes:
    """Makes the things of one picture; `largest` pixels of height or width are drawn `tallest` pixels tall."""

    def __init__(self, picture: Picture, largest: int, tallest: float) -> None:
        self.picture, self.largest, self.tallest = picture, largest, tallest
        self.face: Face | None = None

    def box(
        self,
        volume: Volume,
        kind: str,
        name: str,
        *,
        riders: str = "",
        mark: str = "",
        row: Row | None = None,
    ) -> Thing:
        """A volume with its size, its layer, what rides on it and how it fits; `row` tells how it is read off."""
        extent = self.extent(volume)
        labels: list[Label] = [(str(volume).replace("x", "×"), "strong"), *_lines(name, None)]
        labels += _lines(riders, "soft")
        labels += _lines("✓ fits" if mark == "fits" else mark, "alert" if mark[:1] in ("!", "x") else "soft")
        width = max(extent.width, _width(labels))
        half = extent.height / 2
        draw = partial(self._box, extent, kind, labels, width, row)
        below = half + 6 + LINE * len(labels)
        return Thing(width, half + extent.rise, below, draw, (width - extent.width) / 2)

    def extent(self, volume: Volume) -> Extent:
        """The pixels of a volume's box."""
        scale = self.tallest / self.largest**0.5
        height = max(LEAST, scale * volume.height**0.5)
        across = max(LEAST, scale * volume.width**0.5) * SLANT[0]
        return Extent(height=height, across=across, thick=3.6 * volume.channels ** (1 / 3))

    def impossible(self, name: str) -> Thing:
        """A layer that cannot be."""
        labels: list[Label] = [*_lines(name, None), ("x impossible", "alert")]
        width = max(48.0, _width(labels))

        def draw(x: float, axis: float) -> None:
            self.face = None
            left = x + width / 2 - 20
            self.picture.add(
                element("rect", x=left, y=axis - 20, width=40, height=40, class_="second"),
                line(left + 9, axis - 11, left + 31, axis + 11, "hatch"),
                line(left + 9, axis + 11, left + 31, axis - 11, "hatch"),
            )
            self._labels(labels, x + width / 2, axis + 26)

        return Thing(width, 20, 26 + LINE * len(labels), draw, width / 2 - 20)

    def sum(self, riders: str) -> Thing:
        """Where two branches are added."""
        labels = _lines(f"sum {riders}".strip(), "soft")
        width = max(26.0, _width(labels))

        def draw(x: float, axis: float) -> None:
            self.face = None
            middle = x + width / 2
            self.picture.add(
                element("circle", cx=middle, cy=axis, r=11, class_="chip"),
                line(middle - 5, axis, middle + 5, axis, "arc"),
                line(middle, axis - 5, middle, axis + 5, "arc"),
            )
            self._labels(labels, middle, axis + 15)

        return Thing(width, 11, 15 + LINE * len(labels), draw, width / 2 - 11)

    def riders(self, names: str) -> Thing:
        """Layers that change no size, where there is no box before them: their names in a frame."""
        labels = _lines(names, "soft")
        width, half = _width(labels) + 16, LINE * len(labels) / 2 + 4

        def draw(x: float, axis: float) -> None:
            self.face = None
            frame = {"x": x, "y": axis - half, "width": width, "height": 2 * half}
            self.picture.add(element("rect", **frame, rx=5, class_="chip"))
            self._labels(labels, x + width / 2, axis - half + 4)

        return Thing(width, half, half, draw)

    def panel(self, branches: Sequence[str], room: float) -> Thing:
        """Branches under each other in a frame, as text that is broken where `room` pixels do not hold it."""
        lines = [broken(said, max(12, int((room - 56) / (1.12 * LETTER)))) for said in branches]
        width = 1.12 * LETTER * max(len(said) for branch in lines for said in branch) + 56
        height = sum(LINE * len(branch) + 12 for branch in lines) + 6

        def draw(x: float, axis: float) -> None:
            self.face = None
            y = axis - height / 2
            self.picture.add(element("rect", x=x, y=y, width=width, height=height, rx=6, class_="chip"))
            y += 6
            for branch in lines:
                middle = y + (LINE * len(branch) + 8) / 2
                self.picture.add(
                    line(x, axis, x + 14, middle, "way"),
                    line(x + width, axis, x + width - 14, middle, "way"),
                )
                for number, said in enumerate(branch):
                    alert = "alert" if {"!", "x"} & set(said.replace("(", "").split()) else None
                    self.picture.add(words(x + 22, y + 4 + LINE * (number + 0.78), said, alert))
                y += LINE * len(branch) + 12

        return Thing(width, height / 2, height / 2 + 4, draw)

    def _box(
        self,
        extent: Extent,
        kind: str,
        labels: list[Label],
        width: float,
        row: Row | None,
        x: float,
        axis: float,
    ) -> None:
        """Three faces, and the labels under them."""
        left, top = x + (width - extent.width) / 2, axis - extent.height / 2
        bottom, front = top + extent.height, left + extent.thick
        back, above = front + extent.across, top - extent.rise
        faces = (
            ([(left, top), (front, top), (front, bottom), (left, bottom)], "wash2"),
            ([(left, top), (front, top), (back, above), (left + extent.across, above)], "wash1"),
            ([(front, top), (back, above), (back, bottom - extent.rise), (front, bottom)], "wash3"),
        )
        if row is not None and self.face is not None and self.face.axis == axis:
            self._read(self.face, row, (left, axis))
        for points, wash in faces:
            self.picture.add(
                polygon(points, "ground"), polygon(points, f"{kind} {wash}"), polygon(points, "edge")
            )
        self.face = Face(front, top, extent, axis)
        self._labels(labels, x + width / 2, bottom + 4)

    def _read(self, face: Face, row: Row, to: tuple[float, float]) -> None:
        """On the box before a layer: the strips that it never reads, and its filter with rays to what it gives."""
        slides = row.fit.slides if row.fit is not None else None
        if slides is None:
            return
        high, wide = (slid.window.reach / slid.size for slid in slides)
        high = min(1.0, max(high, SEEN / face.extent.height))
        wide = min(1.0, max(wide, SEEN / face.extent.across))
        if row.grade == "unread":
            down, across = (slid.unread / slid.size for slid in slides)
            if down:
                rows = max(down, SEEN / face.extent.height)
                self.picture.add(polygon(face.patch(0, 1 - rows, 1, 1), "framed", self.picture.hatch))
            if across:
                columns = max(across, SEEN / face.extent.across)
                self.picture.add(polygon(face.patch(1 - columns, 0, 1, 1), "framed", self.picture.hatch))
        left, top = (1 - wide) * 0.45, (1 - high) * 0.45
        corners = face.patch(left, top, left + wide, top + high)
        self.picture.add(*(line(*corner, *to, "ray") for corner in corners[1:3]), polygon(corners, "filter"))

    def _labels(self, labels: list[Label], middle: float, top: float) -> None:
        """Lines of text from a height down, each centred."""
        for number, (said, kind) in enumerate(labels):
            self.picture.add(words(middle, top + LINE * (number + 0.8), said, kind, "middle"))


def _lines(said: str, kind: str | None) -> list[Label]:
    return [(part, kind) for part in broken(said, LETTERS) if part]


def _width(labels: list[Label]) -> float:
    """The room that labels take; heavy letters are wider."""
    return max(LETTER * (1.12 if kind in ("strong", "alert") else 1.0) * len(said) for said, kind in labels)
