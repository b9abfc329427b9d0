"""Maps laid upon finer ones, and the loss that most nets learn from, quick on a processor.

Bilinear enlarging is a product with two small matrices; its way back, which the library walks pixel by pixel, is the
product with their transposes. Cross-entropy and Dice share one softmax, and their gradient is written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from convworks.geometry.boxes import Size
from convworks.samples import IGNORE
from convworks.tasks.contract import Loss


def enlarged(logits: Float[Tensor, "n k h w"], size: Size) -> Float[Tensor, "n k h2 w2"]:
    """The logits at `size` (height, width), bilinear between the middles of their cells."""
    return _Enlarge.apply(logits, size)


def cross_entropy_and_dice(
    outputs: Float[Tensor, "n k h w"],
    targets: Mapping[str, Tensor],
    progress: float,
    dice: float = 0.5,
    weights: Float[Tensor, "k"] | None = None,
    every: int = 1,
    turn: int = 0,
) -> Loss:
    """Mean cross-entropy of the pixels that count, and `dice` times one minus the mean Dice of the classes there.

    The values of `pixel_losses.cross_entropy` (with `weights` of the classes) and `pixel_losses.dice` on enlarged
    logits, several times as quick; of each `every`-th pixel of each `every`-th row, others at each `turn`.
    """
    wanted = targets["class_map"]
    total = _CrossEntropyAndDice.apply(outputs.float(), wanted, weights, dice, every, turn)
    return Loss(total=total, weight=torch.tensor(float(len(wanted))))


class _Enlarge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, size: Size) -> Tensor:
        ctx.size = (logits.shape[-2], logits.shape[-1])
        return F.interpolate(logits, size, mode="bilinear", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _gathered(gradients[0], ctx.size), None


class _CrossEntropyAndDice(torch.autograd.Function):
    """Both losses of each image and, where it will be asked for, their gradient, an image at a time."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        wanted: Tensor,
        weights: Tensor | None,
        dice: float,
        every: int,
        turn: int,
    ) -> Tensor:
        learns = ctx.needs_input_grad[0]
        gradient = torch.empty_like(logits) if learns else None
        total = torch.zeros((), dtype=torch.float64 if logits.dtype == torch.float64 else torch.float32)
        total = total.to(logits.device)
        down, across = (slice(turn // side % every, None, every) for side in (every, 1))
        rows = _enlarging(logits, logits.shape[2], wanted.shape[1])[down]
        columns = _enlarging(logits, logits.shape[3], wanted.shape[2])[across]
        for place, (small, map_) in enumerate(zip(logits, wanted[:, down, across], strict=True)):
            grown = rows @ (small @ columns.T)
            loss, of_pixels = _one(grown.flatten(1), map_.flatten().long(), weights, dice, learns)
            total = total + loss
            if gradient is not None and of_pixels is not None:
                gradient[place] = rows.T @ (of_pixels.view(grown.shape) @ columns)
        ctx.gradient = gradient
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.gradient * gradients[0], None, None, None, None, None


def _one(
    logits: Float[Tensor, "k p"], wanted: Int[Tensor, "p"], weights: Tensor | None, dice: float, learns: bool
) -> tuple[Tensor, Tensor | None]:
    """The loss of one image's pixels and its gradient.

    With p the probabilities, y the true class and D = sum p + sum t + 1 of a class, Dice is S = (2 sum pt + 1) / D,
    and its derivative by p is (2 t - S) / D; through the softmax a gradient g becomes p (g - sum g p).
    """
    known = wanted != IGNORE
    true = wanted.where(known, 0)[None]
    counts = known.to(logits)
    if weights is not None:
        counts = counts * weights.to(logits)[true[0]]
    counts = counts / counts.sum().clamp(min=1e-12)
    logs = logits.log_softmax(0)
    loss = -(logs.gather(0, true)[0] * counts).sum()
    shares = logs.exp_()
    here = known.to(logits)
    right = shares.gather(0, true)[0] * here
    there = torch.zeros(len(logits), dtype=logits.dtype, device=logits.device).scatter_add_(0, true[0], here)
    both = torch.zeros_like(there).scatter_add_(0, true[0], right)
    present = there > 0
    number = present.sum().clamp(min=1)
    whole = shares @ here + there + 1
    index = (2 * both + 1) / whole
    loss = loss + dice * (present.any().to(logits) - (index * present).sum() / number)
    if not learns:
        return loss, None
    each = dice * present / (number * whole)
    even = each * index
    own = counts + 2 * each[true[0]] * right
    inner = own - (even @ shares) * here
    gradient = torch.empty_like(shares)
    for of_class, share, factor in zip(gradient, shares, even.tolist(), strict=True):
        torch.add(inner, here, alpha=factor, out=of_class).mul_(share)
    return loss, gradient.scatter_add_(0, true, -own[None])


def _gathered(gradient: Float[Tensor, "*n k h w"], size: Size) -> Float[Tensor, "*n k h2 w2"]:
    """The gradient for logits of `size` from that for their enlarged form: bilinear enlarging, transposed."""
    rows = _enlarging(gradient, size[0], gradient.shape[-2])
    columns = _enlarging(gradient, size[1], gradient.shape[-1])
    return rows.T @ (gradient @ columns)


def laid(x: Float[Tensor, "n c h w"], size: Size, start: float, step: float) -> Float[Tensor, "n c h2 w2"]:
    """The map at `size` (height, width) places, the first at cell `start` and `step` cells apart, bilinear.

    Beyond the map its border goes on.
    """
    lines = x.permute(0, 2, 3, 1)
    n, height, width, channels = lines.shape
    rows = torch.from_numpy(reading(height, size[0], start, step)).to(x)
    columns = torch.from_numpy(reading(width, size[1], start, step)).to(x)
    tall = (rows @ lines.reshape(n, height, width * channels)).view(n, size[0], width, channels)
    return (columns @ tall).permute(0, 3, 1, 2)


@lru_cache(maxsize=256)
def reading(length: int, to: int, start: float, step: float) -> Float[np.ndarray, "t l"]:
    """The share of each of `length` cells of a line in each of `to` places, the first at `start`, `step` apart.

    >>> reading(2, 4, -0.25, 0.5).tolist()  # the line enlarged to twice its length
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    places = np.clip(start + step * np.arange(to), 0, length - 1)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(length)), 0)


def _enlarging(x: Tensor, small: int, large: int) -> Float[Tensor, "l s"]:
    """The share of each of `small` cells in each of `large` pixels of the same line, like `x`."""
    step = small / large
    return torch.from_numpy(reading(small, large, step / 2 - 0.5, step)).to(x)
