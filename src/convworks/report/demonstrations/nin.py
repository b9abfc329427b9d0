"""Network in network, drawn: its K maps as heat maps, on shapes, on a larger picture, and on the user's "
"own."""

from __future__ import annotations

import numpy as np

from convworks.explanation.material import PATTERNS, picture
from convworks.explanation.nin import SIDE, Attention, ClassMaps, Crowd, attention, study
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.demonstrations.tiles import contour, data, outline, photo, ramp, ring, tile, tiles
from convworks.report.markup import Markup, percent, section, tag

SHOWN = 6


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic; the pretrained net's maps are of a picture."""
    found, crowd = study()
    seen = attention(picture() if image is None else image)
    count = len(found.truth)
    hits = int(found.inside.sum())
    said = (
        f"A small network in network learned {', '.join(PATTERNS)} from classes alone, never from places.",
        f"On {count} new pictures it says {100 * found.right:.0f} % right;",
        f"  the highest value of its map lies in the shape on {hits} of {count} ({100 * found.found:.0f} %);",
        f"  a pixel taken at random does on {100 * found.chance:.0f} %.",
        "Its last layer is a 1x1 convolution and a mean, so that it reads pictures of any size: "
        f"{crowd.image.shape[1]}x{crowd.image.shape[0]} after {SIDE}x{SIDE}.",
        "The pretrained net ends in a mean and a linear layer, which is the same; on the picture it says",
        *(
            f"  {name:20} {100 * share:.0f} %"
            for name, share in zip(seen.names, seen.probabilities, strict=True)
        ),
    )
    return Demonstration(
        title="Told only what, it also says where.",
        quote="“A network in network layer refers to a conv layer where a 1 x 1 size filter is used.”",
        lead="The last layer of a network in network has one map for each class, and the answer is the "
        f"mean of each. On {hits} of {count} pictures the map of its answer peaks inside the shape, though "
        "no place was ever given.",
        lines=said,
        parts={"Maps": _maps(found), "Any size": _crowd(crowd), "This picture": _attention(seen)},
        document={
            "right": found.right,
            "found": found.found,
            "chance": found.chance,
            "images": count,
            "pretrained": dict(zip(seen.names, seen.probabilities, strict=True)),
        },
    )


def _maps(found: ClassMaps) -> Markup:
    rows: list[Markup] = []
    for index in range(SHOWN):
        row, column = found.peaks[index].tolist()
        said, truth = PATTERNS[found.said[index]], PATTERNS[found.truth[index]]
        edge = outline(found.masks[index])
        answer = "right" if said == truth else f"it is {truth}"
        rows.append(
            tile(
                data(found.images[index], enlarge=2),
                f"a shape of {truth}",
                tag("span", tag("b", said), f", {answer}"),
                size=(SIDE, SIDE),
                over=[edge, ring(column + 0.5, row + 0.5, 2.2)],
            )
        )
        low, high = float(found.maps[index].min()), float(found.maps[index].max())
        for number, name in enumerate(PATTERNS):
            rows.append(
                tile(
                    data(ramp(found.maps[index, number], low, high), enlarge=2),
                    f"map of {name}, from {low:.1f} to {high:.1f}",
                    f"{name}: {found.maps[index, number].mean():.1f}",
                    size=(SIDE, SIDE),
                    over=[edge],
                )
            )
    why = (
        "Each row is one picture and its three maps, on one scale, light where a class is found; under "
        "each map its mean, which is what the net says of that class. The dashed line is the shape’s true "
        "edge, the ring the highest value of the map of the answer."
    )
    return section("maps", "One map a class", tag("p", why), tiles(*rows, kind="four"))


def _crowd(crowd: Crowd) -> Markup:
    height, width = crowd.image.shape[:2]
    cards = [
        tile(
            data(crowd.image, enlarge=2),
            "six shapes in one picture",
            f"{width} x {height} pixels",
        )
    ]
    for name, values in zip(PATTERNS, crowd.maps, strict=True):
        cards.append(
            tile(
                data(ramp(values, float(values.min()), float(values.max())), enlarge=2),
                f"map of {name}",
                name,
                size=(width, height),
                over=[contour(values, float(values.max()) / 2)],
            )
        )
    said = (
        f"It learned from single shapes in {SIDE} x {SIDE} pixels. Nothing in it has a fixed size, so that "
        "it can be laid over any picture. Of the six shapes, "
        f"{int((crowd.said == crowd.labels).sum())} get the highest mean in their own map where they lie. "
        "The line is half of each map’s height."
    )
    return section("size", "A picture of another size", tag("p", said), tiles(*cards, kind="two"))


def _attention(seen: Attention) -> Markup:
    side = seen.frame.shape[0]
    low, high = float(seen.maps.min()), float(np.max(seen.maps))
    cards = [tile(photo(seen.frame), "the picture as the net reads it", "the picture")]
    for name, share, values in zip(seen.names, seen.probabilities, seen.maps, strict=True):
        level = float(values.min() + 0.5 * (values.max() - values.min()))
        cards.append(
            tile(
                photo(ramp(values, low, high)),
                f"where it finds {name}",
                tag("span", tag("b", name), f": {percent(share)}"),
                size=(side, side),
                over=[tag("g", contour(values, level), class_="wide-contour")],
            )
        )
    said = (
        "The default backbone was trained on ImageNet to end in a mean over its last map and one linear "
        "layer. Done in the other order, the linear layer first, at every place, it is a network in "
        "network with 1,000 maps (Zhou et al., 2016). All on one scale; the line is half of each map’s "
        "height."
    )
    return section(
        "attention", "The pretrained net on this picture", tag("p", said), tiles(*cards, kind="four")
    )
