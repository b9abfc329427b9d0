"""Outlines of the objects that the default detector finds, each a mixture of maps that all objects of a picture share.

A few prototypes are drawn once for the picture, on the finest map; each cell that finds an object says how much of each
its outline has, and the box cuts out what is left. Source: Bolya et al., YOLACT (1904.02689), sections 3.1 to 3.3. The
targets are the shares of each cell that an object covers, so that edges are learned finer than the cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.backbones.contract import Stage
from convworks.detectors import convdet
from convworks.detectors.answer import NOBODY, Answer, padded, truths
from convworks.detectors.paste import Pixels, finds, pasted, window
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move, crop
from convworks.layers.conv_norm import normalised
from convworks.samples import Detection, Sample

PROTOTYPES = 32
FINEST = 4  # stride of the prototypes, where the pyramid's finest map has 8
HIDDEN = 32  # channels of the layer before the prototypes
GAIN = 2.0  # weight of the outline beside the class and the box
LEARNING = 64  # cells of a picture, the best, that learn outlines in a step
MOST = 100  # outlines of a picture


class Said(NamedTuple):
    """What the net says of frames: the rows of a detector, each cell's share of each prototype, and the prototypes."""

    rows: Float[Tensor, "n cells row"]
    shares: Float[Tensor, "n cells p"]
    prototypes: Float[Tensor, "n p h w"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlined(Answer):
    """What a net finds in a frame, with the `shares` of each find and the `prototypes`, on a map over all the frame."""

    shares: Float[np.ndarray, "n p"]
    prototypes: Float[np.ndarray, "p h w"]


class ConvOutline(nn.Module):
    """The default detector, with outlines."""

    def __init__(
        self, info: Sequence[Stage], classes: int, dropout: float, *, finest: int = 8, coarsest: int = 32
    ) -> None:
        super().__init__()
        self.detector = convdet.ConvDet(info, classes, dropout, finest=finest, coarsest=coarsest)
        self.draw = Prototypes(2 if self.detector.pyramid.strides[0] > FINEST else 1)
        self.share = nn.Conv2d(convdet.WIDTH, PROTOTYPES, 1)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Said:
        """The rows and shares of all cells, level after level, and the prototypes."""
        levels = self.detector.pyramid(maps)
        rows, seen = self.detector.read(levels)
        shares = torch.cat([self.share(one).flatten(2).mT.float() for one in seen], 1)
        return Said(rows=rows, shares=shares.tanh(), prototypes=self.draw(levels[0]).float())


class Prototypes(nn.Module):
    """The maps that outlines are mixed of, `grow` times as fine as what they are drawn from."""

    def __init__(self, grow: int) -> None:
        super().__init__()
        self.grow = grow
        self.look = nn.Conv2d(convdet.WIDTH, convdet.WIDTH, 3, padding=1, bias=False)
        self.look_norm = nn.BatchNorm2d(convdet.WIDTH)
        self.refine = nn.Conv2d(convdet.WIDTH, HIDDEN, 3, padding=1, bias=False)
        self.refine_norm = nn.BatchNorm2d(HIDDEN)
        self.told = nn.Conv2d(HIDDEN, PROTOTYPES, 1)

    def forward(self, finest: Float[Tensor, "n c h w"]) -> Float[Tensor, "n p h2 w2"]:
        """The prototypes of each frame."""
        seen = normalised(finest, self.look, self.look_norm, "relu")
        if self.grow > 1:
            seen = F.interpolate(seen, scale_factor=self.grow, mode="bilinear", align_corners=False)
        return self.told(normalised(seen, self.refine, self.refine_norm, "relu"))


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The objects of some samples as `answer.padded`, and `masks` (n, m, h, w): of each cell the share, 255 for all."""
    found = padded(samples)
    (height, width), most = samples[0].image.shape[:2], found["boxes"].shape[1]
    masks = np.zeros((len(samples), most, max(height // FINEST, 1), max(width // FINEST, 1)), np.uint8)
    for row, sample in zip(masks, samples, strict=True):
        for target, mask in zip(row, sample.masks, strict=False):
            target[:] = _covered(mask.view(np.uint8), (target.shape[0], target.shape[1]))
    return {**found, "masks": torch.from_numpy(masks)}


def _covered(mask: UInt8[np.ndarray, "h w"], size: tuple[int, int]) -> UInt8[np.ndarray, "h2 w2"]:
    """The share of each of `size` (rows, columns) cells that a mask of 0 and 1 covers, 255 for all of it."""
    return np.asarray(cv2.resize(255 * mask, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def loss(
    said: Said, targets: Mapping[str, Tensor], progress: float, gain: float = GAIN
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The detector's loss and `gain` times that of the outlines, and what to divide their sum by.

    The cells that learn a box learn its outline too, weighed by the score that they should have.
    """
    known = convdet.matches(said.rows, targets, progress)
    total, weight = convdet.loss(said.rows, targets, progress, known=known)
    there = (targets["labels"] != NOBODY) & ~targets["aside"]
    for row, (truth, (found, quality)) in enumerate(zip(truths(targets), known, strict=True)):
        if not len(truth.boxes):
            continue
        quality, cells = quality.topk(min(LEARNING, len(quality)))
        cells, quality = cells[quality > 0], quality[quality > 0]
        objects = found[cells]
        prototypes = said.prototypes[row]
        wanted = targets["masks"][row, there[row]].to(prototypes.dtype)[:, None] / 255
        wanted = F.interpolate(wanted, prototypes.shape[1:], mode="area")[:, 0]
        logits = (said.shares[row, cells] @ prototypes.flatten(1)).unflatten(1, prototypes.shape[1:])
        frame = FINEST * targets["masks"].shape[-1]
        boxes = truth.boxes * (prototypes.shape[-1] / frame)
        wrong = outline_loss(logits, wanted[objects], boxes[objects])
        total = total + gain * (quality * wrong).sum()
    return total, weight


def outline_loss(
    logits: Float[Tensor, "n h w"], wanted: Float[Tensor, "n h w"], boxes: Float[Tensor, "n 4"]
) -> Float[Tensor, "n"]:
    """How far each map of logits is from the shares `wanted`, over the cells that its box (in cells) touches.

    The mean binary cross-entropy, and 1 less Dice's coefficient, which small and thin objects need.
    """
    inside = touched(boxes, logits.shape[1], logits.shape[2]).to(logits.dtype)
    error = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * inside
    entropy = error.sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)
    said = logits.sigmoid() * inside
    both = (said * wanted).sum((1, 2))
    dice = (2 * both + 1) / (said.square().sum((1, 2)) + (wanted * inside).square().sum((1, 2)) + 1)
    return entropy + 1 - dice


