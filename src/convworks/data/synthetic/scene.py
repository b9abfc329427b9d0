"""One textured scene as a Sample, drawn from (seed, index) alone; its truth is what is visible."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from convworks.data.synthetic.backgrounds import background, strand
from convworks.data.synthetic.camera import developed, shade
from convworks.data.synthetic.objects import OBJECTS
from convworks.data.synthetic.render import FRAME, Laid, Light, any_light, lay, rendered, turned
from convworks.data.synthetic.textures import Picture
from convworks.data.synthetic.truth import Shown, Task, hide, label_of, leaves_enough, sample
from convworks.samples import Sample

Size = tuple[int, int]

LEAST_SCALE = 9.0
"""Pixels a unit at which the shaft of a key is still a pixel wide."""


def scene(
    seed: int, index: int, *, task: Task, classes: Sequence[str], size: Size, void: bool = False
) -> Sample:
    """Image `index` of the set `seed`: a picture of `size` (width, height) and its truth for `task`.

    Boxes and masks are of the visible parts. Class ids are positions in the sorted `classes`; in the class
    map 0 is the background and id + 1 the class; with `void`, pixels that are less than four fifths of one
    thing are 255.

    >>> scene(0, 3, task="localization", classes=["fish", "key"], size=(96, 64)).boxes.shape
    (1, 4)
    """
    names = sorted(classes)
    rng = np.random.default_rng([seed, index, 0])
    light = any_light(rng)
    canvas = background(rng, (size[1], size[0]), light)
    short = min(size)
    if rng.uniform() < 0.35:
        canvas = cv2.GaussianBlur(canvas, (0, 0), short * rng.uniform(0.004, 0.02))
    for _ in range(int(rng.integers(0, 3))):
        _add_strand(rng, canvas, light, [])
    shown: list[Shown] = []
    main = label_of(seed, index, len(names))
    for label, scale, roam in _cast(rng, task, main, len(names), short):
        _add_object(rng, canvas, light, shown, names[label], label, scale, roam)
    if rng.uniform() < 0.3:
        for _ in range(int(rng.integers(1, 3))):
            _add_strand(rng, canvas, light, shown)
    shade(canvas, rng)
    whole = main if task in ("classification", "localization") else -1
    return sample(developed(canvas, rng), shown, label=whole, void=void)


def _cast(
    rng: np.random.Generator, task: Task, main: int, classes: int, short: int
) -> list[tuple[int, float, float]]:
    """Who is in the scene, from back to front: (class, pixels a unit, how far from the middle, 0 to 1)."""
    match task:
        case "classification":
            cast = [(main, short * rng.uniform(0.30, 0.48), 0.25)]
            if rng.uniform() < 0.2:
                cast.append((main, max(LEAST_SCALE, short * rng.uniform(0.16, 0.26)), 0.9))
            return cast
        case "localization":
            return [(main, max(LEAST_SCALE, short * rng.uniform(0.15, 0.45)), 0.9)]
        case "detection" | "segmentation" | "instances":
            others = int(rng.integers(0, 5))
            scales = short * np.exp(rng.uniform(math.log(0.12), math.log(0.38), 1 + others))
            labels = [main, *(int(label) for label in rng.integers(0, classes, others))]
            return [
                (label, max(LEAST_SCALE, float(scale)), 1.0)
                for label, scale in zip(labels, scales, strict=True)
            ]


def _add_object(
    rng: np.random.Generator,
    canvas: Picture,
    light: Light,
    shown: list[Shown],
    name: str,
    label: int,
    scale: float,
    roam: float,
) -> None:
    """Paint one object where enough of it and of those before it stays visible; the first always fits."""
    angle, squeeze = rng.normal(0, 0.4), rng.uniform(0.8, 1.0)
    pixels = int(np.clip(2.2 * FRAME * scale, 24, 1024))
    picture = rendered(OBJECTS[name](rng), pixels, light, rng, turn=angle, mirror=bool(rng.uniform() < 0.5))
    area = float(picture[..., 3].sum()) * squeeze * (2 * FRAME * scale / pixels) ** 2
    lift, depth = scale * rng.uniform(0.05, 0.18), rng.uniform(0.4, 0.75)
    height, width = canvas.shape[:2]
    for attempt in range(8):
        reach = roam if shown else roam * (1 - attempt / 7)
        x, y = width * (0.5 + reach * rng.uniform(-0.5, 0.5)), height * (0.5 + reach * rng.uniform(-0.5, 0.5))
        laid = turned(picture, centre=(x, y), scale=scale, angle=angle, squeeze=squeeze, size=(width, height))
        if laid is not None and _inside(laid, area) and _beside(laid, shown):
            coverage = lay(canvas, laid, light, height=lift, depth=depth)
            hide(shown, coverage)
            shown.append(Shown(label=label, area=area, visible=coverage))
            return


def _inside(laid: Laid, area: float) -> bool:
    return float(laid.picture[..., 3].sum()) >= 0.75 * area


def _beside(laid: Laid, shown: list[Shown]) -> bool:
    rows = slice(laid.top, laid.top + laid.picture.shape[0])
    columns = slice(laid.left, laid.left + laid.picture.shape[1])
    return leaves_enough(shown, laid.picture[..., 3], rows, columns)


def _add_strand(rng: np.random.Generator, canvas: Picture, light: Light, shown: list[Shown]) -> None:
    """A blade or twig of no class; over `shown` only where enough of each stays visible."""
    height, width = canvas.shape[:2]
    scale = min(height, width) * rng.uniform(0.15, 0.4)
    angle = rng.uniform(0, 2 * np.pi)
    pixels = int(np.clip(2.2 * FRAME * scale, 24, 512))
    picture = rendered((strand(rng),), pixels, light, rng, turn=angle)
    centre = (rng.uniform(0, width), rng.uniform(0, height))
    laid = turned(picture, centre=centre, scale=scale, angle=angle, squeeze=1.0, size=(width, height))
    if laid is not None and _beside(laid, shown):
        hide(shown, lay(canvas, laid, light, height=scale * 0.08, depth=0.45))
