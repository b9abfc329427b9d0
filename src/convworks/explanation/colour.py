"""Whether colour is kept: "wouldn't a lot of multiplications result in numbers over 255, thus making that value void?"

Activations are not pixels: what they may be is not bounded, and nothing is void. Whether the colour of a place can
still be told from them is a question with an answer: how well does a linear map read it back, on pictures that the
map was not fitted on?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from convworks.explanation.material import pictures, pretrained, read

RIDGE = 1e-2  # of the mean variance of a feature


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One stage of the pretrained net: the extremes of what it gives, and how much of the colour is in it.

    `colour` is the share of the variance of the mean RGB under each place of its map that a linear map of its
    activations explains, on pictures that it was not fitted on: 1 is all, 0 no better than one colour for all.
    """

    name: str
    stride: int
    channels: int
    low: float
    high: float
    colour: float


def kept(*, count: int = 24, seed: int = 0) -> list[Kept]:
    """How much colour each stage keeps: fitted on two thirds of `count` drawn scenes, told of the rest."""
    model = pretrained()
    x = torch.cat([read(model, one) for one in pictures(count, seed=seed)])
    with torch.no_grad():
        outputs = model.net.backbone(x)
    fitted = count * 2 // 3
    rows: list[Kept] = []
    for stage, maps in zip(model.net.backbone.info, outputs, strict=True):
        colours = F.adaptive_avg_pool2d(x, maps.shape[2:])
        split = (_rows(maps[:fitted]), _rows(colours[:fitted]), _rows(maps[fitted:]), _rows(colours[fitted:]))
        rows.append(
            Kept(
                name=stage.name,
                stride=stage.stride,
                channels=stage.channels,
                low=float(maps.min()),
                high=float(maps.max()),
                colour=explained(*split),
            )
        )
    return rows


def explained(
    x: Float[Tensor, "n c"], y: Float[Tensor, "n k"], new_x: Float[Tensor, "m c"], new_y: Float[Tensor, "m k"]
) -> float:
    """The share of the variance of `new_y` that ridge regression, fitted on `x` and `y`, explains; at most 1.

    >>> line = torch.arange(6.0)[:, None]
    >>> round(explained(line, 2 * line + 1, line + 6, 2 * line + 13), 3)
    0.999
    """
    mean, middle = x.double().mean(0), y.double().mean(0)
    centred = x.double() - mean
    gram = centred.T @ centred
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype) / max(len(x) / 100, 1)
    map_ = torch.linalg.solve(gram, centred.T @ (y.double() - middle))
    said = (new_x.double() - mean) @ map_ + middle
    left = (new_y.double() - said).square().sum()
    return float(1 - left / (new_y.double() - new_y.double().mean(0)).square().sum())


def _rows(maps: Float[Tensor, "n c h w"], most: int = 40_000) -> Float[Tensor, "m c"]:
    """One row a place, thinned evenly where there are more than `most`."""
    rows = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
    return rows[:: -(-len(rows) // most)]
