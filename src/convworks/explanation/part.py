"""A filter on a part of the input: "I only want to apply my filter to the first 3 columns of that array."

The guide answers: "zero out all of the input values that aren't part of the first 3 columns". That is one of three
senses, and not the one that was asked for: see `layers.region`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from convworks.layers.region import RegionConv2d, RegionForm

FORMS: tuple[RegionForm, ...] = ("slice", "mask", "partial")
SIDE, COLUMNS, KERNEL = 10, 3, 3

Sort = Literal["as the slice", "mixed with zeros", "scaled", "bias only", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One column of what a form gives: its values, how many of its filter's columns lie in the region, and its sort.

    "as the slice": the same values as without the rest of the input. "mixed with zeros": part of the filter reads
    zeros. "scaled": the same, divided by the share that does not. "bias only" and "nothing": no pixel is read.
    """

    values: Float[np.ndarray, "h"]
    seen: int
    sort: Sort


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The reader's case: a 10x10 input whose first 3 columns count, a 3x3 filter of ones, and the three forms.

    `given` is what each form gives, by column. On an input of ones, a filter of ones counts what it reads.
    """

    image: Float[np.ndarray, "h w"]
    bias: float
    given: dict[RegionForm, tuple[Column, ...]]


def part(*, random: bool = False, bias: float = 0.5, seed: int = 0) -> Part:
    """The three forms on an input of ones under a filter of ones, or on random ones."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.ones(1, 1, SIDE, SIDE)
    weight = torch.ones(1, 1, KERNEL, KERNEL)
    if random:
        image.normal_(generator=generator)
        weight.normal_(generator=generator)
    outputs: dict[RegionForm, Float[np.ndarray, "h w"]] = {}
    for form in FORMS:
        layer = RegionConv2d(1, 1, (KERNEL, KERNEL), (0, 0, COLUMNS, SIDE), form)
        layer.conv.load_state_dict({"weight": weight, "bias": torch.tensor([bias])})
        with torch.no_grad():
            outputs[form] = layer(image)[0, 0].numpy()
    return Part(
        image=image[0, 0].numpy(),
        bias=bias,
        given={form: tuple(_columns(form, values)) for form, values in outputs.items()},
    )


def _columns(form: RegionForm, values: Float[np.ndarray, "h w"]) -> list[Column]:
    columns: list[Column] = []
    for place in range(values.shape[1]):
        seen = max(min(COLUMNS - place, KERNEL), 0)
        columns.append(Column(values=values[:, place], seen=seen, sort=_sort(form, seen)))
    return columns


def _sort(form: RegionForm, seen: int) -> Sort:
    if seen == KERNEL:
        return "as the slice"
    if seen == 0:
        return "bias only" if form == "mask" else "nothing"
    return "mixed with zeros" if form == "mask" else "scaled"
