"""The learning rate as a pure function of the step: a rise, then half a cosine to nothing."""

from __future__ import annotations

import math


def rate(step: int, steps: int, warmup: float) -> float:
    """The share of the peak rate at `step` in [0, steps): linear over the first `warmup` share, then cosine to 0.

    Source: SGDR (1608.03983), section 3, one cycle.

    >>> [round(rate(step, 10, 0.2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    rise = round(steps * warmup)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def average_decay(step: int, decay: float) -> float:
    """The moving average's decay at a step: it starts low, so that the first weights are soon forgotten."""
    return min(decay, (1 + step) / (10 + step))
