"""Pooling, drawn: what it saves, what is left of a picture, and how answers fare when the picture moves."""

from __future__ import annotations

from collections.abc import Sequence

from convworks.explanation.material import picture
from convworks.explanation.pooling import (
    KINDS,
    MARGIN,
    Answers,
    Rebuilt,
    Savings,
    Shifted,
    Wobble,
    answers,
    rebuilt,
    savings,
    shifted,
    wobble,
)
from convworks.report.demonstrations.chart import KINDS as STYLES
from convworks.report.demonstrations.chart import Axis, Series, lines
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.demonstrations.tiles import photo, tile, tiles
from convworks.report.drawing import figure
from convworks.report.markup import Markup, folded, percent, section, table, tag

WINDOWS = (2, 4, 8)


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic, on a picture where something can be seen on one."""
    shown = picture() if image is None else image
    saved = savings()
    moved = shifted(shown)
    built = {window: rebuilt(shown, window) for window in WINDOWS}
    said = answers()
    pretrained = wobble(shown)
    before, after = saved.activations.without, saved.activations.pooled
    convolution, last = saved.weights[1], saved.weights[2]
    half = {each.kind: each for each in built[4]}
    lines_ = (
        f"A 2x2 pooling lets {after:,} of {before:,} activations through: {100 - 100 * after / before:.0f} "
        "% less. It has no weights.",
        f"  The convolution behind it: {convolution.pooled:,} weights with it, {convolution.without:,} "
        "without;",
        f"  the fully connected layer behind that: {last.pooled:,}, {last.without:,} without.",
        "Built again from 4x4 pooling, the share of the picture's variance that is lost:",
        "  " + ", ".join(f"{kind} {100 * half[kind].lost:.1f} %" for kind in KINDS) + ".",
        f"Small nets on {said[0].images} new pictures: right where they lie, and share of answers that a "
        "shift by 1 pixel leaves alone:",
        *(
            f"  {each.kind:8} {100 * each.right[MARGIN]:.0f} % right, "
            f"{50 * (each.same[MARGIN - 1] + each.same[MARGIN + 1]):.1f} % the same"
            for each in said
        ),
        f'The pretrained net says "{pretrained.name}" at {pretrained.agreed} of {len(pretrained.probability)} shifts, '
        f"with {pretrained.probability.min():.2f} to {pretrained.probability.max():.2f}.",
    )
    return Demonstration(
        title="Pooling drops activations, not weights.",
        quote="“The first is that the amount of parameters or weights is reduced by 75%, thus lessening "
        "the computation cost.” And a reader: “How can you know you’re not losing something important?”",
        lead="A 2x2 pooling lets a quarter of the activations through. The convolution behind it keeps "
        f"all of its {convolution.without:,} weights and does a quarter of the work; only a fully "
        "connected layer shrinks.",
        lines=lines_,
        parts={
            "Saved": _saved(saved),
            "Lost": _lost(shown, built),
            "Moved": _answers(said),
            "Maps": _maps(moved),
            "This picture": _wobble(pretrained),
        },
        document={
            "activations": {"before": before, "after": after},
            "weights": {each.layer: [each.without, each.pooled] for each in saved.weights},
            "multiply_adds": {each.layer: [each.without, each.pooled] for each in saved.multiply_adds},
            "lost": {str(window): {each.kind: each.lost for each in row} for window, row in built.items()},
            "answers": {
                each.kind: {"right": each.right.tolist(), "same": each.same.tolist()} for each in said
            },
            "change": [
                {"kind": each.kind, "window": each.window, "change": each.change.tolist()} for each in moved
            ],
            "pretrained": {
                "name": pretrained.name,
                "probability": pretrained.probability.tolist(),
                "agreed": pretrained.agreed,
            },
        },
    )


def _saved(saved: Savings) -> Markup:
    rows = [
        [
            weights.layer,
            f"{weights.without:,}",
            f"{weights.pooled:,}",
            f"{work.without:,}",
            f"{work.pooled:,}",
        ]
        for weights, work in zip(saved.weights, saved.multiply_adds, strict=True)
    ]
    listing = table(
        ["Layer", "Weights without", "with pooling", "Multiply-adds without", "with pooling"],
        rows,
        caption=f"{saved.notation} on 32x32x3, and the same without pool2",
        numbers=(1, 2, 3, 4),
    )
    said = (
        "Pooling itself has nothing to learn. What it saves is work, in everything behind it, and memory; "
        "and weights in a fully connected layer behind it, which has one for each activation that it reads."
    )
    return section("saved", "What 75 % is of", tag("p", said), listing)


def _lost(shown: Picture, built: dict[int, list[Rebuilt]]) -> Markup:
    window = WINDOWS[-1]
    cards = [tile(photo(shown), "the picture", "the picture")]
    cards += [
        tile(
            photo(each.image),
            f"built again from {each.kind} pooling, {percent(each.lost)} lost",
            tag("span", tag("b", each.kind), f": {percent(each.lost)} lost"),
        )
        for each in built[window]
        if each.kind in KINDS
    ]
    placed = next(each.lost for each in built[window] if each.kind not in KINDS)
    rows = [
        [
            f"{size}x{size}",
            f"{100 - 100 / size**2:.0f} %",
            *(f"{100 * each.lost:.1f} %" for each in row if each.kind in KINDS),
        ]
        for size, row in built.items()
    ]
    listing = table(
        ["Window", "Values dropped", *KINDS],
        rows,
        caption="Share of the picture’s variance that does not come back",
        numbers=range(1, 6),
    )
    said = (
        f"The picture’s own pixels, pooled in windows of {window} x {window}, and each window filled again "
        "with the one value that is left of it. An average comes nearest, as it must; the largest value "
        "makes all of it brighter. In a net that is the point: high means that a feature is there, and "
        "where in its window it was is what goes. Unpooling, which puts each largest value back in its own "
        f"place and 0 everywhere else, keeps the place and loses all else: on pixels, {placed:.0f} times "
        "the variance."
    )
    return section("lost", "What is left of a picture", tag("p", said), tiles(*cards), listing)


def _answers(said: Sequence[Answers]) -> Markup:
    moves = range(-MARGIN, MARGIN + 1)
    series = [
        Series(
            each.kind,
            [(move, 100 * float(value)) for move, value in zip(moves, each.same, strict=True)],
            kind,
        )
        for each, kind in zip(said, STYLES, strict=True)
    ]
    low = 10 * int(min(value for each in series for _, value in each.points) // 10)
    chart = figure(
        "Share of answers that stay the same after a move: "
        + ", ".join(f"{each.kind} {percent(float(each.same[[0, -1]].mean()))} at 4 pixels" for each in said),
        lines(
            series,
            Axis("pixels to the side", -MARGIN, MARGIN, lambda move: f"{move:+g}" if move else "0", at=moves),
            Axis("answers that stay the same, per cent", low, 100, at=range(low, 101, 5)),
        ),
        f"Four small nets that differ in how they halve their maps, on {said[0].images} pictures that they "
        "did not learn from, one training each from the same weights.",
    )
    rows = [
        [
            each.kind,
            percent(float(each.right[MARGIN])),
            percent(float(each.same[[MARGIN - 1, MARGIN + 1]].mean())),
            percent(float(each.same[[0, -1]].mean())),
        ]
        for each in said
    ]
    listing = table(["Halved by", "Right", "The same after 1 px", "after 4 px"], rows, numbers=(1, 2, 3))
    why = (
        "“Its exact location is not as important as its relative location to the other features”, says the "
        "guide. A pooling looks at all of its window, so that a shift by one pixel changes little. A "
        "stride without a pooling drops three of four values unseen; which ones it sees depends on where "
        "the picture lies."
    )
    return section("moved", "When the picture moves", tag("p", why), chart, listing)


def _maps(moved: Sequence[Shifted]) -> Markup:
    window = WINDOWS[-1]
    chosen = [each for each in moved if each.window == window]
    most = len(chosen[0].change) - 1
    series = [
        Series(each.kind, [(shift, float(value)) for shift, value in enumerate(each.change)], kind)
        for each, kind in zip(chosen, STYLES, strict=True)
    ]
    chart = figure(
        f"Change of pooled maps by shift, windows of {window}: "
        + ", ".join(f"{each.kind} {each.change[1]:.2f} at 1 pixel" for each in chosen),
        lines(
            series,
            Axis("pixels to the left", 0, most, at=range(most + 1)),
            Axis("change of the maps (1: as unlike as another picture)", 0, 0.7),
        ),
        "The pretrained net’s first filters on this picture, at every pixel, then pooled in windows of "
        f"{window} x {window}.",
    )
    rows = [
        [f"{each.window}x{each.window}", each.kind, *(f"{each.change[shift]:.2f}" for shift in (1, 2, 4, 8))]
        for each in moved
    ]
    listing = table(["Window", "Kind", "1 px", "2 px", "4 px", "8 px"], rows, numbers=range(2, 6))
    return section("maps", "How far the maps change", chart, folded("All windows as a table", listing))


def _wobble(found: Wobble) -> Markup:
    most = len(found.probability) - 1
    points = [(shift, float(value)) for shift, value in enumerate(found.probability)]
    chart = figure(
        f"Probability of {found.name} by shift: from {found.probability.min():.2f} to "
        f"{found.probability.max():.2f}.",
        lines(
            [Series(found.name, points, "one")],
            Axis("pixels to the left", 0, most, at=range(0, most + 1, 2)),
            Axis("probability", 0, 1),
            height=240,
        ),
        f"“{found.name}” is the answer at {found.agreed} of {most + 1} places.",
    )
    said = (
        "The pretrained net halves its maps five times with strides alone. Many filters and much training "
        "with moved pictures make up for it, but not wholly: the same picture, a pixel further on, is not "
        "quite the same to it."
    )
    return section("wobble", "The pretrained net on this picture", tag("p", said), chart)
