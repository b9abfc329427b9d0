"""Which flips keep what an image shows: held-out images are put before the probe mirrored, and counted.

A flip is a claim about the owner's pictures. It is made only where the probe is as often right about mirrored images
that it did not learn from as about the images as they are.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from convworks.backbones.contract import Backbone
from convworks.events import Event, Finding
from convworks.training.features import Compute, computed, pooled
from convworks.training.work import Work
from convworks.transfer.linear import Linear

SHARE, FEWEST, MOST = 0.05, 12, 256
"""Held-out images that are looked at: this share of all that the probe saw, but within these numbers."""
ENOUGH = 40
"""With fewer images than this, nothing is claimed that was not claimed before."""
NOISE = 2.0
"""Standard errors of the difference between two answers to the same images (McNemar) that count as a fall."""
FLIPS = {"flip_horizontal": (3, "mirrored"), "flip_vertical": (2, "upside down")}
"""Each flip, the axis of (n, c, h, w) that it turns about, and how an image then is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Of `n` images, how many are right as they are and flipped, and how many answers were `lost` and `won` by it."""

    n: int
    plain: int
    flipped: int
    lost: int
    won: int

    @property
    def falls(self) -> bool:
        """Whether flipped images are read worse by more than chance.

        >>> Held(n=16, plain=16, flipped=11, lost=5, won=0).falls, Held(n=16, plain=9, flipped=7, lost=5, won=3).falls
        (True, False)
        """
        return self.lost - self.won > NOISE * (self.lost + self.won) ** 0.5

    @property
    def stays(self) -> bool:
        """Whether enough flipped images were looked at, and are read no worse at all."""
        return self.n >= ENOUGH and self.flipped >= self.plain


def compared(plain: Bool[np.ndarray, "n"], flipped: Bool[np.ndarray, "n"]) -> Held:
    """What flipping did to answers that were right or wrong."""
    return Held(
        n=len(plain),
        plain=int(plain.sum()),
        flipped=int(flipped.sum()),
        lost=int((plain & ~flipped).sum()),
        won=int((~plain & flipped).sum()),
    )


def decided(name: str, held: Held, what: str = "held-out images are read") -> tuple[bool, str]:
    """Whether a flip is made, and why: what is proposed stays unless images are read worse, more needs proof."""
    how = FLIPS[name][1]
    figures = f"{how}, {held.flipped} of {held.n} {what} right, {held.plain} as they are"
    if name == "flip_horizontal":
        return not held.falls, f"{figures}{': left and right matter' if held.falls else ''}"
    if held.falls:
        return False, f"{figures}: up and down matter"
    return held.stays, f"{figures}{'' if held.stays else ': not enough to claim that it is the same'}"


def settle_flips(work: Work, head: Linear, kept: Float[np.ndarray, "t d"]) -> Generator[Event, None, None]:
    """Settles the flips that nobody decided, by images that `head` did not learn from; says where one is given up.

    `kept` are the features of the tuning images as they are. Where an image may show several classes, each of them is
    an answer; these are too many for their number to prove that pictures may stand upside down.
    """
    tune, several = work.data.tune, work.model.task.several
    names = [name for name in FLIPS if f"augmentation.{name}" not in work.recipe.reasons]
    names = [name for name in names if not several or getattr(work.recipe.augmentation, name)]
    if not names or not len(tune):
        return
    number = min(max(round(SHARE * (len(work.data.learn) + len(tune))), FEWEST), MOST, len(tune))
    places = np.linspace(0, len(tune) - 1, number).round().astype(np.int64)
    truth = work.data.truth[tune[places]]
    columns = yield from computed(
        _flipped(work.model.net.backbone, names),
        work.live(tune[places], augmented=False),
        work.team,
        work.precision,
        stage="features",
        stop=work.stop,
    )

    def right(features: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "m"]:
        logits = head.logits(features)
        return ((logits > 0) == truth).ravel() if several else logits.argmax(1) == truth

    plain, what = (
        right(kept[places]),
        "classes of held-out images are" if several else "held-out images are read",
    )
    for name, column in zip(names, columns, strict=True):
        held = compared(plain, right(column.double().numpy()))
        on, why = work.team.from_leader(decided(name, held, what))
        before = getattr(work.recipe.augmentation, name)
        work.settle({f"augmentation.{name}": why}, **{f"augmentation__{name}": on})
        if before and not on:
            yield Finding(
                code="mirror",
                level="note",
                said="Training does not mirror your images: what they show depends on it.",
                evidence=why,
                action=f"--{name.replace('_', '-')} true, where a mirrored image shows the same",
            )


def _flipped(backbone: Backbone, names: list[str]) -> Compute:
    """The last stage's features, averaged over positions, of images flipped in each way."""
    features = pooled(backbone, last=True)

    def compute(x: Tensor) -> list[Tensor]:
        return [features(x.flip(FLIPS[name][0]))[0] for name in names]

    return compute
