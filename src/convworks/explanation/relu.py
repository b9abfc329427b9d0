"""ReLU: "this layer just changes all the negative activations to 0". How many they are, where they come from, and
which filters never let anything through.

A reader asks how there can be negative activations at all, "as multiplying and adding the positive values gives
positive values": because half of the weights are negative, and because what the net reads is not 0 to 255 but
that less a mean.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.func import functional_call

from convworks.explanation.material import picture, pictures, pretrained, read
from convworks.layers import fused
from convworks.layers.conv_norm import ConvNorm

BINS = 48

See = Callable[[str, Float[Tensor, "n c h w"], float], None]
"""Takes the name of a layer, the activations before its ReLU, and the ceiling above which it cuts too (or inf)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rectified:
    """What one ReLU does to the activations that reach it.

    `before` and `after` count values between `edges` (0 is one of them; what lies beyond is in the outermost bins).
    `zeroed` and `cut` are the shares set to 0 and to the ceiling, where there is one (6 for ReLU6), else 0.
    `dead` of `filters` filters let nothing through, at any place of any picture. `low` and `high` are the extremes
    before it.
    """

    name: str
    edges: Float[np.ndarray, "edges"]
    before: Int[np.ndarray, "bins"]
    after: Int[np.ndarray, "bins"]
    zeroed: float
    cut: float
    dead: int
    filters: int
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """One activation before its ReLU as a sum of five: weight times input by the sign of each, and a constant.

    `positive` is of positive weights on positive inputs, `negative_input` of positive weights on negative inputs, and
    so on. `constant` is the bias, or what batch norm adds. `weights_below` is the share of negative weights in the
    layer.
    """

    value: float
    positive: float
    negative_input: float
    negative_weight: float
    both_negative: float
    constant: float
    weights_below: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """Every ReLU of a net on one picture and on a set of pictures, with one filter's map before and after.

    `layers` is what happens to `frame`; `over` holds the same layers over all of the `shown` pictures, in which a
    filter that seems dead has had many chances. The map is of filter `filter` of the first layer.
    """

    frame: UInt8[np.ndarray, "s s 3"]
    layers: tuple[Rectified, ...]
    over: tuple[Rectified, ...]
    shown: int
    origin: Origin
    filter: int
    before: Float[np.ndarray, "h w"]
    after: Float[np.ndarray, "h w"]


