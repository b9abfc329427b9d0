"""Object detection: "localization on all the objects of the image", any number of them, each with a class and a box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from convworks.backbones.contract import Stage
from convworks.detectors import convdet
from convworks.detectors.answer import Answer, padded
from convworks.geometry import boxes as boxes_
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move
from convworks.metrics import average_precision as ap
from convworks.metrics.matches import coco_matches
from convworks.recipe.options import ModelOptions
from convworks.samples import Detection, Found, Sample
from convworks.tasks.contract import Evidence, Loss, Scenes, Summary, Task


def settings(options: ModelOptions) -> dict[str, Any]:
    """The strides of the finest and the coarsest map in which objects are looked for."""
    return {"finest": options.finest, "coarsest": options.coarsest}


def head(
    info: Sequence[Stage], classes: int, dropout: float, *, finest: int = 8, coarsest: int = 32
) -> convdet.ConvDet:
    """A new head for a net whose stages `info` describes, on maps from stride `finest` to `coarsest`."""
    return convdet.ConvDet(info, classes, dropout, finest=finest, coarsest=coarsest)


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The objects of some samples, padded to one number."""
    return padded(samples)


def loss(outputs: Float[Tensor, "n cells _"], targets: Mapping[str, Tensor], progress: float) -> Loss:
    """The loss of the default detector."""
    total, weight = convdet.loss(outputs, targets, progress)
    return Loss(total=total, weight=weight.detach())


def decode(outputs: Float[Tensor, "n cells _"], names: Sequence[str]) -> list[Answer]:
    """What is found in each frame."""
    return convdet.decode(outputs)


def restore(answer: Answer, move: Move, size: Size, names: Sequence[str]) -> Detection:
    """The boxes in pixels of the original picture; those of which nothing lies in it are left out."""
    boxes = boxes_.clip(move.inverse(size).boxes(answer.boxes), size)
    there = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    scores: list[float] = answer.scores[there].tolist()
    labels: list[int] = answer.labels[there].tolist()
    found = tuple(
        Found(name=names[label], probability=score, box=(box[0], box[1], box[2], box[3]))
        for box, score, label in zip(boxes[there].tolist(), scores, labels, strict=True)
    )
    return Detection(found=found, size=(size[1], size[0]))


def observe(prediction: Detection, sample: Sample, names: Sequence[str]) -> Evidence:
    """Which boxes are right (`metrics.matches`), and by falling score the boxes found and true, for whoever looks."""
    ids = {name: place for place, name in enumerate(names)}
    found = sorted(prediction.found, key=lambda one: -one.probability)
    boxes = np.array([one.box for one in found], np.float32).reshape(-1, 4)
    scores = np.array([one.probability for one in found], np.float64)
    labels = np.array([ids[one.name] for one in found], np.int64)
    rows = coco_matches(boxes, scores, labels, sample.boxes, sample.labels, sample.aside)
    return {**rows, "boxes": boxes, "truth": sample.boxes, "aside": sample.aside}


def summarise(evidence: Sequence[Evidence], names: Sequence[str]) -> Summary:
    """The twelve numbers of COCO, average precision first, and that of each class."""
    table = ap.table(evidence, len(names))
    return Summary(
        measures=ap.twelve(table), classes=dict(zip(names, ap.by_class(table).tolist(), strict=True))
    )


DETECTION = Task(
    name="detection",
    head=head,
    targets=targets,
    loss=loss,
    decode=decode,
    settings=settings,
    scenes=Scenes(restore=restore, observe=observe, summarise=summarise, averaged=convdet.averaged),
)
