"""What one unit of a net sees: all that can reach it, and how much of that really moves it.

The receptive field of arithmetic is a box, and every pixel in it counts the same. Measured by gradients, most of the
box hardly matters: the effective field is a small blob in its middle, narrower the deeper the net, and training
widens it.
Source: Luo et al., Understanding the Effective Receptive Field in Deep Convolutional Neural Networks, 1701.04128.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from convworks.arithmetic.field import Fields, receptive_field, seen
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.shape import output_of
from convworks.arithmetic.spec import Concat, Layer, Net, Pair, Residual
from convworks.arithmetic.values import replace
from convworks.arithmetic.walk import walk
from convworks.backbones.contract import Backbone
from convworks.backbones.reach import fields_of
from convworks.errors import NetError
from convworks.layers.build import build

CHANNELS = 8
"""Channels of a unit whose gradients are averaged, evenly spread over all of them."""
MASS = 0.95

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the input, half-open."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What one unit sees of its input.

    `unit` is (row, column) in a map of `units` (rows, columns), of the layer called `name`. `box` is the theoretical
    field, which may leave the input; `exact` says whether it is known, or only about where it must be. `effective`
    is the size of the gradient at each pixel as a share of the whole; all 0 where nothing moves the unit.
    """

    name: str
    unit: Pair
    units: Pair
    box: Box
    exact: bool
    effective: Float[np.ndarray, "h w"]

    @property
    def clipped(self) -> Box:
        """The part of the box that lies within the input."""
        height, width = self.effective.shape
        left, top, right, bottom = self.box
        return max(0, left), max(0, top), min(width, right), min(height, bottom)

    def core(self, mass: float = MASS) -> Bool[np.ndarray, "h w"]:
        """The fewest pixels that hold this share of the gradient."""
        order = np.argsort(-self.effective, axis=None, kind="stable")
        held = np.cumsum(self.effective.ravel()[order], dtype=np.float64)
        few = int(np.searchsorted(held, mass * held[-1])) + 1 if held[-1] > 0 else 0
        mask = np.zeros(self.effective.size, bool)
        mask[order[:few]] = True
        return mask.reshape(self.effective.shape)

    def share(self, mass: float = MASS) -> float:
        """The share of the theoretical field, within the input, that holds this share of the gradient; 0 to 1."""
        left, top, right, bottom = self.clipped
        return float(self.core(mass).sum()) / ((right - left) * (bottom - top))

    def __str__(self) -> str:
        height, width = self.effective.shape
        left, top, right, bottom = self.box
        inner = self.clipped
        place = f"Unit ({self.unit[0]}, {self.unit[1]}) of {self.units[0]}x{self.units[1]} of {self.name}"
        about = "" if self.exact else "about "
        said = f"{place} can see {about}{bottom - top}x{right - left} px of {height}x{width}"
        if inner != self.box:
            said += f", of which {inner[3] - inner[1]}x{inner[2] - inner[0]} lie within the picture"
        if not self.effective.any():
            return f"{said}. Nothing moves it here: its ReLU is shut, or its weights are 0."
        share = 100 * self.share()
        told = f"{share:.0f}%" if share >= 10 else f"{share:.1f}%" if share >= 0.1 else "less than 0.1%"
        return f"{said}. {MASS:.0%} of what moves it lies in {told} of that."


def seen_by(
    module: nn.Module,
    images: Float[Tensor, "n c h w"],
    *,
    unit: Pair | None = None,
    name: str = "the last map",
    fields: Fields | None = None,
) -> Seen:
    """What a unit of the module's output sees of `images`, as they go in; by default the unit in the middle.

    The effective field is the gradient of the unit by the input, its size summed over the input's channels, averaged
    over the images and over some of the unit's channels. The theoretical one is `fields`, or what the graph of the
    computation tells; where neither is known it is all of the input. Raises NetError for a unit that is not there.
    """
    with _still(module):
        x = images.detach().clone().requires_grad_(True)
        with torch.enable_grad():
            result = module(x)
        at, units, unit = _unit(result, unit)
        told = fields if fields is not None else fields_of(result)
        effective = _gradients(at, x)
    height, width = images.shape[2:]
    box = _box(told, unit, (height, width)) if told is not None else (0, 0, width, height)
    return Seen(name=name, unit=unit, units=units, box=box, exact=told is not None, effective=effective)


