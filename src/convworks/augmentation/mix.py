"""Several images as one: mixup and CutMix of two with their classes, mosaic of four samples with their objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Num

from convworks.augmentation import plan
from convworks.geometry.boxes import Size
from convworks.recipe.options import AugmentationOptions
from convworks.samples import IGNORE, Sample

Numbers = Num[np.ndarray, "h w c"]

VIEW = 1 << 32
"""Sets the numbers that choose a partner apart from those that move and colour an image (see `chance.rng`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """How another image enters one: which, the `share` of the one that stays, in its class too, and the hole.

    `hole` (xyxy) is where the other is seen through the one; empty where the two are blended.
    """

    partner: int
    share: float
    hole: tuple[int, int, int, int] = (0, 0, 0, 0)


def mixes(options: AugmentationOptions) -> bool:
    """Whether images are mixed with others of other classes."""
    return bool(options.mixup or options.cutmix)


def draw(
    options: AugmentationOptions, generator: np.random.Generator, count: int, size: Size
) -> Mixed | None:
    """With which of `count` images one of `size` is mixed, and how; None where `options` mix nothing.

    Blended by a share from Beta(mixup, mixup), or with a rectangle of the other whose area has one from Beta(cutmix,
    cutmix); by turns where both are asked for. Sources: Zhang 2017, 1710.09412; Yun 2019, 1905.04899.
    """
    if not mixes(options):
        return None
    partner = int(generator.integers(count))
    blended = options.mixup and (not options.cutmix or generator.random() < 0.5)
    if blended:
        return Mixed(partner=partner, share=float(generator.beta(options.mixup, options.mixup)))
    hole = _hole(generator, size, float(generator.beta(options.cutmix, options.cutmix)))
    left, top, right, bottom = hole
    return Mixed(partner=partner, share=1 - (right - left) * (bottom - top) / (size[0] * size[1]), hole=hole)


def apply(mixed: Mixed, image: Numbers, other: Numbers) -> None:
    """Lets `other` into `image`, in place; both height, width, bands and of one kind of number."""
    left, top, right, bottom = mixed.hole
    if mixed.hole != (0, 0, 0, 0):
        image[top:bottom, left:right] = other[top:bottom, left:right]
        return
    image[:] = np.add(mixed.share * image, (1 - mixed.share) * other)


def mosaic(
    samples: Sequence[Sample], options: AugmentationOptions, generator: np.random.Generator, size_out: Size
) -> Sample:
    """Four samples, each augmented by `options`, around a random point near the middle of one frame.

    Objects are smaller and in richer company than in the images themselves. All samples have masks or none has,
    and points alike. The whole has no label.

    Source: Bochkovskiy 2020, 2004.10934.
    """
    height, width = size_out
    y = round((0.3 + 0.4 * float(generator.random())) * height)
    x = round((0.3 + 0.4 * float(generator.random())) * width)
    places = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
    image = np.empty((height, width, samples[0].image.shape[2]), np.uint8)
    mapped = any(sample.class_map.size for sample in samples)
    class_map = np.full((height, width) if mapped else (0, 0), IGNORE, np.uint8)
    moved: list[Sample] = []
    masks: list[np.ndarray] = []
    for sample, (left, top, right, bottom) in zip(samples, places, strict=True):
        size_in = (sample.image.shape[0], sample.image.shape[1])
        part = plan.apply(plan.draw(options, generator, size_in, (bottom - top, right - left)), sample)
        moved.append(part)
        image[top:bottom, left:right] = part.image
        if part.class_map.size:
            class_map[top:bottom, left:right] = part.class_map
        if len(part.masks):
            around = ((0, 0), (top, height - bottom), (left, width - right))
            masks.append(np.pad(part.masks, around))
    corners = [np.array([left, top], np.float32) for left, top, _, _ in places]
    points = [part.points + corner for part, corner in zip(moved, corners, strict=True) if len(part.points)]
    shifts = [np.tile(corner, 2) for corner in corners]
    return Sample(
        image=image,
        boxes=np.concatenate([part.boxes + shift for part, shift in zip(moved, shifts, strict=True)]),
        labels=np.concatenate([part.labels for part in moved]),
        aside=np.concatenate([part.aside for part in moved]),
        masks=np.concatenate(masks) if masks else moved[0].masks[:0],
        class_map=class_map,
        points=np.concatenate(points) if points else moved[0].points[:0],
        regions=np.concatenate([part.regions + shift for part, shift in zip(moved, shifts, strict=True)]),
    )


def _hole(generator: np.random.Generator, size: Size, share: float) -> tuple[int, int, int, int]:
    """A box with its middle anywhere in the frame, which would leave `share` of the area were none cut off."""
    height, width = size
    side = math.sqrt(1 - share)
    x, y = float(generator.random()) * width, float(generator.random()) * height
    left, top = max(round(x - side * width / 2), 0), max(round(y - side * height / 2), 0)
    return left, top, min(round(x + side * width / 2), width), min(round(y + side * height / 2), height)
