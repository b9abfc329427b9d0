"""From what was measured of the data to a recipe, with the reason for each choice that matters, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convworks.recipe.aims import dropout_for
from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.options import Recipe, with_values

ENLARGED = 1.29
"""A frozen net judges best at about this multiple of the size that it learned at (FixRes, 1906.06423, table 2):
random crops showed it objects larger than they are in whole pictures."""

UNEVEN = 10
"""The largest class over the smallest, from which drawing evenly over the images forgets the small ones."""
UNTESTED = (
    "a mirrored image is taken to show the same: no probe puts it to the test here, so look at the preview"
)
"""Why images are mirrored where nothing measures whether they may be."""
FEWEST = 20  # images a class, under which a linear model on features is all that can be trusted
SEEN = (3_000, 60_000)  # images seen in fine-tuning, at least and at most, unless all epochs differ


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneFacts:
    """What a proposal needs to know of a net: its name, the size that it learned at, and whether it has learned."""

    name: str
    size: int
    pretrained: bool


def input_size(median_short_side: float, facts: BackboneFacts) -> tuple[int, str]:
    """The side of the square that the net sees, in pixels, and why."""
    if not facts.pretrained:
        size = min(max(8 * round(median_short_side / 8), 32), facts.size)
        return (
            size,
            f"the pictures have {median_short_side:.0f} px, and the net learns anew",
        )
    larger = 32 * round(facts.size * ENLARGED / 32)
    if median_short_side >= 0.85 * larger:
        return larger, (
            f"the net learned at {facts.size}, a frozen one judges better a size up, and the pictures have "
            f"{median_short_side:.0f}"
        )
    return facts.size, f"the size that the net learned at; the pictures have {median_short_side:.0f}"


def propose(fingerprint: Fingerprint, facts: BackboneFacts, given: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe for data of this fingerprint; `given` holds what the user decided, by full name, and wins.

    Raises RecipeError for a `given` name that does not exist or a value out of range.
    """
    n = fingerprint.images
    several = fingerprint.task == "multilabel"
    sizes = sorted(fingerprint.counts.values()) or [0]
    smallest = sizes[(len(sizes) - 1) // 2] if several else sizes[0]
    values: dict[str, Any] = {}
    why: dict[str, str] = {}

    def set_value(name: str, value: Any, reason: str) -> None:
        values[name], why[name] = value, reason

    set_value("data.input_size", *input_size(fingerprint.short_sides[1], facts))
    if not facts.pretrained:
        set_value("transfer.mode", "scratch", f"{facts.name} has no weights to start from")
    elif smallest < FEWEST:
        set_value(
            "transfer.mode",
            "extract",
            f"a linear model is all that the {smallest} images of "
            f"{'half of the classes' if several else 'the smallest class'} can carry",
        )
    else:
        set_value("transfer.mode", "finetune", "a linear model first, then the last stages from there")
    if facts.pretrained:
        epochs = round(min(max(12 * n, SEEN[0]), SEEN[1]) / max(n, 1))
        set_value("optimiser.epochs", min(max(epochs, 4), 30), f"so that enough is seen of {n:,} images")
    else:
        set_value(
            "optimiser.epochs",
            epochs_from_scratch(n),
            f"every filter learns from nothing, from {n:,} images",
        )
        set_value("optimiser.learning_rate", 2e-3, "random weights may move far")
        set_value("optimiser.layer_decay", 1.0, "no stage knows anything yet")
        set_value("model.dropout", dropout_for(n), "nothing but your images shapes the net")
    if {**values, **(given or {})}["transfer.mode"] in ("scratch", "full"):
        set_value("augmentation.flip_horizontal", True, UNTESTED)
    if several:
        set_value(
            "optimiser.label_smoothing", 0.0, "a class that few images show would drown in what is spread"
        )
    if fingerprint.imbalance > UNEVEN and values["transfer.mode"] != "extract":
        set_value(
            "data.sampling",
            "square-root",
            f"the largest class has {fingerprint.imbalance:.0f} times the images of the smallest, and would drown it",
        )
    set_value("optimiser.batch", batch_of(n), f"at most a twentieth of {n:,} images")
    if fingerprint.gray > 0.98:
        set_value("augmentation.colour", 0.0, "the pictures have no colour to change")
    decided = dict(given or {})
    recipe = with_values(Recipe(), {**values, **decided})
    kept = {name: reason for name, reason in why.items() if name not in decided}
    kept |= dict.fromkeys(decided, "you said so")
    if "task" in decided:
        kept["task"] = "what the annotations hold"
    return with_values_and_reasons(recipe, kept)


def epochs_from_scratch(images: int) -> int:
    """How often a net that starts from nothing sees each image: so that 20,000 to 400,000 are seen, 30 times each.

    >>> epochs_from_scratch(240), epochs_from_scratch(5_000), epochs_from_scratch(100_000)
    (83, 30, 8)
    """
    return min(max(round(min(max(30 * images, 20_000), 400_000) / max(images, 1)), 8), 200)


def batch_of(images: int) -> int:
    """Images a step: a power of two from 8 to 64, and at most a twentieth of all where that allows 8.

    >>> batch_of(100), batch_of(400), batch_of(50_000)
    (8, 16, 64)
    """
    return 2 ** max(3, min(6, (images // 20).bit_length() - 1))


def with_values_and_reasons(recipe: Recipe, reasons: Mapping[str, str], **values: Any) -> Recipe:
    """A copy with more reasons, and with `values` (full names, `__` for the dot) settled."""
    settled = recipe.replace(**values) if values else recipe
    return dataclasses.replace(settled, reasons={**recipe.reasons, **reasons})
