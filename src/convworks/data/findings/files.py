"""Files that cannot be used, and those that decoding had to do something with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convworks.data import cut
from convworks.data.decode import WARNED
from convworks.data.findings.seen import Seen, about
from convworks.data.names import count, few, shown
from convworks.data.record import SetAside
from convworks.data.sources.suffixes import FOREIGN, READ, suffix
from convworks.events import Finding

SMALL = 32
"""A short side below this, in pixels, shows little to a net made for photographs."""


def findings(seen: Seen) -> Iterator[Finding]:
    """Files set aside, cut short, of odd kinds, or very small."""
    yield from _aside(seen)
    yield from _kinds(seen)
    small = [
        record.path
        for record, fact in zip(seen.records, seen.facts, strict=True)
        if min(fact.width, fact.height) < SMALL
    ]
    if small:
        yield about(
            "small",
            "note",
            f"{count(len(small), 'image')} with a side below {SMALL} pixels.",
            files=small,
            why="a net made for photographs sees little in them, however much they are enlarged",
        )


def _aside(seen: Seen) -> Iterator[Finding]:
    def told(files: Sequence[SetAside]) -> str:
        return few([f"{shown(file.path)} ({file.reason})" for file in files])

    if seen.unreadable:
        they = "it" if len(seen.unreadable) == 1 else "they"
        yield about(
            "unreadable",
            "warning",
            f"{count(len(seen.unreadable), 'image')} set aside, because {they} cannot be read.",
            files=[file.path for file in seen.unreadable],
            evidence=told(seen.unreadable),
            why="nothing is learned from them, and nothing measured with them",
            action="replace or remove them",
        )
    known = set(seen.unreadable)
    others = [file for file in seen.dataset.set_aside if file not in known]
    used, images = {record.path for record in seen.records}, READ | FOREIGN
    if annotations := [file for file in others if file.path in used or suffix(file.path) not in images]:
        yield about(
            "annotations-aside",
            "warning",
            f"{count(len(annotations), 'annotation')} set aside while reading.",
            files=list(dict.fromkeys(file.path for file in annotations)),
            number=len(annotations),
            evidence=told(annotations),
            why="what they mark is learned as background, or not at all",
            action="mend what the reason names",
        )
    if files := [file for file in others if file not in annotations]:
        yield about(
            "set-aside",
            "warning",
            f"{count(len(files), 'image')} set aside while reading.",
            files=[file.path for file in files],
            evidence=told(files),
            why="they are neither learned from nor measured",
            action="mend what the reason names",
        )


def _kinds(seen: Seen) -> Iterator[Finding]:
    where: dict[str, list[tuple[str, str]]] = {}
    for record, fact in zip(seen.records, seen.facts, strict=True):
        for note in fact.notes:
            if note.startswith(WARNED):
                told = f"{record.path} ({note})"
                where.setdefault("Pillow warns while decoding", []).append((record.path, told))
            else:
                where.setdefault(note, []).append((record.path, record.path))
    for note, found in sorted(where.items(), key=lambda item: (-len(item[1]), item[0])):
        is_cut = note == cut.CUT
        yield about(
            "cut" if is_cut else "decoded",
            "warning" if is_cut else "note",
            f"{count(len(found), 'image')}: {note}.",
            files=[path for path, _ in found],
            evidence=few([told for _, told in found]),
            why="what is missing is learned as if it were seen" if is_cut else "",
            action="replace them by whole files" if is_cut else "",
        )
