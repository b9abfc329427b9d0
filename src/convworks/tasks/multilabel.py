"""Several labels an image: every class is a question of its own, answered yes or no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from convworks.samples import MultiLabel, Sample
from convworks.tasks.contract import Loss, Task
from convworks.tasks.head import head

EVEN = 0.5  # from which probability on a class is named where nothing was chosen


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Which classes each sample shows, 1 or 0."""
    return {"shows": torch.from_numpy(np.stack([sample.shows for sample in samples])).float()}


def binary_cross_entropy(
    outputs: Float[Tensor, "n k"], targets: Mapping[str, Tensor], progress: float, smoothing: float = 0.0
) -> Loss:
    """The mean over the classes of the binary cross-entropy, an image a part of the sum.

    `smoothing` draws 1 and 0 that much nearer to 1/2, as label smoothing does for two classes (1512.00567, section 7).
    """
    wanted: Float[Tensor, "n k"] = targets["shows"].float()
    soft = wanted * (1 - smoothing) + smoothing / 2
    each = F.binary_cross_entropy_with_logits(outputs.float(), soft, reduction="none")
    return Loss(total=each.mean(1).sum(), weight=torch.tensor(float(len(wanted))))


def decode(outputs: Float[Tensor, "n k"], names: Sequence[str]) -> list[MultiLabel]:
    """The probability of each class of each image; those from one half on are named."""
    rows: list[list[float]] = outputs.double().sigmoid().cpu().tolist()
    even = (EVEN,) * len(names)
    return [MultiLabel(names=tuple(names), probabilities=tuple(row), thresholds=even) for row in rows]


MULTILABEL = Task(
    name="multilabel",
    head=head,
    targets=targets,
    loss=partial(binary_cross_entropy, smoothing=0.0),
    decode=decode,
    several=True,
)
