"""What becomes of colour, drawn: how much of it a linear map can read back from each stage of the "
"pretrained net."""

from __future__ import annotations

from collections.abc import Sequence

from convworks.explanation.colour import Kept, kept
from convworks.report.demonstrations.chart import Axis, Series, lines
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.drawing import figure
from convworks.report.markup import Markup, section, table, tag


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic; it is measured on many drawn pictures."""
    found = kept()
    low, high = min(found, key=lambda each: each.low), max(found, key=lambda each: each.high)
    first, last = found[0], found[-1]
    half = next((each for each in found if each.colour < 0.5), last)
    said = (
        "How much of a place's colour a linear map reads back from each stage, on pictures it was not "
        "fitted on:",
        *(
            f"  {each.name:8} stride {each.stride:2}  {100 * max(each.colour, 0):3.0f} %   activations "
            f"{each.low:6.1f} to {each.high:5.1f}"
            for each in found
        ),
        f"Activations reach {low.low:.0f} and {high.high:.0f}: none is void, since only the picture must "
        "be 0 to 255.",
    )
    return Demonstration(
        title="Colour is kept as long as it is of use, then let go.",
        quote="“Wouldn’t a lot of multiplications result in numbers over 255, thus making that value void? "
        "It seems it would be difficult to retain colors going from one layer to another.” (a reader of "
        "the guide)",
        lead=f"After the first layer {100 * first.colour:.1f} % of the colour can still be read back; half "
        f"of it is gone by {half.name}, and at the end, where things have names, nothing linear is left of "
        "it.",
        lines=said,
        parts={"Colour": _colour(found), "Values": _values(found)},
        document={"stages": [{name: getattr(each, name) for name in Kept.__slots__} for each in found]},
    )


def _colour(found: Sequence[Kept]) -> Markup:
    names = [each.name for each in found]
    points = [(place, 100 * max(each.colour, 0.0)) for place, each in enumerate(found)]
    chart = figure(
        "Share of colour that can be read back: "
        + ", ".join(f"{each.name} {100 * max(each.colour, 0):.0f} %" for each in found),
        lines(
            [Series("read back", points, "one")],
            Axis("stage", 0, len(found) - 1, lambda place: names[round(place)], at=range(len(found))),
            Axis("colour explained, per cent", 0, 100, at=(0, 25, 50, 75, 100)),
        ),
        "The mean red, green and blue under each place of a stage’s map, told by ridge regression from its "
        "activations: the share of the variance explained, fitted on 20 drawn pictures and told of 10 "
        "others.",
    )
    said = (
        "The guide’s author answers that “retaining color is not something that CNNs really do”. Measured, "
        "it is a matter of degree. No layer is asked to keep it; what the answer does not need fades."
    )
    return section("colour", "How much can be read back", tag("p", said), chart)


def _values(found: Sequence[Kept]) -> Markup:
    rows = [
        [
            each.name,
            str(each.stride),
            str(each.channels),
            f"{each.low:.1f}",
            f"{each.high:.1f}",
            f"{100 * each.colour:.0f} %" if each.colour > 0 else "none",
        ]
        for each in found
    ]
    listing = table(["Stage", "Stride", "Channels", "Lowest", "Highest", "Colour"], rows, numbers=range(1, 6))
    said = (
        "Activations are not pixels. They are ordinary floating-point numbers, below 0 and above 255 "
        "alike; only the first input has to be in the range that the net was trained with."
    )
    return section("values", "No value is void", tag("p", said), listing)
