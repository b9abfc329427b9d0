"""What may happen to colours: jitter and grayscale as one 3x4 matrix, curves as one table of 256 values.

Linear operations (brightness, contrast, saturation, hue, grayscale) are tints, which compose into one matrix on
(red, green, blue, 1) in 0..255; curves on single channels (gamma, solarise, posterise, invert) are tables. Values
that leave 0..255 are cut off once, at the end. Like moves, operations are plain functions of four numbers in
[0, 1) and a strength.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Numbers = Sequence[float]
Matrix = Float[np.ndarray, "3 4"]
Table = UInt8[np.ndarray, "256"]

# The share of red, green and blue in what the eye takes for light (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
MIDDLE = 127.5

# What the matrices are made of, a row each: the grey of a colour's light, its difference from that grey, the same with
# the hue turned by a quarter of the circle, and a level that is added.
_GREY = np.array([[*LUMA, 0]] * 3)
_PURE = np.eye(3, 4) - _GREY
_QUARTER = _PURE[:, :3] @ np.array([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0]]) / math.sqrt(3)
_LEVEL = np.array([[0.0, 0, 0, 1]] * 3)
_PARTS = np.stack([_GREY, _PURE, _QUARTER, _LEVEL]).reshape(4, 12)


class Tint(NamedTuple):
    """A linear change of colour: factors of its grey and of its difference from grey, that as it is and turned by
    a quarter of the colour circle; and gray levels that are added.

    Nothing mixes the three but the turn, so that four numbers hold any number of changes.
    """

    grey: float = 1.0
    pure: float = 1.0
    quarter: float = 0.0
    level: float = 0.0

    def then(self, other: Tint) -> Tint:
        """This change, followed by `other`, as one."""
        return Tint(
            self.grey * other.grey,
            self.pure * other.pure - self.quarter * other.quarter,
            self.pure * other.quarter + self.quarter * other.pure,
            self.level * other.grey + other.level,
        )

    def matrix(self) -> Matrix:
        """What it multiplies (red, green, blue, 1) in 0..255 by.

        >>> Tint().matrix().round(6).tolist()
        [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
        """
        return (np.array(self) @ _PARTS).reshape(3, 4)


def brightness(numbers: Numbers, strength: float) -> Tint:
    """All light times a factor within 1 ± `strength`."""
    factor = _factor(numbers[0], strength)
    return Tint(factor, factor)


def contrast(numbers: Numbers, strength: float) -> Tint:
    """Distance from middle grey times a factor within 1 ± `strength`."""
    factor = _factor(numbers[0], strength)
    return Tint(factor, factor, level=(1 - factor) * MIDDLE)


def saturation(numbers: Numbers, strength: float) -> Tint:
    """Distance from the grey of the same light times a factor within 1 ± `strength`."""
    return Tint(pure=_factor(numbers[0], strength))


def hue(numbers: Numbers, strength: float) -> Tint:
    """Turn colours about the grey axis by up to `strength` of the circle either way, at the same light."""
    angle = 2 * math.pi * strength * (2 * numbers[0] - 1)
    return Tint(pure=math.cos(angle), quarter=math.sin(angle))


def grayscale(numbers: Numbers, probability: float) -> Tint:
    """Take the colour away.

    >>> grayscale((0.0,), 1.0).matrix().round(3)[0].tolist()
    [0.299, 0.587, 0.114, 0.0]
    """
    return Tint(pure=0.0) if numbers[0] < probability else Tint()


def gamma(numbers: Numbers, strength: float) -> Table:
    """Lighten or darken the middle tones, by an exponent up to 1 + `strength` either way."""
    exponent = (1 + strength) ** (2 * numbers[0] - 1)
    return np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)


def solarise(numbers: Numbers, strength: float) -> Table:
    """Invert what is brighter than a threshold, at least 255 * (1 - `strength`)."""
    values = np.arange(256)
    return np.where(values >= 255 * (1 - strength * numbers[0]), 255 - values, values).astype(np.uint8)


def posterise(numbers: Numbers, strength: float) -> Table:
    """Drop up to 7 * `strength` of the eight bits, from the least."""
    bits = round(7 * strength * numbers[0])
    return (np.arange(256) >> bits << bits).astype(np.uint8)


def invert(numbers: Numbers, probability: float) -> Table:
    """The negative."""
    values = np.arange(256, dtype=np.uint8)
    return 255 - values if numbers[0] < probability else values


# By name: the knob of `recipe.options.AugmentationOptions` that is their strength, and the function.
LINEAR: dict[str, tuple[str, Callable[[Numbers, float], Tint]]] = {
    "brightness": ("colour", brightness),
    "contrast": ("colour", contrast),
    "saturation": ("colour", saturation),
    "hue": ("hue", hue),
    "grayscale": ("grayscale", grayscale),
}
CURVES: dict[str, Callable[[Numbers, float], Table]] = {
    "gamma": gamma,
    "solarise": solarise,
    "posterise": posterise,
    "invert": invert,
}


def apply(
    image: UInt8[np.ndarray, "h w c"], tint: Tint | None, table: Table | None
) -> UInt8[np.ndarray, "h w c"]:
    """The tint, cut off to 0..255, then the table, in place where the array allows; None is no change."""
    if tint is not None:
        image = cv2.transform(image, tint.matrix(), dst=image)
    if table is not None:
        image = cv2.LUT(image, table, dst=image)
    return image


def normalise(
    image: UInt8[np.ndarray, "h w c"],
    mean: Sequence[float],
    deviation: Sequence[float],
    out: Float[np.ndarray, "h w c"] | None = None,
) -> Float[np.ndarray, "h w c"]:
    """(image / 255 - mean) / deviation as float32, in one pass.

    >>> normalise(np.full((1, 1, 3), 255, np.uint8), (0.5,) * 3, (0.5, 0.5, 0.25)).round(3).tolist()
    [[[1.0, 1.0, 2.0]]]
    """
    if len(mean) != 3:
        spread = np.asarray(deviation, np.float32)
        steps = np.multiply(image, 1 / (255 * spread), out=out, dtype=np.float32)
        return np.subtract(steps, np.asarray(mean, np.float32) / spread, out=steps)
    rows = [
        [0.0] * channel + [1 / (255 * spread)] + [0.0] * (2 - channel) + [-middle / spread]
        for channel, (middle, spread) in enumerate(zip(mean, deviation, strict=True))
    ]
    return cv2.transform(image.astype(np.float32), np.array(rows, np.float32), dst=out)


def _factor(number: float, strength: float) -> float:
    return 1 + strength * (2 * number - 1)
