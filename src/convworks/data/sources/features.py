"""What a record can say beyond its path, so that what a format cannot carry is named before anything is written."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from convworks.data.record import BoxNote, DataSet, Record

Feature = Literal[
    "label",
    "labels",
    "split",
    "group",
    "size",
    "boxes",
    "polygons",
    "runs",
    "points",
    "crowd",
    "difficult",
    "mask",
    "instances",
]
"""The fields of a Record and of a BoxNote that not every format has; "boxes" are names with edges."""


def used(dataset: DataSet) -> Counter[Feature]:
    """How many records or objects of the data set say each thing; what none says is not there.

    What would be lost on the way to a format is `used(dataset).keys() - module(name).holds`.
    """
    found: Counter[Feature] = Counter()
    for record in dataset.records:
        found.update(_of_record(record))
        for note in record.boxes:
            found.update(_of_object(note))
    return found


def _of_record(record: Record) -> list[Feature]:
    said: dict[Feature, object] = {
        "label": record.label,
        "labels": record.labels,
        "split": record.split,
        "group": record.group,
        "size": record.size != (0, 0),
        "mask": record.mask,
        "instances": record.instances,
    }
    return [feature for feature, value in said.items() if value]


def _of_object(note: BoxNote) -> list[Feature]:
    said: dict[Feature, object] = {
        "boxes": True,
        "polygons": note.polygons,
        "runs": note.runs,
        "points": note.points,
        "crowd": note.crowd,
        "difficult": note.difficult,
    }
    return [feature for feature, value in said.items() if value]
