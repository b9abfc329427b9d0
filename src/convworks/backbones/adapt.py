"""A net that learned on red, green and blue reads other bands: what becomes of its first filters, said aloud."""

from __future__ import annotations

import torch
from torch import nn

from convworks.backbones.contract import Backbone
from convworks.errors import WeightsError


def first_filters(backbone: Backbone, bands: int, *, coloured: bool) -> None:
    """Make the first layer read `bands` channels; `described` says in words what became of its filters.

    Where the first three bands are red, green and blue (`coloured`), their filters stay theirs; every other band gets
    the mean of the three. All are scaled by 3 / `bands`, so that the sum over the bands is as large as it was. Filters
    that never learned are drawn anew. Sources: the mean over colours, repeated, of Carreira and Zisserman (1705.07750)
    and Wang et al., Temporal segment networks (1608.00859), section 3.2; the scale of timm's adapt_input_conv.

    Raises WeightsError where the net has no first layer that can be changed.
    """
    firsts = [
        part for part in backbone.stages[0].modules() if isinstance(part, nn.Conv2d) and part.in_channels == 3
    ]
    if bands < 1 or not firsts or firsts[0].groups != 1:
        raise WeightsError(
            f"{backbone.name} cannot be made to read images of {bands} bands.",
            fix="choose another --backbone",
        )
    first, known = firsts[0], bool(backbone.card.sha256)
    weight = first.weight.detach()
    changed = weight.mean(1, keepdim=True).repeat(1, bands, 1, 1)
    kept = min(3, bands) if coloured else 0
    changed[:, :kept] = weight[:, :kept]
    first.in_channels = bands
    first.weight = nn.Parameter(changed * (3 / bands))
    backbone.channels = bands
    if not known:
        with torch.no_grad():
            first.reset_parameters()


def described(backbone: Backbone, *, coloured: bool) -> str:
    """What `first_filters` did, in words."""
    bands = backbone.channels
    begin, scale = f"{bands} bands: the first layer's filters", f"scaled by 3/{bands}"
    if not backbone.card.sha256:
        return f"{begin} read them from the start"
    if not coloured:
        return f"{begin} were averaged over red, green and blue and repeated, {scale}"
    if bands <= 3:
        return f"{begin} stay as they were, {scale}"
    more = "one more" if bands == 4 else f"{bands - 3} more"
    return f"{begin} for red, green and blue stay theirs, their mean reads the {more}, {scale}"
