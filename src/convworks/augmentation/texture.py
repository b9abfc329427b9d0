"""What may happen to pixels where they are: blur, sharpening, noise and cutout, after moves and colours.

Amounts are drawn apart, as plain numbers; noise comes from a key, so that a draw gives the same noise again.
"""

from __future__ import annotations

import statistics

import cv2
import numpy as np
from jaxtyping import UInt8

from convworks.geometry.boxes import Size

Pixels = UInt8[np.ndarray, "h w c"]

# The middles of 256 equally likely parts of the standard normal distribution.
NORMAL = np.array([statistics.NormalDist().inv_cdf((part + 0.5) / 256) for part in range(256)])


def blurred(image: Pixels, deviation: float) -> Pixels:
    """Smoothed by a Gaussian of `deviation` pixels."""
    return cv2.GaussianBlur(image, (0, 0), deviation, borderType=cv2.BORDER_REFLECT_101)


def sharpened(image: Pixels, amount: float) -> Pixels:
    """With the difference from its 3x3 average added `amount` times; negative smooths."""
    return cv2.addWeighted(image, 1 + amount, cv2.blur(image, (3, 3)), -amount, 0)


def noisy(image: Pixels, deviation: float, key: int) -> Pixels:
    """With Gaussian noise of `deviation` (a share of white) on each value; `key` names the noise."""
    bits = np.random.Generator(np.random.Philox(key=key)).bytes(image.size)
    levels = np.rint(NORMAL * (deviation * 255 / NORMAL.std())).astype(np.int16)
    noise = cv2.LUT(np.frombuffer(bits, np.uint8).reshape(image.shape), levels)
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def patched(image: Pixels, box: tuple[int, int, int, int], value: int) -> Pixels:
    """With the pixels of `box` (xyxy) set to `value`, in place."""
    left, top, right, bottom = box
    image[top:bottom, left:right] = value
    return image


def patch(x: float, y: float, share: float, size: Size) -> tuple[int, int, int, int]:
    """The box of a patch with its middle anywhere (`x`, `y` in [0, 1)) and sides of `share` of the frame's.

    >>> patch(0.5, 0.0, 0.5, (100, 200))
    (50, 0, 150, 25)
    """
    height, width = size
    middle_x, middle_y, across, down = x * width, y * height, share * width / 2, share * height / 2
    left, top = max(round(middle_x - across), 0), max(round(middle_y - down), 0)
    return left, top, min(round(middle_x + across), width), min(round(middle_y + down), height)
