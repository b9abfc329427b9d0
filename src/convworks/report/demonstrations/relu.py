"""ReLU, drawn: what every one of a net sets to 0, where the negatives come from, and what never comes "
"through."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convworks.explanation.relu import Origin, Rectified, Study, study
from convworks.report.demonstrations.chart import Axis, Series, lines
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.demonstrations.tiles import data, photo, signed, tile, tiles
from convworks.report.drawing import box, figure, line, text
from convworks.report.markup import Child, Markup, folded, percent, section, table, tag

PANELS = 6


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic, on a picture and the pretrained default net."""
    found = study(image)
    first, last = found.layers[0], found.layers[-1]
    zeroed = sum(each.zeroed * each.before.sum() for each in found.layers) / sum(
        each.before.sum() for each in found.layers
    )
    silent = sum(each.dead for each in found.layers)
    dead = sum(each.dead for each in found.over)
    filters = sum(each.filters for each in found.layers)
    origin = found.origin
    said = (
        f"{len(found.layers)} ReLUs of the pretrained net on one picture: {100 * zeroed:.0f} % of all "
        "activations become 0,",
        f"  from {100 * first.zeroed:.0f} % in the first to {100 * last.zeroed:.0f} % in the last.",
        f"Filters that let nothing through on this picture: {silent:,} of {filters:,};",
        f"  on none of {found.shown} other pictures either: {dead:,}. Silent on one picture is not dead.",
        f"The most negative value of filter {found.filter} in the first layer, {origin.value:.2f}, is a "
        "sum of",
        f"  {origin.positive:+.2f} from positive weights on positive inputs,",
        f"  {origin.negative_weight:+.2f} from negative weights on positive inputs,",
        f"  {origin.negative_input + origin.both_negative:+.2f} from negative inputs (the picture less its "
        f"mean), and {origin.constant:+.2f} added by batch norm.",
        f"{100 * origin.weights_below:.0f} % of that layer's weights are negative.",
    )
    return Demonstration(
        title="Negative activations come from negative weights, and ReLU ends them.",
        quote="“In the activation map we will have only the positive values right? As, multiplying and "
        "adding the positive values gives positive values.” (a reader of the guide)",
        lead=f"{percent(origin.weights_below)} of the first layer’s weights are below 0. Of all that "
        f"{len(found.layers)} layers compute of this picture, ReLU sets {percent(zeroed)} to 0.",
        lines=said,
        parts={
            "One filter": _maps(found),
            "Where from": _origin(origin),
            "Before and after": _histograms(found.layers),
            "How many": _shares(found),
        },
        document={
            "zeroed": zeroed,
            "silent": silent,
            "dead": dead,
            "filters": filters,
            "layers": [
                {
                    "layer": number,
                    "zeroed": each.zeroed,
                    "cut": each.cut,
                    "silent": each.dead,
                    "dead": over.dead,
                    "filters": each.filters,
                    "low": each.low,
                    "high": each.high,
                }
                for number, (each, over) in enumerate(zip(found.layers, found.over, strict=True), 1)
            ],
            "origin": {name: getattr(origin, name) for name in Origin.__slots__},
        },
    )


def _maps(found: Study) -> Markup:
    reach = float(max(-found.before.min(), found.before.max()))
    before = data(signed(found.before, reach), enlarge=2)
    after = data(signed(found.after, reach), enlarge=2)
    share = float((found.before <= 0).mean())
    shown = tiles(
        tile(photo(found.frame), "the picture", "what the net reads"),
        tile(
            before,
            f"map of filter {found.filter} before ReLU",
            f"before: {found.before.min():.1f} to {found.before.max():.1f}",
        ),
        tile(after, f"the same after ReLU, {share:.0%} of it 0", f"after: {percent(share)} of it is 0"),
        kind="three",
    )
    said = (
        f"Filter {found.filter} of the first layer. Blue is above 0, orange below; the paler, the nearer "
        "to 0. What was orange is gone."
    )
    return section("filter", "One filter, before and after", tag("p", said), shown)


def _origin(origin: Origin) -> Markup:
    parts = [
        ("positive weights, positive inputs", origin.positive),
        ("negative weights, positive inputs", origin.negative_weight),
        ("positive weights, negative inputs", origin.negative_input),
        ("negative weights, negative inputs", origin.both_negative),
        ("added by batch norm", origin.constant),
    ]
    total = ("what reaches ReLU", origin.value)
    said = "; ".join(f"{name} {value:+.2f}" for name, value in [*parts, total])
    chart = figure(
        f"One activation as a sum: {said}.",
        lambda width: _fall([*parts, total], width),
        "The place of the most negative value of the filter above. Each bar begins where the one before it "
        "ends.",
    )
    why = (
        "Pixels are never negative, but weights are: they are drawn around 0, and a filter that looks for "
        "an edge must subtract one side from the other. What the net reads is not 0 to 255 either, but "
        "that less a mean, over a deviation: dark pixels are negative numbers."
    )
    return section("origin", "Where a negative comes from", tag("p", why), chart)


