"""A table of images: a line says what one shows, or where one object in it is; paths from the table's folder on.

- `path,label` is one class an image, `path,labels` several (divided by ; or |), and so are columns of 0 and 1; with
  `x0,y0,x1,y1` (or a corner and a size) a line is an object: one an image for localization, else detection.
- `split` and `group` may stand beside them. The header may use the words in `table.WORDS`, in any case; which column
  was taken for what is said.
- Commas, semicolons or tabs; UTF-8 with or without its mark, or UTF-16 with it.
- A folder is read as this format when it holds exactly one table whose header fits.
- An image that two lines name with different labels or splits is set aside with both line numbers.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from convworks.data.names import count, few, shown
from convworks.data.packed import pack
from convworks.data.record import DataSet, Record, SetAside
from convworks.data.sources import copying, csv_boxes, csv_labels
from convworks.data.sources.confine import Root
from convworks.data.sources.features import Feature
from convworks.data.sources.objects import gathered
from convworks.data.sources.table import WORDS, Cells, Columns, columns, lines, remarks, tables
from convworks.data.sources.whole import classified
from convworks.errors import DataError

LABELS, BOXES = "labels.csv", "boxes.csv"
"""The names under which tables are written."""

holds: frozenset[Feature] = frozenset(
    {"label", "labels", "boxes", "split", "group", "size", "crowd", "difficult"}
)

_SUFFIXES = {".csv", ".tsv", ".txt"}


def fits(root: Path) -> bool:
    """A table, or a folder with exactly one table whose first lines describe images."""
    return len(tables(root)) == 1 if root.is_dir() else root.suffix.lower() in _SUFFIXES


def read(root: Path) -> DataSet:
    """Records of a table's lines; a line that names no image is set aside. Raises DataError."""
    table = root if root.is_file() else _only_table(root)
    below = lines(table)
    header, first = next(below, None), next(below, None)
    found = columns(header[1] if header else [], first[1] if first else [])
    if found is None:
        raise _unlike(table, header)
    notes = remarks(table, found)
    if table is not root:
        notes.insert(
            0, f"Read from {shown(table.name)}; names of folders were not used (source folder uses them)."
        )
    rows = chain([first] if first else [], below)
    return _boxes(table, found, rows, notes) if found.box else _labels(table, found, rows, notes)


def write(dataset: DataSet, destination: Path) -> None:
    """Copies each image to the path it has, and writes `labels.csv`, or `boxes.csv` where there are boxes."""
    destination.mkdir(parents=True, exist_ok=True)
    boxes = any(record.boxes for record in dataset.records)
    name = BOXES if boxes else LABELS
    taken = {name}
    with (destination / name).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        optional = _optional(dataset)
        several = dataset.task == "multilabel"
        kinds = ["label", "x0", "y0", "x1", "y1"] if boxes else ["labels" if several else "label"]
        table.writerow(["path", *kinds, *optional])
        for record in dataset.records:
            path = copying.copy(dataset.root / record.path, destination, record.path, taken)
            for said, flags in _said(record, boxes, several):
                extra = {"split": record.split, "group": record.group, **flags}
                extra |= {"width": record.size[0] or "", "height": record.size[1] or ""}
                table.writerow([path, *said, *(extra[word] for word in optional)])


def _said(record: Record, boxes: bool, several: bool) -> Iterator[tuple[list[str], dict[str, int]]]:
    """What stands behind the path in each line of a record, and the flags of its object."""
    if not boxes:
        yield [csv_labels.cell(record.labels) if several else record.label], {}
    elif not record.boxes:
        yield [""] * 5, {"difficult": 0, "crowd": 0}
    for one in record.boxes:
        yield csv_boxes.row(one), {"difficult": int(one.difficult), "crowd": int(one.crowd)}


def _optional(dataset: DataSet) -> list[str]:
    """Columns that some record fills; `split` is always there."""
    size = any(record.size != (0, 0) for record in dataset.records)
    flags = [
        name
        for name in ("difficult", "crowd")
        if any(getattr(one, name) for record in dataset.records for one in record.boxes)
    ]
    group = any(record.group for record in dataset.records)
    return [*flags, *(["width", "height"] if size else []), "split", *(["group"] if group else [])]


def _labels(table: Path, found: Columns, lines: Iterable[Cells], notes: list[str]) -> DataSet:
    rows = csv_labels.Rows(found, Root(table.parent))
    packed = pack(rows.records(lines))
    if not packed:
        raise _nothing(table, rows.aside)
    records, doubled, repeats = csv_labels.merged(packed, rows.lines)
    if repeats:
        notes.append(f"{count(repeats, 'line')} repeated another and counted once.")
    if not records:
        raise DataError(f"Every image in {shown(str(table))} has two labels.", fix="give each image one line")
    aside = [*rows.aside, *doubled]
    if not rows.several:
        return classified(table.parent, "csv", records, set_aside=aside, notes=notes)
    return gathered(table.parent, "csv", "multilabel", records, set_aside=aside, notes=notes)


def _boxes(table: Path, found: Columns, lines: Iterable[Cells], notes: list[str]) -> DataSet:
    boxes = csv_boxes.read(lines, found, Root(table.parent))
    if not boxes.records:
        raise _nothing(table, boxes.aside)
    if 0 < boxes.largest <= 1:
        raise DataError(
            f"No edge of a box in {shown(str(table))} is above {boxes.largest:g}: fractions of the image.",
            expected="edges in pixels",
            fix="multiply them by the image's width and height",
        )
    if boxes.repeats:
        notes.append(f"{count(boxes.repeats, 'line')} repeated another and counted once.")
    records = boxes.records
    if boxes.single:
        notes.append("One box in every image: read for localization.")
        records = [dataclasses.replace(record, label=record.boxes[0].name) for record in records]
    return gathered(
        table.parent,
        "csv",
        "localization" if boxes.single else "detection",
        records,
        set_aside=boxes.aside,
        notes=notes,
    )


def _nothing(table: Path, aside: list[SetAside]) -> DataError:
    first = f": {shown(aside[0].path)} ({aside[0].reason})" if aside else ""
    return DataError(
        f"No line of {shown(str(table))} names an image that is there{first}.",
        expected=f"paths relative to {shown(str(table.parent))}",
        fix="write the paths as they are seen from the table's folder",
    )


def _unlike(table: Path, header: Cells | None) -> DataError:
    """The error for a table whose first line does not describe images."""
    words = [cell.strip().lower() for cell in header[1]] if header else []
    name = "label" if any(word in words for word in WORDS["path"]) else "path"
    return DataError(
        f'{shown(str(table))} has no column "{name}" in its first line: {few(words, 6) or "-"}.',
        expected="a first line path,label or path,label,split; path,labels; or path,label,x0,y0,x1,y1",
        fix=f"add the line, or call the column {' or '.join(WORDS[name][:3])}",
    )


def _only_table(root: Path) -> Path:
    found = tables(root)
    if len(found) == 1:
        return found[0]
    raise DataError(
        f"{shown(str(root))} holds {count(len(found), 'table')} of images"
        + (f": {few([table.name for table in found])}." if found else "."),
        expected="exactly one table whose first line names a path and a label",
        fix="give the table's own path",
    )
