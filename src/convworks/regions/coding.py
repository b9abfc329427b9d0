"""How four numbers become a box, relative to what: each way as a pair of functions that undo each other.

A box is told by a reference: a proposal or an anchor (a box), a place (x, y), or the size of the frame. Boxes are xyxy
in pixels of one frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

DEVIATION = (0.1, 0.1, 0.2, 0.2)
"""What deltas are divided by, so that those of usual proposals are about 1; the weights 10, 10, 5, 5 elsewhere."""
LARGEST = math.log(1000 / 16)
"""The largest logarithm of a ratio of sides that is believed."""
TINY = 1e-6
"""Pixels that a side has at least before a logarithm is taken of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coder:
    """A way to tell boxes: `encode(references, boxes)` gives four numbers a box, and `decode` the box of them."""

    encode: Callable[[Tensor, Tensor], Tensor]
    decode: Callable[[Tensor, Tensor], Tensor]


def centred(boxes: Float[Tensor, "*n 4"]) -> tuple[Float[Tensor, "*n 2"], Float[Tensor, "*n 2"]]:
    """The centres (x, y) and the sides (width, height) of boxes."""
    first, last = boxes[..., :2], boxes[..., 2:]
    return (first + last) / 2, last - first


def cornered(middles: Float[Tensor, "*n 2"], sides: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 4"]:
    """The boxes of some centres and sides."""
    return torch.cat([middles - sides / 2, middles + sides / 2], -1)


def deltas(
    references: Float[Tensor, "*n 4"],
    boxes: Float[Tensor, "*n 4"],
    deviation: tuple[float, float, float, float] = DEVIATION,
) -> Float[Tensor, "*n 4"]:
    """The shift of the centre as a share of the reference's sides, and the logarithms of the ratios of the sides.

    Whoever scales picture, reference and box alike changes none of the four.

    Source: R-CNN (1311.2524), appendix C; the deviations are those of Faster R-CNN (1506.01497).

    >>> told = deltas(torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[1.0, 0, 11, 20]]))
    >>> [round(number, 3) for number in told[0].tolist()]
    [1.0, 5.0, 0.0, 3.466]
    """
    centre, sides = centred(references)
    wanted, reach = centred(boxes)
    sides, reach = sides.clamp(min=TINY), reach.clamp(min=TINY)
    told = torch.cat([(wanted - centre) / sides, (reach / sides).log()], -1)
    return told / told.new_tensor(deviation)


def from_deltas(
    references: Float[Tensor, "*n 4"],
    numbers: Float[Tensor, "*n 4"],
    deviation: tuple[float, float, float, float] = DEVIATION,
) -> Float[Tensor, "*n 4"]:
    """The boxes of deltas; sides of more than 62.5 times the reference's are cut to that."""
    centre, sides = centred(references)
    told = numbers * numbers.new_tensor(deviation)
    return cornered(centre + told[..., :2] * sides, told[..., 2:].clamp(max=LARGEST).exp() * sides)


def absolute(sizes: Float[Tensor, "*n 2"], boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Centre x, y, width and height as shares of the frame, of which `sizes` are (width, height).

    Source: VGG (1409.1556), appendix A.

    >>> absolute(torch.tensor([[20.0, 10.0]]), torch.tensor([[0.0, 0, 10, 10]])).tolist()
    [[0.25, 0.5, 0.5, 1.0]]
    """
    centre, sides = centred(boxes)
    return torch.cat([centre / sizes, sides / sizes], -1)


def from_absolute(sizes: Float[Tensor, "*n 2"], numbers: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """The boxes in a frame of `sizes` (width, height)."""
    return cornered(numbers[..., :2] * sizes, numbers[..., 2:] * sizes)


def residual(priors: Float[Tensor, "*n 4"], boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """How far each edge is from that of its prior.

    Source: MultiBox (1312.2249; 1412.1441, section 2), where the frame's sides are 1.

    >>> residual(torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([[1.0, 0, 5, 3]])).tolist()
    [[1.0, 0.0, 1.0, -1.0]]
    """
    return boxes - priors


def from_residual(priors: Float[Tensor, "*n 4"], numbers: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """The boxes that lie so far from their priors."""
    return priors + numbers


def distances(places: Float[Tensor, "*n 2"], boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """How far a place (x, y) lies inside the left, top, right and bottom edge; below 0 where it is outside.

    Source: FCOS (1904.01355), section 3.1.

    >>> distances(torch.tensor([[3.0, 3.0]]), torch.tensor([[1.0, 0, 4, 9]])).tolist()
    [[2.0, 3.0, 1.0, 6.0]]
    """
    return torch.cat([places - boxes[..., :2], boxes[..., 2:] - places], -1)


def from_distances(places: Float[Tensor, "*n 2"], numbers: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """The boxes around some places."""
    return torch.cat([places - numbers[..., :2], places + numbers[..., 2:]], -1)


CODERS = {
    "deltas": Coder(encode=deltas, decode=from_deltas),
    "absolute": Coder(encode=absolute, decode=from_absolute),
    "residual": Coder(encode=residual, decode=from_residual),
    "distances": Coder(encode=distances, decode=from_distances),
}
