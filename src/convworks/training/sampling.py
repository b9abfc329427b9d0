"""How often an epoch shows each image: evenly, or small classes more often than their number of images would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float

from convworks.recipe.options import Sampling


def weights(shown: Sequence[Collection[str]], sampling: Sampling) -> Float[np.ndarray, "n"] | None:
    """How often each image is to be seen beside the others, by the classes that it shows; None for evenly.

    By square roots, a class of 100 times the images of another is seen 10 times as often. An image of several classes
    goes with the rarest; one of none with the most common. Source: the repeat factors of Gupta 2019, 1908.03195,
    with no threshold.

    >>> weights([("cat",)] * 4 + [("owl",)], "square-root").round(2).tolist()
    [0.5, 0.5, 0.5, 0.5, 1.0]
    """
    counts = Counter(name for names in shown for name in set(names))
    if sampling == "even" or not counts:
        return None
    most = max(counts.values())
    return np.array([min((counts[name] for name in names), default=most) ** -0.5 for names in shown])
