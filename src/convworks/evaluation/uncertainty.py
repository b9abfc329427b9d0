"""How far a score measured on few images can be trusted, and what knowing nothing would score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convworks.events import Chooser

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Shaped

SURE = 1.959963984540054  # standard deviations that hold the middle 95 % of a normal distribution


def wilson(right: int, of: int, deviations: float = SURE) -> tuple[float, float]:
    """The interval for a share of `right` in `of` trials, in [0, 1]; all of [0, 1] where nothing was tried.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).

    >>> low, high = wilson(21, 54)
    >>> f"{low:.2f}-{high:.2f}"
    '0.27-0.52'
    """
    if of == 0:
        return 0.0, 1.0
    share, spread = right / of, deviations**2 / of
    centre = (share + spread / 2) / (1 + spread)
    half = deviations * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return (centre - half if right else 0.0), (centre + half if right < of else 1.0)


def half_width(of: int) -> float:
    """The most by which a score on `of` images may miss, as a share: half a Wilson interval around one half.

    >>> f"{half_width(54):.2f}"
    '0.13'
    """
    if of == 0:
        return 0.5
    return SURE * math.sqrt((1 + SURE**2 / of) / (4 * of)) / (1 + SURE**2 / of)


def bootstrap(
    statistic: Callable[[Shaped[np.ndarray, "n ..."]], float],
    rows: Shaped[np.ndarray, "n ..."],
    *,
    seed: int = 0,
    draws: int = 2000,
) -> tuple[float, float]:
    """The middle 95 % of a statistic over resampled rows, for scores that are not plain shares.

    `statistic` takes rows drawn with replacement; draws for which it is NaN are left out, and (NaN, NaN)
    comes back where all are or there are no rows. Source: B. Efron, Bootstrap methods (1979), percentile
    interval.

    >>> import numpy as np
    >>> bootstrap(np.mean, np.ones(20))
    (1.0, 1.0)
    """
    import numpy as np

    if len(rows) == 0:
        return math.nan, math.nan
    chosen = np.random.default_rng(seed)
    return middle([statistic(rows[chosen.integers(0, len(rows), len(rows))]) for _ in range(draws)])


def middle(draws: Sequence[float]) -> tuple[float, float]:
    """The middle 95 % of what was drawn, NaN left out; (NaN, NaN) where nothing else is there.

    >>> middle([0.5, 0.5, float("nan")])
    (0.5, 0.5)
    """
    import numpy as np

    values: Any = np.array(draws, np.float64)
    values = values[~np.isnan(values)]
    if values.size == 0:
        return math.nan, math.nan
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def flatters(chosen_on: Chooser) -> str:
    """Whether a score flatters, in a sentence: on images that chose nothing of the model it does not."""
    if chosen_on == "nothing":
        return "Measured on images that chose nothing."
    return "The same images chose the model, so it flatters: expect less on new ones."


def chance(classes: int) -> float:
    """The share right by guessing evenly among `classes`.

    >>> chance(4)
    0.25
    """
    return 1 / classes


def majority(learned: Mapping[str, int], measured: Mapping[str, int]) -> tuple[str, float]:
    """The commonest class of the training images, and the share of the measured ones that it gets right.

    The first name wins a tie; the share is NaN where nothing was measured.

    >>> majority({"ant": 60, "bee": 80}, {"ant": 30, "bee": 10})
    ('bee', 0.25)
    """
    name = max(sorted(learned), key=lambda name: learned[name])
    total = sum(measured.values())
    return name, measured.get(name, 0) / total if total else math.nan
