"""A table of images: `path,label` and perhaps `split`; one image a line, paths from the table's folder on.

- The header may use the words in `COLUMNS`, in any case; which column was taken for what is said.
- Commas, semicolons or tabs; UTF-8 with or without its mark, or UTF-16 with it.
- A folder is read as this format when it holds exactly one table whose header fits.
- An image that two lines name with different labels or splits is set aside with both line numbers.
"""

from __future__ import annotations

import codecs
import csv
import shutil
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from convworks.data.names import count, few, shown
from convworks.data.packed import PackedRecords, pack
from convworks.data.record import DataSet, Record, SetAside, Split
from convworks.data.sources import suffixes
from convworks.data.sources.confine import Refused, Root
from convworks.data.sources.features import Feature
from convworks.data.sources.folder import SPLITS
from convworks.data.sources.whole import classified
from convworks.errors import DataError

COLUMNS: dict[str, tuple[str, ...]] = {
    "path": (
        "path",
        "file",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "image",
        "image_path",
        "img",
        "img_path",
    ),
    "label": ("label", "class", "class_name", "classname", "category", "target", "y"),
    "split": ("split", "set", "subset", "partition", "fold"),
}
"""What a column may be called, the likeliest first."""

TABLE = "labels.csv"
"""The name under which a table is written."""

holds: frozenset[Feature] = frozenset({"label", "split"})

_SUFFIXES = {".csv", ".tsv", ".txt"}


def fits(root: Path) -> bool:
    """A table, or a folder with exactly one table whose header names a path and a label."""
    return len(_tables(root)) == 1 if root.is_dir() else root.suffix.lower() in _SUFFIXES


def read(root: Path) -> DataSet:
    """Records of a table's lines; a line that names no image is set aside. Raises DataError."""
    table = root if root.is_file() else _only_table(root)
    lines = _lines(table)
    columns, notes = _columns(table, next(lines, None))
    if table is not root:
        notes.insert(
            0, f"Read from {shown(table.name)}; names of folders were not used (source folder uses them)."
        )
    rows = _Rows(columns, Root(table.parent))
    found = pack(rows.records(lines))
    if not found:
        first = f": {shown(rows.aside[0].path)} ({rows.aside[0].reason})" if rows.aside else ""
        raise DataError(
            f"No line of {shown(str(table))} names an image that is there{first}.",
            expected=f"paths relative to {shown(str(table.parent))}",
            fix="write the paths as they are seen from the table's folder",
        )
    records, doubled, repeats = _merged(found, rows.lines)
    if repeats:
        notes.append(f"{count(repeats, 'line')} repeated another and counted once.")
    if not records:
        raise DataError(f"Every image in {shown(str(table))} has two labels.", fix="give each image one line")
    return classified(table.parent, "csv", records, set_aside=[*rows.aside, *doubled], notes=notes)


