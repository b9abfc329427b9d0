"""A 1x1 convolution, drawn: three filters on a picture, one pixel worked through."""

from __future__ import annotations

from convworks.explanation.material import picture
from convworks.explanation.pointwise import FILTERS, Pointwise, pointwise
from convworks.report.demonstrations.chart import scientific
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.demonstrations.tiles import photo, ramp, signed, tile, tiles
from convworks.report.markup import Markup, section, table, tag


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic, on a picture."""
    shown = picture() if image is None else image
    found = pointwise(shown)
    name = next(iter(FILTERS))
    products = " + ".join(f"{value:.3f}" for value in found.products[0])
    said = (
        "Three 1x1 filters on RGB are one 3x3 matrix, applied to every pixel alone:",
        f"  largest difference from the matrix {found.linear:.0e}, from shuffling all pixels first "
        f"{found.shuffled:.0e}.",
        f"One pixel, RGB {', '.join(f'{value:.2f}' for value in found.pixel)}, and the filter for {name}:",
        f"  the element-wise product has 3 numbers; their sum, {products} = {found.sums[0]:.3f}, is what "
        "the layer gives.",
        "D is the channels of the input: here 3. A filter has D weights and gives 1 number a pixel.",
        f"The matrix can be inverted, so that the colours come back to {found.undone:.0e}; from brightness "
        "alone they cannot.",
    )
    return Demonstration(
        title="A 1x1 convolution is a dot product across depth.",
        quote="“Effectively, this layer is performing a N-D element-wise multiplication where N is the "
        "depth of the input volume into the layer.” And a reader: “What is the D? Why are we doing this?”",
        lead="At each pixel, the channels are multiplied by the filter’s weights one by one, and then "
        "summed: one number a filter. It sees no neighbour at all; what it can do is mix channels, and so "
        "make many into few.",
        lines=said,
        parts={"Three filters": _filters(shown, found), "One pixel": _pixel(found), "Proof": _proof(found)},
        document={
            "filters": {name: list(weights) for name, weights in FILTERS.items()},
            "pixel": found.pixel.tolist(),
            "products": found.products.tolist(),
            "sums": found.sums.tolist(),
            "linear": found.linear,
            "shuffled": found.shuffled,
            "undone": found.undone,
        },
    )


def _filters(shown: Picture, found: Pointwise) -> Markup:
    cards = [tile(photo(shown), "the picture", "red, green, blue")]
    for number, (name, weights) in enumerate(FILTERS.items()):
        values = found.maps[number]
        alone = min(weights) >= 0
        pixels = ramp(values, 0, 1) if alone else signed(values, float(abs(values).max()))
        said = " ".join(f"{weight:+g}" for weight in weights)
        cards.append(
            tile(photo(pixels), f"{name}: {said} times R, G, B", tag("span", tag("b", name), f": {said}"))
        )
    why = (
        "Under each map the filter: what red, green and blue are multiplied by. In the last two, blue is "
        "above 0 and orange below."
    )
    return section("filters", "Three filters, three maps", tag("p", why), tiles(*cards, kind="four"))


def _pixel(found: Pointwise) -> Markup:
    rows = [
        [name, *(f"{value:+.3f}" for value in found.products[number]), f"{found.sums[number]:+.3f}"]
        for number, name in enumerate(FILTERS)
    ]
    values = ", ".join(f"{value:.3f}" for value in found.pixel)
    listing = table(
        ["Filter", "times R", "times G", "times B", "sum"],
        rows,
        caption=f"The pixel in the middle of the picture: R, G, B = {values}",
        numbers=(1, 2, 3, 4),
    )
    said = (
        "“Element-wise multiplication” is the first half of it. Its three products are summed, and the sum "
        "is all that is kept: a volume of depth D becomes one of depth N, for N filters of D weights."
    )
    return section("pixel", "One pixel worked through", tag("p", said), listing)


def _proof(found: Pointwise) -> Markup:
    rows = [
        ["a 3x3 matrix applied to each pixel", scientific(found.linear)],
        ["all pixels shuffled, then the layer, against the layer, then shuffled", scientific(found.shuffled)],
        ["the picture, from the maps by the inverse matrix", scientific(found.undone)],
    ]
    said = (
        "If it looked at neighbours, shuffling the pixels would change what it gives. And since these "
        "three filters are independent, nothing of the colour is lost in them: a second 1x1 brings it back."
    )
    listing = table(["The layer against", "Largest difference"], rows, numbers=(1,))
    return section("proof", "How one can tell", tag("p", said), listing)
