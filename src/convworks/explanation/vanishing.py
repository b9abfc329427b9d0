"""The vanishing gradient: "the lower layers of the network train very slowly because the gradient decreases
exponentially through the layers".

Plain nets that differ in nothing but their activation: the same weights, drawn with a stated variance, the same data,
the same optimiser, each at the best of the same learning rates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.explanation.material import gratings

Activation = Literal["sigmoid", "tanh", "relu"]
ACTIVATIONS: tuple[Activation, ...] = ("sigmoid", "tanh", "relu")
MODULES = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}

Policy = Literal["he", "default"]
VARIANCE: dict[Policy, float] = {"he": 2.0, "default": 1 / 3}
"""The variance of a weight times the number of inputs of its filter.

"he" keeps the size of what ReLU lets through (He et al., 1502.01852); "default" is what PyTorch draws unless told.
"""

Part = TypeVar("Part", nn.Conv2d, nn.Linear)

CLASSES, CHANNELS, KERNEL = 3, 8, 3
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gradients:
    """The norm of the loss's gradient by the filters of each layer of an untrained net, the first layer first."""

    activation: Activation
    policy: Policy
    norms: Float[np.ndarray, "depth"]

    @property
    def depth(self) -> int:
        """How many layers."""
        return len(self.norms)

    @property
    def reaches(self) -> float:
        """The first layer's norm as a share of the last layer's."""
        return float(self.norms[0] / self.norms[-1])

    @property
    def factor(self) -> float:
        """By what the norm is multiplied, on the geometric mean, from one layer to the one below it."""
        return self.reaches ** (1 / (self.depth - 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learning:
    """How one net learned at the best of the rates: the loss of each step, and of all images at the end.

    The losses end early where one is no number any more.

    `step_seconds` is the processor time of one step.
    """

    activation: Activation
    rate: float
    losses: Float[np.ndarray, "steps"]
    final: float
    step_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vanishing:
    """Gradients at growing depth under both policies, and how nets of `depth` layers learned (policy "he").

    `guessing` is the loss of an answer that says the same probability for each class.
    """

    gradients: tuple[Gradients, ...]
    learning: tuple[Learning, ...]
    depth: int
    guessing: float

    def of(self, activation: Activation, depth: int, policy: Policy = "he") -> Gradients:
        """The gradients of one of the nets."""
        wanted = (activation, depth, policy)
        return next(each for each in self.gradients if (each.activation, each.depth, each.policy) == wanted)


def plain_net(activation: Activation, depth: int, policy: Policy = "he", seed: int = 0) -> nn.Sequential:
    """`depth` convolutions (3x3, 8 filters, padding 1), each with its activation; the mean of each map; 3 classes.

    Weights are normal with variance VARIANCE[policy] / inputs, biases 0; the same seed gives every activation the
    same weights. For grey images of any size.
    """
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    inputs = 1
    for _ in range(depth):
        conv = nn.Conv2d(inputs, CHANNELS, KERNEL, padding=KERNEL // 2)
        deviation = math.sqrt(VARIANCE[policy] / (inputs * KERNEL * KERNEL))
        layers += [_drawn(conv, deviation, generator), MODULES[activation]()]
        inputs = CHANNELS
    head = _drawn(nn.Linear(inputs, CLASSES), math.sqrt(1 / inputs), generator)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def gradients(activation: Activation, depth: int, policy: Policy = "he", seed: int = 0) -> Gradients:
    """The gradient's norm in each layer of a net that has learned nothing yet, on 96 gratings.

    In double precision, in which a gradient of 1e-40 is still a number.
    """
    images, labels = gratings(96, seed=seed)
    net = plain_net(activation, depth, policy, seed).double()
    F.cross_entropy(net(images.double()), labels).backward()
    norms = [
        float(part.weight.grad.norm())
        for part in net
        if isinstance(part, nn.Conv2d) and part.weight.grad is not None
    ]
    return Gradients(activation=activation, policy=policy, norms=np.array(norms))


def learning(
    activation: Activation, depth: int, *, steps: int = 80, rates: Sequence[float] = RATES, seed: int = 0
) -> Learning:
    """Stochastic gradient descent (momentum .9, 32 images a step) on gratings, at the rate that ends lowest."""
    runs = [_trained(activation, depth, steps, rate, seed) for rate in rates]
    return min(runs, key=lambda run: run.final if math.isfinite(run.final) else math.inf)


def vanishing(depths: Sequence[int] = (2, 4, 8, 16, 32), *, depth: int = 8, steps: int = 80) -> Vanishing:
    """The whole demonstration: gradients at these depths, and training at `depth`."""
    found = [
        gradients(activation, each, policy)
        for policy in VARIANCE
        for activation in ACTIVATIONS
        for each in depths
    ]
    return Vanishing(
        gradients=tuple(found),
        learning=tuple(learning(activation, depth, steps=steps) for activation in ACTIVATIONS),
        depth=depth,
        guessing=math.log(CLASSES),
    )


def _drawn(part: Part, deviation: float, generator: torch.Generator) -> Part:
    with torch.no_grad():
        part.weight.normal_(0, deviation, generator=generator)
        if part.bias is not None:
            part.bias.zero_()
    return part


def _trained(activation: Activation, depth: int, steps: int, rate: float, seed: int) -> Learning:
    images, labels = gratings(512, seed=seed)
    net = plain_net(activation, depth, "he", seed)
    optimiser = torch.optim.SGD(net.parameters(), rate, momentum=0.9)
    generator = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    began = time.process_time()
    while len(losses) < steps and (not losses or math.isfinite(losses[-1])):
        chosen = torch.randint(len(images), (32,), generator=generator)
        losses.append(_step(net, optimiser, images[chosen], labels[chosen]))
    seconds = (time.process_time() - began) / len(losses)
    with torch.no_grad():
        final = float(F.cross_entropy(net(images), labels))
    return Learning(
        activation=activation, rate=rate, losses=np.array(losses), final=final, step_seconds=seconds
    )


def _step(
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, "n"],
) -> float:
    loss = F.cross_entropy(net(images), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return float(loss.detach())
