"""The page of a ladder: the verdict, the table, accuracy against time, and each step drawn, told and shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from convworks.data.names import shown
from convworks.report.demonstrations.chart import Axis
from convworks.report.drawing import apart, curve, dot, figure, line, text
from convworks.report.drawn import boxes_on
from convworks.report.ladder import words
from convworks.report.ladder.steps import steps
from convworks.report.markup import Child, Markup, section, table, tag
from convworks.report.page import page
from convworks.report.pictures import Album
from convworks.report.wording import count, duration
from convworks.samples import Box, Detection
from convworks.studies.rows import Climb, Row

HEIGHT, LEFT, TOP, BOTTOM = 320, 52, 34, 46
PICTURE = 440
"""Pixels of the longer side of a picture that is shown."""


def build(ladder: Climb) -> str:
    """A ladder as one HTML page; it works offline and without scripts."""
    album = Album(ladder.root)
    sections = {
        "Figures": _figures(ladder),
        "Accuracy and time": _chart(ladder),
        "Work": _work(ladder),
        "Steps": steps(ladder),
        "One picture": _sights(ladder, album),
        "Limits": _limits(ladder),
    }
    return page(
        f"{shown(_name(ladder))}: Convworks ladder",
        _header(ladder),
        {name: part for name, part in sections.items() if part},
        of="ladder",
        skip="Skip to the answer",
        styles=("shots.css", "ladder.css"),
    )


def _name(ladder: Climb) -> str:
    return ladder.root.rstrip("/").rpartition("/")[2]


def _header(ladder: Climb) -> Markup:
    order = (
        "Each step is quicker than the one before it."
        if words.in_order(ladder)
        else "Here not every step is quicker than the one before it."
    )
    return tag(
        "header",
        tag("p", f"{shown(_name(ladder))} · from R-CNN to the default", class_="kicker"),
        tag("h1", "What did each step save?"),
        tag("p", f"{words.verdict(ladder)} {order if len(ladder.rows) > 1 else ''}", class_="lead"),
        tag("p", words.settled(ladder.settled), class_="made"),
    )


def _figures(ladder: Climb) -> Markup:
    rows = [
        [
            words.BY_NAME[row.rung].title,
            f"{row.ap:.3f}",
            f"{row.low:.3f} to {row.high:.3f}",
            f"{row.ap50:.3f}",
            words.seconds(row.seconds),
            words.seconds(row.proposing) if row.proposing else "none",
            duration(row.training),
        ]
        for row in ladder.rows
    ]
    heads = ("Step", "AP", "95 %", "AP50", "A picture", "its boxes", "To train")
    return section(
        "figures",
        "What each step finds, and what it takes",
        tag(
            "p",
            "AP is the precision over all recalls, the mean over overlaps from .5 to .95 and over the classes; the "
            f"interval is by bootstrap over {count(ladder.settled.measure, 'picture')}. A picture is timed alone, from "
            f"its frame to its boxes, on {count(ladder.settled.threads, 'thread')}: the median, with what selective "
            "search takes.",
        ),
        table(heads, rows, numbers=range(1, 7)),
        _covered(ladder),
    )


def _covered(ladder: Climb) -> Markup:
    known = [row.covered for row in ladder.rows if math.isfinite(row.covered)]
    if not known:
        return Markup()
    return tag(
        "p",
        f"The {ladder.settled.proposals} boxes of selective search cover {known[0]:.0%} of the objects (an overlap of "
        ".5): no step that starts from them can find many more.",
    )


def _chart(ladder: Climb) -> Markup:
    if len(ladder.rows) < 2:
        return Markup()
    spent = [row.seconds for row in ladder.rows]
    low, high = 10 ** math.floor(math.log10(min(spent))), 10 ** math.ceil(math.log10(max(spent)))
    x = Axis("seconds a picture (each mark is ten times the one before)", low, high, "{:g}".format, log=True)
    y = Axis("AP", 0.0, max(0.1, math.ceil(10 * max(row.high for row in ladder.rows)) / 10), "{:.1f}".format)

    def draw(width: int) -> tuple[int, Sequence[Child]]:
        right, bottom = width - 24, HEIGHT - BOTTOM

        def place(row: Row, value: float) -> tuple[float, float]:
            return LEFT + x.share(row.seconds) * (right - LEFT), TOP + (1 - y.share(value)) * (bottom - TOP)

        drawn: list[Child] = [text(0, 14, y.said, "label")]
        for mark in y.marks():
            down = TOP + (1 - y.share(mark)) * (bottom - TOP)
            drawn += [
                line(LEFT, down, right, down, "grid"),
                text(LEFT - 8, down + 4, y.write(mark), "tick", "end"),
            ]
        for mark in x.marks():
            across = LEFT + x.share(mark) * (right - LEFT)
            drawn += [
                line(across, TOP, across, bottom, "grid"),
                text(across, bottom + 18, x.write(mark), "tick", "middle"),
            ]
        drawn.append(text(right, HEIGHT - 6, x.said if width > 500 else "seconds a picture", "quiet", "end"))
        drawn.append(curve([place(row, row.ap) for row in ladder.rows], "path"))
        heights = apart([place(row, row.ap)[1] for row in ladder.rows], 17.0)
        for row, down in zip(ladder.rows, heights, strict=True):
            across, middle = place(row, row.ap)
            drawn += [
                line(across, place(row, row.low)[1], across, place(row, row.high)[1], "whisker"),
                dot(across, middle, 5, "one"),
            ]
            left = across > right - 110
            drawn.append(
                text(
                    across - 11 if left else across + 11,
                    down + 4,
                    words.BY_NAME[row.rung].title,
                    "label",
                    "end" if left else "start",
                )
            )
        return HEIGHT, drawn

    told = "; ".join(
        f"{words.BY_NAME[row.rung].title}: AP {row.ap:.3f} in {words.seconds(row.seconds)}"
        for row in ladder.rows
    )
    caption = (
        "Further left is quicker, further up finds more; the bars are 95 % intervals, and the dotted line is the "
        "history."
    )
    return section("chart", "Accuracy against time", figure(told, draw, caption))


def _work(ladder: Climb) -> Markup:
    looking: list[list[Child]] = []
    learning: list[list[Child]] = []
    for row in ladder.rows:
        title = words.BY_NAME[row.rung].title
        each = words.a_picture(row.looking, ladder.settled.measure)
        looking.append([title, *(f"{each[name]:,.0f}" for name in ("proposals", "crops", "maps", "reads"))])
        counts = (f"{getattr(row.learning, name):,}" for name in ("crops", "maps", "reads"))
        spent = duration(row.preparing) if row.preparing else "each epoch anew"
        learning.append([title, *counts, spent, duration(row.training)])
    return section(
        "work",
        "What was computed how often",
        tag(
            "p",
            "Boxes that were proposed, crops that went through the net, maps of whole pictures, and regions that were "
            "read from a map.",
        ),
        table(
            ("Step", "Boxes", "Crops", "Maps", "Reads"),
            looking,
            caption="For one picture, on average",
            numbers=range(1, 5),
        ),
        table(
            ("Step", "Crops", "Maps", "Reads", "Boxes and features", "All of it"),
            learning,
            caption=f"To learn from {count(ladder.settled.learn, 'picture')}",
            numbers=range(1, 6),
        ),
    )


def _sights(ladder: Climb, album: Album) -> Markup:
    if not ladder.rows:
        return Markup()
    number = len(ladder.annotated.found)
    width, height = ladder.annotated.size
    image = album.open(ladder.example, PICTURE * min(width, height) // max(width, height))

    def card(title: str, below: str, shown_boxes: Detection, unsaid: bool) -> Markup:
        picture = None
        if image is not None:
            share = image.shape[1] / width
            found: list[tuple[str, float, Box]] = []
            for one in reversed(shown_boxes.found[:number]):
                left, top, right, bottom = (share * edge for edge in one.box)
                found.append((one.name, math.nan if unsaid else one.probability, (left, top, right, bottom)))
            picture = boxes_on(image, found, ladder.classes)
        said = f"{ladder.example}, {title}: {replace(shown_boxes, found=shown_boxes.found[:number])}"
        return tag(
            "li",
            album.whole(picture, said),
            tag("p", title, class_="what"),
            tag("p", below, class_="path"),
        )

    cards = [card("As it is annotated", count(number, "object"), ladder.annotated, True)]
    for row in ladder.rows:
        below = f"AP {row.ap:.3f}, {words.seconds(row.seconds)}"
        cards.append(card(words.BY_NAME[row.rung].title, below, row.found, False))
    told = (
        f"Of each step the {number} boxes are drawn of which it is surest, as many as there are objects in "
        f"{shown(ladder.example)}. The scores of machines and of nets are not on one scale."
    )
    return section("sights", "The same picture", tag("p", told), tag("ul", cards, class_="shots sights"))


def _limits(ladder: Climb) -> Markup:
    settled = ladder.settled
    same = (
        f"All steps learn from the same {count(settled.learn, 'picture')} and none changes the net: what differs "
        "is what is computed where. In convworks train the net of the default learns along."
    )
    long = (
        f"Fast and Faster R-CNN learn for {count(settled.passes, 'pass', 'passes')} over the pictures as they are, the "
        f"default for {count(settled.epochs, 'epoch')} over augmented ones, the best of which "
        f"{count(settled.tune, 'other picture')} choose."
    )
    told = tag("ul", tag("li", words.APART), tag("li", same), tag("li", long))
    return section("limits", "What this does not say", told)
