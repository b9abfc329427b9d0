"""A classifier as a net of any size: "fully connected layers can also be viewed as convolutions".

A linear layer over a whole map is a convolution whose filters are as large as the map; one over a row of numbers is a
1x1 convolution; averaging a whole map is average pooling with a window of its size. On larger pictures the net then
gives a map of answers, each what the classifier says of one window.
Source: Long et al., Fully convolutional networks (1411.4038), section 3.1.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from convworks.errors import NetError
from convworks.geometry.boxes import Size

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A layer that was called, what it read and what it gave."""

    layer: nn.Module
    source: Tensor
    result: Tensor


def as_convolutions(net: nn.Module, size: Size, channels: int = 3) -> nn.Sequential:
    """The layers of a classifier of pictures of `size` (height, width), those for whole maps turned into convolutions.

    Weights are copied. On pictures of `size` it gives the classifier's scores as (n, classes, 1, 1). Raises NetError
    for a net that is not a row of layers, or that cannot be turned so.
    """
    picture = torch.randn(1, channels, *size, generator=torch.Generator().manual_seed(0))
    was_training = net.training
    net.eval()
    try:
        with torch.no_grad():
            steps, expected = _called(net, picture)
            row = _row(steps)
            _same(row, picture, expected)
    finally:
        net.train(was_training)
    return row.train(was_training)


def _called(net: nn.Module, picture: Tensor) -> tuple[list[Step], Tensor]:
    """The layers that have no others inside, in the order in which they are called, and the net's answer."""
    steps: list[Step] = []

    def note(layer: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        if len(given) != 1 or not isinstance(given[0], Tensor) or not isinstance(result, Tensor):
            raise NetError(f"A {type(layer).__name__} reads or gives more than one tensor.", fix=FIX)
        steps.append(Step(layer, given[0], result))

    leaves = [layer for layer in net.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(note) for layer in leaves]
    try:
        answer = net(picture)
    finally:
        for handle in handles:
            handle.remove()
    return steps, answer


FIX = "give a row of layers, each fed by the one before it: convolutions, poolings, then linear ones"


def _row(steps: list[Step]) -> nn.Sequential:
    """The layers one after the other; `shape` is that of the map that a linear layer would read."""
    layers: list[nn.Module] = []
    shape: Shape = (0, 0, 0)
    for step in steps:
        turned = TURNED.get(type(step.layer), _kept)(step, shape)
        if turned is not None:
            layers.append(turned)
        if step.result.ndim == 4:
            shape = (step.result.shape[1], step.result.shape[2], step.result.shape[3])
        elif isinstance(step.layer, nn.Linear):
            shape = (step.layer.out_features, 1, 1)
    return nn.Sequential(*layers)


def _linear(step: Step, shape: Shape) -> nn.Module:
    given = step.layer
    assert isinstance(given, nn.Linear)
    if given.in_features != shape[0] * shape[1] * shape[2]:
        raise NetError(
            f"A linear layer reads {given.in_features} numbers, but the map before it has {shape}.", fix=FIX
        )
    values = {name: value.clone() for name, value in given.state_dict().items()}
    made = nn.Conv2d(shape[0], given.out_features, shape[1:], bias="bias" in values)
    made.load_state_dict({**values, "weight": values["weight"].view_as(made.weight)})
    return made


def _whole(kind: Callable[..., nn.Module]) -> Callable[[Step, Shape], nn.Module | None]:
    """What pools a map to one place, as pooling with a window of the map's size; None where there is nothing to do."""

    def turned(step: Step, shape: Shape) -> nn.Module | None:
        if step.result.shape == step.source.shape:
            return None
        if step.result.shape[2:] != (1, 1):
            raise NetError(
                f"A map of {shape[1]}x{shape[2]} is pooled to {tuple(step.result.shape[2:])}.", fix=FIX
            )
        return kind(shape[1:], stride=1)

    return turned


def _nothing(step: Step, shape: Shape) -> nn.Module | None:
    return None


def _kept(step: Step, shape: Shape) -> nn.Module | None:
    return copy.deepcopy(step.layer)


TURNED: dict[type[nn.Module], Callable[[Step, Shape], nn.Module | None]] = {
    nn.Linear: _linear,
    nn.Flatten: _nothing,
    nn.Identity: _nothing,
    nn.AdaptiveAvgPool2d: _whole(nn.AvgPool2d),
    nn.AdaptiveMaxPool2d: _whole(nn.MaxPool2d),
}


def _same(row: nn.Sequential, picture: Tensor, expected: Tensor) -> None:
    """Raises NetError where the row does not answer as the net did."""
    found = row.eval()(picture)
    largest = float(expected.abs().max().clamp(min=1))
    if (
        found.shape != (*expected.shape, 1, 1)
        or float((found.flatten(1) - expected).abs().max()) > 1e-4 * largest
    ):
        raise NetError("The layers of this net in a row do not give what the net gives.", fix=FIX)
