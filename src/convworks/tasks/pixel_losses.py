"""Losses of a class for every pixel, as values: `replace(task, loss=partial(over_pixels, each=focal))` changes one.

Each takes logits of the size of the picture and gives one number an image, so that the mean over a batch does not
depend on how it was cut. Pixels of 255 count nowhere; an image that holds nothing else costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from convworks.samples import IGNORE
from convworks.tasks.contract import Loss
from convworks.tasks.enlarging import enlarged

PixelLoss: TypeAlias = Callable[[Float[Tensor, "n k h w"], Int[Tensor, "n h w"]], Float[Tensor, "n"]]


def over_pixels(
    outputs: Float[Tensor, "n k h w"], targets: Mapping[str, Tensor], progress: float, each: PixelLoss
) -> Loss:
    """The loss of a task: `each` on the logits, enlarged to the size of the class maps."""
    wanted = targets["class_map"].long()
    losses = each(enlarged(outputs.float(), (wanted.shape[-2], wanted.shape[-1])), wanted)
    return Loss(total=losses.sum(), weight=torch.tensor(float(len(wanted))))


def summed(
    logits: Float[Tensor, "n k h w"], wanted: Int[Tensor, "n h w"], parts: Mapping[PixelLoss, float]
) -> Float[Tensor, "n"]:
    """Several losses, each times its share."""
    return torch.stack([share * loss(logits, wanted) for loss, share in parts.items()]).sum(0)


def cross_entropy(
    logits: Float[Tensor, "n k h w"], wanted: Int[Tensor, "n h w"], weights: Float[Tensor, "k"] | None = None
) -> Float[Tensor, "n"]:
    """The mean cross-entropy of the pixels that count, each by the weight of its class."""
    each = F.cross_entropy(logits, wanted, reduction="none", ignore_index=IGNORE)
    counts = _counts(wanted, weights)
    return (each * counts).sum((1, 2)) / _whole(counts.sum((1, 2)))


def focal(
    logits: Float[Tensor, "n k h w"],
    wanted: Int[Tensor, "n h w"],
    gamma: float = 2.0,
    weights: Float[Tensor, "k"] | None = None,
) -> Float[Tensor, "n"]:
    """Cross-entropy times (1 - probability of the truth) to the `gamma`: what is easy counts little.

    Source: Lin et al., Focal loss for dense object detection (1708.02002), section 3.2.
    """
    each = F.cross_entropy(logits, wanted, reduction="none", ignore_index=IGNORE)
    counts = _counts(wanted, weights)
    hard = (-torch.expm1(-each)).clamp(min=0) ** gamma
    return (each * hard * counts).sum((1, 2)) / _whole(counts.sum((1, 2)))


def tversky(
    logits: Float[Tensor, "n k h w"],
    wanted: Int[Tensor, "n h w"],
    invented: float = 0.3,
    missed: float = 0.7,
) -> Float[Tensor, "n"]:
    """One minus the mean Tversky index of the classes there: what is missed costs more than what is invented.

    Source: Salehi et al., Tversky loss (1706.05721), section 2; with 1/2 and 1/2 it is Dice.
    """
    probabilities, truth, known = _shares(logits, wanted)
    both, there = (probabilities * truth).sum((2, 3)), truth.sum((2, 3))
    wrong = invented * (probabilities.sum((2, 3)) - both) + missed * (there - both)
    return _over_classes((both + 0.5) / (both + wrong + 0.5), there > 0, known)


def dice(logits: Float[Tensor, "n k h w"], wanted: Int[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """One minus the mean Dice of the classes there.

    Source: Milletari et al., V-Net (1606.04797), section 3, without the squares.
    """
    return tversky(logits, wanted, 0.5, 0.5)


def lovasz(logits: Float[Tensor, "n k h w"], wanted: Int[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """The convex surrogate of one minus the mean IoU of the classes there.

    Source: Berman et al., The Lovász-Softmax loss (1705.08790), algorithm 1 and equation 11.
    """
    losses: list[Tensor] = []
    for picture, map_ in zip(logits, wanted, strict=True):
        known = map_ != IGNORE
        probabilities, truth = picture.softmax(0)[:, known], map_[known]
        terms: list[Tensor] = []
        for one in truth.unique().tolist():
            there = (truth == one).to(probabilities)
            errors, order = (there - probabilities[one]).abs().sort(descending=True)
            sorted_truth = there[order]
            shared = sorted_truth.sum() - sorted_truth.cumsum(0)
            either = sorted_truth.sum() + (1 - sorted_truth).cumsum(0)
            jaccard = 1 - shared / either
            steps = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
            terms.append((errors * steps).sum())
        losses.append(torch.stack(terms).mean() if terms else picture.sum() * 0)
    return torch.stack(losses) if losses else logits.sum((1, 2, 3))


def boundary(logits: Float[Tensor, "n k h w"], wanted: Int[Tensor, "n h w"]) -> Float[Tensor, "n"]:
    """How far outside each class its probability lies, less how deep inside, in sides of the picture.

    To be added to a loss of areas. Source: Kervadec et al., Boundary loss (1812.07032), equation 5.
    """
    probabilities, truth, known = _shares(logits, wanted)
    there = truth.sum((2, 3)) > 0
    far = torch.from_numpy(_distances(wanted.cpu().numpy(), logits.shape[1])).to(probabilities)
    pixels = _whole(known.sum((1, 2)))[:, None]
    each = (probabilities * far).sum((2, 3)) / pixels
    return (each * there).sum(1) / _whole(there.sum(1))


def _distances(wanted: Int[np.ndarray, "n h w"], classes: int) -> Float[np.ndarray, "n k h w"]:
    """The signed distance of every pixel to the edge of each class that is there: negative inside."""
    n, height, width = wanted.shape
    far = np.zeros((n, classes, height, width), np.float32)
    for place, map_ in enumerate(wanted):
        for one in np.unique(map_).tolist():
            inside = (map_ == one).astype(np.uint8)
            if one == IGNORE or inside.all():
                continue
            out = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            deep = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            far[place, one] = (np.maximum(out - 0.5, 0) - np.maximum(deep - 0.5, 0)) / max(height, width)
    return far


def _counts(wanted: Int[Tensor, "n h w"], weights: Float[Tensor, "k"] | None) -> Float[Tensor, "n h w"]:
    """How much every pixel counts."""
    known = wanted != IGNORE
    if weights is None:
        return known.float()
    return weights.to(wanted.device)[wanted.where(known, 0)] * known


def _shares(
    logits: Float[Tensor, "n k h w"], wanted: Int[Tensor, "n h w"]
) -> tuple[Float[Tensor, "n k h w"], Float[Tensor, "n k h w"], Tensor]:
    """Probabilities and truth of each class, nought where nothing is known; and where something is."""
    known = wanted != IGNORE
    truth = F.one_hot(wanted.where(known, 0), logits.shape[1]).permute(0, 3, 1, 2) * known[:, None]
    return logits.softmax(1) * known[:, None], truth.to(logits), known


def _over_classes(values: Float[Tensor, "n k"], there: Tensor, known: Tensor) -> Float[Tensor, "n"]:
    mean = (values * there).sum(1) / _whole(there.sum(1))
    return (1 - mean) * known.flatten(1).any(1)


def _whole(numbers: Tensor) -> Tensor:
    """The numbers, 1 instead of 0, to divide by."""
    return torch.where(numbers > 0, numbers, 1)


CROSS_ENTROPY_AND_DICE = partial(summed, parts={cross_entropy: 1.0, dice: 0.5})
