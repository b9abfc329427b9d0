"""Localization: "the class label and a bounding box that tells where the object is", one object an image.

Every cell of a map says how sure it is to lie on the object, and how far the four edges are from its middle; features
pooled over the last map say the class. The numbers are shares of the frame, so that neither stride nor resizing changes
them.

Source: VGG (1409.1556), appendix A, told by distances as in FCOS (1904.01355).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.backbones.contract import Stage
from convworks.geometry import boxes as boxes_
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move
from convworks.regions.coding import from_distances
from convworks.regions.losses import generalised_overlap
from convworks.regions.pyramid import Pyramid
from convworks.samples import Localization, Sample
from convworks.tasks.contract import Evidence, Loss, Scenes, Summary, Task

WIDTH = 128  # channels between the maps and the edges
STRIDE = 16  # of the map whose cells tell the edges, where the net has one
CORE = 0.5  # the share of the object's sides in whose middle cells learn its edges
FOUND = 0.5  # IoU from which the object counts as found
AT_FIRST = (
    0.25  # how far the edges are from a cell, as a share of the frame, before anything has been learned
)
ROW = 7  # numbers of a cell before those of the classes: x, y, how sure, and a box


class LocalizationHead(nn.Module):
    """For every cell of a map: x, y, a logit for lying on the object, a box, and the image's logit for each class.

    Places and boxes are shares of the frame. The map is the finest of a pyramid down to `STRIDE`: fine enough for
    edges, and told what the last map saw, which alone says the class.
    """

    def __init__(self, info: Sequence[Stage], classes: int, dropout: float) -> None:
        super().__init__()
        channels, strides = [stage.channels for stage in info], [stage.stride for stage in info]
        self.pyramid = Pyramid(channels, strides, finest=STRIDE, coarsest=STRIDE, width=WIDTH)
        self.locate = nn.Conv2d(WIDTH, 5, 1)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(channels[-1], classes)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n cells row"]:
        """The rows of all cells, row after row of the map."""
        [fine] = self.pyramid(maps)
        told = self.locate(fine).flatten(2).mT.float()
        classes = self.classify(self.dropout(maps[-1].mean((2, 3)))).float()
        places = middles(fine.shape[-2], fine.shape[-1], fine.device).expand(len(fine), -1, -1)
        box = from_distances(places, told[..., 1:] + AT_FIRST)
        return torch.cat([places, told[..., :1], box, classes[:, None].expand(-1, told.shape[1], -1)], -1)


def middles(high: int, wide: int, device: torch.device | str = "cpu") -> Float[Tensor, "cells 2"]:
    """The middles (x, y) of the cells of a map, as shares of the frame.

    >>> middles(1, 2).tolist()
    [[0.25, 0.5], [0.75, 0.5]]
    """
    y = (torch.arange(high, device=device) + 0.5) / high
    x = (torch.arange(wide, device=device) + 0.5) / wide
    return torch.stack([x.repeat(high), y.repeat_interleave(wide)], -1)


def head(info: Sequence[Stage], classes: int, dropout: float) -> LocalizationHead:
    """A new head for a net whose stages `info` describes."""
    return LocalizationHead(info, classes, dropout)


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The class and the box, in shares of the frame, of each sample's largest object; class -1 where there is none."""
    labels = np.full(len(samples), -1, np.int64)
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (len(samples), 1))
    for row, sample in enumerate(samples):
        if len(sample.boxes):
            place = int(boxes_.area(sample.boxes).argmax())
            height, width = sample.image.shape[:2]
            labels[row] = sample.labels[place]
            boxes[row] = sample.boxes[place] / np.array([width, height, width, height], np.float32)
    return {"label": torch.from_numpy(labels), "box": torch.from_numpy(boxes)}


