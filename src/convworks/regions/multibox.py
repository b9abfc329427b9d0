"""A whole-image net that names a fixed number of boxes and how sure it is of each, whatever their class.

Which of its boxes shall learn which object is decided one to one, by the cheapest assignment. Two improvements of the
successor are in: boxes are told as what they differ from priors, k-means centres of the training boxes, and the
assignment looks at the priors alone, so that each output learns one kind of box.

Sources: Erhan et al., Scalable object detection using deep neural networks (1312.2249), section 3; Szegedy et al.,
Scalable, high-quality object detection (1412.1441), section 2.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.regions.coding import from_residual
from convworks.regions.matching import bipartite

BALANCE = 0.3
"""Alpha: what half a squared distance, in sides of the image, costs against a nat of certainty."""


class MultiBox(nn.Module):
    """From the map of the whole image to a box and a logit for each prior; everything relative to the image's sides."""

    priors: Tensor

    def __init__(
        self, channels: int, priors: Float[Tensor, "p 4"], *, cells: int = 6, hidden: int = 256
    ) -> None:
        super().__init__()
        self.register_buffer("priors", priors.float())
        self.narrow = nn.Conv2d(channels, 64, 1)
        self.pool = nn.AdaptiveAvgPool2d(cells)
        self.hidden = nn.Linear(64 * cells * cells, hidden)
        self.boxes = nn.Linear(hidden, 4 * len(priors))
        self.logits = nn.Linear(hidden, len(priors))
        nn.init.zeros_(self.boxes.weight)
        nn.init.zeros_(self.boxes.bias)

    def forward(
        self, features: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b p"], Float[Tensor, "b p 4"]]:
        """Logits of certainty, and boxes (xyxy), both in the order of the priors."""
        seen = F.relu(self.hidden(self.pool(F.relu(self.narrow(features))).flatten(1)))
        told = self.boxes(seen).unflatten(1, (-1, 4))
        return self.logits(seen), from_residual(self.priors.expand_as(told), told)


def assigned(
    places: Float[Tensor, "p 4"],
    truth: Float[Tensor, "m 4"],
    logits: Float[Tensor, "p"] | None = None,
    balance: float = BALANCE,
) -> Int[Tensor, "p"]:
    """The object of each box, one to one, at the least `balance` / 2 |l - g|^2, and -ln c + ln(1 - c) with `logits`.

    With priors as places and no logits the assignment is that of the successor; with predictions, that of the first
    paper. Where objects are more than boxes, those that cost most go without.
    """
    cost = balance / 2 * (places[:, None] - truth[None]).square().sum(-1)
    if logits is not None:
        cost = cost - logits[:, None]
    return bipartite(cost)


def multibox_loss(
    logits: Float[Tensor, "p"],
    boxes: Float[Tensor, "p 4"],
    matches: Int[Tensor, "p"],
    truth: Float[Tensor, "m 4"],
    balance: float = BALANCE,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The costs of certainty and of places of one picture, as the paper sums them.

    Source: 1312.2249, equations 1 to 3.
    """
    found = matches >= 0
    place = balance / 2 * (boxes[found] - truth[matches[found]]).square().sum()
    return F.binary_cross_entropy_with_logits(logits, found.to(logits.dtype), reduction="sum"), place
