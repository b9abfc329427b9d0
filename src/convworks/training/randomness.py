"""Every random number of training from what it is for: (seed, epoch, step, part), so that nothing has to be saved."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from jaxtyping import Float, Int


def key(*parts: int | str) -> int:
    """A 63-bit number for some parts; the same parts give the same number everywhere."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def order(
    n: int, seed: int, epoch: int, weights: Float[np.ndarray, "n"] | None = None
) -> Int[np.ndarray, "n"]:
    """The order in which n images are seen in an epoch: each once, or n of them, some more often, by `weights`.

    By weights an image is seen as often as its share of n says, rounded up or down (systematic sampling).
    """
    draw = np.random.Generator(np.random.Philox(key("order", seed, epoch)))
    places = draw.permutation(n)
    if weights is None:
        return places
    ends = np.cumsum(weights[places])
    points = (draw.random() + np.arange(n)) * (ends[-1] / n)
    return draw.permutation(places[np.searchsorted(ends, points, side="right").clip(max=n - 1)])


def seed_layers(*parts: int | str) -> None:
    """Set what dropout and the like will draw next."""
    torch.manual_seed(key("layers", *parts))
