"""A Record is what a file says, before any pixel is read: a path, names, numbers. Pure Python.

Every source (`data.sources`) yields Records and every task reads them, so N formats and M tasks cost N + M.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Split = Literal["train", "val", "test", ""]
Task = Literal["classification", "localization", "detection", "segmentation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxNote:
    """One annotated object: class name, `xyxy` pixel edges of the original image, and its flags.

    `polygons` are rings of x, y, x, y, ... in pixels. `crowd` marks a region of many, `difficult` one not counted.
    """

    name: str
    box: tuple[float, float, float, float]
    polygons: tuple[tuple[float, ...], ...] = ()
    crowd: bool = False
    difficult: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One image by its path (POSIX, relative to the data's root) and what its annotation says.

    `label` is the class name of the whole image, "" where there is none; `split` is "" where the source does not
    say; `mask` is the path of its class map, relative to the root, "" where there is none.
    """

    path: str
    label: str = ""
    split: Split = ""
    boxes: tuple[BoxNote, ...] = ()
    mask: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One file that is not used, and why, in words a person can act on."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """All that a source found: records, the class names in their fixed order, and the files set aside.

    `classes` is sorted by name and is the union over the splits; ids are positions in it. `source` names the format
    ("folder", "csv", ...), `notes` are remarks for the user (a split found, a class missing from val).
    """

    root: Path
    source: str
    task: Task
    classes: tuple[str, ...]
    records: Sequence[Record]
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = field(default=())
