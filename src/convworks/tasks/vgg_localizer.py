"""Localization as VGG did it: the last fully connected layer says four numbers instead of the classes.

One box for all classes (single-class regression), or one for each (per-class regression), of which that of the class
that is named counts. The last map, brought to one size, is laid out in a row, so that where something is stays known.
The numbers are centre and sides as shares of the frame.

Source: VGG (1409.1556), appendix A; PAPERS.md 2 has its results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.backbones.contract import Stage
from convworks.regions.coding import absolute, cornered
from convworks.regions.losses import generalised_overlap
from convworks.tasks.contract import Loss
from convworks.tasks.localization import LOCALIZATION, ROW

CELLS = 7
"""Cells a side of the map that is laid out in a row."""
WIDTH, HIDDEN = 128, 512
"""Channels of that map, and features of the two fully connected layers before the numbers."""
PLACE, FIT = 20.0, 2.0
"""What half a squared distance, in sides of the frame, and a box that lies wholly beside cost, in nats of the class."""


class VggLocalizer(nn.Module):
    """Boxes of an image as rows of `localization`: one row for all classes, or one for each with `per_class`.

    A row is x and y (the middle of the frame), how sure the box is, the box, and a logit for each class.
    """

    def __init__(
        self, info: Sequence[Stage], classes: int, dropout: float, *, per_class: bool = False
    ) -> None:
        super().__init__()
        channels = info[-1].channels
        self.per_class = per_class
        self.classify = nn.Linear(channels, classes)
        self.narrow = nn.Conv2d(channels, WIDTH, 1)
        self.locate = nn.Sequential(
            nn.Linear(WIDTH * CELLS * CELLS, HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 4 * classes if per_class else 4),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n boxes row"]:
        """The rows of each image."""
        last = maps[-1]
        names = self.classify(self.dropout(last.mean((2, 3)))).float()
        laid = F.adaptive_avg_pool2d(F.relu(self.narrow(last)), CELLS).flatten(1)
        numbers = self.locate(laid).float().unflatten(1, (-1, 4)).sigmoid()
        boxes = cornered(numbers[..., :2], numbers[..., 2:])
        sure = names if self.per_class else names.new_zeros(len(names), 1)
        middle = torch.full_like(boxes[..., :2], 0.5)
        told = names[:, None].expand(-1, boxes.shape[1], -1)
        return torch.cat([middle, sure[..., None], boxes, told], -1)


def place_of_class(
    outputs: Float[Tensor, "n boxes row"],
    targets: Mapping[str, Tensor],
    progress: float,
    place: float = PLACE,
    fit: float = FIT,
) -> Loss:
    """Cross-entropy of the class, and for its box `place` / 2 x the squared distance of the four numbers, and `fit` x
    (1 - GIoU): the paper's distance alone hardly pulls where a small box is off by half.

    Images without an object say nothing; each image counts alike.
    """
    labels, known = targets["label"].clamp(min=0), (targets["label"] >= 0).float()
    names = F.cross_entropy(outputs[:, 0, ROW:], labels, reduction="none")
    own = labels if outputs.shape[1] > 1 else torch.zeros_like(labels)
    said = outputs[torch.arange(len(outputs)), own, 3:ROW]
    whole = outputs.new_ones(len(outputs), 2)
    off = (absolute(whole, said) - absolute(whole, targets["box"])).square().sum(1)
    poor = 1 - generalised_overlap(said, targets["box"])
    total = ((names + place / 2 * off + fit * poor) * known).sum()
    return Loss(total=total, weight=torch.tensor(float(len(labels))))


SINGLE = replace(LOCALIZATION, head=VggLocalizer, loss=place_of_class, decoder="vgg_localizer")
PER_CLASS = replace(
    LOCALIZATION,
    head=partial(VggLocalizer, per_class=True),
    loss=place_of_class,
    decoder="vgg_localizer_per_class",
)
