"""A table of images: its lines, and what its first line says that they hold."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convworks.data.names import few, shown
from convworks.data.record import Split
from convworks.data.sources import suffixes
from convworks.data.sources.confine import Refused, Root
from convworks.data.sources.folder import SPLITS
from convworks.errors import DataError

WORDS: dict[str, tuple[str, ...]] = {
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
    "labels": ("labels", "classes", "tags", "categories"),
    "split": ("split", "set", "subset", "partition", "fold"),
    "group": ("group", "group_id", "patient", "patient_id", "video", "subject"),
    "difficult": ("difficult",),
    "crowd": ("crowd", "iscrowd", "is_crowd"),
}
"""What a column may be called, the likeliest first."""

EDGES = (
    ("x0", "y0", "x1", "y1"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
"""What the four edges of a box may be called."""

CORNERS = (
    ("x", "y", "w", "h"),
    ("x", "y", "width", "height"),
    ("left", "top", "width", "height"),
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"),
)
"""What the left top corner of a box, and its size, may be called."""

SIZES = (("width", "height"), ("image_width", "image_height"), ("img_width", "img_height"))
"""What the size of the image may be called."""

_SUFFIXES = {".csv", ".tsv"}
_MARKS = {"0": False, "1": True, "0.0": False, "1.0": True}

Cells = tuple[int, list[str]]
"""The number of a line, and what stands in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where things stand in a line: what WORDS name, the four numbers of a box, the image's size, marks of 0 and 1.

    `by_size` says that the last two numbers of a box are its width and height.
    """

    header: tuple[str, ...]
    at: dict[str, int]
    box: tuple[int, ...] = ()
    by_size: bool = False
    size: tuple[int, ...] = ()
    marks: dict[str, int] = field(default_factory=dict[str, int])

    def cell(self, cells: Sequence[str], name: str) -> str:
        """What stands in the column `name`, without spaces around it; "" where there is none."""
        place = self.at.get(name, -1)
        return cells[place].strip() if 0 <= place < len(cells) else ""

    def path(self, cells: Sequence[str], folder: Root) -> str:
        """The file that a line names; the spaces around it count where there is such a file. Raises Refused."""
        given = cells[self.at["path"]] if self.at["path"] < len(cells) else ""
        try:
            return folder.find(given)
        except Refused:
            if given == given.strip():
                raise
            return folder.find(given.strip())

    def split(self, cells: Sequence[str]) -> Split:
        """The split that a line names. Raises Refused."""
        given = self.cell(cells, "split")
        if given and given.lower() not in SPLITS:
            raise Refused(f'a split "{shown(given)}"; expected train, val or test')
        return SPLITS[given.lower()] if given else ""


def columns(first: Sequence[str], sample: Sequence[str]) -> Columns | None:
    """What the first line and one line below it say; None where they describe no images."""
    header = tuple(cell.strip() for cell in first)
    words = [word.lower() for word in header]
    box, by_size = _several(words, EDGES), False
    if not box:
        box = _several(words, CORNERS)
        by_size = bool(box)
    rest = ["" if place in box else word for place, word in enumerate(words)]
    size = _several(rest, SIZES)
    at = {
        name: rest.index(word)
        for name, known in WORDS.items()
        if (word := next((word for word in known if word in rest), None))
    }
    if "path" not in at:
        return None
    if "label" in at or ("labels" in at and not box):
        if "label" in at:
            at.pop("labels", None)
        return Columns(header=header, at=at, box=box, by_size=by_size, size=size)
    marks = {
        header[place]: place
        for place, word in enumerate(rest)
        if word and place not in at.values() and place < len(sample) and sample[place].strip() in _MARKS
    }
    if box or len(marks) < 2:
        return None
    return Columns(header=header, at=at, marks=marks)


def marked(text: str) -> bool:
    """Whether a cell of 0 or 1 is 1. Raises Refused for any other."""
    if text.strip() not in _MARKS:
        raise Refused(f'"{shown(text)[:40]}" where 0 or 1 belongs')
    return _MARKS[text.strip()]


def lines(table: Path) -> Iterator[Cells]:
    """Number and cells of each line that is not blank. Raises DataError with the line."""
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
    except UnicodeError:
        raise DataError(
            f"{shown(str(table))}, line {_undecodable(table)}: not UTF-8.", fix="save the table as UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{shown(str(table))} cannot be read ({error.strerror}).") from None


def tables(root: Path) -> list[Path]:
    """Tables directly in a folder whose first two lines describe images, by name."""
    try:
        found = sorted(path for path in root.iterdir() if _may_be_table(path))
    except OSError:
        return []
    return [path for path in found if _describes_images(path)]


def remarks(table: Path, found: Columns) -> list[str]:
    """What was taken for what where the words are not ours, and which columns were not used."""
    words = [word.lower() for word in found.header]
    taken = [f'"{shown(words[at])}" as the {name}' for name, at in found.at.items() if words[at] != name]
    if found.box:
        numbers = few([words[at] for at in found.box], 4)
        taken.append(f"{numbers} as {'corner and size' if found.by_size else 'edges'} of boxes in pixels")
    if found.size:
        taken.append(f"{few([words[at] for at in found.size])} as the size of the image")
    if found.marks:
        taken.append(f"{len(found.marks)} columns of 0 and 1 as labels")
    used = {*found.at.values(), *found.box, *found.size, *found.marks.values()}
    rest = [word for at, word in enumerate(words) if word and at not in used]
    said = [f"Of {shown(table.name)}, read {', '.join(taken)}."] if taken else []
    return [*said, f"Columns not used: {few(rest, 8)}."] if rest else said


def _several(words: Sequence[str], ways: Sequence[tuple[str, ...]]) -> tuple[int, ...]:
    """Where all words of the first of `ways` that is there stand."""
    way = next((way for way in ways if all(word in words for word in way)), ())
    return tuple(words.index(word) for word in way)


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


def _may_be_table(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not suffixes.hidden(path.name) and path.is_file()


def _describes_images(table: Path) -> bool:
    try:
        with table.open("rb") as file:
            start = file.read(1 << 16)
        wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = start.decode("utf-16" if wide else "utf-8-sig", errors="ignore")
        found = csv.reader(text.splitlines()[:2], delimiter=max(",;\t", key=text.partition("\n")[0].count))
        return columns(next(found, []), next(found, [])) is not None
    except (OSError, csv.Error):
        return False
