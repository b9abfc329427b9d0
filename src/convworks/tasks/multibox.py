"""MultiBox as a task: priors from the training boxes, which the net then corrects and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from convworks.backbones.contract import Stage, tapped
from convworks.detectors import multibox
from convworks.detectors.answer import Answer, padded, truths
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move
from convworks.recipe.options import ModelOptions
from convworks.regions import proposals
from convworks.samples import Detection, Sample
from convworks.tasks import detection
from convworks.tasks.contract import Loss, Scenes

PRIORS = 64
"""Boxes that the net tells of each picture: about 20 for each object that it may hold."""


class MultiBoxHead(nn.Module):
    """The detector on the last map of `stride`; `priors` are shares of the frame's sides, by default a grid."""

    def __init__(
        self,
        info: Sequence[Stage],
        classes: int,
        dropout: float,
        *,
        stride: int = 8,
        priors: Sequence[Sequence[float]] = (),
    ) -> None:
        super().__init__()
        self.tap = tapped(info, stride)
        self.reads = self.tap + 1
        boxes = torch.from_numpy(proposals.grid() if not len(priors) else np.array(priors)).float()
        self.detector = multibox.MultiBoxDetector(info[self.tap].channels, classes, dropout, boxes)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n p row"]:
        """The rows of all priors."""
        here = maps[self.tap]
        with torch.autocast(here.device.type, enabled=False):
            return self.detector(here.float())


def settings(options: ModelOptions) -> dict[str, Any]:
    """The stride of the map that is read."""
    return {"stride": options.finest}


def fitted(settings: Mapping[str, Any], boxes: Float[np.ndarray, "n 4"], size: Size) -> dict[str, Any]:
    """The same, with priors that stand for the training boxes (pixels of frames of `size`)."""
    if not len(boxes):
        return dict(settings)
    shares = boxes / np.array([size[1], size[0], size[1], size[0]])
    return {**settings, "priors": proposals.clustered(shares, PRIORS).round(4).tolist()}


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The objects of some samples, padded to one number, their boxes as shares of the frame's sides."""
    found = padded(samples)
    sides = [[sample.image.shape[1], sample.image.shape[0]] * 2 for sample in samples]
    return {**found, "boxes": found["boxes"] / torch.tensor(sides, dtype=torch.float32)[:, None]}


def loss(outputs: Float[Tensor, "n p row"], targets: Mapping[str, Tensor], progress: float) -> Loss:
    """The loss of the detector, each frame counting alike."""
    parts = [multibox.loss(rows, truth) for rows, truth in zip(outputs, truths(targets), strict=True)]
    return Loss(total=torch.stack(parts).sum(), weight=torch.tensor(float(len(parts))))


def decode(outputs: Float[Tensor, "n p row"], names: Sequence[str]) -> list[Answer]:
    """What is found in each frame, as shares of its sides."""
    return [multibox.decode(rows) for rows in outputs]


def restore(answer: Answer, move: Move, size: Size, names: Sequence[str]) -> Detection:
    """The boxes in pixels of the original picture; those of which nothing lies in it are left out."""
    height, width = move.size
    pixels = answer.boxes * np.array([width, height, width, height], np.float32)
    return detection.restore(replace(answer, boxes=pixels), move, size, names)


MULTIBOX = replace(
    detection.DETECTION,
    head=MultiBoxHead,
    targets=targets,
    loss=loss,
    decode=decode,
    settings=settings,
    fitted=fitted,
    scenes=Scenes(restore=restore, observe=detection.observe, summarise=detection.summarise),
    decoder="multibox",
)
