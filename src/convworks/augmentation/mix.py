"""Several images as one: mixup and CutMix on batches of tensors, targets mixed alike; mosaic on four samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from convworks.augmentation import plan
from convworks.geometry.boxes import Size
from convworks.recipe.options import AugmentationOptions
from convworks.samples import IGNORE, Sample


def mixup(
    images: Float[Tensor, "n c h w"],
    targets: Float[Tensor, "n k"],
    generator: np.random.Generator,
    alpha: float = 0.2,
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n k"]]:
    """Each image, and its row of class probabilities, blended with another's by one share from Beta(alpha, alpha).

    Source: Zhang 2017, 1710.09412.
    """
    share = float(generator.beta(alpha, alpha))
    partners = generator.permutation(len(images)).tolist()
    return share * images + (1 - share) * images[partners], share * targets + (1 - share) * targets[partners]


def cutmix(
    images: Float[Tensor, "n c h w"],
    targets: Float[Tensor, "n k"],
    generator: np.random.Generator,
    alpha: float = 1.0,
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n k"]]:
    """Each image with one rectangle of another's in it, and its row of probabilities mixed by the areas.

    Source: Yun 2019, 1905.04899.
    """
    height, width = images.shape[-2:]
    left, top, right, bottom = _hole(generator, (height, width), float(generator.beta(alpha, alpha)))
    partners = generator.permutation(len(images)).tolist()
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images[partners][..., top:bottom, left:right]
    share = 1 - (right - left) * (bottom - top) / (height * width)
    return mixed, share * targets + (1 - share) * targets[partners]


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
    image = np.empty((height, width, 3), np.uint8)
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
