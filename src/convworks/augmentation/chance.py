"""Chance that can be repeated: every number follows from seed, epoch, index and view, and from nothing else."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from jaxtyping import UInt64
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike

# Sets augmentation's numbers apart from others of the same seed.
STREAM = 1


class Key(ISeedSequence):
    """A Philox key as it is: given one as `key`, numpy first asks the system for chance, which takes longer."""

    def __init__(self, *words: int) -> None:
        self.words = np.array(words, np.uint64)

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint64) -> UInt64[np.ndarray, "2"]:
        """The key, whatever is asked."""
        return self.words


def rng(seed: int, epoch: int, index: int, view: int = 0) -> np.random.Generator:
    """The numbers for one view of one image in one epoch, from nothing but these four.

    Raises OverflowError for one that is not in [0, 2**64).

    >>> rng(0, 3, 17).random() == rng(0, 3, 17).random() != rng(0, 4, 17).random()
    True
    """
    counter = np.array([0, index, epoch, view], np.uint64)
    return np.random.Generator(np.random.Philox(cast(Any, Key(seed, STREAM)), counter=counter))
