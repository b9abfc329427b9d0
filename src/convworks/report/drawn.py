"""What a model says of a picture, drawn into it: boxes with their names, outlines of objects, colours of classes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from convworks.data.run_lengths import part_of
from convworks.report.overlay import STRENGTH, colours, painted
from convworks.samples import Box, Detection, Localization, Prediction, Segmentation

Colour = tuple[int, int, int]
DARK, LIGHT = (0, 0, 0), (255, 255, 255)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)  # a pixel and those that it has a side with


def drawn(
    image: UInt8[np.ndarray, "h w 3"], prediction: Prediction, classes: Sequence[str]
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture with what was said of it, in one colour a class; as it is where the answer has no place in it."""
    if isinstance(prediction, Segmentation):
        return painted(image, prediction.class_map, len(classes))
    if isinstance(prediction, Localization):
        return boxes_on(image, [(prediction.name, prediction.probability, prediction.box)], classes)
    if isinstance(prediction, Detection):
        last = prediction.found[::-1]
        found = [(one.name, one.probability, one.box) for one in last]
        masks = [(classes.index(one.name), one.runs) for one in last if one.runs]
        return boxes_on(masks_on(image, masks, colours(len(classes))), found, classes)
    return image


def masks_on(
    image: UInt8[np.ndarray, "h w 3"],
    masks: Sequence[tuple[int, Sequence[int]]],
    shades: UInt8[np.ndarray, "k 3"],
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture under masks (which of the `shades`, run lengths), each with a light line at its edge; last on top."""
    made = image.copy()
    for shade, runs in masks:
        mask, (left, top) = part_of(runs, (image.shape[0], image.shape[1]))
        under = made[top : top + mask.shape[0], left : left + mask.shape[1]]
        under[mask] = ((1 - STRENGTH) * under[mask] + STRENGTH * shades[shade]).astype(np.uint8)
        inner = cv2.erode(np.pad(mask, 1).astype(np.uint8), CROSS)[1:-1, 1:-1] > 0
        under[mask & ~inner] = LIGHT
    return made


def boxes_on(
    image: UInt8[np.ndarray, "h w 3"],
    found: Sequence[tuple[str, float, Box]],
    classes: Sequence[str],
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture with boxes (xyxy) in it, with names and, where they are not NaN, probabilities; last on top."""
    shades = {name: _shade(row) for name, row in zip(classes, colours(len(classes)).tolist(), strict=True)}
    shown = Image.fromarray(image.copy())
    pen = ImageDraw.Draw(shown)
    side = min(image.shape[:2])
    width = max(1, round(side / 160))
    font = ImageFont.load_default(max(9, round(side / 28)))
    for name, probability, (left, top, right, bottom) in found:
        shade = shades[name]
        # The last pixel belongs to the box that ends at its edge.
        pen.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=shade, width=width)
        said = name if np.isnan(probability) else f"{name} {probability:.2f}"
        x, y, across, down = pen.textbbox((0, 0), said, font=font)
        tall = down - y + 2 * width
        base = top - tall if top >= tall else top
        start = max(0.0, min(left, image.shape[1] - (across - x + 2 * width)))
        pen.rectangle((start, base, start + across - x + 2 * width, base + tall), fill=shade)
        pen.text((start + width - x, base + width - y), said, font=font, fill=_readable(shade))
    return np.asarray(shown)


def _shade(row: Sequence[int]) -> Colour:
    return row[0], row[1], row[2]


def _readable(shade: Colour) -> Colour:
    """Black or white, whichever is read more easily on a colour."""
    red, green, blue = shade
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else LIGHT