@contextmanager
def watched(net: nn.Module, see: See) -> Generator[None]:
    """Within, `see` is told of what reaches every ReLU that is a module, or part of a ConvNorm, as the net runs."""
    handles: list[torch.utils.hooks.RemovableHandle] = []
    changed: list[tuple[ConvNorm, fused.Activation]] = []

    def after_conv(name: str, kind: fused.Activation) -> Callable[..., Tensor]:
        def hook(_: nn.Module, __: object, result: Tensor) -> Tensor:
            see(name, result, 6.0 if kind == "relu6" else math.inf)
            return fused.activated(result.clone(), kind)

        return hook

    def before_module(name: str, ceiling: float) -> Callable[..., None]:
        def hook(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            see(name, given[0], ceiling)

        return hook

    for name, part in net.named_modules():
        if isinstance(part, ConvNorm) and part.activation != "none":
            handles.append(part.register_forward_hook(after_conv(name, part.activation)))
            changed.append((part, part.activation))
            part.activation = "none"
        elif isinstance(part, (nn.ReLU, nn.ReLU6)):
            ceiling = 6.0 if isinstance(part, nn.ReLU6) else math.inf
            handles.append(part.register_forward_pre_hook(before_module(name, ceiling)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for part, kind in changed:
            part.activation = kind


def rectified(net: nn.Module, x: Float[Tensor, "n c h w"]) -> list[Rectified]:
    """Every ReLU of the net, in the order in which they are met, on these inputs."""
    found: list[Rectified] = []

    def see(name: str, values: Float[Tensor, "n c h w"], ceiling: float) -> None:
        found.append(_measured(name, values, ceiling))

    with torch.no_grad(), watched(net, see):
        net(x)
    return found


def origin(layer: ConvNorm, x: Float[Tensor, "1 c h w"], filter: int, place: tuple[int, int]) -> Origin:
    """Where the value of `filter` at `place` (row, column) before its ReLU comes from; `layer` must be testing.

    Batch norm's scale counts as part of the weights, its shift as the constant.
    """
    bare = copy.deepcopy(layer)
    bare.activation = "none"
    weight, norm = layer.conv.weight, layer.norm
    effective = weight * norm.weight[:, None, None, None].sign()
    unshifted = {"norm.bias": torch.zeros_like(norm.bias)}
    if norm.running_mean is not None:
        unshifted["norm.running_mean"] = torch.zeros_like(norm.running_mean)

    def at(result: Tensor) -> float:
        return float(result[0, filter, place[0], place[1]])

    def part(weights: Tensor, inputs: Tensor) -> float:
        return at(functional_call(bare, {**unshifted, "conv.weight": weights}, (inputs,)))

    with torch.no_grad():
        constant = at(bare(torch.zeros_like(x)))
        (positive, negative_input), (negative_weight, both) = (
            (part(weights, x.clamp_min(0)), part(weights, x.clamp_max(0)))
            for weights in (weight * (effective > 0), weight * (effective < 0))
        )
        below = float((effective < 0).float().mean())
    return Origin(
        value=positive + negative_input + negative_weight + both + constant,
        positive=positive,
        negative_input=negative_input,
        negative_weight=negative_weight,
        both_negative=both,
        constant=constant,
        weights_below=below,
    )


def study(image: UInt8[np.ndarray, "h w 3"] | None = None, *, count: int = 16) -> Study:
    """The ReLUs of the pretrained default net on `image` (a drawn one where None), and on `count` drawn scenes.

    The filter that is shown is the one of the first layer with the most of both signs.
    """
    model = pretrained()
    net = model.net
    shown = picture() if image is None else image
    x = read(model, shown)
    first = next(part for part in net.modules() if isinstance(part, ConvNorm))
    maps: list[Float[Tensor, "n c h w"]] = []
    layers = rectified(net, x)
    with torch.no_grad(), watched(first, lambda _, values, __: maps.append(values)):
        first(x)
    values = maps[0][0]
    filter = int(torch.minimum(values.clamp_min(0).mean((1, 2)), -values.clamp_max(0).mean((1, 2))).argmax())
    before = values[filter].numpy()
    row, column = divmod(int(before.argmin()), before.shape[1])
    return Study(
        frame=model.preprocessing.frame(model.preprocessing.kept(shown)),
        layers=tuple(layers),
        over=tuple(rectified(net, torch.cat([read(model, one) for one in pictures(count)]))),
        shown=count,
        origin=origin(first, x, filter, (row, column)),
        filter=filter,
        before=before,
        after=np.maximum(before, 0),
    )


def _measured(name: str, values: Float[Tensor, "n c h w"], ceiling: float) -> Rectified:
    low, high = (float(end) for end in values.aminmax())
    reach = min(max(-low, high, 1e-12), 4 * max(float(values.std()), 1e-12))
    if np.isfinite(ceiling):
        reach = max(reach, ceiling * 4 / 3)
    kept = values.clamp(0, ceiling)

    def counts(of: Tensor) -> Int[np.ndarray, "bins"]:
        return torch.histc(of.clamp(-reach, reach), BINS, -reach, reach).long().numpy()

    return Rectified(
        name=name,
        edges=np.linspace(-reach, reach, BINS + 1),
        before=counts(values),
        after=counts(kept),
        zeroed=float((values <= 0).float().mean()),
        cut=float((values >= ceiling).float().mean()),
        dead=int((kept.amax((0, 2, 3)) <= 0).sum()),
        filters=values.shape[1],
        low=low,
        high=high,
    )