def write(dataset: DataSet, destination: Path) -> None:
    """Copies each image to the path it has, and writes `labels.csv`."""
    destination.mkdir(parents=True, exist_ok=True)
    with (destination / TABLE).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "split"))
        for record in dataset.records:
            (destination / record.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(dataset.root / record.path, destination / record.path)
            rows.writerow((record.path, record.label, record.split))


class _Rows:
    """One reading of a table's lines; keeps what cannot be used, and the line of each record."""

    def __init__(self, columns: dict[str, int], folder: Root) -> None:
        self.columns, self.folder = columns, folder
        self.lines = array("Q")
        self.aside: list[SetAside] = []

    def records(self, lines: Iterable[tuple[int, list[str]]]) -> Iterator[Record]:
        """A record for each line that names an image."""
        for number, cells in lines:
            values = {name: cells[at].strip() if at < len(cells) else "" for name, at in self.columns.items()}
            given = cells[self.columns["path"]] if self.columns["path"] < len(cells) else ""
            try:
                yield Record(
                    path=_path(self.folder, given),
                    label=_label(values["label"]),
                    split=_split(values.get("split", "")),
                )
                self.lines.append(number)
            except Refused as refusal:
                self.aside.append(
                    SetAside(path=given or f"line {number}", reason=f"line {number}: {refusal}")
                )


def _path(folder: Root, given: str) -> str:
    """The path as it is given, or without the spaces around it where only then there is such a file."""
    try:
        return folder.find(given)
    except Refused:
        if given == given.strip():
            raise
        return folder.find(given.strip())


def _label(given: str) -> str:
    if not given:
        raise Refused("no label")
    return given


def _split(given: str) -> Split:
    if given and given.lower() not in SPLITS:
        raise Refused(f'a split "{shown(given)}"; expected train, val or test')
    return SPLITS[given.lower()] if given else ""


def _merged(found: PackedRecords, lines: Sequence[int]) -> tuple[PackedRecords, list[SetAside], int]:
    """Records of different paths, files that two lines contradict, and how many lines only repeat."""
    kept = array("I")
    aside: list[SetAside] = []
    repeats = 0
    for path, places in groupby(found.order(_by_path), key=lambda place: found[place].path):
        first, *others = places
        if any(found[place] != found[first] for place in others):
            said = ", ".join(
                f'line {lines[place]} says "{shown(found[place].label)}"'
                + (f" in {found[place].split}" if found[place].split else "")
                for place in (first, *others[:3])
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


def _by_path(record: Record) -> str:
    return record.path


def _columns(table: Path, first: tuple[int, list[str]] | None) -> tuple[dict[str, int], list[str]]:
    """Where each column stands, and remarks on words that are not ours. Raises DataError."""
    header = [] if first is None else [cell.strip().lower() for cell in first[1]]
    found = _match(header)
    for name in ("path", "label"):
        if name not in found:
            raise DataError(
                f'{shown(str(table))} has no column "{name}" in its first line: {few(header, 6) or "-"}.',
                expected="a first line path,label or path,label,split",
                fix=f"add the line, or call the column {' or '.join(COLUMNS[name][:3])}",
            )
    taken = [f'"{shown(header[at])}" as the {name}' for name, at in found.items() if header[at] != name]
    rest = [word for at, word in enumerate(header) if word and at not in found.values()]
    said = [f"Of {shown(table.name)}, read {', '.join(taken)}."] if taken else []
    return found, [*said, f"Columns not used: {few(rest, 8)}."] if rest else said


def _match(header: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, words in COLUMNS.items():
        if word := next((word for word in words if word in header), None):
            found[name] = header.index(word)
    return found


def _lines(table: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line that is not blank. Raises DataError with the line."""
    reader = None
    try:
        with table.open(encoding=_encoding(table), newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"{shown(str(table))}, line {reader.line_num if reader else 1}: {error}.",
            fix="close the quotation mark, or double it",
        ) from None
    except UnicodeDecodeError:
        raise DataError(
            f"{shown(str(table))}, line {_undecodable(table)}: not UTF-8.", fix="save the table as UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{shown(str(table))} cannot be read ({error.strerror}).") from None


def _encoding(table: Path) -> str:
    with table.open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _undecodable(table: Path) -> int:
    """The first line that is not what the table's beginning says it is."""
    data = table.read_bytes()
    try:
        data.decode(_encoding(table))
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1


def _tables(root: Path) -> list[Path]:
    """Tables directly in a folder whose first line names a path and a label, by name."""
    try:
        tables = sorted(path for path in root.iterdir() if _may_be_table(path))
    except OSError:
        return []
    return [table for table in tables if _has_header(table)]


def _may_be_table(path: Path) -> bool:
    return path.suffix.lower() in {".csv", ".tsv"} and not suffixes.hidden(path.name) and path.is_file()


def _has_header(table: Path) -> bool:
    try:
        with table.open("rb") as file:
            start = file.read(4096)
        encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        first = start.decode(encoding, errors="ignore").partition("\n")[0]
    except OSError:
        return False
    cells = next(csv.reader([first], delimiter=max(",;\t", key=first.count)), [])
    return {"path", "label"} <= _match([cell.strip().lower() for cell in cells]).keys()


def _only_table(root: Path) -> Path:
    tables = _tables(root)
    if len(tables) == 1:
        return tables[0]
    raise DataError(
        f"{shown(str(root))} holds {count(len(tables), 'table')} of images"
        + (f": {few([table.name for table in tables])}." if tables else "."),
        expected="exactly one table whose first line names a path and a label",
        fix="give the table's own path",
    )
