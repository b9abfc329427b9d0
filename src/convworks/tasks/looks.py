"""Several looks at a picture whose outlines are averaged: at its mirror, and at it larger and smaller.

What a net is unsure of changes from look to look, and the mean of the probabilities errs less than each. It takes as
many times longer as there are looks.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from convworks.recipe.scenes import blocks_of

LOOKS = ((1.0, False), (1.0, True), (1.25, False), (1.25, True), (0.75, False), (0.75, True))
"""Scale, and whether mirrored."""


def averaged(
    outputs: Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "_ _ _ _"]],
    frames: Float[Tensor, "n c h w"],
    looks: int,
) -> Float[Tensor, "n k h2 w2"]:
    """The logarithm of the mean probabilities over the first `looks` of `LOOKS`, where those of a single look lie.

    A single look gives the logits as they are.
    """
    first = outputs(frames)
    if looks == 1:
        return first
    total = first.softmax(1)
    for scale, mirrored in LOOKS[1:looks]:
        seen = frames.flip(-1) if mirrored else frames
        if scale != 1:
            size = (blocks_of(scale * frames.shape[-2]), blocks_of(scale * frames.shape[-1]))
            seen = F.interpolate(seen, size, mode="bilinear", align_corners=False, antialias=scale < 1)
        given = outputs(seen)
        if mirrored:
            given = given.flip(-1)
        if given.shape != first.shape:
            given = F.interpolate(given, first.shape[-2:], mode="bilinear", align_corners=False)
        total = total + given.softmax(1)
    return torch.log(total / looks)
