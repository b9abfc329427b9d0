"""Semantic segmentation: "class label + an outline of every object", here as the class of every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.augmentation.resample import FROM_MIDDLES, TO_MIDDLES
from convworks.backbones.contract import Stage
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move, crop
from convworks.metrics import boundary, overlap, stride
from convworks.recipe.options import Outlining
from convworks.samples import Sample, Segmentation
from convworks.tasks import fcn, looks, pixel_losses
from convworks.tasks.contract import Evidence, Loss, Scenes, Summary, Task
from convworks.tasks.enlarging import cross_entropy_and_dice, laid

WIDTH = 64  # channels of the pyramid
KEPT = 240  # pixels of the longer side of the maps that a report shows
FINEST = 4  # stride at which classes are told apart
DICE = 0.5  # beside 1 of cross-entropy
READ = 2  # of a picture above `WHOLE` pixels the loss reads each so many-th of each so many-th row
WHOLE = 16_384
TURNS = 10_007  # times that it reads other ones, over the whole training


class PyramidDecoder(nn.Module):
    """A light pyramid: maps of stride 4 and more, each made `WIDTH` wide, summed from the coarsest on.

    Each map is laid upon the next finer one by where the middles of its cells are, which in many nets is not the
    middle of their squares.
    Source: Kirillov et al., Panoptic feature pyramid networks (1901.02446), section 3.2, with sums throughout.
    """

    def __init__(self, info: Sequence[Stage], classes: int, dropout: float) -> None:
        super().__init__()
        self.taps = taps(info)
        self.lateral = nn.ModuleList(nn.Conv2d(info[tap].channels, WIDTH, 1, bias=False) for tap in self.taps)
        self.norm = nn.ModuleList(nn.BatchNorm2d(WIDTH) for _ in self.taps)
        self.smooth = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(inplace=True)
        )
        self.dropout = nn.Dropout2d(dropout / 2)
        self.classify = nn.Conv2d(WIDTH, classes, 1)
        self.cells = [(info[tap].stride, fcn.centre(info[tap])) for tap in self.taps]

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n k h w"]:
        """The logits at the stride of the finest map that is read."""
        total = F.relu(self._level(-1, maps))
        for place in range(len(self.taps) - 2, -1, -1):
            here = self._level(place, maps)
            total = here + _upon(
                total, (here.shape[-2], here.shape[-1]), self.cells[place + 1], self.cells[place]
            )
            total = F.relu(total)
        logits = self.classify(self.dropout(self.smooth(total)))
        stride = self.cells[0][0]
        return _upon(logits, (logits.shape[-2], logits.shape[-1]), self.cells[0], (stride, stride / 2))

    def _level(self, place: int, maps: Sequence[Tensor]) -> Tensor:
        return self.norm[place](self.lateral[place](maps[self.taps[place]]))


def _upon(
    x: Float[Tensor, "n c h w"], size: Size, own: tuple[int, float], other: tuple[int, float]
) -> Float[Tensor, "n c h2 w2"]:
    """A map of `own` cells (stride, middle of the first one, in pixels) at the middles of `other` cells."""
    (stride, middle), (finer, at) = own, other
    return x if own == other else laid(x, size, (at - middle) / stride, finer / stride)


def taps(info: Sequence[Stage]) -> list[int]:
    """The last stage of each stride from `FINEST` on: which maps a pyramid reads."""
    last = {stage.stride: place for place, stage in enumerate(info)}
    chosen = [place for stride, place in sorted(last.items()) if stride >= FINEST]
    return chosen or [len(info) - 1]


def head(info: Sequence[Stage], classes: int, dropout: float) -> PyramidDecoder:
    """A new decoder for a net whose stages `info` describes."""
    return PyramidDecoder(info, classes, dropout)


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The class maps of some samples of one size, 255 where a pixel does not count."""
    return {"class_map": torch.from_numpy(np.stack([sample.class_map for sample in samples]))}


def loss(
    outputs: Float[Tensor, "n k h w"],
    targets: Mapping[str, Tensor],
    progress: float,
    weights: Float[Tensor, "k"] | None = None,
) -> Loss:
    """Cross-entropy, by `weights` of the classes, and Dice; of a large picture a quarter of the pixels a turn.

    Neighbours say nearly the same, and each pixel has its turn.
    """
    height, width = targets["class_map"].shape[-2:]
    every, turn = (READ, int(progress * TURNS)) if height * width > WHOLE else (1, 0)
    return cross_entropy_and_dice(outputs, targets, progress, DICE, weights, every, turn)


