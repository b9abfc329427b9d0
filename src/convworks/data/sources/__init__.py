"""Formats on disk <-> Records. A source is a module with three functions and a constant, named here once; pure Python.

    holds: frozenset[Feature]               what the format can carry, in the words of `features`
    fits(root) -> bool                      whether `root` looks like this format, at a glance
    read(root) -> DataSet                   raises DataError; sets single files aside
    write(dataset, destination) -> None     into a new or empty folder; what was written reads back the same

Classes are sorted by name, character by character ("10" before "2"), and a name is a class's only identity:
ids are positions in that order and are never compared between data sets.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from convworks.data import corrections as corrected
from convworks.data.names import shown
from convworks.data.packed import pack
from convworks.data.record import DataSet
from convworks.errors import DataError, nearest, unknown

SOURCES: dict[str, str] = {
    "voc": "convworks.data.sources.voc",
    "coco": "convworks.data.sources.coco",
    "yolo": "convworks.data.sources.yolo",
    "masks": "convworks.data.sources.masks",
    "csv": "convworks.data.sources.csv",
    "folder": "convworks.data.sources.folder",
}
"""Name -> module, in the order in which they are tried."""

EXPECTED = "images in a folder a class, a CSV table of path,label, or annotations as COCO, VOC, YOLO or masks"
"""What may be given, in one line."""

_PACKED = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"}


def module(name: str) -> Any:
    """The source called `name`. Raises DataError that names the nearest."""
    if name not in SOURCES:
        raise unknown("source", name, SOURCES, DataError)
    return importlib.import_module(SOURCES[name])


def find(root: Path) -> str:
    """The name of the first source that fits what lies at `root`. Raises DataError where nothing does."""
    existing(root)
    for name in SOURCES:
        if module(name).fits(root):
            return name
    raise DataError(
        f"{shown(str(root))} is a file that no source reads.",
        expected=EXPECTED,
        fix="unpack it first" if root.suffix.lower() in _PACKED else "give the folder that holds the images",
    )


def read(root: Path, *, source: str = "auto", corrections: Path | None = None) -> DataSet:
    """All records at `root`, read by the named source, or by the first that fits, as their owner corrected them.

    Corrections are those in the file given, or in the one that lies beside `root` under their name, if any.
    Raises DataError with what was found, what was expected and a fix.
    """
    existing(root)
    dataset: DataSet = module(find(root) if source == "auto" else source).read(root)
    place = corrections or corrected.beside(root)
    if corrections is None and not place.is_file():
        return dataset
    dataset = corrected.applied(dataset, corrected.read(place), name=place.name)
    return replace(dataset, records=pack(dataset.records))


def write(dataset: DataSet, destination: Path, *, source: str) -> None:
    """Writes records and copies of their images to a new folder. Raises DataError where it is not empty."""
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise DataError(f"{shown(str(destination))} is not empty.", fix="choose a new folder")
    module(source).write(dataset, destination)


def existing(root: Path) -> None:
    """Raises DataError, with the nearest name beside it, where nothing lies at `root`."""
    try:
        root.stat()
        return
    except PermissionError:
        raise DataError(f"No permission to read {shown(str(root))}.", fix="change its permissions") from None
    except (OSError, ValueError):
        pass
    text = str(root)
    if "://" in text or text.startswith(("http:", "https:")):
        raise DataError(f"{shown(text)} is an address.", fix="download it yourself, then give the folder")
    guess = nearest(root.name, _beside(root))
    raise DataError(
        f"There is no {shown(text)}.",
        expected=EXPECTED,
        fix=f"did you mean {shown(str(root.parent / guess))}?" if guess else "",
    )


def _beside(root: Path) -> list[str]:
    try:
        with os.scandir(root.parent) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return []
