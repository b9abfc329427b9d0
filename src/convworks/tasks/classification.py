"""Image classification: "taking an input image and outputting a class number out of a set of categories"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from convworks.samples import Classification, Sample
from convworks.tasks.contract import Loss, Task
from convworks.tasks.head import head


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The class ids of some samples."""
    return {"label": torch.tensor([sample.label for sample in samples], dtype=torch.int64)}


def cross_entropy(
    outputs: Float[Tensor, "n k"], targets: Mapping[str, Tensor], progress: float, smoothing: float = 0.0
) -> Loss:
    """Cross-entropy with label smoothing (1512.00567, section 7); `smoothing` is spread over all classes.

    An image that holds another one (mixup, CutMix) is to be of the class "label" by its "share", else of "other".
    """
    labels: Int[Tensor, "n"] = targets["label"]
    entropy = partial(F.cross_entropy, outputs.float(), label_smoothing=smoothing)
    if "other" in targets:
        share, other = targets["share"], entropy(targets["other"], reduction="none")
        total = (share * entropy(labels, reduction="none") + (1 - share) * other).sum()
    else:
        total = entropy(labels, reduction="sum")
    return Loss(total=total, weight=torch.tensor(float(len(labels))))


def decode(outputs: Float[Tensor, "n k"], names: Sequence[str]) -> list[Classification]:
    """The classes of each image from most to least probable; ties go to the first name."""
    probabilities = outputs.double().softmax(1).cpu().numpy()
    ranked = (-probabilities).argsort(1, kind="stable")
    rows: list[list[float]] = probabilities.tolist()
    orders: list[list[int]] = ranked.tolist()
    return [
        Classification(
            names=tuple(names[place] for place in order), probabilities=tuple(row[place] for place in order)
        )
        for row, order in zip(rows, orders, strict=True)
    ]


CLASSIFICATION = Task(
    name="classification",
    head=head,
    targets=targets,
    loss=partial(cross_entropy, smoothing=0.1),
    decode=decode,
)
