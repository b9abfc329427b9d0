"""Where a YOLO set keeps its images, its labels and its names: as its data file says, or as its folders do."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from convworks.data import files
from convworks.data.names import count, few, shown
from convworks.data.record import Split
from convworks.data.sources import listing
from convworks.data.sources.confine import Refused, Root
from convworks.data.sources.data_file import MOST_CHARACTERS, Value, parse
from convworks.data.sources.folder import SPLITS
from convworks.errors import DataError, DecodeError

KEYS = frozenset({"path", "train", "val", "test", "nc", "names", "kpt_shape", "kpt_names", "flip_idx"})
CLASS_LISTS = ("classes.txt", "obj.names", "classes.names", "_darknet.labels")
"""Files with one class name a line, where there is no data file; tools for labelling write them."""

_DATA_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


@dataclass(frozen=True, slots=True)
class Place:
    """Images of one split, and where their labels lie.

    All in the folder `images` (where `deep`, in the folders below it too), with labels in the folder `labels`; or
    those `listed`, whose own paths lead to their labels.
    """

    images: str
    labels: str
    split: Split = ""
    deep: bool = True
    listed: tuple[str, ...] | None = None

    def paths(self, root: Root) -> Iterable[str]:
        """All files that may be its images."""
        if self.listed is not None:
            return self.listed
        return listing.below(root, self.images) if self.deep else listing.files(root, self.images)

    def label_of(self, image: str) -> str:
        """The label file that belongs to an image."""
        stem = listing.stem(image)
        if self.listed is None:
            return listing.joined(self.labels, stem.removeprefix(self.images).lstrip("/")) + ".txt"
        folder, _, name = stem.rpartition("/")
        return listing.joined(labels_of(folder), name) + ".txt"


@dataclass(slots=True)
class Layout:
    """All places of a set, its class names by number (None where no file gives names), and what is to be said.

    An object has `points` (how many, and numbers of each), called `point_names`; `swaps` are pairs of them.
    """

    places: list[Place]
    names: dict[int, str] | None = None
    points: tuple[int, int] = (0, 0)
    point_names: tuple[str, ...] = ()
    swaps: tuple[tuple[str, str], ...] = ()
    notes: list[str] = field(default_factory=list)


def data_files(root: Root) -> list[str]:
    """The data file in a folder by its usual name, or else all YAML files that name classes and images."""
    found = [path for path in listing.files(root, "") if path.lower().endswith((".yaml", ".yml"))]
    usual = [path for path in found if path.lower() in _DATA_FILES]
    return usual[:1] or [path for path in found if _is_data_file(root, path)]


def from_folders(root: Root) -> Layout:
    """Places where each folder of images has its folder of labels, or labels lie beside their images."""
    top = listing.folders(root)
    places = _pairs(root, "", "")
    for name, folder in top.items():
        if split := SPLITS.get(name):
            places += _pairs(root, folder, split)
    layout = Layout(places)
    for folder in dict.fromkeys(["", *(place.labels for place in places)]):
        here = {path.rpartition("/")[2].lower(): path for path in listing.files(root, folder)}
        if path := next((here[name] for name in CLASS_LISTS if name in here), ""):
            text = content(root, path, MOST_CHARACTERS).decode("utf-8-sig", errors="replace")
            layout.names = dict(enumerate(line.strip() for line in text.rstrip().split("\n")))
            layout.notes.append(f"Class names from {shown(path)}.")
            break
    return layout


def from_data_file(root: Root, path: str) -> Layout:
    """Places and names as a data file gives them. Raises DataError with its line."""
    try:
        text = content(root, path, MOST_CHARACTERS).decode("utf-8-sig").replace("\r\n", "\n")
        said, others = parse(text, KEYS)
        names = _names(said)
        layout = Layout([], names)
        _read_points(said, layout)
        _read_places(root, path, said, layout)
    except UnicodeDecodeError:
        raise DataError(f"{shown(path)} is not UTF-8.", fix="save it as UTF-8 text") from None
    except Refused as refusal:
        raise DataError(
            f"{shown(path)}: {refusal}.",
            expected="names:, train: and val:, as plain text",
            fix="mend the file",
        ) from None
    if len(set(names.values())) < len(names):
        twice = sorted(name for name, times in Counter(names.values()).items() if times > 1)
        layout.notes.append(f"Several classes have one name, and are one class here: {few(twice)}.")
    layout.notes.insert(0, f"Read as {shown(path)} says.")
    if others:
        layout.notes.append(f"Not used of {shown(path)}, and never run: {few(others, 8)}.")
    return layout


def content(root: Root, path: str, most_bytes: int) -> bytes:
    """The bytes of a file inside the root. Raises Refused."""
    try:
        return files.content(Path(root.path) / root.find(path), most_bytes)
    except DecodeError as error:
        raise Refused(error.found.rpartition(": ")[2]) from None


def _is_data_file(root: Root, path: str) -> bool:
    try:
        start = content(root, path, MOST_CHARACTERS).decode("utf-8", errors="replace")
    except Refused:
        return False
    return bool(
        re.search(r"^names\s*:", start, re.MULTILINE) and re.search(r"^train\s*:", start, re.MULTILINE)
    )


def _pairs(root: Root, folder: str, split: Split) -> list[Place]:
    inside = listing.folders(root, folder)
    images, labels = inside.get("images", ""), inside.get("labels", "")
    if not (images and labels):
        return [Place(folder, folder, split, deep=False)] if _beside(root, folder) else []
    parts = {name: path for name, path in listing.folders(root, images).items() if name in SPLITS}
    if not parts or split:
        return [Place(images, labels, split)]
    return [Place(path, labels + path.removeprefix(images), SPLITS[name]) for name, path in parts.items()]


def _beside(root: Root, folder: str) -> bool:
    """Whether an image and a label file of its name lie in a folder."""
    here = listing.files(root, folder)
    texts = {listing.stem(path) for path in here if path.lower().endswith(".txt")}
    return not texts.isdisjoint(listing.images(here))


def _names(said: Mapping[str, Value]) -> dict[int, str]:
    given = said.get("names")
    if isinstance(given, dict):
        if strange := [key for key in given if not re.fullmatch(r"[0-9]{1,9}", key)]:
            raise Refused(f'names: "{shown(strange[0])}" is not the number of a class')
        found = {int(key): value for key, value in given.items()}
    elif isinstance(given, list):
        found = dict(enumerate(given))
    else:
        raise Refused("no names: with a name for each class")
    if wrong := [number for number, name in found.items() if not isinstance(name, str) or not name.strip()]:
        raise Refused(f"names: class {wrong[0]} has no name")
    if (declared := said.get("nc", "")) and declared != str(len(found)):
        raise Refused(f"nc: {shown(str(declared))[:40]}, but {count(len(found), 'name')}")
    return {number: name.strip() for number, name in found.items()}


def _read_points(said: Mapping[str, Value], layout: Layout) -> None:
    """What `kpt_shape`, `kpt_names` and `flip_idx` say of the points of an object."""
    if "kpt_shape" not in said:
        return
    shape = _numbers(said["kpt_shape"])
    if len(shape) != 2 or not 1 <= shape[0] <= 10_000 or shape[1] not in (2, 3):
        raise Refused("kpt_shape: is not [number of points, 2 or 3]")
    layout.points = (shape[0], shape[1])
    layout.point_names = tuple(f"point {number}" for number in range(shape[0]))
    named = said.get("kpt_names")
    if isinstance(named, dict) and named:
        first = cast(Value, next(iter(named.values())))
        if not isinstance(first, list) or len(set(map(str, first))) != shape[0]:
            raise Refused(f"kpt_names: are not {count(shape[0], 'name')}")
        layout.point_names = tuple(map(str, first))
    mirror = _numbers(said.get("flip_idx", []))
    if mirror and sorted(mirror) != list(range(shape[0])):
        raise Refused("flip_idx: does not name each point once")
    layout.swaps = tuple(
        (layout.point_names[here], layout.point_names[there])
        for here, there in enumerate(mirror)
        if here < there
    )


def _numbers(value: Value) -> list[int]:
    words = value if isinstance(value, list) else [value]
    if not all(isinstance(word, str) and re.fullmatch(r"[0-9]{1,9}", word) for word in words):
        raise Refused("a list that is not of whole numbers")
    return [int(cast(str, word)) for word in words]


def _read_places(root: Root, path: str, said: Mapping[str, Value], layout: Layout) -> None:
    base = _base(root, said.get("path", ""), layout)
    places: dict[Split, list[str]] = {}
    for split in ("train", "val", "test"):
        given = said.get(split) or []
        entries = given if isinstance(given, list) else [given]
        if not all(isinstance(entry, str) for entry in entries):
            raise Refused(f"{split}: is not a folder, nor a list of folders")
        for entry in cast(list[str], entries):
            where = _inside(root, base, entry)
            if where is not None:
                places.setdefault(split, []).append(where)
            elif split == "test":
                layout.notes.append(f"test: {shown(entry)} is not there.")
            else:
                raise Refused(f"{split}: there is no {shown(entry)} in {shown(root.path)}")
    if not places:
        raise Refused("neither train:, val: nor test: name images")
    if places.get("train") == places.get("val"):
        layout.notes.append(f"{shown(path)} names the same images train and val: read as images of no split.")
        places[""] = places.pop("train")
        del places["val"]
    layout.places = [_place(root, entry, split) for split, entries in places.items() for entry in entries]


def _base(root: Root, given: Value, layout: Layout) -> str:
    """The folder inside the root that `path:` names; the root itself, which is said, where it names another."""
    if not isinstance(given, str) or given in ("", "."):
        return ""
    entry = _inside(root, "", given)
    if entry is None:
        layout.notes.append(
            f"path: {shown(given)} is not followed; folders are looked up beside the data file."
        )
    return entry or ""


def _inside(root: Root, base: str, entry: str) -> str | None:
    """What `entry` names inside the root, relative to it: a folder or a list; None where nothing is there.

    Exports write ../train/images for what lies beside the data file; steps up that lead nowhere are left out.
    """
    parts = [part for part in entry.strip().replace("\\", "/").split("/") if part not in ("", ".")]
    if entry.startswith("/") or (parts and re.match(r"[A-Za-z]:", parts[0])):
        return None
    while parts and parts[0] == "..":
        parts = parts[1:]
    if ".." in parts:
        return None
    relative = listing.joined(base, *parts)
    if "\0" in relative or not os.access(f"{root.path}/{relative}", os.F_OK):
        return None
    return relative if root.holds(os.path.realpath(f"{root.path}/{relative}")) else None


def _place(root: Root, entry: str, split: Split) -> Place:
    if not entry.endswith(".txt"):
        return Place(entry, labels_of(entry), split)
    lines = content(root, entry, 64 << 20).decode("utf-8-sig", errors="replace").splitlines()
    folder = entry.rpartition("/")[0]
    listed = tuple(
        listing.joined(folder, line.strip().removeprefix("./")) if line.startswith("./") else line.strip()
        for line in lines
        if line.strip()
    )
    return Place("", "", split, listed=listed)


def labels_of(folder: str) -> str:
    """The folder of labels that belongs to a folder of images: the last part called images becomes labels.

    >>> labels_of("a/images/train"), labels_of("photos")
    ('a/labels/train', 'photos')
    """
    parts = folder.split("/")
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] == "images":
            return "/".join([*parts[:at], "labels", *parts[at + 1 :]])
    return folder
