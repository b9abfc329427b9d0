"""Where a COCO set keeps its annotation files and its images: found by looking, because every exporter differs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from convworks.data.names import few, shown
from convworks.data.record import Split
from convworks.data.sources import suffixes
from convworks.data.sources.folder import SPLITS
from convworks.errors import DataError

_ENDS = 1 << 14
"""How much of a file's beginning and end is looked at, in bytes."""
_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_FOLDERS = 100
_FILES = 200
_OTHER = re.compile(r"^(captions|panoptic|stuff|image_info|person_keypoints)[_.]", re.IGNORECASE)
"""COCO's own files beside `instances_*.json`; they annotate the same images, and are read when named."""


def files(root: Path) -> dict[Path, Split]:
    """The annotation files of a folder, and the split that the name of each, or of its folder, says.

    One that says none is passed over beside others that do. Raises DataError where two mean the same split.
    """
    said: dict[Path, Split] = {path: _split(path, root) for path in candidates(root)}
    chosen: dict[Path, Split] = {path: split for path, split in said.items() if split} or said
    order: dict[Split, int] = {"train": 0, "": 0, "val": 1, "test": 2}
    for split in set(chosen.values()):
        same = [path for path in chosen if chosen[path] == split]
        if len(same) > 1:
            names = few([path.relative_to(root).as_posix() for path in same], 4)
            raise DataError(
                f"{shown(str(root))} holds {len(same)} annotation files{f' of {split}' if split else ''}: {names}.",
                fix="give the path of the one to read, or move the others away",
            )
    return {path: chosen[path] for path in sorted(chosen, key=lambda path: order[chosen[path]])}


def home(annotation: Path) -> Path:
    """The folder of the data of which one annotation file is given: its own, or the one that holds `annotations/`."""
    inside = annotation.parent.name.lower().startswith("annotation")
    return annotation.parent.parent if inside else annotation.parent


def candidates(root: Path) -> list[Path]:
    """JSON files that look like COCO's in a folder, in its `annotations` or in the folders of its splits."""
    places = [root, *(root / name for name in _subfolders(root) if _holds_annotations(name))]
    found = [path for place in places for path in _json(place) if looks_right(path)]
    plain = [path for path in found if not _OTHER.match(path.name)]
    return plain or found


def looks_right(path: Path) -> bool:
    """Whether two of COCO's three lists are named at the beginning or the end of a JSON file."""
    try:
        with path.open("rb") as file:
            seen = file.read(_ENDS)
            if not seen.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
                return False
            file.seek(max(0, path.stat().st_size - _ENDS))
            seen += file.read(_ENDS)
    except OSError:
        return False
    return sum(key in seen for key in _KEYS) >= 2


def images(root: Path, annotation: Path, split: Split, names: Sequence[str]) -> str:
    """The folder, relative to the root ("" for itself), in which most of the named images lie; the likeliest first."""
    places = list(dict.fromkeys(_places(root, annotation, split)))
    hits = {place: sum(os.path.lexists(root / place / name) for name in names) for place in places}
    return max(places, key=lambda place: hits[place])


def _places(root: Path, annotation: Path, split: Split) -> Iterator[str]:
    beside = annotation.parent.relative_to(root).as_posix().removeprefix(".")
    yield beside
    if beside:
        yield from (f"{beside}/{name}" for name in _subfolders(annotation.parent))
    yield ""
    words = re.split(r"[_.]", annotation.stem)
    folders = _subfolders(root)
    deeper = [f"{top}/{name}" for top in folders for name in _subfolders(root / top)][:_FOLDERS]
    same = [name for name in (*folders, *deeper) if name.rpartition("/")[2] in words]
    yield from same
    if split:
        yield from (
            name for name in (*folders, *deeper) if SPLITS.get(name.rpartition("/")[2].lower()) == split
        )
    yield from folders
    yield from deeper


def _holds_annotations(name: str) -> bool:
    return name.lower() in SPLITS or name.lower().startswith("annotation")


def _split(path: Path, root: Path) -> Split:
    """The split that a file's name says, or else its folder's."""
    for name in (path.stem, path.parent.name if path.parent != root else ""):
        said: set[Split] = {SPLITS[word] for word in re.split(r"[^a-z]+", name.lower()) if word in SPLITS}
        if len(said) == 1:
            return said.pop()
    return ""


def _json(folder: Path) -> Iterable[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.name.lower().endswith(".json")
                and not suffixes.hidden(entry.name)
                and entry.is_file()
            )
    except OSError:
        return []
    return [folder / name for name in names[:_FILES]]


def _subfolders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name for entry in entries if entry.is_dir() and not suffixes.hidden(entry.name)
            )[:_FOLDERS]
    except OSError:
        return []
