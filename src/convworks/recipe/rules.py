"""The rules that a recipe starts from, with the numbers of the data at hand: what was measured, what to choose, why.

The table of `BENCH.md` ("Recipes to start from"). What a knob can say, `propose` sets; the rest is said here.
"""

from __future__ import annotations

from dataclasses import dataclass

from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.propose import FEWEST, UNEVEN, batch_of
from convworks.recipe.scales import coarsest_stride, detector_input, field_needed, finest_stride

MANY = 1_000
"""Images a class from which all of a net may learn, and one from scratch is worth comparing."""
MIXED = 20_000
"""Images from which mixup and CutMix help."""
LIVE = 16
"""Images a step on a device, under which batch statistics are too noisy to learn from."""
COLOURLESS = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What was measured, what follows, and why."""

    cause: str
    choice: str
    reason: str


def rules(fingerprint: Fingerprint) -> tuple[Rule, ...]:
    """The rules that apply to data of this fingerprint, in the order in which a run meets them."""
    return (
        *(_scales(fingerprint) if fingerprint.objects[1] > 0 else ()),
        _amount(fingerprint),
        *_balance(fingerprint),
        _batch(fingerprint),
        *_changes(fingerprint),
    )


def _scales(fingerprint: Fingerprint) -> tuple[Rule, ...]:
    """Strides, field, input and tiles, where objects were measured."""
    small, large = fingerprint.common
    short = fingerprint.short_sides[1]
    stride = finest_stride(small)
    wanted = detector_input(small, large, short, stride)
    scale = wanted.scale
    found = [
        Rule(
            cause=f"small objects that are common have {small:.0f} px",
            choice=f"finest stride {stride}, an input of {wanted.side} px for {wanted.tile or short:.0f}",
            reason=f"a small object then has {small * scale:.0f} px, {small * scale / stride:.0f} cells across",
        ),
        Rule(
            cause=f"large objects that are common have {large:.0f} px",
            choice=f"coarsest stride {coarsest_stride(large * scale)}, a receptive field of at least "
            f"{field_needed(large * scale)} px",
            reason="a cell of the last level sees twice a large object, and so all of it",
        ),
    ]
    if wanted.tile:
        found.append(
            Rule(
                cause=f"whole pictures would have to be {scale:.1f} times as large",
                choice=f"tiles of {wanted.tile} px that overlap by {wanted.overlap}",
                reason="a large object then lies whole in one of them",
            )
        )
    return tuple(found)


def _amount(fingerprint: Fingerprint) -> Rule:
    smallest = min(fingerprint.counts.values(), default=0)
    cause = f"{smallest:,} images in the smallest of {len(fingerprint.counts)} classes"
    if smallest < FEWEST:
        return Rule(
            cause=cause,
            choice="features of a pretrained net and a linear model, cross-validated",
            reason=f"fewer than {FEWEST} images a class cannot move a whole net without being learned by heart",
        )
    if smallest <= MANY:
        return Rule(
            cause=cause,
            choice="probe, then fine-tune",
            reason="a good last layer first keeps what the net knows: against fine-tuning at once a point better on "
            "images like these, ten on others (Kumar 2022)",
        )
    return Rule(
        cause=cause,
        choice="probe, then fine-tune; compare with --mode full and with a net from scratch",
        reason=f"more than {MANY:,} images a class can shape every layer",
    )


def _balance(fingerprint: Fingerprint) -> tuple[Rule, ...]:
    if fingerprint.imbalance <= UNEVEN:
        return ()
    return (
        Rule(
            cause=f"the largest class has {fingerprint.imbalance:.0f} times the images of the smallest",
            choice="images of small classes seen more often, by square roots (--sampling even: each once); read the "
            "figures class by class",
            reason=f"above {UNEVEN} the mean over the images hardly notices a class that is always missed",
        ),
    )


def _batch(fingerprint: Fingerprint) -> Rule:
    batch = batch_of(fingerprint.images)
    norm = (
        f"; under {LIVE} a device, batch statistics of a pretrained net stay as they were"
        if batch < LIVE
        else ""
    )
    return Rule(
        cause=f"{fingerprint.images:,} images to learn from",
        choice=f"batches of {batch}",
        reason=f"at most a twentieth of the data, so that an epoch is at least twenty steps{norm}",
    )


def _changes(fingerprint: Fingerprint) -> tuple[Rule, ...]:
    """What augmentation may do."""
    found: list[Rule] = []
    whole = fingerprint.task in ("classification", "multilabel")
    tested = (
        "put to the test by the probe on flipped held-out images: where they are read worse there are no flips"
        if whole
        else "which nothing tests where answers have a place: look at the preview"
    )
    if whole and fingerprint.images < MIXED:
        found.append(
            Rule(
                cause=f"{fingerprint.images:,} images are fewer than {MIXED:,}",
                choice="no mixup, no CutMix",
                reason="mixed pictures need long training before they help",
            )
        )
    elif whole:
        found.append(
            Rule(
                cause=f"{fingerprint.images:,} images are {MIXED:,} or more",
                choice="mixup and CutMix are worth a comparison: --mixup 0.2 --cutmix 1",
                reason="a net that has seen all images often still learns from mixed ones; frozen stages then run "
                "anew in each epoch",
            )
        )
    found.append(
        Rule(
            cause="a mirrored picture is taken to show the same",
            choice="horizontal flips, no vertical ones, no rotations",
            reason=f"a claim about your pictures, {tested}; what you say wins: --flip-horizontal false, "
            "--flip-vertical true",
        )
    )
    if fingerprint.gray > COLOURLESS:
        found.append(
            Rule(
                cause=f"{fingerprint.gray:.0%} of the pictures have no colour",
                choice="no colour jitter",
                reason="there is no colour to change",
            )
        )
    return tuple(found)
