"""A mask for each region of a two-stage detector, read from the same maps and told class by class.

Source: He et al., Mask R-CNN (1703.06870), section 3: its head on a pyramid, figure 4 at the right; the loss is that of
the true class alone, so that classes do not compete for pixels. What is wanted of a cell is the share of it that the
object covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torchvision.ops import box_iou

from convworks.detectors.answer import Answer, Truth
from convworks.detectors.paste import finds, pasted
from convworks.detectors.two_stage import Regions, TwoStage, found_on, step
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move, crop
from convworks.regions.pooling import aligned
from convworks.samples import Detection

READ, DRAWN = 14, 28
"""Cells a side of what is read of a region, and of its mask."""
DEPTH = 4  # convolutions before the mask is enlarged


class MaskHead(nn.Module):
    """For each region the logits of a mask of each class, on `DRAWN` x `DRAWN` cells of it."""

    def __init__(self, channels: int, classes: int, width: int = 256) -> None:
        super().__init__()
        widths = [channels] + [width] * DEPTH
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
        grow = nn.ConvTranspose2d(width, width, 2, 2)
        self.layers = nn.Sequential(*layers, grow, nn.ReLU(inplace=True), nn.Conv2d(width, classes, 1))
        for layer in self.layers:
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, features: Float[Tensor, "n c 14 14"]) -> Float[Tensor, "n k 28 28"]:
        """The logits of regions whose features were read on `READ` x `READ` cells."""
        return self.layers(features)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Masked(Answer):
    """What a net finds in a frame, with the `logits` of a mask over each box."""

    logits: Float[np.ndarray, "n 28 28"]


def _read(maps: Tensor, boxes: Tensor, rows: Tensor, scale: float) -> Tensor:
    """RoI align to `READ` x `READ`."""
    return aligned(maps, boxes, rows, scale=scale, size=(READ, READ))


def drawn(
    net: TwoStage,
    head: MaskHead,
    maps: Sequence[Float[Tensor, "b d _ _"]],
    boxes: Float[Tensor, "n 4"],
    rows: Int[Tensor, "n"],
    labels: Int[Tensor, "n"],
) -> Float[Tensor, "n 28 28"]:
    """The logits of the masks of some regions of the pictures `rows`, each as its class draws it."""
    logits = head(net.seen(maps, boxes, rows, _read))
    return logits[torch.arange(len(labels), device=labels.device), labels]


def loss(
    net: TwoStage,
    head: MaskHead,
    images: Float[Tensor, "b c h w"],
    truths: Sequence[Truth],
    masks: Sequence[Bool[Tensor, "_ h w"]],
    given: Sequence[Float[Tensor, "_ 4"]],
    generator: Generator,
) -> dict[str, Tensor]:
    """The parts of the detector's loss, and `masks`: the mean cross-entropy over the cells of regions with an object.

    `masks` are those of the objects of `truths`, in their order.
    """
    maps, size = net(images), (images.shape[2], images.shape[3])
    parts, regions = step(net, maps, size, truths, given, generator)
    there = regions.labels < net.classes
    boxes, rows, labels = regions.boxes[there], regions.rows[there], regions.labels[there]
    wanted = targets(regions, there, truths, masks)
    said = drawn(net, head, maps, boxes, rows, labels)
    error = F.binary_cross_entropy_with_logits(said, wanted, reduction="sum")
    return {**parts, "masks": error / max(wanted.numel(), 1)}


@torch.no_grad()
def targets(
    regions: Regions,
    there: Bool[Tensor, "_"],
    truths: Sequence[Truth],
    masks: Sequence[Bool[Tensor, "_ h w"]],
) -> Float[Tensor, "n 28 28"]:
    """Of the regions that are `there`, the share of each cell that their object covers, cut from its mask."""
    parts: list[Tensor] = [regions.boxes.new_zeros(0, DRAWN, DRAWN)]
    places: list[Tensor] = [regions.rows.new_zeros(0)]
    for row, (truth, mask) in enumerate(zip(truths, masks, strict=True)):
        mine = (there & (regions.rows == row)).nonzero()[:, 0]
        if not len(mine):
            continue
        objects = box_iou(regions.wanted[mine], truth.boxes).argmax(1)
        pixels = mask[:, None].to(regions.boxes.dtype)
        parts.append(aligned(pixels, regions.boxes[mine], objects, scale=1.0, size=(DRAWN, DRAWN))[:, 0])
        places.append(mine)
    return torch.cat(parts)[torch.cat(places).argsort()]


@torch.no_grad()
def answered(
    net: TwoStage,
    head: MaskHead,
    images: Float[Tensor, "b c h w"],
    given: Sequence[Float[Tensor, "_ 4"]],
    least: float = 0.05,
) -> list[Masked]:
    """What the net finds in each picture, in pixels of the input, its masks read from the boxes that it settled on."""
    maps, size = net(images), (images.shape[2], images.shape[3])
    found: list[Masked] = []
    for row, one in enumerate(found_on(net, maps, size, given, least)):
        boxes = torch.from_numpy(one.boxes).to(images.device)
        labels = torch.from_numpy(one.labels).to(images.device)
        logits = drawn(net, head, maps, boxes, torch.full_like(labels, row), labels)
        found.append(
            Masked(boxes=one.boxes, scores=one.scores, labels=one.labels, logits=logits.cpu().numpy())
        )
    return found


def restore(answer: Masked, move: Move, size: Size, names: Sequence[str]) -> Detection:
    """Boxes and masks in pixels of the original picture of `size`, from which `move` led to the frame."""

    def draw(place: int, pixels: tuple[int, int, int, int]) -> Bool[np.ndarray, "h w"]:
        left, top, right, bottom = answer.boxes[place].tolist()
        way = move.then(crop((left, top, right, bottom), (DRAWN, DRAWN)))
        return pasted(answer.logits[place], (0, 0), way, pixels)

    return finds(answer, move, size, names, draw)
