"""What a data set is, in numbers: images, objects and pixels of each class, and the sizes of images and objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from convworks.data.audit import Audit
from convworks.data.findings.objects import Objects, objects
from convworks.data.record import Split, classes_of

Three = tuple[float, float, float]
"""The smallest, the median and the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One split: its images, and by class how many of them show it, how many objects, and what share of the pixels.

    `objects` and `pixels` are empty where nothing is said of them; pixels that do not count are left out.
    """

    split: Split
    images: int
    by_class: Mapping[str, int]
    objects: Mapping[str, int]
    pixels: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Objects: how many an image, the root of their area in pixels, and as a share of the image's short side."""

    number: int
    an_image: Three
    side: Three
    share: Three
    by_class: Mapping[str, Three]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The parts in the order of their records, short sides of images in pixels, and the sizes of objects, if any."""

    images: int
    parts: tuple[Part, ...]
    short_sides: tuple[int, int, int]
    gray: int
    objects: Sizes | None


def overview(audit: Audit) -> Overview:
    """The usable images of an audited data set, in numbers."""
    sides = sorted(min(fact.width, fact.height) for fact in audit.facts) or [0]
    found = objects(audit.seen)
    found = found.only(found.whole)
    return Overview(
        images=len(audit.facts),
        parts=_parts(audit),
        short_sides=(sides[0], sides[len(sides) // 2], sides[-1]),
        gray=sum(fact.gray for fact in audit.facts),
        objects=_sizes(found, len(audit.facts)) if len(found.boxes) else None,
    )


def _parts(audit: Audit) -> tuple[Part, ...]:
    images: dict[Split, int] = {}
    classes: dict[Split, Counter[str]] = {}
    marked: dict[Split, Counter[str]] = {}
    pixels: dict[Split, Counter[str]] = {}
    code = dict(audit.dataset.masks.values) if audit.dataset.masks else {}
    for record, fact in zip(audit.dataset.records, audit.facts, strict=True):
        split = record.split
        images[split] = images.get(split, 0) + 1
        shown = set(classes_of(record))
        marked.setdefault(split, Counter()).update(box.name for box in record.boxes)
        painted = pixels.setdefault(split, Counter())
        for value, number in fact.map.values.items() if fact.map else ():
            if value in code:
                painted[code[value]] += number
                shown.add(code[value])
        classes.setdefault(split, Counter()).update(shown)
    return tuple(
        Part(
            split=split,
            images=number,
            by_class=dict(sorted(classes[split].items())),
            objects=dict(sorted(marked[split].items())),
            pixels={name: n / pixels[split].total() for name, n in sorted(pixels[split].items())},
        )
        for split, number in images.items()
    )


def _sizes(found: Objects, images: int) -> Sizes:
    side = np.sqrt(found.sides.prod(1))
    return Sizes(
        number=len(found.boxes),
        an_image=_three(np.bincount(found.rows, minlength=images)),
        side=_three(side),
        share=_three(side / found.frames.min(1)),
        by_class={
            name: _three(side[found.kinds == kind])
            for kind, name in enumerate(found.names)
            if (found.kinds == kind).any()
        },
    )


def _three(values: np.ndarray) -> Three:
    low, median, high = np.percentile(values, (0, 50, 100)).tolist()
    return (low, median, high)
