"""Tables of boxes: a line an object, its label and the edges of its box; an image without objects has an empty one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from convworks.data.names import few, shown
from convworks.data.record import BoxNote, Record, SetAside, Split
from convworks.data.sources.confine import Refused, Root
from convworks.data.sources.objects import Box, edges
from convworks.data.sources.table import Cells, Columns, marked

Size = tuple[int, int]


@dataclass(slots=True)
class _Image:
    """What the lines of one image say of it, the first line for each thing said, and its objects."""

    sides: dict[tuple[Split, str, Size], int] = field(default_factory=dict[tuple[Split, str, Size], int])
    objects: dict[BoxNote, None] = field(default_factory=dict[BoxNote, None])
    lines: int = 0


@dataclass(slots=True)
class Boxes:
    """What a table of boxes holds, what of it could not be used, and how many lines repeated another.

    `single` says that every image has one object.
    """

    records: list[Record] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    repeats: int = 0
    single: bool = True
    largest: float = 0.0


def read(lines: Iterable[Cells], columns: Columns, folder: Root) -> Boxes:
    """The images of a table's lines in the order of their first ones, each with its objects."""
    found = Boxes()
    images: dict[str, _Image] = {}
    for number, cells in lines:
        at = columns.at["path"]
        given = cells[at] if at < len(cells) and cells[at] else f"line {number}"
        try:
            path = columns.path(cells, folder)
            said = (columns.split(cells), columns.cell(cells, "group"), _size(cells, columns))
            note = _object(cells, columns, said[2])
        except Refused as refusal:
            found.aside.append(SetAside(path=given, reason=f"line {number}: {refusal}"))
            continue
        image = images.setdefault(path, _Image())
        image.sides.setdefault(said, number)
        image.lines += 1
        if note is not None:
            found.repeats += note in image.objects
            found.largest = max(found.largest, *map(abs, note.box))
            image.objects[note] = None
    for path, image in images.items():
        if len(image.sides) > 1:
            reason = few([f"line {line} says {_said(*said)}" for said, line in image.sides.items()])
            found.aside.append(SetAside(path=path, reason=reason))
        else:
            ((split, group, size),) = image.sides
            record = Record(path=path, split=split, group=group, size=size, boxes=tuple(image.objects))
            found.records.append(record)
            found.single &= len(image.objects) == 1
    return found


def _object(cells: Sequence[str], columns: Columns, size: Size) -> BoxNote | None:
    """The object of a line; None where it says that the image has none. Raises Refused."""
    label = columns.cell(cells, "label")
    given = [cells[at].strip() if at < len(cells) else "" for at in columns.box]
    if not label and not any(given):
        return None
    if not label:
        raise Refused("no label")
    x0, y0, third, fourth = (
        _number(text, columns.header[at]) for text, at in zip(given, columns.box, strict=True)
    )
    box: Box = (x0, y0, x0 + third, y0 + fourth) if columns.by_size else (x0, y0, third, fourth)
    return BoxNote(
        name=label,
        box=edges(box, size),
        difficult=_flag(cells, columns, "difficult"),
        crowd=_flag(cells, columns, "crowd"),
    )


def _number(text: str, column: str) -> float:
    try:
        value = float(text) if len(text) <= 60 and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Refused(f'{shown(column)} "{shown(text)[:40]}" is not a finite number')
    return value


def _flag(cells: Sequence[str], columns: Columns, name: str) -> bool:
    text = columns.cell(cells, name)
    return bool(text) and (text.lower() == "true" or (text.lower() != "false" and marked(text)))


def _size(cells: Sequence[str], columns: Columns) -> Size:
    given = [cells[at].strip() if at < len(cells) else "" for at in columns.size]
    if not any(given):
        return (0, 0)
    width, height = (_number(text, columns.header[at]) for text, at in zip(given, columns.size, strict=True))
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31 and width == int(width) and height == int(height)):
        raise Refused(f"an image of {width:g}x{height:g} pixels")
    return int(width), int(height)


def _said(split: Split, group: str, size: Size) -> str:
    parts = [split, f"group {shown(group)}" if group else "", f"{size[0]}x{size[1]}" if size[0] else ""]
    return " and ".join(part for part in parts if part) or "nothing"


def row(note: BoxNote) -> list[str]:
    """The label and the edges of an object, as cells."""
    return [note.name, *(str(int(edge)) if edge == int(edge) else repr(float(edge)) for edge in note.box)]
