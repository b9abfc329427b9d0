"""A net in the guide's own picture: volumes as boxes, as high, wide and deep as their height, width and channels.

A window on a box shows the filter that reads it; hatched strips on it are never read.
"""

from __future__ import annotations

from collections.abc import Sequence

from convworks.arithmetic.boxes import Boxes
from convworks.arithmetic.flow import Lines, Span, Thing
from convworks.arithmetic.fold import RIDERS, runs
from convworks.arithmetic.formula import fit_words
from convworks.arithmetic.notation import write, write_layer
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
from convworks.arithmetic.svg import LETTER, LINE, Picture, broken, cut, words
from convworks.arithmetic.walk import Walk

MARGIN = 20.0
GAP = 26.0
TALLEST = 110.0
"""Pixels of the largest height or width in a net; on a narrow picture three quarters of that."""
NARROWEST = 340
"""Pixels of the smallest picture, for the sake of its key."""
FOLDED = 24
"""Layers from which on what repeats is drawn once."""
TOLD = 200
"""Layers that the description names."""
KEY = (
    "Blue volumes come from layers that learn, grey ones from pooling and reshaping. An orange window is the filter "
    "that reads a volume; what it never reads is hatched."
)

POOLED = (Pool, AdaptivePool, GlobalPool, Upsample, Flatten)
ATTENTION = ("unread", "impossible")


def net_svg(net: Net, walk: Walk, width: int = 960) -> str:
    """The net as volumes, on as many lines as `width` pixels ask for; from 24 layers on, what repeats is drawn once."""
    title = f"A net of {len(walk.rows)} layer{'s' if len(walk.rows) != 1 else ''} on {net.input}"
    picture = Picture(title, described(net, walk), f"net{width}")
    gathered = _Gathering(picture, net, walk, width)
    gathered.row(net.layers, net.input, "")
    lines = Lines(gathered.things, gathered.spans, MARGIN, width - MARGIN - GAP, GAP)
    y = lines.draw(picture, MARGIN) + LINE
    width = min(width, max(NARROWEST, round(lines.reach + GAP + MARGIN)))
    for part in broken(KEY, int((width - 2 * MARGIN) / (1.06 * LETTER))):
        picture.add(words(MARGIN, y, part, "soft"))
        y += LINE
    return picture.document(width, y + 2)


def described(net: Net, walk: Walk) -> str:
    """What the picture shows, in words, a layer after the other."""
    parts = [f"Input {net.input}"]
    for row in walk.rows[:TOLD]:
        joins = {"Residual": "sum", "Concat": "stack"}
        name = joins.get(type(row.layer).__name__) or write_layer(row.layer)
        fits = fit_words(row)
        said = f"{row.place} {name}: {row.output or 'impossible'}"
        parts.append(said + (f" ({fits})" if fits not in ("", "fits") else ""))
    if len(walk.rows) > TOLD:
        parts.append(f"and {len(walk.rows) - TOLD} more layers")
    return "; ".join(parts) + "."


