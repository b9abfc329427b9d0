"""What light and lens add to a scene: uneven light, shade, colour cast, blur, noise, and the screen's curve."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8

from convworks.data.synthetic.textures import Picture, fractal, step


def shade(picture: Picture, rng: np.random.Generator) -> None:
    """Let the light fall off across the scene, and often the soft shadow of something outside it, in place."""
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
    picture *= field[..., None].astype(np.float32)


def developed(picture: Picture, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    """The photograph of a scene in linear light: exposed, tinted, a little blurred, noisy, in 8 bits."""
    short = min(picture.shape[:2])
    middle = float(np.mean(picture))
    tint = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
    picture = picture * (tint * (rng.uniform(0.2, 0.3) / max(middle, 1e-3)) ** 0.6)
    match int(rng.integers(5)):
        case 0:
            picture = cv2.GaussianBlur(picture, (0, 0), short * rng.uniform(0.002, 0.008))
        case 1:
            picture = _moved(picture, rng.uniform(0, np.pi), max(2.0, short * rng.uniform(0.005, 0.02)))
        case _:
            pass
    bright = picture / (1 + 0.18 * picture)
    screen = np.sqrt(np.maximum(bright, 0))
    grain = rng.standard_normal(picture.shape[:2], dtype=np.float32)
    speckle = rng.standard_normal((*picture.shape[:2], 3), dtype=np.float32)
    noise = rng.uniform(0.004, 0.03)
    screen += noise * (0.7 * grain[..., None] + 0.5 * speckle)
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
