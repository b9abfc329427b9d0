"""What synthetic objects lie on: soil, sand, stone, wood, cloth, grass, water, and things out of focus."""

from __future__ import annotations

import cv2
import numpy as np

from convworks.data.synthetic.outlines import Outline, ellipse, limb, wobbled
from convworks.data.synthetic.palette import any_hue
from convworks.data.synthetic.render import Light, Part, lit
from convworks.data.synthetic.textures import (
    Colour,
    Field,
    Picture,
    colour,
    dimmed,
    fractal,
    mottled,
    ramp,
    smooth_noise,
    step,
)


def background(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """A lit ground of a kind, hue and grain of its own; `shape` is (height, width)."""
    grounds = (soil, sand, stone, wood, cloth, grass, water, out_of_focus)
    kind = int(rng.integers(len(grounds)))
    return grounds[kind](rng, shape, light)


def _earthy(rng: np.random.Generator, count: int) -> list[Colour]:
    """`count` related colours from dark to light, mostly muted."""
    hue = any_hue(rng)
    vivid = rng.uniform(0.06, 0.32) if rng.uniform() < 0.7 else rng.uniform(0.3, 0.6)
    low, high = rng.uniform(0.18, 0.42), rng.uniform(0.62, 0.95)
    shades = np.linspace(low, high, count)
    return [
        colour(hue + rng.normal(0, 0.03), vivid * rng.uniform(0.7, 1.2), float(value)) for value in shades
    ]


def _axes(shape: tuple[int, int]) -> tuple[Field, Field]:
    """x and y of every pixel, in units of the shorter side."""
    unit = 1 / min(shape)
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32), np.arange(shape[0], dtype=np.float32))
    return x * unit, y * unit


def _rotated(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Field, Field]:
    """x and y of every pixel along a direction at random."""
    x, y = _axes(shape)
    angle = rng.uniform(0, np.pi)
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    return cosine * x + sine * y, cosine * y - sine * x


