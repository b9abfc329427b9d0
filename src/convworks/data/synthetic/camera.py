"""What light and lens add to a scene: uneven light, shade, a tint, blur, noise, and the screen's curve."""

from __future__ import annotations

from statistics import NormalDist

import cv2
import numpy as np
from jaxtyping import UInt8

from convworks.data.synthetic.textures import Picture, dimmed, fractal, step

_NORMAL = np.array([NormalDist().inv_cdf((level + 0.5) / 256) for level in range(256)], np.float32)


def shade(picture: Picture, rng: np.random.Generator) -> None:
    """Let light fall off across the scene, often with the soft shadow of something outside it; in place."""
    height, width = picture.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.45)
    field = 1 + slope * (float(np.cos(angle)) * x + float(np.sin(angle)) * y)
    field = field * (1 - rng.uniform(0, 0.3) * (x * x + y * y) * 0.5)
    if rng.uniform() < 0.45:
        short = min(height, width)
        pattern = fractal(rng, (height, width), short * rng.uniform(0.3, 0.9), octaves=2)
        field = field * (
            1 - rng.uniform(0.3, 0.6) * step(pattern, rng.uniform(0.5, 0.6), rng.uniform(0.08, 0.3))
        )
    picture[:] = dimmed(picture, field)


def developed(picture: Picture, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    """The photograph of a scene in linear light: exposed, tinted, a little blurred, noisy, in 8 bits."""
    short = min(picture.shape[:2])
    middle = float(np.mean(picture))
    tint = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
    picture = picture * (tint * (rng.uniform(0.22, 0.36) / max(middle, 1e-3)) ** 0.75)
    match int(rng.integers(5)):
        case 0:
            picture = cv2.GaussianBlur(picture, (0, 0), short * rng.uniform(0.002, 0.008))
        case 1:
            picture = _moved(picture, rng.uniform(0, np.pi), max(2.0, short * rng.uniform(0.005, 0.02)))
        case _:
            pass
    picture = np.maximum(picture, 0)
    screen = np.sqrt(picture / (1 + 0.18 * picture))
    dice = rng.integers(0, 256, (*picture.shape[:2], 4), dtype=np.uint8)
    noise = cv2.LUT(dice, _NORMAL * np.float32(rng.uniform(0.003, 0.022)))
    grain = 0.7 * noise[..., 3]
    screen += 0.5 * noise[..., :3] + cv2.merge([grain, grain, grain])
    return (np.clip(screen, 0, 1) * 255 + 0.5).astype(np.uint8)


def _moved(picture: Picture, angle: float, length: float) -> Picture:
    """`picture` smeared along a direction (radians) over `length` pixels."""
    reach = int(np.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    across, down = np.cos(angle) * length / 2 * 16, np.sin(angle) * length / 2 * 16
    start = (round(reach * 16 - across), round(reach * 16 - down))
    end = (round(reach * 16 + across), round(reach * 16 + down))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA, 4)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())
