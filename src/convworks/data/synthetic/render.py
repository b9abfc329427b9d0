"""Parts with a height and a surface become a lit picture with its coverage, and that is laid on a scene."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float

from convworks.data.synthetic.outlines import Outline
from convworks.data.synthetic.textures import (
    Colour,
    Field,
    Pattern,
    Picture,
    blurred,
    colour,
    dimmed,
    fractal,
    plain,
    tinted,
)

FRAME = 1.16  # the unit frame with a margin, for what bends outwards a little


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Light:
    """One distant light above the picture and the light of the surroundings.

    `azimuth` is where it comes from (radians, 0 from the right, clockwise on the screen), `elevation` its
    height (radians); `direct` and `ambient` are colours in linear light.
    """

    azimuth: float
    elevation: float
    direct: Colour
    ambient: Colour


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One surface of an object: outlines (united) less the holes, two colours and a pattern, and a relief.

    In units: `bulge` is the height of its middle, `rounding` the width of its rounded rim, `relief` the
    height of its pattern (negative: carved). In [0, 1]: `gloss` is how strong its highlight is, `grain` how
    rough its skin.
    """

    outlines: tuple[Outline, ...]
    base: Colour
    accent: Colour
    pattern: Pattern = field(default_factory=plain)
    holes: tuple[Outline, ...] = ()
    bulge: float = 0.15
    rounding: float = 0.3
    relief: float = 0.0
    gloss: float = 0.15
    grain: float = 0.5


def any_light(rng: np.random.Generator) -> Light:
    """A light from any side, warm or cool, with surroundings of the other tint."""
    warmth = rng.normal(0, 0.10)
    direct = np.array([1 + warmth, 1.0, 1 - warmth], np.float32) * np.float32(rng.uniform(0.9, 1.3))
    ambient = np.array([1 - 0.6 * warmth, 1.0, 1 + 0.8 * warmth], np.float32) * np.float32(
        rng.uniform(0.22, 0.4)
    )
    return Light(
        azimuth=rng.uniform(0, 2 * np.pi), elevation=rng.uniform(0.55, 1.1), direct=direct, ambient=ambient
    )


def lit(albedo: Picture, height: Field, light: Light, *, turn: float = 0.0, gloss: float = 0.0) -> Picture:
    """`albedo` under `light`; `height` in pixels, `turn` how far (radians) it will be turned afterwards."""
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    azimuth = light.azimuth - turn
    flat, up = math.cos(light.elevation), math.sin(light.elevation)
    to_x, to_y = math.cos(azimuth) * flat, math.sin(azimuth) * flat
    steepness = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    facing = np.maximum((up - to_x * slope_x - to_y * slope_y) * steepness, 0)
    around = 0.55 + 0.45 * steepness
    glow = [
        direct * facing + ambient * around
        for direct, ambient in zip(light.direct, light.ambient, strict=True)
    ]
    shaded = albedo * cv2.merge(glow)
    if gloss > 0:
        length = math.sqrt(flat * flat + (up + 1) ** 2)
        shine = np.maximum((up + 1 - to_x * slope_x - to_y * slope_y) * steepness / length, 0)
        for _ in range(5):
            shine *= shine
        shaded += tinted(shine, light.direct * np.float32(gloss))
    return shaded


def _filled(part: Part, pixels: int) -> np.ndarray:
    mask = np.zeros((pixels, pixels), np.uint8)
    scale = pixels / (2 * FRAME)
    for outlines, value in ((part.outlines, 255), (part.holes, 0)):
        for outline in outlines:
            corners = np.round(((outline + FRAME) * scale - 0.5) * 16).astype(np.int32)
            cv2.fillPoly(mask, [corners], value, lineType=cv2.LINE_AA, shift=4)
    return mask


