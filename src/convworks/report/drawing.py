"""Charts as SVG made by hand, in two widths, for a screen and for a phone; the style sheet shows one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from convworks.report.markup import Child, Markup, join, tag

WIDE, NARROW = 720, 340  # pixels
POINTS = 600  # a longer series is thinned


def figure(said: str, draw: Callable[[int], tuple[int, Sequence[Child]]], caption: Child) -> Markup:
    """A chart that `draw` gives for a width, as (height, what is in it); `said` is the same in words."""
    drawn: list[Markup] = []
    for name, width in (("wide", WIDE), ("narrow", NARROW)):
        height, children = draw(width)
        drawn.append(
            tag(
                "svg",
                *children,
                viewBox=f"0 0 {width} {height}",
                width=width,
                height=height,
                class_=name,
                role="img",
                aria_label=said,
            )
        )
    return tag("figure", *drawn, tag("figcaption", caption))


def text(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> Markup:
    """A label at a point; `anchor` is start, middle or end."""
    return tag("text", said, x=_round(x), y=_round(y), class_=kind or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return tag("line", x1=_round(x1), y1=_round(y1), x2=_round(x2), y2=_round(y2), class_=kind)


def box(x: float, y: float, width: float, height: float, kind: str, round: float = 0.0) -> Markup:
    """A rectangle; one without a width is still there."""
    size = {"width": _round(max(width, 0.0)), "height": _round(max(height, 0.0))}
    return tag("rect", x=_round(x), y=_round(y), **size, class_=kind, rx=round or None)


def dot(x: float, y: float, radius: float, kind: str) -> Markup:
    """A filled circle."""
    return tag("circle", cx=_round(x), cy=_round(y), r=_round(radius), class_=kind)


def curve(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    """A line through points; points that are not finite leave a gap."""
    parts: list[str] = []
    pen = "M"
    for x, y in thinned(points):
        if not math.isfinite(y):
            pen = "M"
            continue
        parts.append(f"{pen}{_round(x)} {_round(y)}")
        pen = "L"
    return tag("path", d="".join(parts), class_=kind)


def thinned(points: Sequence[tuple[float, float]], most: int = POINTS) -> Sequence[tuple[float, float]]:
    """At most `most` of the points, evenly chosen, the first and the last among them.

    >>> len(thinned([(float(n), 0.0) for n in range(5000)]))
    600
    """
    if len(points) <= most:
        return points
    return [points[round(index * (len(points) - 1) / (most - 1))] for index in range(most)]


def ticks(top: float, about: int = 4) -> list[float]:
    """Round numbers from 0 up to `top`, about so many.

    >>> ticks(1.15)
    [0.0, 0.5, 1.0]
    """
    rough = top / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [round(index * step, 10) for index in range(int(top / step * 1.0001) + 1)]


def apart(places: Sequence[float], gap: float) -> list[float]:
    """The places moved as little as needed for any two to be `gap` apart, in their order.

    >>> apart([10.0, 12.0], 14.0)
    [4.0, 18.0]
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    groups: list[tuple[float, list[int]]] = []  # (centre, members)
    for index in order:
        groups.append((places[index], [index]))
        while (
            len(groups) > 1
            and groups[-1][0] - groups[-2][0] < gap * (len(groups[-1][1]) + len(groups[-2][1])) / 2
        ):
            later, earlier = groups.pop(), groups.pop()
            members = earlier[1] + later[1]
            centre = (earlier[0] * len(earlier[1]) + later[0] * len(later[1])) / len(members)
            groups.append((centre, members))
    moved = list(places)
    for centre, members in groups:
        for position, index in enumerate(members):
            moved[index] = centre + gap * (position - (len(members) - 1) / 2)
    return moved


def meter(share: float, kind: str, width: int = 160) -> Markup:
    """A small bar for a cell of a table, from 0 to 1; the number stands beside it."""
    filled = 0.0 if math.isnan(share) else width * min(max(share, 0.0), 1.0)
    drawn = join(box(0, 2, width, 8, "track", 4), box(0, 2, filled, 8, kind, 4))
    return tag(
        "svg", drawn, viewBox=f"0 0 {width} 12", width=width, height=12, class_="meter", aria_hidden="true"
    )


def _round(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