def seen_in_net(
    net: Net,
    images: Float[Tensor, "n c h w"],
    *,
    layer: int | str | None = None,
    unit: Pair | None = None,
    draws: int = 4,
    seed: int = 0,
) -> Seen:
    """What a unit of a designed net sees, averaged over `draws` of its weights as PyTorch draws them.

    `layer` is a place of the table, 3 or "4.1.2"; by default the last that is still a map. PyTorch's random state is
    left alone. Raises NetError where the net, the layer or the unit cannot be.
    """
    place = str(layer) if layer is not None else _last_map(net)
    layers = leading(net.layers, place)
    part = replace(net, layers=layers)
    output = output_of(layers, net.input)
    asked = (0, 0) if output.flat else unit
    found: list[Seen] = []
    with torch.random.fork_rng([]):
        for number in range(draws):
            torch.manual_seed(seed + number)
            found.append(
                seen_by(
                    build(part),
                    images,
                    unit=asked,
                    name=f"layer {place} ({write_layer(layers[-1])[:40]})",
                    fields=receptive_field(layers, net.input),
                )
            )
    first = found[0]
    total = np.sum([one.effective for one in found], axis=0, dtype=np.float64)
    effective = (total / max(total.sum(), 1e-30)).astype(np.float32)
    return Seen(
        name=first.name,
        unit=first.unit,
        units=first.units,
        box=_exact_box(layers, net, first),
        exact=True,
        effective=effective,
    )


def seen_in_backbone(
    backbone: Backbone,
    images: Float[Tensor, "n c h w"],
    *,
    stage: int = -1,
    unit: Pair | None = None,
) -> Seen:
    """What a unit of a backbone's stage sees of images that are already as the backbone expects them.

    Where the graph does not tell the field, its size is the contract's, about where the unit's place must be; where
    the contract does not know either, it is all of the image. Raises NetError for a stage or a unit that is not
    there.
    """
    stages = len(backbone.stages)
    if not -stages <= stage < stages:
        raise NetError(
            f"{backbone.name} has no stage {stage}.", expected=f"0 to {stages - 1}, or -1 for the last"
        )
    number = stage % stages
    described = backbone.info[number]
    found = seen_by(
        _Until(backbone, number + 1), images, unit=unit, name=f"{backbone.name}, stage {described.name}"
    )
    if found.exact or not described.field:
        return found
    middles = [(place + 0.5) * described.stride for place in found.unit]
    top, left = (floor(middle - described.field / 2) for middle in middles)
    box = left, top, left + described.field, top + described.field
    rows, columns = np.nonzero(found.effective)
    if rows.size:
        box = (
            min(box[0], int(columns.min())),
            min(box[1], int(rows.min())),
            max(box[2], int(columns.max()) + 1),
            max(box[3], int(rows.max()) + 1),
        )
    return Seen(
        name=found.name,
        unit=found.unit,
        units=found.units,
        box=box,
        exact=False,
        effective=found.effective,
    )


def leading(layers: tuple[Layer, ...], place: str) -> tuple[Layer, ...]:
    """The layers that lead, one after the other, up to and with a place of the table, into a branch too.

    Raises NetError for a place that is not there.

    >>> from convworks.arithmetic.notation import parse, write
    >>> write(leading(parse("conv3-8 res(relu conv3-8 p1 bn) fc10"), "2.1.2"))
    'conv3-8 relu conv3-8 p1'
    """
    number, _, rest = place.partition(".")
    if not number.isdecimal() or not 1 <= int(number) <= len(layers):
        raise _missing(place)
    before, layer = layers[: int(number) - 1], layers[int(number) - 1]
    if not rest:
        return (*before, layer)
    branch, _, inner = rest.partition(".")
    if not isinstance(layer, Residual | Concat):
        raise _missing(place)
    branches = layer.branches if isinstance(layer, Concat) else (layer.body, layer.shortcut)
    if not branch.isdecimal() or not 1 <= int(branch) <= len(branches):
        raise _missing(place)
    return (*before, *leading(branches[int(branch) - 1], inner))


