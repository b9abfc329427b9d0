"""A 1x1 convolution is one linear map across the channels, the same at every pixel.

The guide: "Effectively, this layer is performing a N-D element-wise multiplication where N is the depth of the input
volume." A reader asks: "What is the D?" D is the channels of one pixel; multiplied by a filter's weights they are
summed, which makes it a dot product, one a filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional as F

FILTERS: dict[str, tuple[float, float, float]] = {
    "brightness": (0.299, 0.587, 0.114),
    "red less green": (0.5, -0.5, 0.0),
    "blue less yellow": (-0.25, -0.25, 0.5),
}
"""Three 1x1 filters that read RGB: together they can be undone, one alone cannot."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pointwise:
    """The filters of FILTERS on a picture, and what shows that each reads one pixel at a time.

    `maps` (3, h, w), in units of a pixel's 0 to 1. `pixel` is one RGB value of the picture, in the middle,
    `products` (3, 3) its element-wise products with each filter, `sums` (3,) the three dot products: what the layer
    gives there. `linear` is the largest difference from a matrix applied to each pixel; `shuffled` is that
    between shuffling the pixels before and after the layer; `undone` that between the picture and what the
    inverse matrix makes of the maps.
    """

    maps: Float[np.ndarray, "3 h w"]
    pixel: Float[np.ndarray, "3"]
    products: Float[np.ndarray, "3 3"]
    sums: Float[np.ndarray, "3"]
    linear: float
    shuffled: float
    undone: float


def pointwise(image: UInt8[np.ndarray, "h w 3"], seed: int = 0) -> Pointwise:
    """The three filters on `image` as a 1x1 convolution, against a matrix a pixel."""
    height, width = image.shape[:2]
    matrix = torch.tensor(list(FILTERS.values()))
    pixels = torch.from_numpy(image / 255).float()
    x = pixels.permute(2, 0, 1)[None]
    given = F.conv2d(x, matrix[:, :, None, None])
    each = (pixels.reshape(-1, 3) @ matrix.T).T.reshape(1, 3, height, width)
    order = torch.randperm(height * width, generator=torch.Generator().manual_seed(seed))
    mixed = F.conv2d(x.flatten(2)[:, :, order].reshape(x.shape), matrix[:, :, None, None])
    again = F.conv2d(given, torch.linalg.inv(matrix)[:, :, None, None])
    middle = pixels[height // 2, width // 2]
    return Pointwise(
        maps=given[0].numpy(),
        pixel=middle.numpy(),
        products=(matrix * middle).numpy(),
        sums=given[0, :, height // 2, width // 2].numpy(),
        linear=float((given - each).abs().max()),
        shuffled=float((mixed.flatten(2) - given.flatten(2)[:, :, order]).abs().max()),
        undone=float((again - x).abs().max()),
    )
