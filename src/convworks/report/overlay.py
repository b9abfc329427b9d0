"""Class maps drawn over pictures: colours that are told apart, and where an answer is wrong."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from jaxtyping import UInt8

from convworks.samples import IGNORE

# Okabe and Ito's colours, made for all kinds of sight; those after them are drawn around the circle.
FIRST = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
    (120, 120, 120),
)
GOLDEN = 0.618034
STRENGTH = 0.55  # of a colour over the picture
UNKNOWN = (0, 0, 0)
WRONG, RIGHT = (230, 97, 0), (225, 225, 225)


def colours(number: int) -> UInt8[np.ndarray, "n 3"]:
    """A colour for each of `number` classes, neighbours far apart.

    >>> colours(2).tolist()
    [[0, 114, 178], [230, 159, 0]]
    """
    more = [
        colorsys.hsv_to_rgb(place * GOLDEN % 1, (0.85, 0.55)[place % 2], (0.9, 0.6, 0.75)[place % 3])
        for place in range(max(0, number - len(FIRST)))
    ]
    return np.array([*FIRST[:number], *(tuple(round(255 * part) for part in one) for one in more)], np.uint8)


def palette(number: int) -> UInt8[np.ndarray, "256 3"]:
    """A colour for every value of a class map; black where nothing is known."""
    table = np.zeros((256, 3), np.uint8)
    table[:number] = colours(number)
    table[IGNORE] = UNKNOWN
    return table


def painted(
    picture: UInt8[np.ndarray, "h w 3"], class_map: UInt8[np.ndarray, "h w"], classes: int
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture under the colours of its classes, with a light line where two meet."""
    over = palette(classes)[class_map]
    known = (class_map != IGNORE)[..., None]
    mixed = np.where(known, (1 - STRENGTH) * picture + STRENGTH * over, 0.35 * picture)
    square = np.ones((2, 2), np.uint8)
    edge = cv2.erode(class_map, square) != cv2.dilate(class_map, square)
    mixed[edge] = 255
    return mixed.astype(np.uint8)


def errors(truth: UInt8[np.ndarray, "h w"], answer: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Where an answer is wrong: orange; right: light; where nothing is known: black."""
    shown = np.full((*truth.shape, 3), RIGHT, np.uint8)
    shown[truth != answer] = WRONG
    shown[truth == IGNORE] = UNKNOWN
    return shown
