"""Every random number of training from what it is for: (seed, epoch, step, part), so that nothing has to be saved."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from jaxtyping import Int


def key(*parts: int | str) -> int:
    """A 63-bit number for some parts; the same parts give the same number everywhere."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def order(n: int, seed: int, epoch: int) -> Int[np.ndarray, "n"]:
    """The order in which n images are seen in an epoch."""
    return np.random.Generator(np.random.Philox(key("order", seed, epoch))).permutation(n)


def seed_layers(*parts: int | str) -> None:
    """Set what dropout and the like will draw next."""
    torch.manual_seed(key("layers", *parts))
