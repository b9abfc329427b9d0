"""Images that belong together (a patient's, a video's, a burst's) and lie on two sides of a split, or soon will."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from convworks.data.corrections import BY_NAME, group_of
from convworks.data.findings.seen import WORDS, Seen, about
from convworks.data.names import count, few
from convworks.data.record import Split, classes_of
from convworks.events import Finding

BURST = 10.0
"""Images of one camera that follow each other within this many seconds are of one scene."""
NAMED = 0.8
"""The share of the images whose names have to tell a group."""

_CROSSED: tuple[tuple[Split, Split], ...] = (("val", "train"), ("test", "train"), ("test", "val"))


def findings(seen: Seen) -> Iterator[Finding]:
    """Groups, as the records, the names or the cameras' clocks tell them."""
    given = {row: record.group for row, record in enumerate(seen.records) if record.group}
    if given:
        yield from _across(seen, given, "group", "groups that the data set names")
    elif named := by_name(
        [record.path for record in seen.records], [classes_of(record) for record in seen.records]
    ):
        crossed = list(_across(seen, named, "names", "groups by their names"))
        yield from crossed
        if not crossed and not any(record.split in ("val", "test") for record in seen.records):
            sizes = Counter(named.values())
            yield about(
                "names",
                "note",
                f"The names look like those of {count(len(sizes), 'group')} of images that belong together.",
                evidence=few([f"{name} ({number})" for name, number in sizes.most_common()]),
                number=len(sizes),
                why="frames of one video or slices of one patient on both sides of a split make a score too good",
                action=f'if so, keep them together: group_by = "{BY_NAME}" in a corrections file',
                values={"groups": dict(sizes.most_common(256))},
            )
    yield from _across(seen, bursts(seen), "burst", "bursts of one camera")


def by_name(paths: Sequence[str], classes: Sequence[tuple[str, ...]]) -> dict[int, str]:
    """Position -> group, where most names are a group with a number, and then a counter; empty where they are not.

    >>> by_name(["seq1_001.jpg", "seq1_002.jpg", "seq2_001.jpg", "seq2_002.jpg"], [()] * 4)
    {0: 'seq1', 1: 'seq1', 2: 'seq2', 3: 'seq2'}
    """
    found = {row: group for row, path in enumerate(paths) if (group := group_of(path))}
    sizes = Counter(found.values())
    named = {row: group for row, group in found.items() if sizes[group] > 1}
    groups = set(named.values())
    if len(groups) < 2 or len(named) < NAMED * len(paths) or len(named) < 2 * len(groups):
        return {}
    return {} if groups <= {name for names in classes for name in names} else found


def bursts(seen: Seen) -> dict[int, str]:
    """Position -> the first image of the burst that it belongs to, by camera and clock."""
    taken: dict[str, list[tuple[float, int]]] = {}
    for row, fact in enumerate(seen.facts):
        if fact.traces.taken:
            taken.setdefault(fact.traces.camera, []).append((fact.traces.taken, row))
    found: dict[int, str] = {}
    for shots in taken.values():
        shots.sort()
        members = [shots[0][1]]
        for (before, _), (now, row) in pairwise(shots):
            if now - before > BURST:
                members = []
            members.append(row)
            if len(members) > 1:
                found.update(dict.fromkeys(members, seen.records[members[0]].path))
    return found


def _across(seen: Seen, groups: Mapping[int, str], code: str, what: str) -> Iterator[Finding]:
    """Where a group lies in two splits."""
    where: dict[str, dict[Split, list[int]]] = {}
    for row, group in groups.items():
        where.setdefault(group, {}).setdefault(seen.records[row].split, []).append(row)
    for measured, learned in _CROSSED:
        crossed = {name: parts for name, parts in where.items() if measured in parts and learned in parts}
        if crossed:
            rows = [row for parts in crossed.values() for row in parts[measured]]
            total = sum(record.split == measured for record in seen.records)
            yield about(
                f"{code}-split",
                "warning",
                f"{len(rows):,} of {total:,} {WORDS[measured]} images belong to {what} that are also in "
                f"{WORDS[learned]}: {few(list(crossed))}.",
                pairs=[
                    (seen.records[row].path, seen.records[parts[learned][0]].path)
                    for parts in crossed.values()
                    for row in parts[measured]
                ],
                why="a score on them says how well known scenes are known again, not how well new ones will be",
                action="split by group: whole ones on one side",
                values={
                    "groups": {
                        name: {side: len(found) for side, found in parts.items()}
                        for name, parts in crossed.items()
                    }
                },
            )
