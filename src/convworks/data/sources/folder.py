"""A folder a class: `cat/`, `dog/`, or the same in `train/`, `val/` and perhaps `test/`.

- A class is a folder's name. Images in folders below it belong to it too.
- `train/` makes a split when it holds folders and stands alone or beside `val/` or `test/` ("training",
  "valid", "validation", "testing" mean the same, in any case); a folder of trains, beside `bus/`, is a class.
- Every class of `val` and `test` must be in `train`. A class of `train` need not be in the others.
- Links are followed inside the data's folder only, and a folder is read once a class, so that loops end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from convworks.data.names import count, few, shown, writable
from convworks.data.packed import pack
from convworks.data.record import DataSet, Record, SetAside, Split
from convworks.data.sources import copying, suffixes
from convworks.data.sources.confine import Root
from convworks.data.sources.features import Feature
from convworks.data.sources.whole import classified
from convworks.errors import DataError

SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Lower-case name of a folder, or word in a table -> the split that it means."""

holds: frozenset[Feature] = frozenset({"label", "split"})


def fits(root: Path) -> bool:
    """Any folder: what it lacks, `read` says."""
    return root.is_dir()


def read(root: Path) -> DataSet:
    """Records of class folders, sorted by split, class and path. Raises DataError."""
    if not root.is_dir():
        raise DataError(
            f"{shown(str(root))} is not a folder.", fix="give the folder that holds the class folders"
        )
    walk = _Walk(Root(root))
    top = walk.list("")
    splits = _splits(root, top.folders, walk)
    notes: list[str] = []
    classes: list[tuple[str, str, Split]] = []
    if splits:
        for split, folder in splits.items():
            inside = walk.list(folder)
            walk.loose(folder, inside.files)
            classes.extend((f"{folder}/{name}", name, split) for name in inside.folders)
        notes.append(
            "Split given by folders: " + ", ".join(f"{shown(folder)}/" for folder in splits.values()) + "."
        )
        if rest := [name for name in top.folders if name not in splits.values()]:
            notes.append(f"Not read, because neither train, val nor test: {few(rest)}.")
    else:
        classes.extend((name, name, "") for name in top.folders)
    walk.loose("", top.files)
    walk.records = pack(record for one in classes for record in walk.read_class(*one))
    return _checked(root, walk, tuple(splits), notes)


def write(dataset: DataSet, destination: Path) -> None:
    """Copies each image to `split/class/name`. Raises DataError for a class that no folder can be called."""
    taken: set[str] = set()
    top = "train" if any(record.split for record in dataset.records) else ""
    for record in dataset.records:
        if not record.label or "/" in record.label or suffixes.hidden(record.label):
            raise DataError(
                f'{shown(record.path)}: no folder can be called "{shown(record.label)}".',
                fix="rename the class, or write a csv",
            )
        folder = "/".join(part for part in (record.split or top, record.label) if part)
        wanted = f"{folder}/{record.path.rpartition('/')[2]}"
        copying.copy(dataset.root / record.path, destination, wanted, taken)


@dataclass(slots=True)
class _Listing:
    """What one folder holds: names of folders and of files, sorted; hidden ones counted apart."""

    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


