"""What was measured of a data set, as plain values: the facts that a recipe is proposed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Sizes in pixels as (10th percentile, median, 90th percentile); counts are of usable training images.

    `total` is how many images there are where one may show several classes, 0 where each shows one. `gray` is the
    share of images without colour; `objects` are square roots of box areas, zeros where there are none, and `by_class`
    those of each class that has ten or more; `split` says where the held-out images come from: "given" by the data, or
    "made" here.
    """

    task: str
    counts: Mapping[str, int]
    widths: tuple[float, float, float]
    heights: tuple[float, float, float]
    short_sides: tuple[float, float, float]
    gray: float = 0.0
    copies: int = 0
    objects: tuple[float, float, float] = (0.0, 0.0, 0.0)
    by_class: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    split: str = "made"
    total: int = 0

    @property
    def images(self) -> int:
        """How many images there are."""
        return self.total or sum(self.counts.values())

    @property
    def common(self) -> tuple[float, float]:
        """A small and a large object that are common: of any class, however rare beside the others.

        The 10th percentile or the median of the smallest class; the 90th of all or of the largest class.
        """
        medians = [middle for _, middle, _ in self.by_class.values()]
        largest = [large for _, _, large in self.by_class.values()]
        return min([self.objects[0], *medians]), max([self.objects[2], *largest])

    @property
    def imbalance(self) -> float:
        """The largest class over the smallest."""
        sizes = [count for count in self.counts.values() if count]
        return max(sizes) / min(sizes) if sizes else 1.0
