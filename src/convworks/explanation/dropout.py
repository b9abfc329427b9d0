"""Dropout's identities, and what a net says with dropout left on.

A reader under the guide: "during the test time, dropout layers are used to multiply (1 - drop_rate) to the input". So
they do in the classic form; the inverted form divides while training instead. What that scaling stands for, exactly
and approximately, is counted here over every mask there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from convworks.explanation.material import TRAINED_DROPOUT, last_layer, picture, pretrained, read
from convworks.layers.dropout import Dropout, dropout, dropping


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """What is exact about dropout at probability 1/2, over all masks of `inputs` inputs: the largest differences.

    `linear`: the mean over the masks of a linear layer, and the layer with its input scaled. `geometric`: the
    geometric mean over the masks of a softmax of that layer (made to sum to 1), and the softmax of the scaled one.
    `arithmetic`: the plain mean of those softmaxes, and the same. `relu`: the mean of a net with a ReLU in it, and
    the scaled net. `forms`: the classic and the inverted form, in training and in testing, once the scale of one is
    put right.
    """

    inputs: int
    masks: int
    linear: float
    geometric: float
    arithmetic: float
    relu: float
    forms: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Redrawn:
    """What a net says of one picture with dropout left on: its likeliest answers, in each of many passes.

    `plain` is with dropout off, `mean` and `deviation` (population) are over the rows of `draws`. `agreed` counts the
    passes whose answer is the first name.
    """

    names: tuple[str, ...]
    probability: float
    plain: Float[np.ndarray, "k"]
    draws: Float[np.ndarray, "passes k"]
    agreed: int

    @property
    def mean(self) -> Float[np.ndarray, "k"]:
        """The mean probability of each name."""
        return self.draws.mean(0)

    @property
    def deviation(self) -> Float[np.ndarray, "k"]:
        """How far the passes lie from it."""
        return self.draws.std(0)


def every_mask(inputs: int) -> Float[Tensor, "masks inputs"]:
    """All 2 ** inputs ways to keep or to drop, one a row.

    >>> every_mask(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * inputs).reshape(-1, inputs)


def identities(inputs: int = 12, classes: int = 5, seed: int = 0) -> Identities:
    """The identities, over all masks, of random layers in double precision; at 1/2 every mask is equally likely."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Float[Tensor, "..."]:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, weight, bias = random(inputs), random(classes, inputs), random(classes)
    deep, last = random(16, inputs), random(classes, 16)
    dropped = every_mask(inputs).double() * x

    def linear(at: Float[Tensor, "... i"]) -> Float[Tensor, "... k"]:
        return at @ weight.T + bias

    def rectified(at: Float[Tensor, "... i"]) -> Float[Tensor, "... k"]:
        return (at @ deep.T).relu() @ last.T

    softmaxes = linear(dropped).softmax(1)
    geometric = softmaxes.log().mean(0).softmax(0)
    scaled = linear(x / 2).softmax(0)
    return Identities(
        inputs=inputs,
        masks=len(dropped),
        linear=_apart(linear(dropped).mean(0), linear(x / 2)),
        geometric=_apart(geometric, scaled),
        arithmetic=_apart(softmaxes.mean(0), scaled),
        relu=_apart(rectified(dropped).mean(0), rectified(x / 2)),
        forms=max(_forms(x, probability) for probability in (0.1, 0.25, 0.5, 0.8)),
    )


def sampled_mean(passes: int = 200_000, inputs: int = 4, probability: float = 0.5, seed: int = 0) -> float:
    """How far the mean of a linear layer over so many random masks lies from the layer itself.

    Inverted dropout, rows of weights of length 1, inputs that sum to 1.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.full((inputs,), 1.0 / inputs, dtype=torch.float64)
    weight = torch.randn(3, inputs, generator=generator, dtype=torch.float64)
    weight /= weight.norm(dim=1, keepdim=True)
    many = dropout(x.expand(passes, inputs), probability, training=True, generator=generator)
    return _apart((many @ weight.T).mean(0), weight @ x)


def redrawn(
    image: UInt8[np.ndarray, "h w 3"] | None = None,
    *,
    passes: int = 200,
    probability: float = TRAINED_DROPOUT,
    shown: int = 4,
    seed: int = 0,
) -> Redrawn:
    """The pretrained net on `image` (a drawn one where None) with dropout before its last layer left on.

    All that comes before the dropout runs once.
    """
    model = pretrained()
    with torch.no_grad():
        features = model.net.backbone(read(model, picture() if image is None else image))[-1].mean((2, 3))
        generator = torch.Generator().manual_seed(seed)
        last = nn.Sequential(Dropout(probability, generator=generator), last_layer(model), nn.Softmax(1))
        plain = last.eval()(features)[0]
        with dropping(last):
            draws = last(features.expand(passes, -1))
    best = plain.argsort(descending=True, stable=True)[:shown]
    return Redrawn(
        names=tuple(model.classes[int(place)] for place in best),
        probability=probability,
        plain=plain[best].double().numpy(),
        draws=draws[:, best].double().numpy(),
        agreed=int((draws.argmax(1) == best[0]).sum()),
    )


def _forms(x: Float[Tensor, "i"], probability: float) -> float:
    """The largest difference between the forms: one mask in training, and testing, classic over 1 - p."""
    keep = 1 - probability

    def both(of: Callable[[bool], Float[Tensor, "i"]]) -> float:
        return _apart(of(True) / keep, of(False))

    def trained(classic: bool) -> Float[Tensor, "i"]:
        generator = torch.Generator().manual_seed(1)
        form = "classic" if classic else "inverted"
        return dropout(x, probability, training=True, form=form, generator=generator)

    def tested(classic: bool) -> Float[Tensor, "i"]:
        return dropout(x, probability, training=False, form="classic" if classic else "inverted")

    return max(both(trained), both(tested))


def _apart(found: Float[Tensor, "..."], expected: Float[Tensor, "..."]) -> float:
    return float((found - expected).abs().max())
