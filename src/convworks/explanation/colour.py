"""Whether colour is kept: "wouldn't a lot of multiplications result in numbers over 255, thus making that value void?"

Activations are not pixels: what they may be is not bounded, and nothing is void. Whether the colour of a place can
still be told from them is a question with an answer: how well does a linear map read it back, on pictures that the
map was not fitted on?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from convworks.explanation.material import pictures, pretrained, read

RIDGES = (1e-4, 1e-2, 0.1, 1.0, 10.0)


class Line(NamedTuple):
    """A linear map: what to multiply by, and what to add."""

    slope: Float[Tensor, "c k"]
    start: Float[Tensor, "k"]


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


def kept(*, count: int = 30, seed: int = 0) -> list[Kept]:
    """How much colour each stage keeps: fitted on two thirds of `count` drawn scenes, told of the rest."""
    model = pretrained()
    x = torch.cat([read(model, one) for one in pictures(count, seed=seed)])
    with torch.no_grad():
        outputs = model.net.backbone(x)
    fitted = count * 2 // 3
    rows: list[Kept] = []
    for stage, maps in zip(model.net.backbone.info, outputs, strict=True):
        colours = F.adaptive_avg_pool2d(x, maps.shape[2:])
        ridge = chosen_ridge(_rows(maps[:fitted]), _rows(colours[:fitted]))
        line = fit(_rows(maps[:fitted]), _rows(colours[:fitted]), ridge)
        rows.append(
            Kept(
                name=stage.name,
                stride=stage.stride,
                channels=stage.channels,
                low=float(maps.min()),
                high=float(maps.max()),
                colour=explained(line, _rows(maps[fitted:]), _rows(colours[fitted:])),
            )
        )
    return rows


def fit(x: Float[Tensor, "n c"], y: Float[Tensor, "n k"], ridge: float) -> Line:
    """Ridge regression of `y` on the standardised `x`; `ridge` is a share of the number of rows."""
    deviation, mean = torch.std_mean(x.double(), 0)
    deviation = deviation.clamp_min(1e-6)
    middle = y.double().mean(0)
    scaled = (x.double() - mean) / deviation
    gram = scaled.T @ scaled / len(x)
    gram += ridge * torch.eye(len(gram), dtype=gram.dtype)
    slope = torch.linalg.solve(gram, scaled.T @ (y.double() - middle) / len(x))
    return Line(slope / deviation[:, None], middle - (mean / deviation) @ slope)


def explained(line: Line, x: Float[Tensor, "n c"], y: Float[Tensor, "n k"]) -> float:
    """The share of the variance of `y` that the line explains: 1 is all; below 0 it is worse than the mean.

    >>> x = torch.arange(6.0)[:, None]
    >>> round(explained(fit(x, 2 * x + 1, 1e-6), x + 6, 2 * x + 13), 4)
    1.0
    """
    left = (y.double() - x.double() @ line.slope - line.start).square().sum()
    return float(1 - left / (y.double() - y.double().mean(0)).square().sum())


def chosen_ridge(x: Float[Tensor, "n c"], y: Float[Tensor, "n k"]) -> float:
    """The one of RIDGES that explains most of the last fifth of the rows when it is fitted on the others."""
    cut = len(x) * 4 // 5
    return max(RIDGES, key=lambda ridge: explained(fit(x[:cut], y[:cut], ridge), x[cut:], y[cut:]))


def _rows(maps: Float[Tensor, "n c h w"], most: int = 20_000) -> Float[Tensor, "m c"]:
    """One row a place, thinned evenly where there are more than `most`."""
    rows = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
    return rows[:: -(-len(rows) // most)]