class _Gathering:
    """Things and spans as they are gathered from a net, up to the first layer that is impossible."""

    def __init__(self, picture: Picture, net: Net, walk: Walk, width: int) -> None:
        volumes = [net.input, *(row.output for row in walk.rows if row.output)]
        largest = max(max(volume.height, volume.width) for volume in volumes)
        self.boxes = Boxes(picture, largest, TALLEST if width > 600 else 0.75 * TALLEST)
        self.room = width - 2 * MARGIN - GAP
        self.rows = {row.place: row for row in walk.rows}
        self.folds = len(walk.rows) >= FOLDED and walk.error is None
        self.things: list[Thing] = [self.boxes.box(net.input, "none", "input")]
        self.spans: list[Span] = []
        self.input, self.culprit = net.input, write_layer(walk.rows[-1].layer) if walk.rows else ""
        self.ended = False

    def row(self, layers: tuple[Layer, ...], volume: Volume, prefix: str) -> None:
        """Layers one after the other, a bracket under what repeats on `volume`."""
        if not self.folds:
            self.stretch(layers, prefix, 1)
            return
        for run in runs(layers, volume):
            start = len(self.things)
            self.stretch(run.layers, prefix, run.first + 1)
            if run.times > 1:
                last, level = len(self.things) - 1, self.level("bracket", start)
                self.spans.append(Span("bracket", start, last, level, f"{run.times} times"))

    def level(self, kind: str, start: int) -> int:
        """One above the highest span of its kind from a thing on."""
        return 1 + max(
            (span.level for span in self.spans if span.kind == kind and span.first >= start), default=-1
        )

    def stretch(self, layers: tuple[Layer, ...], prefix: str, number: int) -> None:
        """Layers from a number on, each with the riders that follow it; the first riders go with what they precede."""
        count = len(_riders(layers, 0))
        waiting = write(layers[:count])
        for index in range(count, len(layers)):
            layer, place = layers[index], f"{prefix}{number + index}"
            if self.ended:
                return
            if isinstance(layer, RIDERS):
                continue
            after = write(_riders(layers, index + 1))
            if isinstance(layer, Residual | Concat):
                if waiting:
                    self.things.append(self.boxes.riders(waiting))
                self.join(layer, place, after)
            else:
                self.step(place, f"{waiting} {write_layer(layer)}".strip(), after)
            waiting = ""
        if waiting:
            self.things.append(self.boxes.riders(waiting))

    def step(self, place: str, name: str, after: str) -> None:
        """A layer with a box for what it gives."""
        row = self.rows.get(place)
        if row is None or row.output is None:
            # Where the row is missing, a branch that is not on the line broke before.
            self.stop(name if row is not None else self.culprit)
            return
        kind = "grey" if isinstance(row.layer, POOLED) else "blue"
        box = self.boxes.box(row.output, kind, name, riders=after, mark=fit_words(row), row=row)
        self.things.append(box)

    def stop(self, name: str) -> None:
        """The layer that cannot be; nothing follows it."""
        self.things.append(self.boxes.impossible(name))
        self.ended = True

    def join(self, layer: Join, place: str, after: str) -> None:
        """Branches and where they meet: one branch on the line and arcs over it, or all in a frame."""
        branches = layer.branches if isinstance(layer, Concat) else (layer.body, layer.shortcut)
        boxed = [branch for branch in branches if len(_riders(branch, 0)) < len(branch)]
        if isinstance(layer, Concat) and len(boxed) > 1:
            self.panel(branches, place)
        else:
            self.arched(branches, place)
        if self.ended:
            self.spans = [span for span in self.spans if span.last < len(self.things)]
            return
        row = self.rows.get(place)
        if row is None or row.output is None:
            name = "sum" if isinstance(layer, Residual) else "stack"
            self.stop(name if row is not None else self.culprit)
        elif isinstance(layer, Residual):
            self.things.append(self.boxes.sum(after))
        else:
            self.things.append(self.boxes.box(row.output, "blue", "stack", riders=after))

    def arched(self, branches: Sequence[tuple[Layer, ...]], place: str) -> None:
        """The longest branch on the line, and an arc over it for each other."""
        start = len(self.things) - 1
        trunk = max(range(len(branches)), key=lambda number: len(branches[number]))
        first = self.rows.get(f"{place}.{trunk + 1}.1")
        volume = first.input if first is not None else self.input
        self.row(branches[trunk], volume, f"{place}.{trunk + 1}.")
        for number, branch in enumerate(branches):
            if number == trunk:
                continue
            if not self.ended and self.breaks(branch, f"{place}.{number + 1}."):
                self.stop(self.culprit)
            if not self.ended:
                level = self.level("arc", start)
                self.spans.append(Span("arc", start, len(self.things), level, write(branch)))

    def panel(self, branches: Sequence[tuple[Layer, ...]], place: str) -> None:
        """Branches as words in a frame."""
        texts: list[str] = []
        for number, branch in enumerate(branches, start=1):
            prefix = f"{place}.{number}."
            said = [self.named(layer, f"{prefix}{index}") for index, layer in enumerate(branch, start=1)]
            texts.append(" → ".join(said) or "as it is")
            self.ended = self.ended or self.breaks(branch, prefix)
        self.things.append(self.boxes.panel(texts, self.room))

    def named(self, layer: Layer, place: str) -> str:
        """A layer in a frame, with what does not fit."""
        row = self.rows.get(place)
        said = cut(write_layer(layer), 24)
        return f"{said} ({fit_words(row)})" if row is not None and row.grade in ATTENTION else said

    def breaks(self, branch: tuple[Layer, ...], prefix: str) -> bool:
        """Whether a branch is not followed to its end."""
        rows = [self.rows.get(f"{prefix}{index}") for index in range(1, len(branch) + 1)]
        return any(row is None or row.error is not None for row in rows)


def _riders(layers: Sequence[Layer], start: int) -> tuple[Layer, ...]:
    """The riders from a place on, up to the first layer that is none."""
    end = start
    while end < len(layers) and isinstance(layers[end], RIDERS):
        end += 1
    return tuple(layers[start:end])
