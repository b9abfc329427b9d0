"""A Record is what a file says, before any pixel is read: a path, names, numbers. Pure Python.

Every source (`data.sources`) yields Records and every task reads them, so N formats and M tasks cost N + M.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "val", "test", ""]
Task = Literal["classification", "multilabel", "localization", "detection", "segmentation", "instances"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxNote:
    """One annotated object: class name, `xyxy` pixel edges of the original image, and its flags.

    `polygons` are rings of x, y, x, y, ... in pixels. `runs` is a mask of the size of the image as COCO's run
    lengths (down the columns, zeros first), empty where there is none. `points` are x, y and visibility (0 not
    labelled, 1 hidden, 2 seen) in the order of the data set's `points`. `crowd` marks a region of many, `difficult`
    one not counted.
    """

    name: str
    box: tuple[float, float, float, float]
    polygons: tuple[tuple[float, ...], ...] = ()
    runs: tuple[int, ...] = ()
    points: tuple[tuple[float, float, int], ...] = ()
    crowd: bool = False
    difficult: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One image by its path (POSIX, relative to the data's root) and what its annotation says.

    `label` is the class name of the whole image, "" where there is none; `labels` are the names of all that is in it
    where several may be (multi-label classification). `split` is "" where the source does not say; `mask` is the
    path of its class map and `instances` that of its map of object ids, relative to the root, "" where there is
    none. Records of one `group` (a patient, a video) belong on one side of a split; "" stands alone. `size` is the
    width and height that the annotation states, (0, 0) where it says nothing.
    """

    path: str
    label: str = ""
    labels: tuple[str, ...] = ()
    split: Split = ""
    boxes: tuple[BoxNote, ...] = ()
    mask: str = ""
    instances: str = ""
    group: str = ""
    size: tuple[int, int] = (0, 0)


def classes_of(record: Record) -> tuple[str, ...]:
    """The names that an annotation gives an image or what is in it, each once; of masks it says nothing.

    >>> classes_of(Record(path="a.jpg", labels=("tree", "car")))
    ('tree', 'car')
    """
    whole = (record.label,) if record.label else record.labels
    return tuple(dict.fromkeys((*whole, *(box.name for box in record.boxes))))


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskCode:
    """How the pixels of mask images say their class: value -> class name, by index or by colour.

    `values` pairs a pixel's value with a name: (index,) for index and palette masks, (red, green, blue) for colour
    maps. Pixels of a value in `ignore` are not counted; any other value is unexpected, and is listed by an audit.
    """

    values: tuple[tuple[tuple[int, ...], str], ...]
    ignore: tuple[tuple[int, ...], ...] = ((255,),)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One file that is not used, and why, in words a person can act on."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """All that a source found: records, the class names in their fixed order, and the files set aside.

    `classes` is sorted by name and is the union over the splits; ids are positions in it. `source` names the format
    ("folder", "csv", ...), `notes` are remarks for the user (a split found, a class missing from val). `masks` says
    how mask images are read, None where there are none; `points` names the points of an object, of which
    each pair in `swaps` changes places in a mirrored image.
    """

    root: Path
    source: str
    task: Task
    classes: tuple[str, ...]
    records: Sequence[Record]
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()
    masks: MaskCode | None = None
    points: tuple[str, ...] = ()
    swaps: tuple[tuple[str, str], ...] = ()
