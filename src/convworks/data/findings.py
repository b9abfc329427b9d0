"""From the facts of all images to what their owner should know, most urgent first, each with a next step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int

from convworks.data import cut
from convworks.data.decode import WARNED
from convworks.data.facts import Facts
from convworks.data.names import count, few, shown
from convworks.data.record import DataSet, SetAside, Split
from convworks.events import Finding

IMBALANCE = 10
"""The largest class over the smallest from which on a score of all images says little about the small one."""
SMALL = 32
"""A short side below this, in pixels, shows little to a net made for photographs."""
FAMILY, FAMILY_IMAGES = 0.1, 10
"""A group of near copies of more than this share, and number, of all images is worth a word."""

_URGENCY = {"error": 0, "warning": 1, "note": 2}
_WORDS: dict[Split, str] = {"train": "training", "val": "validation", "test": "test", "": "training"}
_PAIRS: tuple[tuple[Split, Split], ...] = (("val", "train"), ("test", "train"), ("test", "val"))

Groups = Int[np.ndarray, "n"]


def findings(
    dataset: DataSet,
    facts: Sequence[Facts],
    unreadable: Sequence[SetAside],
    groups: Groups,
    same: Groups,
    alike: Groups,
) -> tuple[Finding, ...]:
    """What `facts` show: warnings first, then notes.

    Copies are given by group numbers: near ones in `groups`, equal files in `same`, near ones without mirror
    images in `alike`.
    """
    said = [
        *_files(dataset, unreadable),
        *_leaks(dataset, groups),
        *_labels(dataset, alike),
        *_balance(dataset),
        *_copies(dataset, groups, same),
        *_kinds(dataset, facts),
    ]
    return tuple(sorted(said, key=lambda finding: _URGENCY[finding.level]))


def _files(dataset: DataSet, unreadable: Sequence[SetAside]) -> Iterator[Finding]:
    def told(files: Sequence[SetAside]) -> str:
        return few([f"{shown(file.path)} ({file.reason})" for file in files])

    if unreadable:
        yield Finding(
            code="unreadable",
            level="warning",
            said=f"{count(len(unreadable), 'image')} set aside, because {_they(unreadable)} cannot be read.",
            evidence=told(unreadable),
            action="replace or remove them",
        )
    known = set(unreadable)
    if others := [file for file in dataset.set_aside if file not in known]:
        yield Finding(
            code="set-aside",
            level="warning",
            said=f"{count(len(others), 'file')} set aside by name or place.",
            evidence=told(others),
        )


def _they(items: Sequence[object]) -> str:
    return "it" if len(items) == 1 else "they"


def leaked(dataset: DataSet, groups: Groups, measured: Split, learned: Split) -> list[tuple[int, int]]:
    """Positions of the records of `measured` that are copies of one of `learned`, each with that one's."""
    there: dict[int, int] = {}
    for position, (record, group) in enumerate(zip(dataset.records, groups.tolist(), strict=True)):
        if record.split == learned:
            there.setdefault(group, position)
    return [
        (position, there[group])
        for position, (record, group) in enumerate(zip(dataset.records, groups.tolist(), strict=True))
        if record.split == measured and group in there
    ]


def _leaks(dataset: DataSet, groups: Groups) -> Iterator[Finding]:
    totals = Counter(record.split for record in dataset.records)
    for measured, learned in _PAIRS:
        if copies := leaked(dataset, groups, measured, learned):
            yield Finding(
                code="leak",
                level="warning",
                said=f"{len(copies)} of {totals[measured]} {_WORDS[measured]} images are copies of "
                f"{_WORDS[learned]} images: a score on them says too much.",
                evidence=_equations(dataset, copies),
                action=f"remove the copies from {measured}",
            )


def _labels(dataset: DataSet, alike: Groups) -> Iterator[Finding]:
    first: dict[int, int] = {}
    contradicted = [
        (position, first[group])
        for position, group in enumerate(alike.tolist())
        if dataset.records[first.setdefault(group, position)].label != dataset.records[position].label
    ]
    if contradicted:
        yield Finding(
            code="labels",
            level="warning",
            said=f"{count(len(contradicted), 'image copies', 'images copy')} one of another class.",
            evidence=_equations(dataset, contradicted),
            action="decide which class is right, and remove the other file",
        )


def _balance(dataset: DataSet) -> Iterator[Finding]:
    counts = Counter(record.label for record in dataset.records if record.split in ("train", ""))
    if not counts:
        return
    (most, largest), (least, smallest) = counts.most_common()[0], counts.most_common()[-1]
    if largest > IMBALANCE * smallest:
        yield Finding(
            code="imbalance",
            level="warning",
            said=f"{shown(most)} has {largest / smallest:.0f} times the images of {shown(least)}: "
            f"{largest:,} and {smallest:,}.",
            evidence=f"always answering {shown(most)} is right {largest / counts.total():.0%} of the time",
            action=f"add images of {shown(least)}",
        )
    if single := sorted(label for label, number in counts.items() if number == 1):
        yield Finding(
            code="single",
            level="warning",
            said=f"One image is all there is to learn from in {few(single, 8)}.",
            action="add images; one cannot both teach and measure",
        )


def _copies(dataset: DataSet, groups: Groups, same: Groups) -> Iterator[Finding]:
    n = len(groups)
    copies = [(position, int(groups[position])) for position in range(n) if groups[position] != position]
    if copies:
        equal = int((same != np.arange(n)).sum())
        is_given = any(record.split in ("val", "test") for record in dataset.records)
        yield Finding(
            code="copies",
            level="note",
            said=f"{count(len(copies), 'image is a copy', 'images are copies')} of another, "
            f"{equal} of them the same file{'' if is_given else '; copies stay on one side of a split'}.",
            evidence=_equations(dataset, copies),
        )
    if n:
        sizes = np.bincount(groups)
        first, largest = int(sizes.argmax()), int(sizes.max())
        if largest > max(FAMILY * n, FAMILY_IMAGES):
            yield Finding(
                code="family",
                level="warning",
                said=f"{largest:,} of {n:,} images are near copies of one another.",
                evidence=_equations(dataset, [pair for pair in copies if pair[1] == first]),
                action="frames of one scene teach little more than one of them; add other scenes",
            )


def _kinds(dataset: DataSet, facts: Sequence[Facts]) -> Iterator[Finding]:
    where: dict[str, list[str]] = {}
    for record, fact in zip(dataset.records, facts, strict=True):
        for note in fact.notes:
            if note.startswith(WARNED):
                where.setdefault("Pillow warns while decoding", []).append(f"{record.path} ({note})")
            else:
                where.setdefault(note, []).append(record.path)
    for note, paths in sorted(where.items(), key=lambda item: (-len(item[1]), item[0])):
        is_cut = note == cut.CUT
        yield Finding(
            code="cut" if is_cut else "decoded",
            level="warning" if is_cut else "note",
            said=f"{count(len(paths), 'image')}: {note}.",
            evidence=few(paths),
            action="replace them by whole files" if is_cut else "",
        )
    small = [
        record.path
        for record, fact in zip(dataset.records, facts, strict=True)
        if min(fact.width, fact.height) < SMALL
    ]
    if small:
        yield Finding(
            code="small",
            level="note",
            said=f"{count(len(small), 'image')} with a side below {SMALL} pixels.",
            evidence=few(small),
        )


def _equations(dataset: DataSet, pairs: Sequence[tuple[int, int]]) -> str:
    paths = [f"{dataset.records[one].path} = {dataset.records[other].path}" for one, other in pairs]
    return few(paths)
