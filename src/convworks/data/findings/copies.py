"""Copies across the split, across classes, and within: what each of them does to a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from convworks.data.findings.seen import WORDS, Groups, Seen, about
from convworks.data.names import count
from convworks.data.record import Record, Split
from convworks.events import Finding

FAMILY, FAMILY_IMAGES = 0.1, 10
"""A group of near copies of more than this share, and number, of all images is worth a word."""

_PAIRS: tuple[tuple[Split, Split], ...] = (("val", "train"), ("test", "train"), ("test", "val"))


def findings(seen: Seen) -> Iterator[Finding]:
    """Leaks, contradictions, copies as such, and large families of them."""
    yield from _leaks(seen)
    yield from _contradictions(seen)
    yield from _copies(seen)
    yield from _family(seen)


def leaked(
    records: Sequence[Record], groups: Groups, measured: Split, learned: Split
) -> list[tuple[int, int]]:
    """Positions of the records of `measured` that are copies of one of `learned`, each with that one's."""
    there: dict[int, int] = {}
    for position, (record, group) in enumerate(zip(records, groups.tolist(), strict=True)):
        if record.split == learned:
            there.setdefault(group, position)
    return [
        (position, there[group])
        for position, (record, group) in enumerate(zip(records, groups.tolist(), strict=True))
        if record.split == measured and group in there
    ]


def _leaks(seen: Seen) -> Iterator[Finding]:
    totals = Counter(record.split for record in seen.records)
    for measured, learned in _PAIRS:
        if copies := leaked(seen.records, seen.copies.groups, measured, learned):
            yield about(
                "leak",
                "warning",
                f"{len(copies):,} of {totals[measured]:,} {WORDS[measured]} images "
                f"{'is a copy' if len(copies) == 1 else 'are copies'} of {WORDS[learned]} images: "
                "a score on them says too much.",
                pairs=_paths(seen, copies),
                why="a net is right about what it has learned by heart, whether or not it has learned the classes",
                action=f"remove the copies from {measured}",
                values={
                    "measured": measured,
                    "learned": learned,
                    "of": totals[measured],
                    "kinds": _kinds(seen, copies),
                },
            )


def _contradictions(seen: Seen) -> Iterator[Finding]:
    """Copies that are annotated otherwise; of boxes only where all of the picture is shown, and not mirrored."""
    labelled = any(record.label or record.labels for record in seen.records)
    alike = seen.copies.alike
    if labelled:
        crops = seen.copies.crops
        upright = [
            (int(part), int(whole))
            for part, whole, mirrored in zip(crops.part, crops.whole, crops.mirrored, strict=True)
            if not mirrored and alike[part] != alike[whole]
        ]
    else:
        upright = []
    first: dict[int, int] = {}
    pairs = [
        (position, first.setdefault(group, position)) for position, group in enumerate(alike.tolist())
    ] + [(max(pair), min(pair)) for pair in dict.fromkeys(upright)]
    contradicted = [
        (one, other)
        for one, other in dict.fromkeys(pairs)
        if _says(seen.records[one]) != _says(seen.records[other])
    ]
    if contradicted and labelled:
        yield about(
            "labels",
            "warning",
            f"{count(len(contradicted), 'image copies', 'images copy')} one of another class.",
            pairs=_paths(seen, contradicted),
            why="one of the two is wrong: it teaches the opposite, and is counted as a mistake when it measures",
            action="decide which class is right, and remove the other file",
        )
    elif contradicted:
        yield about(
            "annotations",
            "warning",
            f"{count(len(contradicted), 'image copies', 'images copy')} one in which other objects are marked.",
            pairs=_paths(seen, contradicted),
            why="what is marked in one and not in the other is learned as background",
            action="decide which annotation is right, and remove the other file",
        )


def _says(record: Record) -> object:
    """What copies must agree in: the class, the classes, or how many objects there are of each."""
    if record.label:
        return record.label
    return frozenset(record.labels) if record.labels else Counter(box.name for box in record.boxes)


def _copies(seen: Seen) -> Iterator[Finding]:
    groups, same = seen.copies.groups, seen.copies.same
    copies = [(position, group) for position, group in enumerate(groups.tolist()) if group != position]
    if copies:
        equal = int((same != np.arange(len(same))).sum())
        is_given = any(record.split in ("val", "test") for record in seen.records)
        yield about(
            "copies",
            "note",
            f"{count(len(copies), 'image is a copy', 'images are copies')} of another, "
            f"{equal} of them the same file{'' if is_given else '; copies stay on one side of a split'}.",
            pairs=_paths(seen, copies),
            why="copies count twice in what is learned",
            values={"kinds": _kinds(seen, copies)},
        )


def _family(seen: Seen) -> Iterator[Finding]:
    groups = seen.copies.groups
    n = len(groups)
    if not n:
        return
    sizes = np.bincount(groups)
    first, largest = int(sizes.argmax()), int(sizes.max())
    if largest > max(FAMILY * n, FAMILY_IMAGES):
        members = np.flatnonzero(groups == first).tolist()
        yield about(
            "family",
            "warning",
            f"{largest:,} of {n:,} images are near copies of one another.",
            pairs=_paths(seen, [(member, first) for member in members if member != first]),
            number=largest,
            why="frames of one scene teach little more than one of them",
            action="add other scenes",
        )


def _kinds(seen: Seen, pairs: Sequence[tuple[int, int]]) -> dict[str, int]:
    return dict(Counter(seen.copies.kind(*pair) for pair in pairs).most_common())


def _paths(seen: Seen, pairs: Sequence[tuple[int, int]]) -> list[tuple[str, str]]:
    return [(seen.records[one].path, seen.records[other].path) for one, other in pairs]
