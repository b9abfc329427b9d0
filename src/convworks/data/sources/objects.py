"""From annotated objects to a data set: edges that can be used, and what every source of objects must see to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from convworks.data.names import count, few, shown, twins
from convworks.data.packed import pack
from convworks.data.record import DataSet, Record, SetAside, Split, Task
from convworks.data.sources.confine import Refused
from convworks.errors import DataError

Box = tuple[float, float, float, float]

FURTHEST = 1e9
"""Pixels from the image's corner from which on a coordinate cannot be meant."""

_ORDER: dict[Split, int] = {"train": 0, "": 0, "val": 1, "test": 2}


def edges(box: Sequence[float], size: tuple[int, int] = (0, 0)) -> Box:
    """`box` as four edges that hold some of an image of `size`, where that is known. Raises Refused.

    A box that only reaches over the border stays what its annotation says.

    >>> edges((1, 2, 3, 4))
    (1, 2, 3, 4)
    """
    x0, y0, x1, y1 = box
    if not all(map(math.isfinite, box)):
        raise Refused("a coordinate that is not a finite number")
    if (far := max(box, key=abs)) and abs(far) >= FURTHEST:
        raise Refused(f"a coordinate of {far:g}, further than any image reaches")
    if x1 < x0 or y1 < y0:
        raise Refused(f"edges in the wrong order: x {x0:g} to {x1:g}, y {y0:g} to {y1:g}")
    if x1 == x0 or y1 == y0:
        raise Refused(f"no area: x {x0:g} to {x1:g}, y {y0:g} to {y1:g}")
    width, height = size
    if width and (x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height):
        raise Refused(f"outside the image of {width}x{height}: x {x0:g} to {x1:g}, y {y0:g} to {y1:g}")
    return x0, y0, x1, y1


def names(record: Record) -> set[str]:
    """All class names that a record says."""
    return {name for name in (record.label, *record.labels, *(one.name for one in record.boxes)) if name}


def gathered(
    root: Path,
    source: str,
    task: Task,
    records: Iterable[Record],
    *,
    set_aside: Iterable[SetAside] = (),
    notes: Sequence[str] = (),
) -> DataSet:
    """The data set of `records`, sorted by split, label and path; images of no split are to learn from.

    Raises DataError where nothing is to learn from. A class that one part lacks, names that look alike, boxes that
    reach over the border and images without objects are notes.
    """
    ordered = pack(records)
    if len({record.split for record in ordered} | {""}) > 1:
        ordered = pack(dataclasses.replace(record, split=record.split or "train") for record in ordered)
    ordered = ordered.ordered(lambda record: (_ORDER[record.split], record.label, record.path))
    aside = tuple(sorted(set_aside, key=lambda file: file.path))
    seen: dict[Split, set[str]] = {}
    for record in ordered:
        seen.setdefault(record.split, set()).update(names(record))
    if seen and not seen.keys() & {"train", ""}:
        raise DataError(
            f"{shown(str(root))} holds images of val or test, but none of train.",
            fix="name the images to learn from train",
        )
    classes = tuple(sorted(set().union(*seen.values())))
    if not classes:
        first = f"; set aside: {shown(aside[0].path)} ({aside[0].reason})" if aside else ""
        raise DataError(
            f"Nothing is annotated in {shown(str(root))}: {count(len(ordered), 'image')}{first}.",
            fix="look at the annotations, or name their format with --source",
        )
    return DataSet(
        root=root,
        source=source,
        task=task,
        classes=classes,
        records=ordered,
        set_aside=aside,
        notes=(*notes, *_remarks(ordered, task), *_absent(seen, classes), *_alike(classes)),
    )


def _remarks(records: Sequence[Record], task: Task) -> Iterable[str]:
    over = sum(_reaches_over(record) for record in records)
    if over:
        yield f"{count(over, 'box reaches', 'boxes reach')} over the border of the image."
    empty = sum(not names(record) for record in records)
    if empty and empty < len(records):
        what = "objects" if task == "detection" else "labels"
        yield f"{count(empty, 'image')} without {what}."


def _reaches_over(record: Record) -> int:
    width, height = record.size
    return width and sum(
        one.box[0] < 0 or one.box[1] < 0 or one.box[2] > width or one.box[3] > height for one in record.boxes
    )


def _absent(seen: dict[Split, set[str]], classes: Sequence[str]) -> Iterable[str]:
    if len(seen) < 2:
        return
    for split, said in (("train", "learned"), ("val", "measured there"), ("test", "measured there")):
        absent = [name for name in classes if split in seen and name not in seen[split]]
        if absent and len(absent) < len(classes):
            yield f"Not in {split}, so never {said}: {few(absent, 8)}."


def _alike(classes: Sequence[str]) -> Iterable[str]:
    for group in twins(classes):
        yield f"Classes whose names differ only in case or accents: {few(group)}. They stay apart."
