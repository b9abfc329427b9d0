"""Which candidates a step learns from: so many objects and so much background, drawn from a seed.

Background outnumbers objects by far; each detector fixes the share of the objects in its batch instead: R-CNN 32 of
128, Fast R-CNN 16 of 64 an image, the region network up to half of 256.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor

from convworks.regions.matching import BACKGROUND


def sampled(
    matches: Int[Tensor, "n"],
    *,
    count: int,
    foreground: float,
    generator: Generator,
    background: Bool[Tensor, "n"] | None = None,
) -> Int[Tensor, "s"]:
    """Positions of at most `count` candidates, at most the share `foreground` of them with an object, sorted.

    `matches` are a matcher's answers; those to ignore are never drawn. Where objects are few, background fills the
    rest; where background is few, the sample is smaller. `background` narrows the background that may be drawn, as
    Fast R-CNN does with IoU in [.1, .5), its mild form of hard negatives.

    Source: Fast R-CNN (1504.08083), section 2.3.

    >>> matches = torch.tensor([0, -1, -1, 1, -2, -1])
    >>> sampled(matches, count=4, foreground=0.25, generator=torch.Generator().manual_seed(0)).tolist()[-1] <= 5
    True
    """
    plain = matches == BACKGROUND
    objects = (matches >= 0).nonzero()[:, 0]
    others = (plain if background is None else plain & background).nonzero()[:, 0]
    chosen = _drawn(objects, round(count * foreground), generator)
    rest = _drawn(others, count - len(chosen), generator)
    return torch.cat([chosen, rest]).sort().values


def _drawn(rows: Int[Tensor, "n"], most: int, generator: Generator) -> Int[Tensor, "d"]:
    """At most `most` of some rows, each as likely as the next."""
    if len(rows) <= most:
        return rows
    order = torch.randperm(len(rows), generator=generator, device=generator.device)
    return rows[order[:most].to(rows.device)]