def touched(boxes: Float[Tensor, "n 4"], high: int, wide: int) -> Tensor:
    """Which cells of a map each box (xyxy, in cells) touches.

    >>> touched(torch.tensor([[0.5, 0.0, 2.1, 1.0]]), 2, 3).int().tolist()
    [[[1, 1, 1], [0, 0, 0]]]
    """
    x = torch.arange(wide, device=boxes.device)
    y = torch.arange(high, device=boxes.device)
    across = (x < boxes[:, 2:3]) & (x + 1 > boxes[:, :1])
    down = (y < boxes[:, 3:]) & (y + 1 > boxes[:, 1:2])
    return down[:, :, None] & across[:, None]


def decode(said: Said) -> list[Outlined]:
    """What is found in each frame, the best `MOST`: the detector's boxes, each with its share of each prototype."""
    found: list[Outlined] = []
    for rows, shares, prototypes in zip(*said, strict=True):
        answer, cells = convdet.told(rows)
        found.append(
            Outlined(
                boxes=answer.boxes[:MOST],
                scores=answer.scores[:MOST],
                labels=answer.labels[:MOST],
                shares=shares[cells[:MOST]].numpy(),
                prototypes=prototypes.numpy(),
            )
        )
    return found


def restore(answer: Outlined, move: Move, size: Size, names: Sequence[str]) -> Detection:
    """Boxes and masks in pixels of the original picture of `size`, from which `move` led to the frame."""
    (height, width), cells = move.size, (answer.prototypes.shape[1], answer.prototypes.shape[2])
    way = move.then(crop((0, 0, width, height), cells))

    def draw(place: int, pixels: Pixels) -> Bool[np.ndarray, "h w"]:
        x0, y0, x1, y1 = window(pixels, way)
        logits = np.tensordot(answer.shares[place], answer.prototypes[:, y0:y1, x0:x1], 1)
        return pasted(logits, (x0, y0), way, pixels)

    return finds(answer, move, size, names, draw)
