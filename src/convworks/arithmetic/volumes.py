"""A net in the guide's own picture: volumes as boxes, as high, wide and deep as their height, width and channels.

Height and width are drawn by their square root and channels by their cube root, so that 224 and 7, 3 and 2048 fit on
one line. A window on a box shows the filter that reads it; hatched strips on it are never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from convworks.arithmetic.flow import Lines, Span, Thing
from convworks.arithmetic.fold import RIDERS, runs
from convworks.arithmetic.formula import fit_words
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.spec import (
    AdaptivePool,
    Concat,
    Flatten,
    GlobalPool,
    Join,
    Layer,
    Net,
    Pool,
    Residual,
    Upsample,
    Volume,
)
from convworks.arithmetic.svg import LETTER, LINE, Picture, broken, cut, element, line, polygon, words
from convworks.arithmetic.walk import Row, Walk

MARGIN = 20.0
GAP = 26.0
TALLEST = 110.0
"""Pixels of the largest height or width in a net; on a narrow picture three quarters of that."""
LEAST = 5.0
SLANT = (0.40, 0.30)
"""How far to the right and up a pixel of width goes."""
LETTERS = 14
"""Letters on a line of a label."""
FOLDED = 24
"""Layers from which on what repeats is drawn once."""

NARROWEST = 340
"""Pixels of the smallest picture, for the sake of its key."""
KEY = (
    "Blue volumes come from layers that learn, grey ones from pooling and reshaping. An orange window is the filter "
    "that reads a volume; what it never reads is hatched."
)

POOLED = (Pool, AdaptivePool, GlobalPool, Upsample, Flatten)


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

    @property
    def tall(self) -> float:
        """All of it from top to bottom."""
        return self.height + self.rise


def net_svg(net: Net, walk: Walk, width: int = 960) -> str:
    """The net as volumes, on as many lines as `width` pixels ask for; from 24 layers on, what repeats is drawn once."""
    title = f"A net of {len(walk.rows)} layer{'s' if len(walk.rows) != 1 else ''} on {net.input}"
    picture = Picture(title, described(net, walk), f"net{width}")
    drawing = _Drawing(picture, walk, net, width)
    drawing.source(net.input)
    drawing.row(net.layers, net.input, "", 0)
    lines = Lines(drawing.things, drawing.spans, MARGIN, width - MARGIN - GAP, GAP)
    y = lines.draw(picture, MARGIN) + LINE
    width = min(width, max(NARROWEST, round(lines.reach + GAP + MARGIN)))
    for part in broken(KEY, int((width - 2 * MARGIN) / (1.06 * LETTER))):
        picture.add(words(MARGIN, y, part, "soft"))
        y += LINE
    return picture.document(width, y + 2)


def described(net: Net, walk: Walk) -> str:
    """What the picture shows, in words, a layer after the other."""
    parts = [f"Input {net.input}"]
    for row in walk.rows[:200]:
        joins = {"Residual": "sum", "Concat": "stack"}
        name = joins.get(type(row.layer).__name__) or write_layer(row.layer)
        said = f"{row.place} {name}: {row.output or 'impossible'}"
        parts.append(said + (f" ({fit_words(row)})" if fit_words(row) not in ("", "fits") else ""))
    if len(walk.rows) > 200:
        parts.append(f"and {len(walk.rows) - 200} more layers")
    return "; ".join(parts) + "."


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


class _Drawing:
    """Things and spans as they are gathered from a net."""

    def __init__(self, picture: Picture, walk: Walk, net: Net, width: int) -> None:
        self.picture, self.room = picture, width - 2 * MARGIN - GAP
        self.tallest = TALLEST if width > 600 else TALLEST * 0.75
        self.rows: Mapping[str, Row] = {row.place: row for row in walk.rows}
        volumes = [net.input, *(row.output for row in walk.rows if row.output)]
        self.largest = max(max(volume.height, volume.width) for volume in volumes)
        self.folds = len(walk.rows) >= FOLDED
        self.things: list[Thing] = []
        self.spans: list[Span] = []
        self.ended = False
        self.face: Face | None = None

    def source(self, volume: Volume) -> None:
        """The input's box."""
        self.box(volume, "none", ["input"], [], "", None)

    def row(self, layers: tuple[Layer, ...], volume: Volume, prefix: str, depth: int) -> None:
        """Layers one after the other; returns at the first that is impossible."""
        whole = all(self.done(f"{prefix}{number}") for number in range(1, len(layers) + 1))
        if not (self.folds and whole):
            self.stretch(layers, prefix, 1, depth)
            return
        for run in runs(layers, volume):
            start = len(self.things)
            self.stretch(run.layers, prefix, run.first + 1, depth)
            if run.times > 1 and len(self.things) > start:
                level = 1 + max(
                    (span.level for span in self.spans if span.kind == "bracket" and span.first >= start),
                    default=-1,
                )
                last = len(self.things) - 1
                self.spans.append(Span("bracket", start, last, level, f"{run.times} times"))

    def done(self, place: str) -> bool:
        """Whether a layer is there and possible."""
        return place in self.rows and self.rows[place].error is None

    def stretch(self, layers: tuple[Layer, ...], prefix: str, number: int, depth: int) -> None:
        """Layers from a number on, each with the riders that follow it; those that follow none stand alone."""
        waiting: list[Layer] = []
        for index, layer in enumerate(layers):
            place = f"{prefix}{number + index}"
            if self.ended:
                return
            if isinstance(layer, RIDERS):
                if index == 0 or not self.rides(layers, index):
                    waiting.append(layer)
                continue
            after = _riders(layers, index + 1)
            if isinstance(layer, Residual | Concat):
                self.alone(waiting)
                waiting = []
                self.join(layer, place, after, depth)
            else:
                self.step(place, waiting, after)
                waiting = []
        self.alone(waiting)

    @staticmethod
    def rides(layers: tuple[Layer, ...], index: int) -> bool:
        """Whether some layer with a box stands before this one."""
        return any(not isinstance(layer, RIDERS) for layer in layers[:index])

    def alone(self, riders: list[Layer]) -> None:
        """Riders without a box: their names in a frame."""
        if not riders:
            return
        lines = broken(" ".join(map(write_layer, riders)), LETTERS)
        width = LETTER * max(map(len, lines)) + 16
        half = LINE * len(lines) / 2 + 4

        def draw(x: float, axis: float) -> None:
            self.face = None
            self.picture.add(
                element("rect", x=x, y=axis - half, width=width, height=2 * half, rx=5, class_="chip")
            )
            for number, said in enumerate(lines):
                y = axis - half + 4 + LINE * (number + 0.78)
                self.picture.add(words(x + width / 2, y, said, "soft", "middle"))

        self.things.append(Thing(width, half, half, draw))

    def step(self, place: str, before: Sequence[Layer], after: Sequence[Layer]) -> None:
        """A layer with a box for what it gives."""
        row = self.rows.get(place)
        if row is None:
            self.ended = True
            return
        name = " ".join(map(write_layer, [*before, row.layer]))
        if row.output is None:
            self.impossible(name)
            return
        kind = "grey" if isinstance(row.layer, POOLED) else "blue"
        self.box(row.output, kind, [name], list(map(write_layer, after)), fit_words(row), row)

    def box(
        self, volume: Volume, kind: str, names: list[str], riders: list[str], mark: str, row: Row | None
    ) -> None:
        """A volume with its size, its layer, what rides on it and how it fits."""
        extent = self.extent(volume)
        labels: list[tuple[str, str | None]] = [(str(volume).replace("x", "×"), "strong")]
        labels += [(part, None) for name in names for part in broken(name, LETTERS)]
        labels += [(part, "soft") for part in broken(" ".join(riders), LETTERS) if part]
        if mark:
            labels += [
                (part, "alert" if mark[0] in "!x" else "soft") for part in broken(_ticked(mark), LETTERS)
            ]
        text = max(LETTER * (1.12 if kind == "strong" else 1.0) * len(said) for said, kind in labels)
        width = max(extent.width, text)
        half = extent.height / 2
        draw = partial(self.draw_box, extent, kind, labels, width, row)
        below = half + 6 + LINE * len(labels)
        self.things.append(Thing(width, half + extent.rise, below, draw, (width - extent.width) / 2))

    def draw_box(
        self,
        extent: Extent,
        kind: str,
        labels: list[tuple[str, str | None]],
        width: float,
        row: Row | None,
        x: float,
        axis: float,
    ) -> None:
        """Three faces, edges, the labels under them."""
        left, top = x + (width - extent.width) / 2, axis - extent.height / 2
        bottom, front = top + extent.height, left + extent.thick
        back, above = front + extent.across, top - extent.rise
        faces = (
            ([(left, top), (front, top), (front, bottom), (left, bottom)], "wash2"),
            ([(left, top), (front, top), (back, above), (left + extent.across, above)], "wash1"),
            ([(front, top), (back, above), (back, bottom - extent.rise), (front, bottom)], "wash3"),
        )
        if row is not None and self.face is not None and self.face.axis == axis:
            self.read(self.face, row, (left, axis))
        for points, wash in faces:
            self.picture.add(
                polygon(points, "ground"), polygon(points, f"{kind} {wash}"), polygon(points, "edge")
            )
        self.face = Face(front, top, extent, axis)
        for number, (said, tone) in enumerate(labels):
            y = bottom + 4 + LINE * (number + 0.8)
            self.picture.add(words(x + width / 2, y, said, tone, "middle"))

    def read(self, face: Face, row: Row, to: tuple[float, float]) -> None:
        """On the box before a layer: the strips that it never reads, and its filter with rays to what it gives."""
        slides = row.fit.slides if row.fit is not None else None
        if slides is None:
            return
        if row.grade == "unread":
            down, across = (slid.unread / slid.size for slid in slides)
            rows, columns = max(down, 3.5 / face.extent.height), max(across, 3.5 / face.extent.across)
            if down:
                self.picture.add(polygon(face.patch(0, 1 - rows, 1, 1), "framed", self.picture.hatch))
            if across:
                self.picture.add(polygon(face.patch(1 - columns, 0, 1, 1), "framed", self.picture.hatch))
        high, wide = (min(1.0, slid.window.reach / slid.size) for slid in slides)
        high, wide = max(high, 4 / face.extent.height), max(wide, 4 / face.extent.across)
        high, wide = min(high, 1.0), min(wide, 1.0)
        left, top = (1 - wide) * 0.45, (1 - high) * 0.45
        corners = face.patch(left, top, left + wide, top + high)
        self.picture.add(*(line(*corner, *to, "ray") for corner in corners[1:3]), polygon(corners, "filter"))

    def extent(self, volume: Volume) -> Extent:
        """The pixels of a volume's box."""
        scale = self.tallest / self.largest**0.5
        height = max(LEAST, scale * volume.height**0.5)
        across = max(LEAST, scale * volume.width**0.5) * SLANT[0]
        return Extent(height=height, across=across, thick=3.6 * volume.channels ** (1 / 3))

    def impossible(self, name: str) -> None:
        """A layer that cannot be; nothing follows it."""
        self.ended = True
        labels = [(part, None) for part in broken(name, LETTERS)]
        labels += [("x impossible", "alert")]
        width = max(48.0, max(LETTER * 1.1 * len(said) for said, _ in labels))

        def draw(x: float, axis: float) -> None:
            self.face = None
            left = x + width / 2 - 20
            self.picture.add(
                element("rect", x=left, y=axis - 20, width=40, height=40, class_="second"),
                line(left + 9, axis - 11, left + 31, axis + 11, "hatch"),
                line(left + 9, axis + 11, left + 31, axis - 11, "hatch"),
            )
            for number, (said, tone) in enumerate(labels):
                self.picture.add(
                    words(x + width / 2, axis + 26 + LINE * (number + 0.8), said, tone, "middle")
                )

        self.things.append(Thing(width, 20, 26 + LINE * len(labels), draw, width / 2 - 20))

    def join(self, layer: Join, place: str, after: Sequence[Layer], depth: int) -> None:
        """Branches and what joins them: one branch on the line and arcs over it, or all in a frame."""
        branches = layer.branches if isinstance(layer, Concat) else (layer.body, layer.shortcut)
        boxed = [
            number for number, branch in enumerate(branches) if not all(isinstance(p, RIDERS) for p in branch)
        ]
        trunk = max(range(len(branches)), key=lambda number: len(branches[number]))
        if isinstance(layer, Concat) and len(boxed) > 1:
            self.panel(branches, place)
        else:
            start = len(self.things) - 1
            row = self.rows.get(f"{place}.{trunk + 1}.1")
            if row is not None:
                self.row(branches[trunk], row.input, f"{place}.{trunk + 1}.", depth + 1)
            for number, branch in enumerate(branches):
                if number != trunk and not self.ended:
                    inner = [s.level for s in self.spans if s.kind == "arc" and s.first >= start]
                    label = " ".join(map(write_layer, branch))
                    self.spans.append(Span("arc", start, len(self.things), max(inner, default=-1) + 1, label))
        self.meet(layer, place, after)

    def meet(self, layer: Join, place: str, after: Sequence[Layer]) -> None:
        """Where branches meet: a sum in a circle, or the box of a stack."""
        row = self.rows.get(place)
        names = list(map(write_layer, after))
        if row is None or row.output is None or self.ended:
            if row is not None and not self.ended:
                self.impossible("sum" if isinstance(layer, Residual) else "stack")
            self.ended = True
            self.spans = [span for span in self.spans if span.last < len(self.things)]
            return
        if isinstance(layer, Concat):
            self.box(row.output, "blue", ["stack"], names, "", None)
            return
        labels = broken(" ".join(["sum", *names]), LETTERS)
        width = max(26.0, max(LETTER * len(said) for said in labels))

        def draw(x: float, axis: float) -> None:
            self.face = None
            middle = x + width / 2
            self.picture.add(
                element("circle", cx=middle, cy=axis, r=11, class_="chip"),
                line(middle - 5, axis, middle + 5, axis, "arc"),
                line(middle, axis - 5, middle, axis + 5, "arc"),
            )
            for number, said in enumerate(labels):
                self.picture.add(words(middle, axis + 15 + LINE * (number + 0.8), said, "soft", "middle"))

        self.things.append(Thing(width, 11, 15 + LINE * len(labels), draw, width / 2 - 11))

    def panel(self, branches: tuple[tuple[Layer, ...], ...], place: str) -> None:
        """Branches under each other in a frame, their layers as words."""
        lines: list[list[str]] = []
        for number, branch in enumerate(branches, start=1):
            rows = [self.rows.get(f"{place}.{number}.{index}") for index in range(1, len(branch) + 1)]
            if any(row is None or row.output is None for row in rows):
                self.ended = True
            said = " → ".join(_short(layer) for layer in branch) or "as it is"
            lines.append(broken(said, max(12, int((self.room - 56) / LETTER))))
        width = max(LETTER * len(said) for branch in lines for said in branch) + 56
        height = sum(LINE * len(branch) + 12 for branch in lines) + 6

        def draw(x: float, axis: float) -> None:
            self.face = None
            top = axis - height / 2
            self.picture.add(element("rect", x=x, y=top, width=width, height=height, rx=6, class_="chip"))
            y = top + 6
            for branch in lines:
                middle = y + (LINE * len(branch) + 8) / 2
                self.picture.add(
                    element("path", d=f"M{x:.1f} {axis:.1f}L{x + 14:.1f} {middle:.1f}", class_="way"),
                    element(
                        "path",
                        d=f"M{x + width:.1f} {axis:.1f}L{x + width - 14:.1f} {middle:.1f}",
                        class_="way",
                    ),
                )
                for number, said in enumerate(branch):
                    self.picture.add(words(x + 22, y + 4 + LINE * (number + 0.78), said))
                y += LINE * len(branch) + 12

        self.things.append(Thing(width, height / 2, height / 2 + 4, draw))


def _riders(layers: tuple[Layer, ...], start: int) -> list[Layer]:
    """The riders from a place on, up to the first layer that is none."""
    found: list[Layer] = []
    for layer in layers[start:]:
        if not isinstance(layer, RIDERS):
            break
        found.append(layer)
    return found


def _short(layer: Layer) -> str:
    return cut(write_layer(layer), 24)


def _ticked(mark: str) -> str:
    """A mark as a picture says it."""
    return "✓ fits" if mark == "fits" else mark
