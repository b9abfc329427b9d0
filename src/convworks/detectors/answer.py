"""What every detector takes and gives: the objects of some frames as tensors, and what it finds in one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from convworks.samples import COUNTED, Sample

NOBODY = -1  # the label of a row of padding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a net finds in a frame, by falling score: boxes (xyxy) in pixels of the frame, scores in [0, 1], classes."""

    boxes: Float[np.ndarray, "n 4"]
    scores: Float[np.ndarray, "n"]
    labels: Int[np.ndarray, "n"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """The objects of one frame that count, and the regions in which a find is neither right nor wrong."""

    boxes: Float[Tensor, "m 4"]
    labels: Int[Tensor, "m"]
    aside: Float[Tensor, "c 4"]


def padded(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The objects of some samples as tensors of one shape, padded by rows of label -1.

    By name: `boxes` (n, m, 4) in pixels of the frame, `labels` (n, m), and `aside` (n, m), true where an object does
    not count.
    """
    most = max([1, *(len(sample.boxes) for sample in samples)])
    boxes = np.zeros((len(samples), most, 4), np.float32)
    labels = np.full((len(samples), most), NOBODY, np.int64)
    aside = np.zeros((len(samples), most), np.bool_)
    for row, sample in enumerate(samples):
        n = len(sample.boxes)
        boxes[row, :n], labels[row, :n] = sample.boxes, sample.labels
        aside[row, :n] = sample.aside != COUNTED
    return {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.from_numpy(labels),
        "aside": torch.from_numpy(aside),
    }


def stacked(boxes: Sequence[Float[np.ndarray, "_ 4"]]) -> Float[Tensor, "n r 4"]:
    """The boxes of some frames as one tensor, padded by boxes without an area."""
    found = np.zeros((len(boxes), max([1, *map(len, boxes)]), 4), np.float32)
    for row, some in zip(found, boxes, strict=True):
        row[: len(some)] = some
    return torch.from_numpy(found)


def unstacked(boxes: Float[Tensor, "n r 4"]) -> list[Float[Tensor, "_ 4"]]:
    """The boxes of each frame, without padding."""
    return [some[(some[:, 2:] > some[:, :2]).all(1)] for some in boxes]


def truths(targets: Mapping[str, Tensor]) -> list[Truth]:
    """The objects of each frame, without padding."""
    rows = zip(targets["boxes"], targets["labels"], targets["aside"], strict=True)
    return [_truth(boxes, labels, aside) for boxes, labels, aside in rows]


def _truth(boxes: Float[Tensor, "m 4"], labels: Int[Tensor, "m"], aside: Bool[Tensor, "m"]) -> Truth:
    there = labels != NOBODY
    counted = there & ~aside
    return Truth(boxes=boxes[counted], labels=labels[counted], aside=boxes[there & aside])
