"""The list of classes beside mask images: which value, or which colour, has which name. Many spellings, one MaskCode.

    Sky                     the line's number from 0 on is the value
    3 Road                  or 3: Road, 3,Road
    128 64 128 Road         or Road,128,64,128, Road 128 64 128, Road:128,64,128::  (a colour)
    name,value              a table with a header; a row without a name is a value that does not count

Names like "void" and "unlabelled" are no classes: their pixels do not count. Nor does 255, where it is not a class.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from convworks.data.names import few, shown
from convworks.data.record import MaskCode
from convworks.errors import DataError

FILES = (
    *("classes.csv", "classes.txt", "codes.txt", "class_dict.csv"),
    *("label_colors.txt", "labelmap.txt", "class_names.txt", "labels.txt"),
)
"""What such a file may be called; `NAME` is what we write."""
NAME = FILES[0]

VOID = frozenset({"void", "unlabelled", "unlabeled", "ignore", "ignored", "don't care", "dontcare"})
"""Names, in lower case, of what does not count."""

MOST = 255
"""Classes that a map of 8 bits can tell apart, beside the value that is ignored."""

Value = tuple[int, ...]
_Row = tuple[Value, str]

_GAP = r"[\s,;:]+"
_COLOUR_FIRST = re.compile(rf"(\d+){_GAP}(\d+){_GAP}(\d+){_GAP}(\S.*)")
_COLOUR_LAST = re.compile(rf"(\S.*?){_GAP}(\d+){_GAP}(\d+){_GAP}(\d+)[\s:]*")
_NUMBERED = re.compile(r"(\d+)(?:\s*[:=,;]\s*|\s+)(\S.*)")
_COLUMNS: dict[str, tuple[str, ...]] = {
    "name": ("name", "class", "label", "class_name"),
    "value": ("value", "id", "index", "code"),
    "red": ("red", "r"),
    "green": ("green", "g"),
    "blue": ("blue", "b"),
}


def read(path: Path) -> MaskCode:
    """The code that a list of classes says. Raises DataError with the line that says none."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{shown(str(path))} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise DataError(f"{shown(str(path))} is not UTF-8.", fix="save it as UTF-8") from None
    try:
        rows = _table(text) or _lines(text)
    except (ValueError, csv.Error) as error:
        raise DataError(
            f"{shown(str(path))}: {error}.", expected="a name a line, or name and value"
        ) from None
    return _code(path, rows)


def write(code: MaskCode) -> str:
    """The table of a code, which reads back as the same; an ignored value has no name."""
    rows = [*code.values, *((value, "") for value in code.ignore)]
    lengths = {len(value) for value, _ in rows}
    header = [
        "name",
        *(["value"] if 1 in lengths else []),
        *(["red", "green", "blue"] if 3 in lengths else []),
    ]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    for value, name in rows:
        index = list(value) if len(value) == 1 else [""]
        colour = list(value) if len(value) == 3 else [""] * 3
        table.writerow([name, *(index if 1 in lengths else []), *(colour if 3 in lengths else [])])
    return text.getvalue()


def _code(path: Path, rows: list[_Row]) -> MaskCode:
    said: dict[Value, str] = {}
    for value, name in rows:
        if said.setdefault(value, name) != name:
            raise DataError(
                f"{shown(str(path))} gives {few([said[value], name])} the same value {_spelt(value)}.",
                fix="give each class its own value",
            )
    values = tuple((value, name) for value, name in said.items() if name and name.lower() not in VOID)
    ignore = tuple(value for value, name in said.items() if not name or name.lower() in VOID)
    names = {name for _, name in values}
    if not names or len(names) > MOST:
        raise DataError(f"{shown(str(path))} names {len(names)} classes.", expected=f"1 to {MOST}")
    coloured = any(len(value) == 3 for value, _ in values)
    unnamed = any(not name for name in said.values())
    if not coloured and not unnamed and (255,) not in said:
        ignore = (*ignore, (255,))
    return MaskCode(values=values, ignore=ignore)


def _spelt(value: Value) -> str:
    return ", ".join(map(str, value))


def _table(text: str) -> list[_Row]:
    """The rows under a header that names a column of names and one of values or three of colours; else none."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [cell.strip().lower() for cell in next(lines, [])]
    at = {key: header.index(word) for key, words in _COLUMNS.items() for word in words if word in header}
    if "name" not in at or not ({"value"} <= at.keys() or {"red", "green", "blue"} <= at.keys()):
        return []

    def cell(cells: list[str], key: str) -> str:
        return cells[at[key]].strip() if key in at and at[key] < len(cells) else ""

    rows: list[_Row] = []
    for cells in lines:
        if not any(one.strip() for one in cells):
            continue
        spelt = [cell(cells, "value")]
        if not spelt[0]:
            spelt = [cell(cells, key) for key in ("red", "green", "blue")]
        name = cells[at["name"]] if at["name"] < len(cells) else ""
        rows.append((_value(spelt, lines.line_num), name))
    return rows


def _lines(text: str) -> list[_Row]:
    """The rows of a list without header: the one spelling that every line has."""
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    for spelling in (_colour_first, _colour_last, _numbered):
        rows = [spelling(line, number) for number, line in lines]
        if rows and all(rows):
            return [row for row in rows if row]
    return [((place,), line) for place, (_, line) in enumerate(lines)]


def _colour_first(line: str, number: int) -> _Row | None:
    found = _COLOUR_FIRST.fullmatch(line)
    return (_value(found.groups()[:3], number), found[4]) if found else None


def _colour_last(line: str, number: int) -> _Row | None:
    found = _COLOUR_LAST.fullmatch(line)
    return (_value(found.groups()[1:], number), found[1]) if found else None


def _numbered(line: str, number: int) -> _Row | None:
    found = _NUMBERED.fullmatch(line)
    return (_value([found[1]], number), found[2]) if found else None


def _value(spelt: tuple[str, ...] | list[str], line: int) -> Value:
    """A value of up to 16 bits, or a colour of three times 8. Raises ValueError with the line."""
    most = 65535 if len(spelt) == 1 else 255
    if not all(one.isascii() and one.isdecimal() and len(one) < 6 and int(one) <= most for one in spelt):
        raise ValueError(f"line {line}: {shown(', '.join(spelt))[:60]} is no value from 0 to {most}")
    return tuple(map(int, spelt))