def soil(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """Crumbly earth, some of it strewn with pebbles."""
    short = min(shape)
    lumps = fractal(rng, shape, short * rng.uniform(0.06, 0.25), octaves=5, roughness=rng.uniform(0.6, 0.85))
    tint = fractal(rng, shape, short * 0.5, octaves=3)
    albedo = ramp(0.65 * lumps + 0.35 * tint, _earthy(rng, 4))
    height = lumps * (short * 0.06)
    if rng.uniform() < 0.6:
        _strew_pebbles(rng, albedo, height)
    return lit(albedo, height, light)


def _strew_pebbles(rng: np.random.Generator, albedo: Picture, height: Field) -> None:
    short = min(height.shape)
    mask = np.zeros(height.shape, np.uint8)
    for _ in range(int(rng.integers(6, 28))):
        size = short * rng.uniform(0.012, 0.06)
        x, y = rng.uniform(0, height.shape[1]), rng.uniform(0, height.shape[0])
        pebble = wobbled(ellipse(x, y, size, size * rng.uniform(0.6, 1), rng.uniform(0, 3), 20), rng, 0.06)
        _fill(albedo, pebble, colour(any_hue(rng), rng.uniform(0, 0.3), rng.uniform(0.3, 0.85)))
        _fill(mask, pebble, 255)
    distance = np.minimum(cv2.distanceTransform(mask, cv2.DIST_L2, 3), short * 0.03)
    height *= 1 - 0.85 * (mask > 0)
    height += cv2.GaussianBlur(np.sqrt(distance * short * 0.03), (0, 0), max(0.7, short * 0.006))


def _fill(canvas: np.ndarray, outline: Outline, value: Colour | int) -> None:
    corners = np.round(outline * 16).astype(np.int32)
    paint = float(value) if isinstance(value, int) else tuple(float(v) for v in value)
    cv2.fillPoly(canvas, [corners], paint, shift=4)


def sand(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """Wind ripples in fine grains."""
    short = min(shape)
    along, _ = _rotated(rng, shape)
    bend = fractal(rng, shape, short * 0.6, octaves=3)
    ripples = np.sin((along * rng.uniform(4, 10) + bend * rng.uniform(0.8, 2.2)) * 6.283)
    grain = fractal(rng, shape, 3.0, octaves=2, roughness=0.9)
    albedo = ramp(0.3 + 0.15 * ripples + 0.45 * (grain - 0.5) + 0.4 * bend, _earthy(rng, 3))
    return lit(albedo, ripples * short * rng.uniform(0.004, 0.010) + grain * 1.2, light)


def stone(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """Veined, weathered rock."""
    short = min(shape)
    broad = fractal(rng, shape, short * rng.uniform(0.3, 0.7), octaves=5, roughness=0.6)
    veins = 1 - np.abs(2 * fractal(rng, shape, short * rng.uniform(0.25, 0.6), octaves=4) - 1) * 3
    grain = fractal(rng, shape, 4.0, octaves=2, roughness=0.9)
    colours = _earthy(rng, 4)
    vein = step(veins, 0.85, 0.3)
    albedo = ramp(0.75 * broad + 0.25 * grain, colours)
    albedo += dimmed(colours[int(rng.integers(4))] - albedo, rng.uniform(0.2, 0.7) * vein)
    return lit(albedo, broad * short * 0.08 - vein * short * 0.012 + grain * 1.0, light)


def wood(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """Planks with their grain."""
    short = min(shape)
    across = rng.uniform() < 0.5
    frame = (shape[1], shape[0]) if across else shape
    _, y = _axes(frame)
    planks = rng.uniform(1.5, 5)
    row = y * planks + rng.uniform(0, 1)
    number = np.floor(row)
    lengthwise = fractal(rng, frame, short * 0.05, octaves=4, roughness=0.75, stretch=9)
    slow = fractal(rng, frame, short * 0.3, octaves=2, stretch=3)
    rings = np.sin((row * 2.2 + slow * rng.uniform(3, 8) + number * 1.7) * 6.283)
    offsets = rng.uniform(-0.12, 0.12, 16).astype(np.float32)[number.astype(np.int32) % 16]
    seam = step(np.abs(row - number - 0.5), 0.485, 0.02)
    tone = 0.5 + 0.2 * rings + 0.9 * (lengthwise - 0.5) + offsets
    albedo = dimmed(ramp(tone, _earthy(rng, 4)), 1 - 0.75 * seam)
    height = (0.5 * lengthwise + 0.12 * rings - 1.2 * seam) * short * 0.014
    if across:
        albedo, height = np.ascontiguousarray(albedo.transpose(1, 0, 2)), np.ascontiguousarray(height.T)
    return lit(albedo, height, light, gloss=rng.uniform(0, 0.15))


def cloth(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """Woven threads with folds, some with a check or a stripe."""
    short = min(shape)
    along, athwart = _rotated(rng, shape)
    threads = short / rng.uniform(3.0, 5.5)
    weave = np.sin(along * threads * 6.283) * np.sin(athwart * threads * 6.283)
    folds = fractal(rng, shape, short * rng.uniform(0.4, 0.8), octaves=2, stretch=1.6)
    colours = _earthy(rng, 3)
    tone = 0.5 + 0.16 * weave + 0.3 * (folds - 0.5) + 0.12 * smooth_noise(rng, shape, (2.0, 2.0))
    waves = rng.uniform(2, 6)
    match int(rng.integers(3)):
        case 0:
            tone += 0.3 * step(np.sin(along * waves * 6.283), 0, 0.2) - 0.15
        case 1:
            checks = step(np.sin(along * waves * 6.283), 0, 0.2) + step(
                np.sin(athwart * waves * 6.283), 0, 0.2
            )
            tone += 0.22 * checks - 0.22
        case _:
            pass
    return lit(ramp(tone, colours), folds * short * 0.22 + weave * 0.35, light)


def grass(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """A thick stand of blades, the lower ones in shade."""
    short = min(shape)
    shades = np.stack(_earthy(rng, 5)) * (light.direct * 0.75 + light.ambient)
    patches = fractal(rng, shape, short * 0.2, octaves=4, roughness=0.7)
    picture = ramp(patches * 0.6, list(shades)) * np.float32(0.5)
    blades, wind = 220, rng.uniform(0, 2 * np.pi)
    aim = rng.normal(wind, rng.uniform(0.3, 1.2), blades)
    bend = aim + rng.normal(0, 0.4, blades)
    length = rng.uniform(0.05, 0.17, (blades, 1)) * short
    root = rng.uniform(-0.1, 1.1, (blades, 2)) * np.array([shape[1], shape[0]])
    middle = root + length * np.stack([np.cos(aim), np.sin(aim)], axis=1)
    tip = middle + length * np.stack([np.cos(bend), np.sin(bend)], axis=1)
    t = np.linspace(0, 1, 6)[:, None, None]
    line = (1 - t) ** 2 * root + 2 * t * (1 - t) * middle + t**2 * tip
    side = np.stack([-np.sin(aim), np.cos(aim)], axis=1) * (short * 0.011) * (1 - t**2)
    outlines = np.ascontiguousarray(np.concatenate([line - side, (line + side)[::-1]]).transpose(1, 0, 2))
    height = np.linspace(0.35, 1.1, blades)[:, None]
    paints = shades[rng.integers(0, 5, blades)] * height * rng.uniform(0.8, 1.2, (blades, 1))
    for outline, paint in zip(
        np.round(outlines * 16).astype(np.int32, order="C"), paints.tolist(), strict=True
    ):
        cv2.fillPoly(picture, [outline], paint, cv2.LINE_AA, 4)
    return dimmed(picture, 0.8 + 0.4 * fractal(rng, shape, short * 0.3, octaves=2))


def water(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """Shallow water with the net of light that waves throw on its bed."""
    short = min(shape)
    first = fractal(rng, shape, short * rng.uniform(0.2, 0.35), octaves=3, roughness=0.5, stretch=1.4)
    second = fractal(rng, shape, short * rng.uniform(0.12, 0.25), octaves=3, roughness=0.5, stretch=1.4)
    net = np.exp(-np.abs(first - 0.5) * 18) + 0.7 * np.exp(-np.abs(second - 0.5) * 18)
    bed = fractal(rng, shape, short * 0.1, octaves=4, roughness=0.75)
    albedo = dimmed(ramp(0.25 + 0.5 * bed, _earthy(rng, 4)), 1 + 0.25 * (first - second))
    picture = lit(albedo, bed * short * 0.03, light)
    return dimmed(picture, 0.75 + 0.7 * net)


def out_of_focus(rng: np.random.Generator, shape: tuple[int, int], light: Light) -> Picture:
    """Far things that the lens blurs into discs."""
    short = min(shape)
    shades = _earthy(rng, 4)
    picture = lit(
        ramp(fractal(rng, shape, short * 0.7, octaves=2), shades), np.zeros(shape, np.float32), light
    )
    sharp = picture.copy()
    for _ in range(int(rng.integers(12, 36))):
        x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        disc = ellipse(x, y, size := short * rng.uniform(0.04, 0.18), size)
        _fill(sharp, disc, shades[int(rng.integers(4))] * np.float32(rng.uniform(0.5, 1.8)))
    picture += (sharp - picture) * np.float32(rng.uniform(0.25, 0.6))
    return cv2.GaussianBlur(picture, (0, 0), short * rng.uniform(0.01, 0.035))


def strand(rng: np.random.Generator) -> Part:
    """A twig, a straw or a blade in the unit frame: what lies about and belongs to no class."""
    bend, thin = rng.normal(0, 0.25), rng.uniform(0.02, 0.055)
    outline = limb(
        [(-1, 0), (-0.3, bend * 0.6), (0.3, bend), (1, rng.normal(0, 0.3))], [thin, thin, thin * 0.8, 0.01]
    )
    hue, vivid = any_hue(rng), rng.uniform(0.05, 0.4)
    dark, bright = colour(hue, vivid, rng.uniform(0.15, 0.4)), colour(hue, vivid, rng.uniform(0.45, 0.85))
    return Part(
        outlines=(outline,), base=bright, accent=dark, pattern=mottled(0.5, 0.3), bulge=0.06, rounding=0.08
    )
