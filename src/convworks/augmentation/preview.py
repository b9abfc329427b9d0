"""Augmentation seen before training: one's own images beside what the first epochs would make of them.

Boxes, masks and points move along; a box of which the frame shows too little is struck out, as training drops it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer, UInt8
from PIL import Image, ImageDraw

from convworks.augmentation import plan
from convworks.augmentation.plan import Drawn
from convworks.geometry.boxes import Size
from convworks.geometry.move import scales
from convworks.recipe.options import AugmentationOptions, Resize
from convworks.samples import IGNORE, Sample

BLUE, ORANGE, PAPER, INK = (0, 114, 178), (230, 159, 0), (255, 255, 255), (60, 60, 60)
# Tints of classes and masks; the first six are told apart by colour-blind eyes too (Okabe and Ito, 2008).
TINTS = np.array(
    (
        *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167)),
        *((120, 94, 240), (165, 42, 42), (154, 205, 50), (0, 206, 209), (255, 182, 193), (128, 128, 0)),
    ),
    np.float32,
)
CAPTION, GAP = 16, 6


def sheet(
    samples: Sequence[Sample],
    options: AugmentationOptions,
    size: Size,
    seed: int = 0,
    count: int = 6,
    resize: Resize = "crop",
    background: int = 0,
) -> UInt8[np.ndarray, "h w 3"]:
    """A contact sheet: a row a sample, the whole image first, then as epochs 0 to `count` - 1 of a run would see it.

    `samples` are the run's first ones in order; `size` (height, width) is that of the net's input.

    >>> sample = Sample(image=np.zeros((30, 40, 3), np.uint8))
    >>> sheet([sample], AugmentationOptions(), (32, 32), count=2).shape
    (80, 120, 3)
    """
    height, width = size
    across, down = width + GAP, height + CAPTION + GAP
    page = Image.new("RGB", (across * (count + 1) + GAP, down * len(samples) + GAP + CAPTION + 4), PAPER)
    pen = ImageDraw.Draw(page)
    for row, sample in enumerate(samples):
        size_in = (sample.image.shape[0], sample.image.shape[1])
        draws = [plan.fixed(size_in, size, "letterbox")]
        draws += [
            plan.draw(options, plan.rng(seed, epoch, row), size_in, size, resize) for epoch in range(count)
        ]
        for column, drawn in enumerate(draws):
            left, top = GAP + column * across, GAP + row * down
            page.paste(Image.fromarray(cell(drawn, sample, background)), (left, top))
            words = "the image" if column == 0 else said(drawn)
            pen.text((left, top + height + 2), words, fill=INK)
    pen.text((GAP, page.height - CAPTION - 2), f"Struck out: dropped; {plan.RULE}.", fill=INK)
    return np.array(page)


def cell(drawn: Drawn, sample: Sample, background: int = 0) -> UInt8[np.ndarray, "h w 3"]:
    """The augmented image with its class map and masks tinted, its boxes and points drawn, dropped boxes struck.

    Class `background` of a map is not tinted; -1 is none.
    """
    boxes, stays = plan.kept(drawn.move, sample.boxes)
    return marked(plan.apply(drawn, sample), boxes[~stays], background)


def marked(
    sample: Sample, dropped: Float[np.ndarray, "d 4"], background: int = 0
) -> UInt8[np.ndarray, "h w 3"]:
    """The image of a sample with all that it holds drawn in, and the `dropped` boxes struck out."""
    picture = Image.fromarray(tinted(sample, background))
    pen = ImageDraw.Draw(picture)
    for boxes, colour in ((sample.boxes, BLUE), (dropped, ORANGE)):
        for left, top, right, bottom in boxes.tolist():
            if right - left < 1 or bottom - top < 1:
                continue
            pen.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=2)
            if colour is ORANGE:
                pen.line((left, top, right - 1, bottom - 1), fill=ORANGE, width=2)
                pen.line((left, bottom - 1, right - 1, top), fill=ORANGE, width=2)
    for x, y in sample.points.reshape(-1, 2).tolist():
        if not math.isnan(x):
            pen.ellipse((x - 3, y - 3, x + 2, y + 2), outline=PAPER, fill=BLUE)
    return np.array(picture)


def tinted(sample: Sample, background: int = 0) -> UInt8[np.ndarray, "h w 3"]:
    """The image with each class of its map, `background` and "ignore" apart, and each mask mixed with a colour."""
    image = sample.image.astype(np.float32)
    if sample.class_map.size:
        marked = (sample.class_map != background) & (sample.class_map != IGNORE)
        image[marked] = _mixed(image[marked], tints(sample.class_map[marked], background))
    for number, mask in enumerate(sample.masks):
        image[mask] = _mixed(image[mask], TINTS[number % len(TINTS)])
    return image.astype(np.uint8)


def tints(ids: Integer[np.ndarray, "*n"], background: int = 0) -> Float[np.ndarray, "*n 3"]:
    """The colour of each class of a map: the first tint for the first class that is not `background`."""
    places = ids.astype(int)
    return TINTS[(places - ((places > background) if background >= 0 else 0)) % len(TINTS)]


def said(drawn: Drawn) -> str:
    """What a draw does, in a few words: how much it enlarges the image, mirror, angle, and what else.

    >>> said(plan.fixed((100, 100), (50, 50)))
    'x0.5'
    """
    across, down = scales(drawn.move)
    (a, b), (c, d) = drawn.move.matrix[:2, :2].tolist()
    mirrors = drawn.move.mirrors
    angle = math.degrees(math.atan2(c - b, a + d) if not mirrors else math.atan2(-b - c, d - a))
    words = [f"x{math.sqrt(across * down):.2g}"]
    words += ["mirrored"] if mirrors else []
    words += [f"{angle:+.0f}°"] if abs(angle) >= 0.5 else []
    words += [
        name
        for name, on in (("blur", drawn.blur > 0.1), ("noise", drawn.noise), ("cut", drawn.patch[2]))
        if on
    ]
    return " ".join(words)


def _mixed(pixels: Float[np.ndarray, "n 3"], tint: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "n 3"]:
    return 0.55 * pixels + 0.45 * tint