def place_and_class(
    outputs: Float[Tensor, "n cells row"],
    targets: Mapping[str, Tensor],
    progress: float,
    box: float = 2.0,
    edges: float = 0.5,
) -> Loss:
    """Cross-entropy of the class and of the cells on the object, and for those `box` x (1 - GIoU) + `edges` x L1.

    Images without an object say nothing; each image counts alike.
    """
    labels, wanted = targets["label"], targets["box"][:, None]
    known = (labels >= 0).float()
    classes = F.cross_entropy(outputs[..., ROW:].mean(1), labels.clamp(min=0), reduction="none")
    core = on_object(outputs[..., :2], wanted)
    share = core / core.sum(1, keepdim=True)
    where = -(share * outputs[..., 2].log_softmax(1)).sum(1)
    said = outputs[..., 3:ROW]
    poor = 1 - generalised_overlap(said, wanted.expand_as(said))
    off = (said - wanted).abs().sum(-1)
    fit = (share * (box * poor + edges * off)).sum(1)
    total = ((classes + where + fit) * known).sum()
    return Loss(total=total, weight=torch.tensor(float(len(labels))))


def on_object(places: Float[Tensor, "n cells 2"], box: Float[Tensor, "n 1 4"]) -> Float[Tensor, "n cells"]:
    """1 for the cells in the middle of an object, and for the nearest where there is none; else 0."""
    centre, sides = (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]
    away = (places - centre).abs()
    inside = (away <= CORE * sides / 2).all(-1)
    nearest = F.one_hot(away.square().sum(-1).argmin(1), places.shape[1]).bool()
    return (inside | nearest).float()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What the net says of a frame: the probability of each class, and a box in shares of the frame."""

    probabilities: Float[np.ndarray, "k"]
    box: Float[np.ndarray, "4"]


def decode(outputs: Float[Tensor, "n cells row"], names: Sequence[str]) -> list[Answer]:
    """The class of the image, and the box of the cell that is surest to lie on the object."""
    if not len(outputs):
        return []
    probabilities = outputs[..., ROW:].mean(1).softmax(-1).numpy()
    best = outputs[..., 2].argmax(1)
    said = outputs[torch.arange(len(outputs)), best, 3:ROW].numpy()
    corners = np.sort(said.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    return [Answer(probabilities=row, box=one) for row, one in zip(probabilities, corners, strict=True)]


def restore(answer: Answer, move: Move, size: Size, names: Sequence[str]) -> Localization:
    """The answer in pixels of the original picture."""
    height, width = move.size
    frame = answer.box[None] * np.array([width, height, width, height], np.float32)
    box = boxes_.clip(move.inverse(size).boxes(frame), size)[0].tolist()
    order: list[int] = np.argsort(-answer.probabilities, kind="stable").tolist()
    return Localization(
        names=tuple(names[place] for place in order),
        probabilities=tuple(float(answer.probabilities[place]) for place in order),
        box=(box[0], box[1], box[2], box[3]),
        size=(size[1], size[0]),
    )


def observe(prediction: Localization, sample: Sample, names: Sequence[str]) -> Evidence:
    """The true and the answered class, the IoU and both boxes; all empty where there is no object."""
    if not len(sample.boxes):
        none = np.zeros(0, np.int64)
        return {"truth": none, "answer": none, "iou": np.zeros(0), "boxes": np.zeros((0, 2, 4))}
    place = int(boxes_.area(sample.boxes).argmax())
    both = np.stack([np.array(prediction.box, np.float32), sample.boxes[place]])
    return {
        "truth": sample.labels[place : place + 1],
        "answer": np.array([list(names).index(prediction.name)]),
        "iou": boxes_.iou(both[:1], both[1:])[0],
        "boxes": both[None],
    }


def summarise(evidence: Sequence[Evidence], names: Sequence[str]) -> Summary:
    """Mean IoU first; how many were found (IoU of .5), were named right, and both; the mean IoU of each class."""
    found = {
        name: np.concatenate([np.zeros(0), *(one[name] for one in evidence)])
        for name in ("truth", "answer", "iou")
    }
    near, right = found["iou"] >= FOUND, found["truth"] == found["answer"]
    return Summary(
        measures={
            "mean IoU": _mean(found["iou"]),
            "found": _mean(near),
            "class accuracy": _mean(right),
            "found and named": _mean(near & right),
        },
        classes={name: _mean(found["iou"][found["truth"] == place]) for place, name in enumerate(names)},
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


LOCALIZATION = Task(
    name="localization",
    head=head,
    targets=targets,
    loss=place_and_class,
    decode=decode,
    scenes=Scenes(restore=restore, observe=observe, summarise=summarise),
)