def decode(outputs: Float[Tensor, "n k h w"], names: Sequence[str]) -> list[Float[np.ndarray, "k h w"]]:
    """The logits of each image, at the stride of the net."""
    return list(outputs.numpy())


def restore(answer: Float[np.ndarray, "k h w"], move: Move, size: Size, names: Sequence[str]) -> Segmentation:
    """The class of every pixel of the original: logits enlarged first, then the largest taken."""
    (high, wide), (height, width) = answer.shape[1:], move.size
    way = move.then(crop((0, 0, width, height), (high, wide)))
    matrix = (TO_MIDDLES @ way.matrix @ FROM_MIDDLES)[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    best = np.full(size, -np.inf, np.float32)
    class_map = np.zeros(size, np.uint8)
    for place, plane in enumerate(answer):
        grown = cv2.warpAffine(plane, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        better = grown > best
        class_map[better] = place
        best[better] = grown[better]
    return Segmentation(class_map=class_map, names=tuple(names))


def observe(prediction: Segmentation, sample: Sample, names: Sequence[str]) -> Evidence:
    """Pixels by true class and answered class, the cells that are not empty."""
    return {"cells": overlap.cells(overlap.class_counts(sample.class_map, prediction.class_map, len(names)))}


def study(prediction: Segmentation, sample: Sample, names: Sequence[str]) -> Evidence:
    """The edges of each class, what stride would cost on this mask, and both maps, small."""
    truth, answer = sample.class_map, prediction.class_map
    width = boundary.width_of((truth.shape[0], truth.shape[1]))
    return {
        "edges": boundary.boundary_counts(truth, answer, len(names), width),
        "strides": stride.stride_counts(truth, len(names)),
        "truth": _small(truth),
        "answer": _small(answer),
    }


def summarise(evidence: Sequence[Evidence], names: Sequence[str]) -> Summary:
    """Mean IoU first, the other measures of the paper, boundary IoU where it was studied, and the IoU of each class."""
    known = [one["cells"] for one in evidence]
    table = overlap.table_of(np.concatenate([np.zeros((0, 3), np.int64), *known]), len(names))
    measures = {
        "mean IoU": overlap.mean_iou(table),
        "pixel accuracy": overlap.pixel_accuracy(table),
        "mean accuracy": overlap.mean_accuracy(table),
        "weighted IoU": overlap.weighted_iou(table),
    }
    edges = [one["edges"] for one in evidence if "edges" in one]
    if edges:
        measures["boundary IoU"] = boundary.mean_boundary_iou(np.sum(edges, axis=0))
    return Summary(measures=measures, classes=dict(zip(names, overlap.ious(table).tolist(), strict=True)))


def _small(class_map: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h2 w2"]:
    """Every so many pixels of a map, its longer side about `KEPT`."""
    step = max(1, round(max(class_map.shape) / KEPT))
    return np.ascontiguousarray(class_map[step // 2 :: step, step // 2 :: step])


SEGMENTATION = Task(
    name="segmentation",
    head=head,
    targets=targets,
    loss=loss,
    decode=decode,
    scenes=Scenes(
        restore=restore, observe=observe, summarise=summarise, study=study, averaged=looks.averaged
    ),
    decoder="pyramid",
)


def with_loss(task: Task, outlining: Outlining, weights: Float[Tensor, "k"] | None) -> Task:
    """The task learned from another loss, cross-entropy and focal with `weights` of the classes."""
    entropy, focal = (
        partial(one, weights=weights) for one in (pixel_losses.cross_entropy, pixel_losses.focal)
    )
    parts: dict[str, dict[pixel_losses.PixelLoss, float]] = {
        "focal": {focal: 1.0, pixel_losses.dice: DICE},
        "boundary": {entropy: 1.0, pixel_losses.dice: DICE, pixel_losses.boundary: 1.0},
        "tversky": {pixel_losses.tversky: 1.0},
        "lovasz": {pixel_losses.lovasz: 1.0},
    }
    if outlining == "cross-entropy":
        return replace(task, loss=partial(loss, weights=weights))
    each = partial(pixel_losses.summed, parts=parts[outlining])
    return replace(task, loss=partial(pixel_losses.over_pixels, each=each))


def _fcn(name: str, **how: Any) -> Task:
    """Segmentation by scores at the coarsest map, refined by those of finer ones."""
    return replace(SEGMENTATION, head=partial(fcn.FullyConvolutional, **how), decoder=name, ripen=fcn.ripen)


FCN32 = _fcn("fcn32", finest=32)
FCN16 = _fcn("fcn16", finest=16)
FCN8 = _fcn("fcn8", finest=8)
FCN8_STAGED = _fcn("fcn8-staged", finest=8, staged=True)
