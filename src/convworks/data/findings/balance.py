"""How many images and objects there are of each class: too few, too many beside another, or always together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from convworks.data.findings.seen import Seen, about, learned
from convworks.data.names import count, few, shown
from convworks.data.record import classes_of
from convworks.events import Finding

IMBALANCE = 10
"""The largest class over the smallest from which on a score of all images says little about the small one."""
FEW = 5
"""Fewer images than this to learn a class from are few."""


def findings(seen: Seen) -> Iterator[Finding]:
    """Imbalance, classes of few images, and sets of classes that cannot be told apart."""
    images = Counter[str]()
    objects = Counter[str]()
    for record in seen.records:
        if learned(record):
            images.update(classes_of(record))
            objects.update(box.name for box in record.boxes)
    if not images:
        return
    yield from _imbalance(seen, objects if seen.dataset.task in ("detection", "instances") else images)
    yield from _few(seen, images)
    if seen.dataset.task == "multilabel":
        yield from _sets(seen, images)


def _imbalance(seen: Seen, counts: Counter[str]) -> Iterator[Finding]:
    (most, largest), (least, smallest) = counts.most_common()[0], counts.most_common()[-1]
    if largest > IMBALANCE * smallest:
        what = "objects" if seen.dataset.task in ("detection", "instances") else "images"
        single = seen.dataset.task in ("classification", "localization")
        share = largest / counts.total()
        yield about(
            "imbalance",
            "warning",
            f"{shown(most)} has {largest / smallest:.0f} times the {what} of {shown(least)}: "
            f"{largest:,} and {smallest:,}.",
            evidence=f"always answering {shown(most)} is right {share:.0%} of the time"
            if single
            else f"{share:.0%} of all {what} are {shown(most)}",
            number=len(counts),
            why=f"a score over all {what} says little about {shown(least)}",
            action=f"add images of {shown(least)}",
            values={"counts": dict(counts.most_common())},
        )


def _few(seen: Seen, images: Counter[str]) -> Iterator[Finding]:
    single = sorted(name for name, number in images.items() if number == 1)
    if single:
        yield about(
            "single",
            "warning",
            f"One image is all there is to learn from in {few(single, 8)}.",
            files=_showing(seen, set(single)),
            number=len(single),
            why="what one image has in common with its class is not to be seen from it alone",
            action="add images; one cannot both teach and measure",
            values={"classes": single},
        )
    if rare := sorted(name for name, number in images.items() if 1 < number < FEW):
        yield about(
            "few",
            "note",
            f"{count(len(rare), 'class has', 'classes have')} fewer than {FEW} images to learn from: {few(rare, 8)}.",
            files=_showing(seen, set(rare)),
            number=len(rare),
            why="a score on the one or two of them that measure is little more than chance",
            action="add images of them",
            values={"counts": {name: images[name] for name in rare}},
        )


def _showing(seen: Seen, names: set[str]) -> list[str]:
    return [record.path for record in seen.records if learned(record) and names & set(classes_of(record))]


def _sets(seen: Seen, images: Counter[str]) -> Iterator[Finding]:
    """Classes of a multi-label set that are in every image, or that come with another one always."""
    sets = [frozenset(classes_of(record)) for record in seen.records if learned(record)]
    if without := [record.path for record in seen.records if learned(record) and not classes_of(record)]:
        yield about(
            "no-labels",
            "note",
            f"{count(len(without), 'image')} of {len(sets):,} without a label.",
            files=without,
            why="they are learned as showing none of the classes",
            action="make sure that nothing in them was left unnamed",
        )
    always = sorted(name for name, number in images.items() if number == len(sets))
    if always and len(sets) > 1:
        yield about(
            "always",
            "warning",
            f"{few(always, 8)} {'is' if len(always) == 1 else 'are'} in every image.",
            number=len(always),
            why="without an image that does not show it, a class cannot be learned",
            action="add images without it, or leave the class out",
            values={"classes": always},
        )
    where: dict[frozenset[int], list[str]] = {}
    for name in sorted(set(images) - set(always)):
        where.setdefault(frozenset(row for row, names in enumerate(sets) if name in names), []).append(name)
    for twins in (names for names in where.values() if len(names) > 1):
        yield about(
            "inseparable",
            "warning",
            f"{few(twins, 8)} always come together, in {count(images[twins[0]], 'image')}.",
            files=_showing(seen, set(twins)),
            number=len(twins),
            why="what never comes alone cannot be told apart",
            action="add images of each alone, or make them one class",
            values={"classes": twins},
        )