class _Walk:
    """One reading of a tree; keeps what was found on the way."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.records = pack(())
        self.aside: list[SetAside] = []
        self.classes: dict[tuple[Split, str], int] = {}
        self.nested: dict[str, list[str]] = {}
        self.other: dict[str, list[str]] = {}
        self.hidden = 0

    def list(self, folder: str) -> _Listing:
        """Visible folders and files of `folder` (relative to the root); links that lead out are set aside."""
        found = _Listing()
        try:
            with os.scandir(f"{self.root.path}/{folder}") as entries:
                for entry in entries:
                    self._sort(entry, f"{folder}/{entry.name}" if folder else entry.name, found)
        except PermissionError:
            self._set_aside(folder or ".", "no permission to read this folder")
        except OSError as error:
            self._set_aside(folder or ".", f"cannot be listed ({error.strerror})")
        found.folders.sort()
        found.files.sort()
        return found

    def read_class(self, folder: str, label: str, split: Split) -> Iterator[Record]:
        """Records of all images in `folder` and below; each real folder is read once."""
        found = 0
        for below, names in self._tree(folder):
            before = found
            for name in names:
                path = f"{below}/{name}"
                if self._is_image(path):
                    found += 1
                    yield Record(path=path, label=label, split=split)
            if below != folder and found > before:
                self.nested.setdefault(label, []).append(below)
        self.classes[split, label] = self.classes.get((split, label), 0) + found

    def loose(self, folder: str, files: list[str]) -> None:
        """Files that lie in no class folder: images are set aside, the others counted."""
        for name in files:
            path = f"{folder}/{name}" if folder else name
            if self._is_image(path):
                self._set_aside(path, "lies in no class folder")

    def _tree(self, top: str) -> Iterator[tuple[str, list[str]]]:
        seen: set[str] = set()
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            real = os.path.realpath(f"{self.root.path}/{folder}")
            if real in seen:
                self._set_aside(folder, "a link to a folder that is read already")
                continue
            seen.add(real)
            found = self.list(folder)
            yield folder, found.files
            waiting.extend(f"{folder}/{name}" for name in reversed(found.folders))

    def _sort(self, entry: os.DirEntry[str], path: str, found: _Listing) -> None:
        if suffixes.hidden(entry.name):
            self.hidden += not entry.name.startswith(suffixes.OURS)
        elif reason := self._refusal(entry):
            self._set_aside(path, reason)
        elif entry.is_dir():
            found.folders.append(entry.name)
        elif entry.is_file():
            found.files.append(entry.name)
        else:
            self._set_aside(path, "not a file")

    def _refusal(self, entry: os.DirEntry[str]) -> str:
        """Why a name or a link is not followed; "" where it is."""
        if not writable(entry.name):
            return "its name is not valid UTF-8; rename it"
        if not entry.is_symlink():
            return ""
        target = os.path.realpath(entry.path)
        if not self.root.holds(target):
            return "a link that leads out of the data's folder"
        if not os.access(target, os.F_OK) or Path(target).is_symlink():
            return "a link to nothing"
        if Path(os.path.realpath(Path(entry.path).parent)).is_relative_to(target):
            return "a link to a folder that holds it"
        return ""

    def _is_image(self, path: str) -> bool:
        ending = suffixes.suffix(path)
        if ending in suffixes.READ:
            return True
        if ending in suffixes.FOREIGN:
            self._set_aside(path, f"{ending} images are not read; save it as JPEG or PNG")
        else:
            self.other.setdefault(ending or "no suffix", []).append(path)
        return False

    def _set_aside(self, path: str, reason: str) -> None:
        self.aside.append(SetAside(path=path if writable(path) else shown(path), reason=reason))


def _splits(root: Path, folders: list[str], walk: _Walk) -> dict[Split, str]:
    """Split -> folder, in the order train, val, test; empty where the class folders lie at the top."""
    named: dict[Split, list[str]] = {}
    for name in folders:
        if split := SPLITS.get(name.lower()):
            named.setdefault(split, []).append(name)
    quiet = _Walk(walk.root)
    deep = {split for split, names in named.items() if any(quiet.list(name).folders for name in names)}
    others = len(folders) - sum(map(len, named.values()))
    if not deep or ("train" in deep and len(named) == 1 and others):
        return {}
    for split, names in named.items():
        if len(names) > 1:
            raise DataError(
                f"{shown(str(root))} holds {few(names)}: all mean {split}.",
                fix="put their images into one folder",
            )
    if "train" not in named:
        if others:
            return {}
        raise DataError(
            f"{shown(str(root))} holds {few(folders)}, but no train/.",
            expected="train/ beside them, with one folder a class",
            fix="rename the folder that is to be learned from to train/",
        )
    order: tuple[Split, ...] = ("train", "val", "test")
    return {split: named[split][0] for split in order if split in named}


def _checked(root: Path, walk: _Walk, splits: tuple[Split, ...], notes: list[str]) -> DataSet:
    place = shown(str(root))
    if not walk.records:
        raise DataError(
            f"No images in {place}{_instead(walk)}.",
            expected="one folder a class, with images",
            fix=_move(walk),
        )
    learned = "train" if splits else ""
    if empty := sorted(
        label for (split, label), size in walk.classes.items() if split == learned and not size
    ):
        raise DataError(
            f"No image to learn from in {few(empty, 8)}{_instead(walk)}.",
            fix="add images, or move the folder out of the data",
        )
    return classified(
        root,
        "folder",
        walk.records,
        set_aside=walk.aside,
        notes=(*notes, *_remarks(walk)),
        one_class=_deeper(root, walk) or "add a folder of images that show something else",
    )


def _remarks(walk: _Walk) -> Iterator[str]:
    for label, folders in walk.nested.items():
        yield f"Images in {count(len(folders), 'folder')} below count as {shown(label)}: {few(folders)}."
    if walk.other:
        kinds = sorted(walk.other.items(), key=lambda kind: (-len(kind[1]), kind[0]))
        said = "; ".join(f"{len(files)} {shown(kind)} ({few(sorted(files), 2)})" for kind, files in kinds[:4])
        total = sum(map(len, walk.other.values()))
        yield f"{count(total, 'file')} skipped, no image by name: {said}{'; ...' if len(kinds) > 4 else ''}."
    if walk.hidden:
        yield f"{count(walk.hidden, 'hidden file or folder', 'hidden files and folders')} skipped."


def _instead(walk: _Walk) -> str:
    if walk.aside:
        first = walk.aside[0]
        others = f" and {len(walk.aside) - 1} more" if len(walk.aside) > 1 else ""
        return f"; set aside: {shown(first.path)} ({first.reason}){others}"
    if walk.other:
        return f", only {few(sorted(walk.other), 4)} files"
    return ""


def _move(walk: _Walk) -> str:
    loose = [file for file in walk.aside if file.reason == "lies in no class folder"]
    if loose:
        return "move the images into a folder a class, or write a CSV table of path,label"
    if any("out of the data" in file.reason for file in walk.aside):
        return "copy the linked files in, or give the folder in which they lie"
    return "give the folder that holds the images"


def _deeper(root: Path, walk: _Walk) -> str:
    """The fix where the classes seem to lie one folder further down."""
    folders = sorted({"/".join(path.split("/")[:2]) for paths in walk.nested.values() for path in paths})
    if (
        len(folders) < 2
        or len(walk.classes) > 1
        or any(record.path.count("/") < 2 for record in walk.records)
    ):
        return ""
    names = few([path.rpartition("/")[2] for path in folders])
    return f"if {names} are the classes, give {shown(str(root / folders[0].partition('/')[0]))}"
