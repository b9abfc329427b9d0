"""How large the images and the objects in them are: what the input size and the strides of a net must fit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from convworks.data.audit import Audit
from convworks.data.findings.objects import objects
from convworks.data.overview import Overview, Sizes, Three
from convworks.report.drawing import POINTS, box, dot, figure, line, text, ticks
from convworks.report.markup import Child, Markup, join, percent, section, table, tag
from convworks.report.wording import count

TINY = 8
"""Pixels under which an object has less than one place in the finest features that are usual."""
LEFT, BOTTOM = 46, 38
"""Pixels beside and below a chart."""


def sizes(audit: Audit, seen: Overview) -> Markup:
    """The section of image sizes, and of object sizes where objects are marked."""
    return section(
        "sizes", "How large", _images(audit), _objects(audit, seen.objects) if seen.objects else ""
    )


def _images(audit: Audit) -> Markup:
    found = Counter((fact.width, fact.height) for fact in audit.facts)
    if not found:
        return Markup()
    if len(found) == 1:
        ((width, height),) = found
        return tag("p", f"Every image has {width:,} x {height:,} pixels.")
    common = [[f"{width:,} x {height:,}", f"{number:,}"] for (width, height), number in found.most_common(8)]
    title = (
        f"The {count(len(found), 'size')} there are"
        if len(found) <= 8
        else f"The most frequent of {len(found):,} sizes"
    )
    return join(
        tag("h3", "Images"),
        _scatter(found),
        table(["Width x height", "Images"], common, caption=title, numbers=(1,)),
    )


def _scatter(found: Counter[tuple[int, int]]) -> Markup:
    """A dot a size, the more images the larger; thinned where there are very many."""
    points = found.most_common(POINTS)
    wide, high = max(size[0] for size in found), max(size[1] for size in found)
    most = points[0][1]

    def draw(width: int) -> tuple[int, Sequence[Child]]:
        room = width - LEFT - 16
        height = min(room * 0.62, 320.0)

        def x(value: float) -> float:
            return LEFT + room * value / (wide * 1.04)

        def y(value: float) -> float:
            return 12 + height * (1 - value / (high * 1.04))

        drawn: list[Child] = []
        for value in ticks(wide, 4):
            drawn += [
                line(x(value), 12, x(value), 12 + height, "grid"),
                text(x(value), height + 28, f"{value:,.0f}", "tick", "middle"),
            ]
        for value in ticks(high, 4):
            drawn += [
                line(LEFT, y(value), width - 16, y(value), "grid"),
                text(LEFT - 8, y(value) + 4, f"{value:,.0f}", "tick", "end"),
            ]
        drawn += [dot(x(w), y(h), 2.5 + 6 * math.sqrt(number / most), "size") for (w, h), number in points]
        drawn.append(text(width - 16, height + 46, "width, pixels", "tick", "end"))
        drawn.append(text(LEFT, 6, "height, pixels", "tick"))
        return round(height) + 52, drawn

    return figure(
        f"Image sizes: widths up to {wide:,} and heights up to {high:,} pixels, {len(found):,} different ones.",
        draw,
        "A dot for each size; the larger, the more images have it.",
    )


def _objects(audit: Audit, seen: Sizes) -> Markup:
    boxes = objects(audit.seen)
    boxes = boxes.only(boxes.whole)
    sides = np.sqrt(boxes.sides.prod(1))
    rows = [
        [name, *_numbers(three)] for name, three in sorted(seen.by_class.items(), key=lambda pair: pair[1][1])
    ]
    tiny = int((sides < TINY).sum())
    said = (
        f"{count(seen.number, 'object')}, {seen.an_image[0]:.0f} to {seen.an_image[2]:.0f} an image; half of them "
        f"are smaller than {seen.side[1]:.0f} pixels, which is {percent(seen.share[1])} of their image's short side."
    )
    small = f" {tiny:,} are smaller than {TINY} pixels." if tiny else ""
    return join(
        tag("h3", "Objects"),
        tag("p", said + small),
        _histogram(sides),
        table(
            ["Class", "Smallest", "Median", "Largest"],
            rows,
            caption="The root of an object's area, in pixels",
            numbers=(1, 2, 3),
        ),
    )


def _numbers(three: Three) -> list[str]:
    return [f"{value:,.0f}" for value in three]


def _histogram(sides: Float64[np.ndarray, "n"]) -> Markup:
    """Objects by size, each bar half as wide again as the one before."""
    step = math.log(1.5)
    low, high = (
        math.floor(math.log(max(sides.min(), 1)) / step),
        math.floor(math.log(max(sides.max(), 1)) / step) + 1,
    )
    edges = np.exp(np.arange(low, high + 1) * step)
    numbers = np.histogram(np.maximum(sides, edges[0]), edges)[0].tolist()
    most = max(numbers) or 1

    def draw(width: int) -> tuple[int, Sequence[Child]]:
        room, height = width - LEFT - 16, 190
        wide = room / len(numbers)
        every = math.ceil(34 / wide)
        drawn: list[Child] = []
        for value in ticks(most, 3):
            at = 12 + height * (1 - value / most)
            drawn += [
                line(LEFT, at, width - 16, at, "grid"),
                text(LEFT - 8, at + 4, f"{value:,.0f}", "tick", "end"),
            ]
        for place, number in enumerate(numbers):
            tall = height * number / most
            drawn.append(box(LEFT + place * wide + 1, 12 + height - tall, wide - 2, tall, "one", 2))
        for place in range(0, len(edges), every):
            drawn.append(text(LEFT + place * wide, height + 30, f"{edges[place]:,.0f}", "tick", "middle"))
        drawn.append(text(width - 16, height + 50, "root of the area, pixels", "tick", "end"))
        return height + BOTTOM + 18, drawn

    told = ", ".join(
        f"{number:,} from {low:.0f} to {high:.0f}"
        for number, low, high in zip(numbers, edges, edges[1:], strict=False)
        if number
    )
    return figure(f"Objects by size in pixels: {told}.", draw, "How many objects there are of each size.")
