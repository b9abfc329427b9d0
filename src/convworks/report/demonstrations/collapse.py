"""Stacked convolutions and the one that equals them, drawn; and what a ReLU between layers can tell apart."""

from __future__ import annotations

from convworks.explanation.collapse import Boundary, Collapse, bent, collapse, drawn
from convworks.report.demonstrations.chart import scientific
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.demonstrations.tiles import data, ramp, signed, tile, tiles
from convworks.report.drawing import dot
from convworks.report.markup import Markup, percent, section, table, tag

UNITS = (3, 4, 8)


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic; it needs no picture."""
    found = collapse()
    strided = collapse(drawn((3, 8, 4), (5, 3), (2, 3)))
    flat = bent(8, nonlinear=False)
    bends = [bent(units, nonlinear=True) for units in UNITS]
    side = strided.one.weight.shape[2]
    numbers = sum(layer.numbers for layer in found.stack)
    said = (
        "Three 3x3 convolutions in a row (3, 8, 8 and 4 channels) are one 7x7 convolution:",
        f"  largest difference {found.without:.0e} of the largest output; with ReLU between them "
        f"{found.with_relu:.2f}.",
        f"A 5x5 with stride 2 and then a 3x3 with stride 3 are one {side}x{side} with stride 6:",
        f"  largest difference {strided.without:.0e}.",
        f"f(a + b) = f(a) + f(b) - f(0) holds to {found.additive:.0e} without ReLU, and misses by "
        f"{found.additive_with_relu:.2f} with it.",
        f"Learned numbers: {numbers:,} in the stack, {found.one.numbers:,} in the one that equals it.",
        "A disc inside a ring, two layers of units:",
        f"  8 units without a nonlinearity: {100 * flat.right:.0f} % right, as one straight line would.",
        *(f"  {each.units} units with ReLU: {100 * each.right:.0f} % right." for each in bends),
    )
    return Demonstration(
        title="Without a nonlinearity, three layers are one.",
        quote="“The purpose of this layer is to introduce nonlinearity to a system that basically has just "
        "been computing linear operations during the conv layers.”",
        lead="Three 3x3 convolutions and one 7x7 convolution give the same, to "
        f"{scientific(found.without)} of the largest value. With a ReLU between the three, they differ by "
        f"{percent(found.with_relu)}.",
        lines=said,
        parts={"One kernel": _kernels(found, strided), "Bends": _bends(flat, bends)},
        document={
            "without": found.without,
            "with_relu": found.with_relu,
            "additive": found.additive,
            "additive_with_relu": found.additive_with_relu,
            "numbers": {"stack": numbers, "one": found.one.numbers},
            "strided": {
                "without": strided.without,
                "stride": strided.one.stride,
                "kernel": list(strided.one.weight.shape[2:]),
            },
            "disc": [
                {"units": each.units, "relu": each.nonlinear, "right": each.right} for each in (flat, *bends)
            ],
        },
    )


def _kernels(found: Collapse, strided: Collapse) -> Markup:
    shown = [layer.weight[0, 0].numpy() for layer in found.stack]
    whole = found.one.weight[0, 0].numpy()
    cards = [
        tile(
            data(signed(weights, float(abs(weights).max())), enlarge=24),
            f"filter of layer {number}, {weights.shape[0]}x{weights.shape[1]}",
            f"layer {number}: 3x3",
        )
        for number, weights in enumerate(shown, 1)
    ]
    cards.append(
        tile(
            data(signed(whole, float(abs(whole).max())), enlarge=12),
            "the one filter that equals the three",
            tag("b", "the one: 7x7"),
        )
    )
    rows = [
        ["Three 3x3, stride 1", "one 7x7, stride 1", scientific(found.without), scientific(found.with_relu)],
        [
            "5x5, stride 2, then 3x3, stride 3",
            f"one {strided.one.weight.shape[2]}x{strided.one.weight.shape[3]}, stride "
            f"{strided.one.stride[0]}",
            scientific(strided.without),
            scientific(strided.with_relu),
        ],
    ]
    listing = table(
        ["Stack", "Equals", "Difference", "With ReLU"],
        rows,
        caption="Largest difference of any output, as a share of the largest",
        numbers=(2, 3),
    )
    how = (
        "A convolution of a convolution is a convolution. Its filter is the second one, with a copy of the "
        "first in place of each of its numbers, as far apart as the first one’s stride. However many are "
        "stacked, they remain one linear map; blue is above 0 and orange below, the first channel of the "
        "first filter of each."
    )
    return section("kernels", "The one kernel", tag("p", how), tiles(*cards, kind="sharp four"), listing)


def _bends(flat: Boundary, bends: list[Boundary]) -> Markup:
    cards = [_plane(each) for each in (flat, *bends)]
    said = (
        "A reader asks how “merely converting all of the negative values to zero” can help to see curves. "
        "Each unit with a ReLU folds the plane along one straight line, and folds add up: three units "
        "leave it at a band, four close it, eight round it. Without the nonlinearity, layers of any width "
        "draw one straight line."
    )
    return section("bends", "How straight lines make a curve", tag("p", said), tiles(*cards, kind="four"))


def _plane(each: Boundary) -> Markup:
    ground = data(ramp(each.inside.astype(float) * 0.42 + 0.06, 0, 1), enlarge=3)
    side = 200
    dots = [
        dot((x + 1) / 2 * side, (1 - y) / 2 * side, 2.6, "point inner" if inner else "point outer")
        for (x, y), inner in zip(each.points.tolist(), each.labels.tolist(), strict=True)
    ]
    name = f"{each.units} units with ReLU" if each.nonlinear else f"{each.units} units, no nonlinearity"
    caption = tag("span", tag("b", name), f": {percent(each.right)} right")
    return tile(ground, f"{name}: {percent(each.right)} right", caption, size=(side, side), over=dots)
