"""PASCAL VOC: one XML file an image with the corners of its objects, as `Annotations/` or beside the images.

- `Annotations/` with `JPEGImages/` (or `images/`), and the split by `ImageSets/Main/{train,val,test}.txt`; XML files
  beside their images; either of them in `train/`, `val/` and `test/`.
- Corners count from 1 and the last pixel belongs to the box, so that xmin 1 becomes the edge 0 and xmax stays: where a
  corner of 0 shows that a set counts from 0, corners are taken as the edges that they are. Which is said.
- An XML file belongs to the image of its own name; the name written in it counts only where there is none.
- An image without an XML file is not annotated and not read; one whose file names no object is empty.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from convworks.data import files
from convworks.data.names import count, few, shown
from convworks.data.record import BoxNote, DataSet, Record, SetAside, Split
from convworks.data.sources import copying, listing
from convworks.data.sources.confine import Refused, Root
from convworks.data.sources.features import Feature
from convworks.data.sources.folder import SPLITS
from convworks.data.sources.objects import edges, gathered
from convworks.data.sources.size import displayed
from convworks.data.sources.voc_xml import MOST_BYTES, Annotation, parse, written
from convworks.errors import DataError, DecodeError

holds: frozenset[Feature] = frozenset({"boxes", "difficult", "split", "size"})

_NOTES = ("annotations", "annotation", "xml", "xmls")
_IMAGES = ("jpegimages", "images", "image", "imgs", "img")


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder of XML files, the folders that may hold their images, and the split that folders gave."""

    notes: str
    images: tuple[str, ...]
    split: Split = ""


def fits(root: Path) -> bool:
    """XML files, of which the first begins like an annotation, where VOC has them."""
    if not root.is_dir():
        return False
    inside = Root(root)
    first = next(
        (path for place in _places(inside) for path in listing.files(inside, place.notes, ".xml")), ""
    )
    try:
        return bool(first) and b"<annotation" in _content(inside, first)[:4096].replace(b"\0", b"")
    except Refused:
        return False


def read(root: Path) -> DataSet:
    """Records of all annotated images. Raises DataError."""
    inside = Root(root)
    places = _places(inside)
    if not places:
        raise DataError(
            f"{shown(str(root))} holds no annotations of VOC.",
            expected="Annotations/*.xml beside JPEGImages/, or .xml files beside their images",
            fix="give the folder that holds them",
        )
    splits = _lists(inside)
    found = _read(inside, places, splits, base=1)
    if found.zero:
        found = _read(inside, places, splits, base=0, zero=found.zero)
    return gathered(
        root, "voc", "detection", found.records, set_aside=found.aside, notes=_notes(found, splits)
    )


