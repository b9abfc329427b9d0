"""What the data looks like: images of every class, drawn by chance, with what is marked in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from convworks.augmentation.preview import BLUE, TINTS, tints
from convworks.data.record import DataSet, Record, classes_of
from convworks.report.audit.shots import Shots
from convworks.report.markup import Markup, join, section, tag

SHOWN = 24
"""Images on the wall."""


def wall(records: Sequence[Record], shots: Shots) -> Markup:
    """The section, empty where there is no image."""
    chosen = list(islice(by_turns(records), SHOWN))
    if not chosen:
        return Markup()
    said = "Drawn by chance, a class after the other. Does each show what it is said to show?"
    cards = tag("ul", [shots.card(path) for path in chosen], class_="shots")
    return section(
        "look", "What it looks like", tag("p", said), legend(shots.dataset, shots.background), cards
    )


def by_turns(records: Sequence[Record], seed: int = 0) -> Iterator[str]:
    """Paths in a random order in which the classes take turns; an image stands for the first class that it names."""
    by_class: dict[str, list[str]] = {}
    for row in np.random.default_rng(seed).permutation(len(records)).tolist():
        record = records[row]
        by_class.setdefault(next(iter(classes_of(record)), ""), []).append(record.path)
    turns = [iter(by_class[name]) for name in sorted(by_class)]
    while turns:
        left: list[Iterator[str]] = []
        for turn in turns:
            path = next(turn, None)
            if path is not None:
                yield path
                left.append(turn)
        turns = left


def legend(dataset: DataSet, background: int) -> Markup:
    """Which colour stands for which class of a map, or for any box; empty where nothing is marked."""
    if dataset.masks is not None:
        names = list(dataset.classes)
        colours = tints(np.arange(len(names)), background).astype(int).tolist()
        shown = [
            _swatch(name, colour)
            for place, (name, colour) in enumerate(zip(names, colours, strict=True))
            if place != background
        ]
        again = tag("p", f"Colours repeat after {len(TINTS)} classes.") if len(shown) > len(TINTS) else ""
        return join(tag("ul", shown, class_="legend"), again)
    if any(record.boxes for record in dataset.records):
        return tag("ul", _swatch("a box of the annotation", list(BLUE)), class_="legend")
    return Markup()


def _swatch(name: str, colour: Sequence[int]) -> Markup:
    red, green, blue = colour
    square = tag("rect", width=14, height=14, rx=3, fill=f"rgb({red},{green},{blue})")
    return tag("li", tag("svg", square, viewBox="0 0 14 14", width=14, height=14, aria_hidden="true"), name)
