"""Dropout in its two forms, and what it says at test time when it is left on.

The guide's reader was right that a test multiplies by 1 - p: that is the classic form. PyTorch's is the
inverted form, which divides by 1 - p in training and leaves the test alone. Both, or neither, is the mistake.
Source: Srivastava et al., Dropout, JMLR 2014; Gal and Ghahramani, Dropout as a Bayesian Approximation, 2016.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convworks.errors import NetError

Form = Literal["classic", "inverted"]


def dropout(
    x: Float[Tensor, "..."],
    probability: float,
    *,
    training: bool,
    form: Form = "inverted",
    generator: torch.Generator | None = None,
) -> Float[Tensor, "..."]:
    """Each value set to 0 with this probability in training, and the scale put right where the form says.

    Classic: training drops, testing multiplies by 1 - p. Inverted: training drops and divides by 1 - p.
    Raises NetError for a probability outside [0, 1).

    >>> dropout(torch.ones(2), 0.25, training=False, form="classic")
    tensor([0.7500, 0.7500])
    """
    if not 0 <= probability < 1:
        raise NetError(f"Dropout: probability is {probability}.", expected="at least 0 and below 1")
    keep = 1 - probability
    if not training:
        return x * keep if form == "classic" else x
    mask = torch.empty_like(x).bernoulli_(keep, generator=generator)
    return x * mask if form == "classic" else x * (mask / keep)


class Dropout(nn.Module):
    """`dropout` as a layer; its masks come from `generator`, or PyTorch's own where that is None."""

    def __init__(
        self, probability: float = 0.5, form: Form = "inverted", generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.probability = probability
        self.form: Form = form
        self.generator = generator

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Dropped in training, whole in testing."""
        return dropout(x, self.probability, training=self.training, form=self.form, generator=self.generator)

    def extra_repr(self) -> str:
        """What a print of the module shows."""
        return f"{self.probability}, {self.form}"


DROPS = (
    Dropout,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
"""Every layer that is left on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What many passes with dropout left on gave: their mean, and how far they lie from it (population)."""

    mean: Float[Tensor, "..."]
    deviation: Float[Tensor, "..."]


@contextmanager
def dropping(module: nn.Module) -> Generator[None]:
    """Within, the module tests but its dropout layers train; afterwards every part is as it was."""
    before = {part: part.training for part in module.modules()}
    module.eval()
    for part in module.modules():
        if isinstance(part, DROPS):
            part.train()
    try:
        yield
    finally:
        for part, training in before.items():
            part.training = training


def monte_carlo(module: nn.Module, x: Tensor, *, passes: int = 30, seed: int = 0) -> Spread:
    """The mean and the spread of `passes` answers with dropout left on; PyTorch's random state is left alone.

    Give a module that ends in a softmax to get the mean of probabilities. A `Dropout` with a generator of its own
    goes on drawing from that.
    Raises NetError where the module has no dropout, since its spread would be 0 and mean nothing.
    """
    if not any(isinstance(part, DROPS) and _rate(part) for part in module.modules()):
        raise NetError("The net has no dropout.", expected="a layer such as dropout0.5 to leave on")
    kind = x.dtype
    total: Tensor | None = None
    squares: Tensor | None = None
    devices = sorted({x.device.index or 0}) if x.is_cuda else []
    with torch.random.fork_rng(devices), torch.no_grad(), dropping(module):
        torch.manual_seed(seed)
        for number in range(1, passes + 1):
            answer = module(x)
            kind, answer = answer.dtype, answer.double()
            if total is None or squares is None:
                total, squares = answer, torch.zeros_like(answer)
            else:
                # Welford's update: exact even where the spread is small beside the mean.
                step = answer - total
                total = total + step / number
                squares = squares + step * (answer - total)
    if total is None or squares is None:
        raise NetError(f"monte_carlo: passes is {passes}.", expected="at least 1")
    return Spread(mean=total.to(kind), deviation=(squares / passes).sqrt().to(kind))


def _rate(part: nn.Module) -> float:
    return part.probability if isinstance(part, Dropout) else float(getattr(part, "p", 0.0))
