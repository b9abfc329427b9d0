"""MultiBox as a detector: a fixed number of boxes for the whole image, how sure it is of each, and what each holds.

Boxes and certainty know no classes, and are those of `regions.multibox`. The paper cuts the surest boxes out of the
picture for a second net to name; here their features are read from a map that both share.

Sources: Erhan et al. (1312.2249), section 3; Szegedy et al. (1412.1441), section 2.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.detectors.answer import Answer, Truth
from convworks.regions.matching import IGNORED, excused
from convworks.regions.multibox import MultiBox, assigned, multibox_loss
from convworks.regions.pooling import aligned
from convworks.regions.suppression import per_class

CELLS = 12
"""Cells a side to which the whole image is brought before boxes are told from it."""
GRID = 5
"""Cells a side that are read of each box to name it."""
UNIT = 10.0
"""Sides of the image are 10 long: a box that is off by a tenth of the image then costs about a nat."""
SUPPRESSED, LEAST, MOST = 0.5, 0.01, 100
ROW = 9  # numbers of a prior before those of the classes: the prior, the box, and a logit of certainty


class MultiBoxDetector(nn.Module):
    """For each prior: itself, a box, a logit for holding an object, and one for each class.

    `priors` and boxes are xyxy, as shares of the frame's sides.
    """

    def __init__(
        self, channels: int, classes: int, dropout: float, priors: Float[Tensor, "p 4"], hidden: int = 128
    ) -> None:
        super().__init__()
        self.boxes = MultiBox(channels, priors, cells=CELLS)
        self.narrow = nn.Conv2d(channels, 64, 1)
        self.names = nn.Sequential(
            nn.Linear(64 * GRID * GRID, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes)
        )

    def forward(self, here: Float[Tensor, "n c h w"]) -> Float[Tensor, "n p row"]:
        """The rows of all priors."""
        logits, boxes = self.boxes(here)
        rows = torch.arange(len(here), device=here.device).repeat_interleave(boxes.shape[1])
        cells = boxes.detach() * boxes.new_tensor([here.shape[3], here.shape[2]] * 2)
        seen = aligned(F.relu(self.narrow(here)), cells.flatten(0, 1), rows, scale=1.0, size=(GRID, GRID))
        names = self.names(seen.flatten(1)).unflatten(0, (len(here), boxes.shape[1]))
        return torch.cat([self.boxes.priors.expand_as(boxes), boxes, logits[..., None], names], -1)


def loss(rows: Float[Tensor, "p row"], truth: Truth) -> Float[Tensor, ""]:
    """Certainty and places of one frame as the paper sums them, and the name of each box that has an object.

    Priors are assigned to the objects (boxes as shares of the frame's sides) one to one, as in the successor. One that
    no object has, in a region that does not count, learns nothing.
    """
    matches = assigned(rows[:, :4], truth.boxes)
    learns = excused(matches, rows[:, :4], truth.aside) != IGNORED
    rows, matches = rows[learns], matches[learns]
    sure, place = multibox_loss(rows[:, 8], rows[:, 4:8] * UNIT, matches, truth.boxes * UNIT)
    found = matches >= 0
    return sure + place + F.cross_entropy(rows[found, ROW:], truth.labels[matches[found]], reduction="sum")


def decode(rows: Float[Tensor, "p row"]) -> Answer:
    """What is found in a frame, as shares of its sides: how sure it is of a box, times the probability of a class."""
    scores = rows[:, 8:ROW].sigmoid() * rows[:, ROW:].softmax(1)
    solid = (rows[:, 6:8] > rows[:, 4:6]).all(1)
    place, labels = ((scores >= LEAST) & solid[:, None]).nonzero(as_tuple=True)
    boxes, chances = rows[place, 4:8], scores[place, labels]
    kept = per_class(boxes, chances, labels, SUPPRESSED, MOST)
    return Answer(boxes=boxes[kept].numpy(), scores=chances[kept].numpy(), labels=labels[kept].numpy())
