"""The four numbers of a box, drawn: the same box told in five ways, at two sizes of the picture."""

from __future__ import annotations

import numpy as np

from convworks.explanation.box_numbers import STRIDE, Numbers, Telling, numbers
from convworks.report.demonstrations.chart import scientific
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.demonstrations.tiles import photo, tile, tiles
from convworks.report.drawing import box as rectangle
from convworks.report.drawing import line
from convworks.report.markup import Child, Markup, section, table, tag

SIDE = 224


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic; it is shown on a drawn picture whose box is known."""
    found = numbers(side=SIDE)
    height, width = found.image.shape[:2]
    said = (
        f"One box of a picture of {width}x{height}, and of the same picture at {2 * width}x{2 * height}:",
        *(
            f"  {each.relative_to:27} {_spelt(each)}   twice as large: {_spelt(twice)}"
            for each, twice in zip(found.tellings, found.doubled, strict=True)
        ),
        f"All five give the box back, to {found.back:.0e} pixels.",
        "A regression head reads the last map and gives 4 numbers relative to the input's size; the "
        "strides cancel.",
    )
    return Demonstration(
        title="Four numbers are a box once it is said relative to what.",
        quote="“Will we get relative coordinates for the bounding boxes from the 4 output numbers of the "
        "regression head since each conv-pool layer we reduce the size of the image?” (a reader of the "
        "guide)",
        lead="Told as fractions of the picture, a box does not know how large the picture was nor how far "
        "the maps shrank: the net learns fractions, and the picture’s own width and height turn them back "
        "into pixels.",
        lines=said,
        parts={"Frames": _frames(found), "Numbers": _numbers(found)},
        document={
            "size": [width, height],
            "tellings": [
                {
                    "relative_to": each.relative_to,
                    "stands_for": each.stands_for,
                    "numbers": each.numbers.tolist(),
                    "doubled": twice.numbers.tolist(),
                }
                for each, twice in zip(found.tellings, found.doubled, strict=True)
            ],
        },
    )


def _spelt(telling: Telling) -> str:
    digits = 0 if "pixels" in telling.relative_to else 2
    return " ".join(f"{value:.{digits}f}" for value in telling.numbers.tolist())


def _frames(found: Numbers) -> Markup:
    height, width = found.image.shape[:2]
    shrunk = np.array([SIDE / width, SIDE / height] * 2) * found.box
    squashed = _squashed(found.image)
    places = SIDE // STRIDE
    grid: list[Child] = [line(at * STRIDE, 0, at * STRIDE, SIDE, "lattice") for at in range(1, places)]
    grid += [line(0, at * STRIDE, SIDE, at * STRIDE, "lattice") for at in range(1, places)]
    cards = [
        tile(
            photo(found.image, 640),
            f"the picture with its box at {_spelt(found.tellings[0])}",
            f"the picture, {width} x {height}: {_spelt(found.tellings[0])}",
            size=(width, height),
            over=_framed(found.box.tolist()),
        ),
        tile(
            photo(squashed, 640),
            f"the net's input with the same box at {_spelt(found.tellings[3])}",
            f"the net’s input, {SIDE} x {SIDE}: {_spelt(found.tellings[3])}",
            size=(SIDE, SIDE),
            over=[*grid, *_framed(shrunk.tolist())],
        ),
    ]
    said = (
        f"On the right the picture as the net reads it, with the {places} x {places} places of its last "
        "map. A regression head reads that whole map (its input is not 1x1x4, as the reader feared; its "
        "output is), and gives four numbers."
    )
    return section("frames", "One box, two frames", tag("p", said), tiles(*cards, kind="two"))


def _squashed(image: Picture) -> Picture:
    import cv2

    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _framed(box: list[float]) -> list[Child]:
    left, top, right, bottom = box
    return [rectangle(left, top, right - left, bottom - top, kind, 2) for kind in ("framed under", "framed")]


def _numbers(found: Numbers) -> Markup:
    rows = [
        [each.relative_to, each.stands_for, _spelt(each), _spelt(twice)]
        for each, twice in zip(found.tellings, found.doubled, strict=True)
    ]
    height, width = found.image.shape[:2]
    listing = table(
        ["Relative to", "What they are", f"{width} x {height}", f"{2 * width} x {2 * height}"],
        rows,
        caption="The same box of the same picture, at its size and at twice its size",
        numbers=(2, 3),
    )
    said = (
        "Only the first changes with the picture. Any of them gives the box back, to "
        f"{scientific(found.back)} pixels. VGG’s localization, to which the guide’s author points, learns "
        "centre, width and height; dividing by the size of the input is what makes the strides between it "
        "and the last map cancel."
    )
    return section("numbers", "Five ways to say it", listing, tag("p", said))