def write(dataset: DataSet, destination: Path) -> None:
    """Copies the images to `JPEGImages/`, and writes `Annotations/` and, where splits are given, `ImageSets/Main/`.

    Raises DataError for a name that XML cannot hold.
    """
    (destination / "Annotations").mkdir(parents=True, exist_ok=True)
    taken, placed = set[str](), set[str]()
    lists: dict[Split, list[str]] = {}
    some_split = any(record.split for record in dataset.records)
    for record in dataset.records:
        name = listing.free(record.path, taken)
        try:
            text = written(name, record.size, record.boxes)
        except Refused as refusal:
            raise DataError(f"{shown(record.path)}: {refusal}.", fix="rename the class") from None
        copying.copy(dataset.root / record.path, destination, f"JPEGImages/{name}", placed)
        (destination / "Annotations" / f"{listing.stem(name)}.xml").write_text(text, "utf-8", newline="\n")
        if some_split:
            lists.setdefault(record.split or "train", []).append(listing.stem(name))
    for split, names in lists.items():
        (destination / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
        path = destination / "ImageSets" / "Main" / f"{split}.txt"
        path.write_text("\n".join([*names, ""]), "utf-8", newline="\n")


def _places(root: Root) -> list[_Place]:
    """Where XML files lie: at the top, or in each folder that means a split."""
    found = [place for folder in [""] for place in _within(root, folder, "")]
    for name, folder in listing.folders(root).items():
        if split := SPLITS.get(name):
            found += _within(root, folder, split)
    return found


def _within(root: Root, folder: str, split: Split) -> list[_Place]:
    """Places in one folder: its annotation folder, that folder's own splits, and the folder itself."""
    inside = listing.folders(root, folder)
    images = [inside[name] for name in _IMAGES if name in inside]
    found: list[_Place] = []
    for notes in (inside[name] for name in _NOTES if name in inside):
        parts = {name: path for name, path in listing.folders(root, notes).items() if name in SPLITS}
        for name, path in parts.items():
            beside = tuple(listing.joined(image, path.rpartition("/")[2]) for image in images)
            found.append(_Place(path, (*beside, *images, path), SPLITS[name]))
        found.append(_Place(notes, (*images, notes, folder), split))
    found.append(_Place(folder, (folder, *images), split))
    return [place for place in found if listing.files(root, place.notes, ".xml")]


def _lists(root: Root) -> dict[str, set[Split]]:
    """Stem -> the lists of ImageSets/Main that name it; empty where there are none."""
    sets = listing.folders(root).get("imagesets", "")
    main = listing.folders(root, sets).get("main", "") if sets else ""
    named: dict[str, set[Split]] = {}
    paths = {
        listing.stem(path).rpartition("/")[2].lower(): path for path in listing.files(root, main, ".txt")
    }
    if "train" not in paths and "val" not in paths and "trainval" in paths:
        paths["train"] = paths["trainval"]
    for word, path in paths.items() if main else ():
        if word not in SPLITS:
            continue
        try:
            text = _content(root, path).decode("utf-8-sig")
        except (Refused, UnicodeDecodeError) as error:
            said = error if isinstance(error, Refused) else "not UTF-8"
            raise DataError(f"{shown(path)}: {said}.", fix="save the list as UTF-8 text") from None
        for line in text.split("\n"):
            if name := line.strip():
                named.setdefault(name, set()).add(SPLITS[word])
    return named


@dataclass(slots=True)
class _Found:
    """What a reading of all files gave; `zero` is the first file with a corner at 0."""

    base: int
    zero: str = ""
    records: list[Record] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    shelves: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    renamed: list[str] = field(default_factory=list)
    sizeless: list[str] = field(default_factory=list)

    def shelf(self, root: Root, folder: str) -> dict[str, list[str]]:
        """The images of a folder by their path without suffix, looked up once."""
        if folder not in self.shelves:
            self.shelves[folder] = listing.images(listing.files(root, folder))
        return self.shelves[folder]


def _read(
    root: Root, places: list[_Place], splits: dict[str, set[Split]], *, base: int, zero: str = ""
) -> _Found:
    """All files with corners from `base`; with base 1 it ends at the first that shows otherwise."""
    found = _Found(base, zero)
    for place in places:
        for path in listing.files(root, place.notes, ".xml"):
            try:
                said = parse(_content(root, path), base)
                if base and said.zero and not said.stated:
                    found.zero = path
                    return found
                _add(root, path, said, place, splits, found)
            except Refused as refusal:
                found.aside.append(SetAside(path=path, reason=str(refusal)))
                found.refused.add(listing.stem(path).rpartition("/")[2])
    for shelf in found.shelves.values():
        for image in (path for paths in shelf.values() for path in paths if path not in found.taken):
            if listing.stem(image).rpartition("/")[2] not in found.refused:
                found.aside.append(SetAside(path=image, reason="no XML file says what is in it"))
    for name in sorted(splits.keys() - found.listed):
        found.aside.append(
            SetAside(path=name, reason="ImageSets/Main lists it, but it has no annotated image")
        )
    return found


def _add(
    root: Root, path: str, said: Annotation, place: _Place, splits: dict[str, set[Split]], found: _Found
) -> None:
    """The record of one file, and what is to be said of it. Raises Refused where it has no image or no split."""
    image = _image(root, path, said.filename, place, found)
    name = listing.stem(path).rpartition("/")[2]
    found.taken[image] = path
    split = place.split
    if splits:
        known = {name, image.rpartition("/")[2]} & splits.keys()
        found.listed |= known
        sides = set[Split]().union(*(splits[one] for one in known))
        if len(sides) != 1:
            which = f"the lists of {' and '.join(sorted(sides))} name it" if sides else "no list names it"
            raise Refused(f"{which} (ImageSets/Main)")
        (split,) = sides
    size = said.size
    if size == (0, 0):
        found.sizeless.append(path)
        size = displayed(Path(root.path) / image)
    objects: list[BoxNote] = []
    for one in said.objects:
        try:
            edges(one.box, size)
            objects.append(one)
        except Refused as refusal:
            said.faults.append(f"{shown(one.name)}: {refusal}")
    found.unread += said.unread
    found.aside += [SetAside(path=path, reason=fault) for fault in said.faults]
    found.records.append(Record(path=image, split=split, boxes=tuple(objects), size=said.size))


def _image(root: Root, path: str, filename: str, place: _Place, found: _Found) -> str:
    """The image of an XML file: of its own name, or else of the name written in it."""
    name = listing.stem(path).rpartition("/")[2]
    written_name = filename.replace("\\", "/").rpartition("/")[2]
    differs = bool(written_name) and name not in (written_name, listing.stem(written_name))
    for stem in [name, *([listing.stem(written_name)] if differs else [])]:
        for folder in place.images:
            same = found.shelf(root, folder).get(listing.joined(folder, stem), [])
            same = [one for one in same if one.rpartition("/")[2] == written_name] or same
            if len(same) > 1:
                raise Refused(f"{count(len(same), 'image')} of its name: {few(same)}")
            if same:
                if same[0] in found.taken:
                    raise Refused(f"its image belongs to {shown(found.taken[same[0]])} already")
                if differs and stem == name:
                    found.renamed.append(path)
                return root.find(same[0])
    if "/" in filename or "\\" in filename:
        root.find(filename)
    raise Refused(f"no image {shown(name)}{f', and no {shown(written_name)[:80]}' if differs else ''}")


def _notes(found: _Found, splits: dict[str, set[Split]]) -> list[str]:
    """What a person should know of how the files were taken."""
    if found.base:
        said = [
            "Corners count from 1, and the last pixel belongs to the box: xmin 1 is the edge 0, xmax stays."
        ]
    else:
        said = [f"A corner lies at 0 ({shown(found.zero)}): corners are taken as edges that count from 0."]
    if splits:
        said.append("Split given by ImageSets/Main.")
    if found.renamed:
        said.append(
            f"{count(len(found.renamed), 'file names', 'files name')} another image than the one of their own "
            f"name, which counts: {few(found.renamed)}."
        )
    if found.sizeless:
        said.append(
            f"{count(len(found.sizeless), 'file')} without the size of the image: {few(found.sizeless)}."
        )
    if unread := [f"{tag} of {count(number, 'object')}" for tag, number in found.unread.items() if number]:
        said.append(f"Not read: {', '.join(unread)}.")
    return said


def _content(root: Root, path: str) -> bytes:
    try:
        return files.content(Path(root.path) / root.find(path), MOST_BYTES)
    except DecodeError as error:
        raise Refused(error.found.rpartition(": ")[2]) from None