def _fall(parts: Sequence[tuple[str, float]], width: int) -> tuple[int, list[Child]]:
    row, left = 34, 250 if width > 500 else 8
    above = 0 if width > 500 else 18
    right = width - 60
    ends, at = [0.0], 0.0
    for _, value in parts[:-1]:
        at += value
        ends.append(at)
    low, high = min(ends), max(ends)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    drawn: list[Child] = []
    height = (row + above) * len(parts) + 10
    drawn.append(line(x(0), 0, x(0), height, "zero"))
    at = 0.0
    for number, (name, value) in enumerate(parts):
        top = number * (row + above) + above
        begin = 0.0 if number == len(parts) - 1 else at
        end = begin + value
        at = end
        drawn.append(
            text(
                left - 14 if not above else 0,
                top + 17 - above * 1.2,
                name,
                "label",
                "start" if above else "end",
            )
        )
        drawn.append(
            box(
                min(x(begin), x(end)),
                top + 4,
                abs(x(end) - x(begin)),
                row - 14,
                "below" if value < 0 else "above",
                2,
            )
        )
        drawn.append(text(max(x(begin), x(end)) + 6, top + 18, f"{value:+.2f}", "tick"))
    return height, drawn


def _histograms(layers: Sequence[Rectified]) -> Markup:
    chosen = sorted({round(place * (len(layers) - 1) / (PANELS - 1)) for place in range(PANELS)})
    said = "; ".join(f"layer {place + 1}: {percent(layers[place].zeroed)} set to 0" for place in chosen)
    chart = figure(
        f"Activations before and after ReLU: {said}.",
        lambda width: _panels(layers, chosen, width),
        "How often each value occurs, before ReLU in colour: what is below 0, in orange, becomes 0. The "
        "dark line is what lies behind it; its peak at 0 is cut off. Each panel has its own scale. This "
        "net’s ReLU also cuts at 6.",
    )
    return section("histograms", "Before and after, layer by layer", chart)


def _panels(layers: Sequence[Rectified], chosen: Sequence[int], width: int) -> tuple[int, list[Child]]:
    columns = 3 if width > 500 else 2
    gap, high = 26, 110
    wide = (width - gap * (columns - 1)) / columns
    drawn: list[Child] = []
    for number, place in enumerate(chosen):
        layer = layers[place]
        left, top = (number % columns) * (wide + gap), (number // columns) * (high + 64) + 22
        bins = len(layer.before)
        zero = bins // 2
        tallest = max(layer.before.max(), 1)
        step = wide / bins
        for index, count in enumerate(layer.before.tolist()):
            tall = high * math.sqrt(count / tallest)
            drawn.append(
                box(
                    left + index * step,
                    top + high - tall,
                    step * 0.86,
                    tall,
                    "below" if index < zero else "above",
                )
            )
        kept = [high * min(math.sqrt(count / tallest), 1.0) for count in layer.after.tolist()]
        points = "".join(
            f"L{left + index * step:.1f} {top + high - tall:.1f}L{left + (index + 1) * step:.1f} "
            f"{top + high - tall:.1f}"
            for index, tall in enumerate(kept)
        )
        drawn.append(tag("path", d="M" + points[1:], class_="cut"))
        drawn += [
            line(left, top + high, left + wide, top + high, "axis"),
            text(left, top - 8, f"layer {place + 1}: {percent(layer.zeroed)} to 0", "label"),
            text(left + zero * step, top + high + 16, "0", "tick", "middle"),
            text(left, top + high + 16, f"{layer.edges[0]:.1f}", "tick"),
            text(left + wide, top + high + 16, f"{layer.edges[-1]:.1f}", "tick", "end"),
        ]
    return math.ceil(len(chosen) / columns) * (high + 64), drawn


def _shares(found: Study) -> Markup:
    number = len(found.layers)
    shares = [
        Series("set to 0", [(place, 100 * each.zeroed) for place, each in enumerate(found.layers, 1)], "one"),
        Series(
            "silent here",
            [(place, 100 * each.dead / each.filters) for place, each in enumerate(found.layers, 1)],
            "other",
        ),
        Series(
            f"on all {found.shown}",
            [(place, 100 * each.dead / each.filters) for place, each in enumerate(found.over, 1)],
            "third",
        ),
    ]
    chart = figure(
        f"Share of activations set to 0 by layer, from {percent(found.layers[0].zeroed)} to "
        f"{percent(found.layers[-1].zeroed)}, and share of filters that let nothing through.",
        lines(
            shares,
            Axis("layer", 1, number, at=(1, *range(4, number + 1, 4))),
            Axis("per cent", 0, 100, at=(0, 25, 50, 75, 100)),
            dots=False,
        ),
        "Blue: activations set to 0. Orange, dashed: filters that let nothing through anywhere on this "
        f"picture. Grey, dotted: filters that let nothing through on any of {found.shown} drawn pictures "
        "of twenty kinds of things.",
    )
    rows = [
        [
            str(place),
            percent(each.zeroed),
            percent(each.cut),
            f"{each.dead} of {each.filters}",
            str(over.dead),
            f"{each.low:.1f} to {each.high:.1f}",
        ]
        for place, (each, over) in enumerate(zip(found.layers, found.over, strict=True), 1)
    ]
    heads = ["Layer", "Set to 0", "Cut at 6", "Silent here", f"On all {found.shown}", "Before ReLU"]
    said = (
        "A filter of a late layer answers to one kind of thing, so that on one picture most of them say "
        "nothing. A unit is dead only if no picture brings it to life: its gradient is 0 from then on."
    )
    return section(
        "shares",
        "How many, and which are dead",
        tag("p", said),
        chart,
        folded("The same as a table", table(heads, rows, numbers=range(1, 6))),
    )
