"""What is true of a synthetic picture: its class, its split, and what is visible in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8

from convworks.data.record import Split
from convworks.data.synthetic.textures import Field
from convworks.samples import IGNORE, Sample

Task = Literal["classification", "localization", "detection", "segmentation", "instances"]
"""What a synthetic set is annotated for."""
LEAST_VISIBLE = 0.5


@dataclass(slots=True, kw_only=True, eq=False)
class Shown:
    """An object in a picture: its class id, its whole area in pixels, and how much of each pixel shows it."""

    label: int
    area: float
    visible: Field


def label_of(seed: int, index: int, classes: int) -> int:
    """The class of image `index`: every block of `classes` images holds each class once, in its own order.

    >>> sorted(label_of(7, index, 4) for index in range(8, 12))
    [0, 1, 2, 3]
    """
    order = np.random.default_rng([seed, index // classes, 1]).permutation(classes)
    return int(order[index % classes])


def split_of(index: int, classes: int) -> Split:
    """Every fifth block of `classes` images, from the second on, is for validation.

    >>> [split_of(index, 2) for index in range(6)]
    ['train', 'train', 'val', 'val', 'train', 'train']
    """
    return "val" if index // classes % 5 == 1 else "train"


def hide(shown: Sequence[Shown], coverage: Field) -> None:
    """Take from what is visible so far what a new thing covers."""
    for thing in shown:
        thing.visible *= 1 - coverage


def leaves_enough(shown: Sequence[Shown], coverage: Field, rows: slice, columns: slice) -> bool:
    """Whether a thing that covers `coverage` at `rows` and `columns` leaves enough of each that is shown."""
    for thing in shown:
        left = float(thing.visible.sum()) - float((thing.visible[rows, columns] * coverage).sum())
        if left < LEAST_VISIBLE * thing.area:
            return False
    return True


def sample(image: UInt8[np.ndarray, "h w 3"], shown: Sequence[Shown], *, label: int, void: bool) -> Sample:
    """The picture with the masks, boxes and class map of what is visible; `void` makes unsure borders 255."""
    shape = image.shape[:2]
    things = [(thing, thing.visible > 0.5) for thing in shown]
    things = [(thing, mask) for thing, mask in things if mask.any()]
    class_map = np.zeros(shape, np.uint8)
    for thing, mask in things:
        class_map[mask] = thing.label + 1
    if void:
        for thing in shown:
            class_map[(thing.visible > 0.2) & (thing.visible < 0.8)] = IGNORE
    return Sample(
        image=image,
        label=label,
        boxes=np.array([box_of(mask) for _, mask in things], np.float32).reshape(-1, 4),
        labels=np.array([thing.label for thing, _ in things], np.int64),
        masks=np.array([mask for _, mask in things], np.bool_).reshape(-1, *shape),
        class_map=class_map,
    )


def box_of(mask: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """The tight box of a mask that is not empty, as half-open pixel edges.

    >>> box_of(np.array([[False, True, True], [False, False, False]]))
    (1, 0, 3, 1)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