def _inflated(mask: np.ndarray, part: Part, scale: float) -> Field:
    """The height (pixels) of a part that is puffed up: steep at its rim, flat or round in its middle."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    deepest = float(distance.max())
    rim = max(1.5, min(deepest, part.rounding * scale))
    near = 1 - np.minimum(distance / rim, 1)
    height = np.sqrt(1 - near * near) * (min(part.bulge * scale, 1.2 * rim))
    return blurred(height, max(0.7, 0.22 * rim))


def rendered(
    parts: tuple[Part, ...],
    pixels: int,
    light: Light,
    rng: np.random.Generator,
    *,
    turn: float = 0.0,
    mirror: bool = False,
) -> Float[np.ndarray, "s s 4"]:
    """A square picture of an object, `pixels` wide: linear colour times coverage, and coverage in [0, 1].

    `parts` are painted in their order, each with a soft shadow on those below it. `turn` is how far (radians)
    the picture will be turned afterwards; `mirror` swaps left and right.
    """
    scale = pixels / (2 * FRAME)
    canvas = np.zeros((pixels, pixels, 3), np.float32)
    coverage = np.zeros((pixels, pixels), np.float32)
    patches = fractal(rng, (32, 32), 32 / (4 * FRAME), octaves=3, roughness=0.6)
    coarse = cv2.resize(patches, (pixels, pixels), interpolation=cv2.INTER_CUBIC)
    grain = fractal(rng, (pixels, pixels), max(2.0, 0.09 * scale), octaves=2, roughness=0.8) - 0.5
    axis = ((np.arange(pixels, dtype=np.float32) + 0.5) / scale - FRAME).astype(np.float32)
    x, y = np.meshgrid(-axis if mirror else axis, axis)
    for part in parts:
        mask = _filled(part, pixels)
        if mirror:
            mask = np.ascontiguousarray(mask[:, ::-1])
        left, top, width, height = cv2.boundingRect(mask)
        if not width:
            continue
        margin = max(2, int(0.08 * scale))
        rows = slice(max(0, top - margin), min(pixels, top + height + margin))
        columns = slice(max(0, left - margin), min(pixels, left + width + margin))
        alpha = mask[rows, columns].astype(np.float32) * (1 / 255)
        surface = _inflated(mask[rows, columns], part, scale)
        weight = part.pattern(x[rows, columns], y[rows, columns], coarse[rows, columns])
        rough = part.grain * (1 - 0.8 * part.gloss)
        shade = 1 + (0.2 + 0.7 * rough) * grain[rows, columns]
        colours = zip(part.base, part.accent, strict=True)
        albedo = cv2.merge([(base + (accent - base) * weight) * shade for base, accent in colours])
        surface += (part.relief * scale) * weight + (0.035 * scale * rough) * grain[rows, columns]
        painted = lit(albedo, surface, light, turn=turn, gloss=part.gloss)
        below = 1 - 0.55 * blurred(alpha, max(0.8, 0.035 * scale))
        canvas[rows, columns] = dimmed(canvas[rows, columns], below * (1 - alpha)) + dimmed(painted, alpha)
        coverage[rows, columns] = np.maximum(coverage[rows, columns], alpha)
    return cv2.merge([*cv2.split(canvas), coverage])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laid:
    """An object as it lies in a scene: `picture` covers the rectangle that begins at (`left`, `top`)."""

    picture: Float[np.ndarray, "h w 4"]
    left: int
    top: int


def turned(
    picture: Float[np.ndarray, "s s 4"],
    *,
    centre: tuple[float, float],
    scale: float,
    angle: float,
    squeeze: float,
    size: tuple[int, int],
) -> Laid | None:
    """`picture` moved to `centre` (x, y in pixels) at `scale` pixels a unit; None where it misses the image.

    `squeeze` in (0, 1] shortens it along y before it is turned by `angle` (radians); `size` is (width,
    height).
    """
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    move = np.array([[cosine, -sine * squeeze], [sine, cosine * squeeze]], np.float32) * scale
    reach_x, reach_y = np.abs(move).sum(axis=1) * FRAME
    left, right = max(0, int(centre[0] - reach_x)), min(size[0], int(centre[0] + reach_x) + 1)
    top, bottom = max(0, int(centre[1] - reach_y)), min(size[1], int(centre[1] + reach_y) + 1)
    if right <= left or bottom <= top:
        return None
    pixels = picture.shape[0]
    unit = pixels / (2 * FRAME)
    linear = move / unit
    middle = np.array([(pixels - 1) / 2, (pixels - 1) / 2], np.float32)
    offset = np.array([centre[0] - left - 0.5, centre[1] - top - 0.5], np.float32) - linear @ middle
    matrix = np.concatenate([linear, offset[:, None]], axis=1)
    laid = cv2.warpAffine(picture, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    return Laid(picture=laid, left=left, top=top)


def lay(canvas: Picture, laid: Laid, light: Light, *, height: float, depth: float) -> Field:
    """Paint an object and its shadow onto `canvas` in place; returns its coverage of the whole image.

    `height` (pixels) is how high it stands above the ground, `depth` in [0, 1] how dark its shadow is.
    """
    coverage = np.zeros(canvas.shape[:2], np.float32)
    rows = slice(laid.top, laid.top + laid.picture.shape[0])
    columns = slice(laid.left, laid.left + laid.picture.shape[1])
    alpha = laid.picture[..., 3]
    coverage[rows, columns] = alpha
    reach = height / max(0.35, math.tan(light.elevation))
    margin = int(reach + 1.5 * height) + 3
    around = (
        slice(max(0, rows.start - margin), min(canvas.shape[0], rows.stop + margin)),
        slice(max(0, columns.start - margin), min(canvas.shape[1], columns.stop + margin)),
    )
    canvas[around] = dimmed(canvas[around], _shade(coverage[around], reach, light.azimuth, height, depth))
    canvas[rows, columns] = dimmed(canvas[rows, columns], 1 - alpha) + laid.picture[..., :3]
    return coverage


def _shade(coverage: Field, reach: float, azimuth: float, height: float, depth: float) -> Field:
    """What is left of the light: a shadow thrown `reach` pixels away, a dark rim where the object stands."""
    move = np.array([[1, 0, -reach * math.cos(azimuth)], [0, 1, -reach * math.sin(azimuth)]], np.float32)
    thrown = cv2.warpAffine(coverage, move, coverage.shape[::-1])
    shadow = blurred(thrown, max(0.8, 0.4 * height))
    rim = blurred(coverage, max(0.8, 0.15 * height))
    return 1 - depth * np.maximum(shadow, 0.6 * rim)


def neutral(value: float) -> Colour:
    """A grey, as a screen shows it, in linear light."""
    return colour(0.0, 0.0, value)
