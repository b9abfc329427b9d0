"""Flat rectangles, ellipses and triangles on textured noise: a quick set to check methods on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float

from convworks.data.synthetic.outlines import Outline, ellipse, placed, straight
from convworks.data.synthetic.textures import fractal
from convworks.data.synthetic.truth import Shown, Task, hide, label_of, leaves_enough, sample
from convworks.samples import Sample


def _ellipse(rng: np.random.Generator) -> Outline:
    return ellipse(0, 0, 1, rng.uniform(0.5, 1))


def _rectangle(rng: np.random.Generator) -> Outline:
    high = rng.uniform(0.5, 1)
    return 0.8 * straight([(-1, -high), (1, -high), (1, high), (-1, high)])


def _triangle(rng: np.random.Generator) -> Outline:
    return straight([(rng.uniform(-0.5, 0.5), -1), (1, 0.8), (-1, 0.8)])


SHAPES: dict[str, Callable[[np.random.Generator], Outline]] = {
    "ellipse": _ellipse,
    "rectangle": _rectangle,
    "triangle": _triangle,
}


def flat_scene(
    seed: int,
    index: int,
    *,
    task: Task,
    classes: Sequence[str],
    size: tuple[int, int],
    void: bool = False,
) -> Sample:
    """Image `index` of the set `seed`: one shape for a class or a box an image, else one to three.

    `size` is (width, height) in pixels; ids, masks and boxes are as in `scene`.

    >>> sample = flat_scene(0, 1, task="detection", classes=["ellipse", "triangle"], size=(96, 96))
    >>> 1 <= len(sample.boxes) <= 3
    True
    """
    names = sorted(classes)
    rng = np.random.default_rng([seed, index, 2])
    shape, short = (size[1], size[0]), min(size)
    noise = fractal(rng, shape, short * rng.uniform(0.05, 0.3), octaves=4, roughness=0.8)
    canvas = rng.uniform(40, 215, 3) + 90 * (noise - 0.5)[..., None]
    main = label_of(seed, index, len(names))
    single = task in ("classification", "localization")
    others = () if single else rng.integers(0, len(names), int(rng.integers(0, 3)))
    shown: list[Shown] = []
    for label in (main, *(int(other) for other in others)):
        for _ in range(8):
            coverage = _coverage(rng, SHAPES[names[label]](rng), shape, short * rng.uniform(0.12, 0.3))
            if leaves_enough(shown, coverage, slice(None), slice(None)):
                hide(shown, coverage)
                shown.append(Shown(label=label, area=float(coverage.sum()), visible=coverage))
                canvas += coverage[..., None] * (rng.uniform(0, 255, 3) - canvas)
                break
    canvas += rng.normal(0, 8, (*shape, 3))
    image = np.clip(canvas, 0, 255).astype(np.uint8)
    return sample(image, shown, label=main if single else -1, void=void)


def _coverage(
    rng: np.random.Generator, outline: Outline, shape: tuple[int, int], radius: float
) -> Float[np.ndarray, "h w"]:
    """The share of each pixel that the outline covers, placed at random wholly inside the picture."""
    turned = placed(outline, 0, 0, rng.uniform(0, 2 * np.pi), radius)
    low, high = turned.min(axis=0), turned.max(axis=0)
    x, y = rng.uniform(-low[0], shape[1] - high[0]), rng.uniform(-low[1], shape[0] - high[1])
    mask = np.zeros(shape, np.uint8)
    corners = np.round((placed(turned, x, y) - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255
