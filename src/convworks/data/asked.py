"""The task that a person asks of data that serve several: the boxes of objects, or their outlines as well.

Most tools write outlines into every file of boxes, so boxes are learned where nobody asks; that there is more is said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from convworks.data.names import count, shown
from convworks.data.packed import pack
from convworks.data.record import BoxNote, DataSet
from convworks.errors import DataError

OBJECTS = ("detection", "instances")
"""Tasks of data with objects."""


def asked(dataset: DataSet, task: str = "") -> DataSet:
    """The data set for `task`, or for its own where that is empty; what else it could serve is among its notes.

    For `instances` every object has an outline: one that has but a box gets the box, and counts neither way. Raises
    DataError for a task that the data do not serve.
    """
    if not task:
        return _with_hint(dataset)
    if task == dataset.task:
        return dataset
    place = shown(str(dataset.root))
    if task not in OBJECTS:
        raise DataError(
            f"{place} is a set for {dataset.task}; {task} was asked.", fix=f"leave --task {task} out"
        )
    objects = sum(len(record.boxes) for record in dataset.records)
    if not objects and dataset.task == "segmentation":
        raise DataError(
            f"The masks of {place} say the class of a pixel, not which object it is of.",
            fix="add instances/ beside masks/, with the id of an object in each pixel; or outlines in COCO or YOLO",
        )
    if not objects:
        raise DataError(f"{place} is a set for {dataset.task}, without objects; {task} was asked.")
    return _of_objects(dataset) if task == "detection" else _outlined(dataset, objects)


def _with_hint(dataset: DataSet) -> DataSet:
    """The data set; with a note where its objects have outlines that nobody asked for."""
    if dataset.task == "instances" or not any(map(_is_drawn, _some(dataset))):
        return dataset
    kind = "boxes" if dataset.task == "detection" else "the class of each pixel"
    hint = f"Objects have outlines; {kind} will be learned. --task instances learns a mask for each object."
    return dataclasses.replace(dataset, notes=(*dataset.notes, hint))


def _some(dataset: DataSet) -> Iterator[BoxNote]:
    """The objects of the first images that have any."""
    for record in dataset.records[:20]:
        yield from record.boxes


def _outlined(dataset: DataSet, objects: int) -> DataSet:
    bare = sum(not (one.polygons or one.runs) for record in dataset.records for one in record.boxes)
    if bare == objects:
        raise DataError(
            f"The objects of {shown(str(dataset.root))} have boxes, but no outlines.",
            fix="outline them, or leave --task instances out",
        )
    said = [f"Boxes and masks of {count(objects, 'object')} will be learned, as you asked."]
    if bare:
        said.append(f"{count(bare, 'object')} of {objects:,} without an outline: counted neither way.")
    if not any(_is_drawn(one) for record in dataset.records for one in record.boxes):
        said.append("Every outline is just its object's box: a mask will learn no more than the boxes say.")
    made = _of_objects(dataset)
    records = pack(
        dataclasses.replace(record, boxes=tuple(map(_with_outline, record.boxes))) for record in made.records
    )
    return dataclasses.replace(made, records=records, task="instances", notes=(*made.notes, *said))


def _of_objects(dataset: DataSet) -> DataSet:
    """The objects of a data set without its class maps, under the names that they go by."""
    records = pack(dataclasses.replace(record, mask="", instances="") for record in dataset.records)
    names = dataset.classes
    if dataset.task == "segmentation":
        names = tuple(sorted({one.name for record in records for one in record.boxes}))
    return dataclasses.replace(dataset, records=records, task="detection", classes=names, masks=None)


def _with_outline(note: BoxNote) -> BoxNote:
    if note.polygons or note.runs:
        return note
    x0, y0, x1, y1 = note.box
    return dataclasses.replace(note, polygons=((x0, y0, x1, y0, x1, y1, x0, y1),), difficult=True)


def _is_drawn(note: BoxNote) -> bool:
    """Whether an object has an outline that says more than its box."""
    if note.runs:
        return True
    return any(len(ring) > 8 or not _is_upright(ring) for ring in note.polygons)


def _is_upright(ring: tuple[float, ...]) -> bool:
    """Whether a ring has but two different x and two different y."""
    return len(set(ring[::2])) == 2 and len(set(ring[1::2])) == 2
