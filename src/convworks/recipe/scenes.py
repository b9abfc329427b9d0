"""A recipe where answers have a place in the picture: frame, part that training sees, rates, and how long.

The figures are starting points that were tested against their neighbours on small sets (`docs/` says on which).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.options import Recipe, with_values
from convworks.recipe.propose import UNTESTED, BackboneFacts, with_values_and_reasons
from convworks.recipe.scales import BLOCK, coarsest_stride, detector_input, finest_stride

SEEN = {"localization": 6_000, "detection": 7_000, "instances": 7_000, "segmentation": 12_000}
"""Images that pass while a pretrained net learns, repeats counted."""
LONGEST = 640
"""Longer side, in pixels, beyond which a frame grows for the sake of small objects only."""


def propose_scene(
    fingerprint: Fingerprint, facts: BackboneFacts, given: Mapping[str, Any] | None = None
) -> Recipe:
    """A recipe for a set of boxes or masks; `given` holds what the user decided, by full name, and wins.

    Raises RecipeError for a `given` name that does not exist or a value out of range.
    """
    task, n = fingerprint.task, max(fingerprint.images, 1)
    values: dict[str, Any] = {"task": task}
    asked = task == "instances"
    boxed = asked or task == "detection"
    why: dict[str, str] = {"task": "you asked for outlines" if asked else "what the annotations hold"}

    def set_value(name: str, value: Any, reason: str) -> None:
        values[name], why[name] = value, reason

    longer, said = frame_side(fingerprint)
    set_value("data.input_size", longer, said)
    set_value("data.resize", "letterbox" if boxed else "squash", "everything stays in the frame")
    if not facts.pretrained:
        set_value("transfer.mode", "scratch", f"{facts.name} has no weights to start from")
    else:
        set_value("transfer.mode", "full", "new parts on a pretrained net, which follows slowly")
        # The third stage of these nets has the largest maps: a sixth of a step, and no worse without.
        light = task != "localization" and facts.name.startswith("efficientnet-lite")
        set_value("transfer.freeze", 3 if light else 2, "the first filters fit any picture")
        set_value("optimiser.backbone_rate", 0.3, "what is pretrained knows much already")
        if (given or {}).get("model.detector") == "spp":
            set_value(
                "transfer.mode", "extract", "SPP-net learned only behind its pyramid, on maps as they were"
            )
    set_value("optimiser.learning_rate", 1e-3, "the new parts know nothing yet")
    times = 1 if facts.pretrained else 4
    epochs = min(max(round(times * SEEN[task] / n), 12), 120)
    set_value("optimiser.epochs", epochs, f"so that enough is seen of {n:,} images")
    set_value("optimiser.batch", 4 if n < 400 else 8, "with few images many small steps learn more")
    set_value("optimiser.average", 0.998, "the mean of many steps is steadier than the last one")
    if task == "segmentation":
        set_value("data.crop", min(320, longer), "parts of the frame give more variety in the same time")
        set_value("augmentation.crop_scale", 0.12, "objects from two thirds to twice their size")
    elif boxed:
        finest, coarsest, said = strides(fingerprint, longer)
        set_value("model.finest", finest, said)
        set_value("model.coarsest", coarsest, said)
        set_value("augmentation.crop_scale", 0.5, "objects at several sizes")
        set_value("augmentation.mosaic", 0.3, "objects in other company, at half the size")
    else:
        set_value("augmentation.crop_scale", 0.6, "most of the object stays in the frame")
    set_value("augmentation.flip_horizontal", True, UNTESTED)
    if fingerprint.gray > 0.98:
        set_value("augmentation.colour", 0.0, "the pictures have no colour to change")
    decided = dict(given or {})
    recipe = with_values(Recipe(), {**values, **decided})
    kept = {name: reason for name, reason in why.items() if name not in decided}
    kept |= dict.fromkeys(decided, "you said so") | {"task": why["task"]}
    return with_values_and_reasons(recipe, kept)


def frame_side(fingerprint: Fingerprint) -> tuple[int, str]:
    """The longer side of what the net sees, in pixels, and why."""
    width, height = fingerprint.widths[1], fingerprint.heights[1]
    side = max(width, height, 1.0)
    if fingerprint.task == "localization":
        return 224, "one object fills much of the picture"
    small, large = fingerprint.common
    if fingerprint.task in ("detection", "instances") and small > 0:
        needed = detector_input(small, large, side)
        chosen = min(
            max(needed.side, min(blocks_of(side), 320)), max(LONGEST, needed.side if not needed.tile else 0)
        )
        return blocks_of(chosen), f"a small object has {small:.0f} px of a picture of {side:.0f}"
    return blocks_of(min(side, LONGEST)), f"the pictures have {side:.0f} px"


def strides(fingerprint: Fingerprint, longer: int) -> tuple[int, int, str]:
    """The strides of the finest and the coarsest map of a detector on frames of a longer side `longer`, and why."""
    side = max(fingerprint.widths[1], fingerprint.heights[1], 1.0)
    small, large = (size * longer / side for size in fingerprint.common)
    if large <= 0:
        return 8, 32, "no object tells its size"
    finest = min(finest_stride(small), 8)
    said = f"objects have {small:.0f} to {large:.0f} px of a frame of {longer}"
    return finest, max(finest, min(coarsest_stride(large), 32)), said


def frame_shape(longer: int, width: float, height: float) -> tuple[int, int]:
    """Height and width of a frame of the pictures' proportions, its longer side `longer`, in multiples of 32.

    >>> frame_shape(640, 640, 480), frame_shape(224, 300, 900)
    ((480, 640), (224, 64))
    """
    side = max(width, height, 1.0)
    return blocks_of(height * longer / side), blocks_of(width * longer / side)


def blocks_of(pixels: float) -> int:
    """The nearest multiple of 32, at least one."""
    return max(BLOCK, BLOCK * round(pixels / BLOCK))
