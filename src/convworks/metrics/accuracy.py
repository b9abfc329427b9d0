"""How often the answer is right, counted: counts of parts add up to the count of the whole, exactly."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def ranks(probabilities: Float[np.ndarray, "n k"], truth: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """The place of the true class in each row, from 0 for the most probable; of equals the first named leads.

    >>> ranks(np.array([[0.2, 0.5, 0.3]]), np.array([2]))
    array([1])
    """
    own = probabilities[np.arange(len(truth)), truth][:, None]
    earlier = np.arange(probabilities.shape[1])[None] < truth[:, None]
    return ((probabilities > own) | ((probabilities == own) & earlier)).sum(1)


def right_among_first(
    probabilities: Float[np.ndarray, "n k"], truth: Int[np.ndarray, "n"], first: int = 1
) -> int:
    """How many images have their true class among the `first` most probable ones; top-1 agrees with argmax.

    >>> right_among_first(np.array([[0.2, 0.5, 0.3]]), np.array([2]), first=2)
    1
    """
    return int((ranks(probabilities, truth) < first).sum())