class _Until(nn.Module):
    """The first stages of a backbone, as one module to the map that the last of them gives."""

    def __init__(self, backbone: Backbone, stop: int) -> None:
        super().__init__()
        self.backbone, self.stop = backbone, stop

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """The last map."""
        return self.backbone(x, stop=self.stop)[-1]


@contextmanager
def _still(module: nn.Module) -> Generator[None]:
    """Within, the module tests and none of its parameters takes a gradient; afterwards all is as it was."""
    modes = {part: part.training for part in module.modules()}
    learned = [part for part in module.parameters() if part.requires_grad]
    module.eval()
    for part in learned:
        part.requires_grad_(False)
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        for part in learned:
            part.requires_grad_(True)


def _unit(result: Tensor, unit: Pair | None) -> tuple[Float[Tensor, "n c"], Pair, Pair]:
    """The activations of a unit in all its channels, how many units there are, and which it is."""
    if result.ndim == 2:
        return result, (1, 1), (0, 0)
    if result.ndim != 4:
        raise NetError(
            f"The module gives {tuple(result.shape)}.", expected="maps (n, channels, height, width)"
        )
    rows, columns = result.shape[2:]
    row, column = unit if unit is not None else (rows // 2, columns // 2)
    if not (0 <= row < rows and 0 <= column < columns):
        raise NetError(
            f"There is no unit ({row}, {column}) in a map of {rows}x{columns}.",
            expected=f"a row from 0 to {rows - 1} and a column from 0 to {columns - 1}",
        )
    return result[:, :, row, column], (rows, columns), (row, column)


def _gradients(unit: Float[Tensor, "n c"], x: Float[Tensor, "n c2 h w"]) -> Float[np.ndarray, "h w"]:
    """The mean size of the gradients of a unit's channels by the input, as a share of all of it."""
    count = unit.shape[1]
    chosen = sorted({round(place) for place in np.linspace(0, count - 1, min(count, CHANNELS))})
    total = torch.zeros(x.shape[2:], dtype=torch.float64, device=x.device)
    for number, channel in enumerate(chosen, start=1):
        more = number < len(chosen)
        (gradient,) = torch.autograd.grad(unit[:, channel].sum(), x, retain_graph=more)
        total += gradient.double().abs().sum((0, 1))
    whole = total.sum()
    return (total / whole if whole > 0 else total).float().cpu().numpy()


def _box(fields: Fields, unit: Pair, size: Pair) -> Box:
    """The field of a unit as whole pixels; one that covers more than any input is held to three times its size."""
    edges: list[tuple[int, int]] = []
    for field, place, pixels in zip(fields, unit, size, strict=True):
        start = field.start + place * field.jump
        edges.append((max(floor(start), -pixels), min(ceil(start + field.size), 2 * pixels)))
    (top, bottom), (left, right) = edges
    return left, top, right, bottom


def _exact_box(layers: tuple[Layer, ...], net: Net, found: Seen) -> Box:
    """The box, its sides within the input where the unit's own rows and columns begin and end."""
    rows, columns = seen(layers, net.input, found.unit)
    left, top, right, bottom = found.box
    if not rows or not columns:
        return found.box
    return (
        left if left < 0 else columns[0],
        top if top < 0 else rows[0],
        right if right > net.input.width else columns[-1] + 1,
        bottom if bottom > net.input.height else rows[-1] + 1,
    )


def _last_map(net: Net) -> str:
    """The place of the last layer that has height or width and is no part of a branch."""
    places = [
        row.place
        for row in walk(net).rows
        if "." not in row.place and row.output and (row.output.height > 1 or row.output.width > 1)
    ]
    if not places:
        raise NetError(
            "No layer of this net gives a map.", expected="a layer before the first fc or global pool"
        )
    return places[-1]


def _missing(place: str) -> NetError:
    return NetError(f'There is no layer "{place}".', expected="the number of a layer as the table shows it")
