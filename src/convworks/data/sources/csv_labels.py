"""Tables of whole images: one label a line, or several of them, as words or as columns of 0 and 1."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from convworks.data.names import shown
from convworks.data.packed import PackedRecords, pack
from convworks.data.record import Record, SetAside
from convworks.data.sources.confine import Refused, Root
from convworks.data.sources.table import Cells, Columns, marked

_WORD = re.compile(r"(?:\\[;|\\]|[^;|])+")


class Rows:
    """One reading of a table's lines; keeps what cannot be used, and the line of each record."""

    def __init__(self, columns: Columns, folder: Root) -> None:
        self.columns, self.folder = columns, folder
        self.several = "label" not in columns.at
        self.lines = array("Q")
        self.aside: list[SetAside] = []

    def records(self, lines: Iterable[Cells]) -> Iterator[Record]:
        """A record for each line that names an image."""
        for number, cells in lines:
            try:
                yield self._record(cells)
                self.lines.append(number)
            except Refused as refusal:
                at = self.columns.at["path"]
                given = cells[at] if at < len(cells) and cells[at] else f"line {number}"
                self.aside.append(SetAside(path=given, reason=f"line {number}: {refusal}"))

    def _record(self, cells: Sequence[str]) -> Record:
        path, label = self.columns.path(cells, self.folder), self.columns.cell(cells, "label")
        if not self.several and not label:
            raise Refused("no label")
        return Record(
            path=path,
            label=label,
            labels=self._labels(cells) if self.several else (),
            split=self.columns.split(cells),
            group=self.columns.cell(cells, "group"),
        )

    def _labels(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The labels in one cell, or those of the columns marked with 1."""
        if (beside := len(cells) - len(self.columns.header)) > 0 and any(cells[-beside:]):
            raise Refused(f"{len(cells)} cells in {len(self.columns.header)} columns")
        if not self.columns.marks:
            return words(self.columns.cell(cells, "labels"))
        if len(cells) <= max(self.columns.marks.values()):
            raise Refused(f"{len(cells)} cells in {len(self.columns.header)} columns")
        return tuple(name for name, at in self.columns.marks.items() if marked(cells[at]))


def words(cell: str) -> tuple[str, ...]:
    r"""The labels in a cell, divided by ; or |, each once; a backslash before one of these makes it a letter.

    >>> words("cat; dog|cat"), words(r"black\|white")
    (('cat', 'dog'), ('black|white',))
    """
    found = (re.sub(r"\\([;|\\])", r"\1", word.strip()) for word in _WORD.findall(cell))
    return tuple(dict.fromkeys(word for word in found if word))


def cell(labels: Iterable[str]) -> str:
    r"""The cell from which `words` reads the labels.

    >>> print(cell(["cat", "black|white"]))
    cat|black\|white
    """
    return "|".join(re.sub(r"([;|\\])", r"\\\1", label) for label in labels)


def merged(found: PackedRecords, lines: Sequence[int]) -> tuple[PackedRecords, list[SetAside], int]:
    """Records of different paths, files that two lines contradict, and how many lines only repeat."""
    kept = array("I")
    aside: list[SetAside] = []
    repeats = 0
    for path, places in groupby(found.order(_by_path), key=lambda place: found[place].path):
        first, *others = places
        if any(found[place] != found[first] for place in others):
            said = ", ".join(
                f"line {lines[place]} says {_said(found[place])}" for place in (first, *others[:3])
            )
            aside.append(SetAside(path=path, reason=said))
        else:
            kept.append(first)
            repeats += len(others)
    records = found.take(kept)
    splits = {record.split for record in records}
    if "" in splits and len(splits) > 1:
        records = pack(replace(record, split=record.split or "train") for record in records)
    return records, aside, repeats


def _said(record: Record) -> str:
    return (
        f'"{shown(record.label or cell(record.labels))}"'
        + (f" in {record.split}" if record.split else "")
        + (f" of {shown(record.group)}" if record.group else "")
    )


def _by_path(record: Record) -> str:
    return record.path
