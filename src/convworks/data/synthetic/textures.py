"""Multi-scale textures: smooth noise of several octaves, colour ramps, and the patterns that lie on surfaces.

Fields are float32 arrays (h, w), about 0 to 1. Colours are linear light: a screen shows their square root.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float

Field = Float[np.ndarray, "h w"]
Picture = Float[np.ndarray, "h w 3"]
Colour = Float[np.ndarray, "3"]
Pattern = Callable[[Field, Field, Field], Field]


def colour(hue: float, saturation: float, value: float) -> Colour:
    """A colour in linear light from hue, saturation and value as a screen shows them, each in [0, 1]."""
    return np.square(np.asarray(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), np.float32))


def tinted(field: Field, paint: Colour) -> Picture:
    """`paint` as bright as `field` says. (Merging planes is many times faster than broadcasting to HWC.)"""
    return cv2.merge([field * channel for channel in paint])


def dimmed(picture: Picture, field: Field) -> Picture:
    """`picture` times `field`."""
    return picture * cv2.merge([field, field, field])


def blurred(field: Field, deviation: float) -> Field:
    """`field` under a Gaussian of `deviation` pixels, cut off at 2.5 deviations."""
    side = 2 * math.ceil(2.5 * deviation) + 1
    return cv2.GaussianBlur(field, (side, side), deviation)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]) -> Field:
    """Smooth noise of unit deviation about 0; `cell` is its features' (height, width) in pixels."""
    height, width = shape
    rows, columns = max(2, int(height / cell[0]) + 2), max(2, int(width / cell[1]) + 2)
    grid = rng.standard_normal((min(rows, height), min(columns, width)), dtype=np.float32)
    smooth = cv2.INTER_CUBIC if min(cell) > 6 else cv2.INTER_LINEAR
    return cv2.resize(grid, (width, height), interpolation=smooth)


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    cell: float,
    *,
    octaves: int = 4,
    roughness: float = 0.55,
    stretch: float = 1.0,
) -> Field:
    """Noise of `octaves` scales from `cell` pixels down, in [0, 1]; `stretch` draws it out along x."""
    total = np.zeros(shape, np.float32)
    weight, power = 1.0, 0.0
    for octave in range(octaves):
        size = max(1.0, cell / 2**octave)
        total += weight * smooth_noise(rng, shape, (size, size * stretch))
        power += weight**2
        weight *= roughness
    return np.clip(0.5 + total * (0.22 / math.sqrt(power)), 0, 1)


def ramp(field: Field, colours: Sequence[Colour]) -> Picture:
    """The picture whose colour runs through `colours` as `field` runs from 0 to 1."""
    stops = np.linspace(0, 1, len(colours))
    steps = np.linspace(0, 1, 256)
    table = np.stack([np.interp(steps, stops, channel) for channel in np.stack(colours, axis=1)], axis=1)
    return table.astype(np.float32)[(np.clip(field, 0, 1) * 255).astype(np.uint8)]


def step(field: Field, edge: float, softness: float) -> Field:
    """0 below `edge`, 1 above it, with a straight slope of width `softness` between."""
    return np.clip((field - edge) / softness + 0.5, 0, 1)


def plain() -> Pattern:
    """One colour, hardly mottled."""
    return lambda x, y, noise: 0.35 * noise


def faint(pattern: Pattern, strength: float) -> Pattern:
    """`pattern`, hardly there: `strength` in [0, 1]."""
    return lambda x, y, noise: strength * pattern(x, y, noise)


def mottled(edge: float = 0.5, softness: float = 0.25) -> Pattern:
    """Irregular patches of the second colour."""
    return lambda x, y, noise: step(noise, edge, softness)


def shaded(angle: float, centre: float = 0.0, softness: float = 1.2) -> Pattern:
    """The second colour sets in along a direction (radians)."""
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    return lambda x, y, noise: step(cosine * x + sine * y + 0.5 * (noise - 0.5), centre, softness)


def striped(angle: float, waves: float, phase: float = 0.0, wobble: float = 2.0) -> Pattern:
    """Bands across a direction (radians), `waves` of them a unit, bent by the noise."""
    cosine, sine = float(np.cos(angle)) * waves * 6.283, float(np.sin(angle)) * waves * 6.283
    return lambda x, y, noise: step(np.sin(cosine * x + sine * y + phase + wobble * (noise - 0.5)), 0.1, 0.8)


def ringed(x0: float, y0: float, waves: float, phase: float = 0.0) -> Pattern:
    """Rings about a point, `waves` of them a unit."""
    return lambda x, y, noise: step(
        np.sin(np.hypot(x - x0, y - y0) * waves * 6.283 + phase + 1.5 * (noise - 0.5)), 0.1, 0.8
    )


def spotted(waves: float, phase: float, size: float = 0.35) -> Pattern:
    """Round spots in staggered rows, `waves` of them a unit, pushed about by the noise."""

    def pattern(x: Field, y: Field, noise: Field) -> Field:
        row = y * waves * 6.283 + phase
        column = x * waves * 6.283 + 3.0 * noise + phase
        return step(np.sin(column) * np.sin(row) + 0.3 * (noise - 0.5), 1 - 2 * size, 0.35)

    return pattern


def scaled(waves: float) -> Pattern:
    """Overlapping scales, `waves` of them a unit."""

    def pattern(x: Field, y: Field, noise: Field) -> Field:
        across = np.abs(np.sin(y * waves * 3.1416))
        return step(np.sin(x * waves * 6.283 + 2.2 * across + noise), 0.0, 1.6)

    return pattern


def veined(slant: float, waves: float) -> Pattern:
    """A midrib along y with side veins that leave it at a slant, as on a leaf."""

    def pattern(x: Field, y: Field, noise: Field) -> Field:
        side = np.sin((y + slant * np.abs(x)) * waves * 6.283 + 1.2 * (noise - 0.5))
        rib = np.exp(-np.square(x * 28))
        return np.maximum(rib, step(side, 0.82, 0.4) * 0.8)

    return pattern


def any_pattern(rng: np.random.Generator) -> Pattern:
    """One of the patterns, as it comes: so that a pattern does not give its class away."""
    phase, angle = rng.uniform(0, 6.283), rng.uniform(0, np.pi)
    match int(rng.integers(6)):
        case 0:
            return plain()
        case 1:
            return mottled(rng.uniform(0.4, 0.6), rng.uniform(0.1, 0.4))
        case 2:
            return striped(angle, rng.uniform(1.5, 4), phase)
        case 3:
            return spotted(rng.uniform(1.2, 2.5), phase, rng.uniform(0.2, 0.4))
        case 4:
            return ringed(rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), rng.uniform(1.5, 3.5), phase)
        case _:
            return shaded(angle * 2, rng.uniform(-0.3, 0.3))
