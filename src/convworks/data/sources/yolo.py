"""YOLO: one text file an image with a row an object, in fractions of the image; names in `data.yaml`.

- `images/` and `labels/`, each with `train/` and `val/` or without; `train/` and `val/` with both; labels beside images
  with `classes.txt`; or as the data file says, which is read strictly and never runs anything.
- Fractions become pixels by the size in the header of each image, as it is shown (turned as EXIF says).
- An empty label file says that nothing is in the image. Where there is none, nobody looked: the image is set aside.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from convworks.data.names import count, few, shown, writable
from convworks.data.record import DataSet, Record, SetAside, Split
from convworks.data.sources import copying, listing, suffixes
from convworks.data.sources.confine import Refused, Root
from convworks.data.sources.features import Feature
from convworks.data.sources.objects import gathered
from convworks.data.sources.size import displayed
from convworks.data.sources.yolo_layout import (
    CLASS_LISTS,
    Layout,
    Place,
    content,
    data_files,
    from_data_file,
    from_folders,
)
from convworks.data.sources.yolo_rows import MOST_BYTES, parse, row
from convworks.errors import DataError

holds: frozenset[Feature] = frozenset({"boxes", "polygons", "points", "split", "size"})

_YAML = {".yaml", ".yml"}


def fits(root: Path) -> bool:
    """A data file, or a folder with one; or label files, of which the first with a row looks like one."""
    if not root.is_dir():
        return root.suffix.lower() in _YAML
    inside = Root(root)
    if data_files(inside):
        return True
    return any(
        _looks_like_rows(inside, path)
        for place in from_folders(inside).places
        for path in listing.files(inside, place.labels, ".txt")[:20]
    )


def read(root: Path) -> DataSet:
    """Records of all images that have a label file. Raises DataError."""
    folder = root if root.is_dir() else root.parent
    inside = Root(folder)
    layout = _layout(inside, root)
    found = _Found()
    for place in layout.places:
        _read_place(inside, place, layout, found)
    if not found.records:
        first = f": {shown(found.aside[0].path)} ({found.aside[0].reason})" if found.aside else ""
        raise DataError(
            f"No image with labels in {shown(str(folder))}{first}.",
            expected="labels/NAME.txt for each images/NAME.jpg",
            fix="give the folder that holds images/ and labels/",
        )
    made = gathered(
        folder,
        "yolo",
        "detection",
        found.records.values(),
        set_aside=found.aside,
        notes=tuple(_notes(layout, found)),
    )
    return dataclasses.replace(made, points=layout.point_names, swaps=layout.swaps)


def write(dataset: DataSet, destination: Path) -> None:
    """Copies the images to `images/`, and writes `labels/` and `data.yaml`. Raises DataError.

    An object with points is written with its box and points, one with an outline by its outline, others by their box.
    """
    numbers = {name: number for number, name in enumerate(dataset.classes)}
    shape = (len(dataset.points), 3) if dataset.points else (0, 0)
    taken, placed = set[str](), set[str]()
    some_split = any(record.split for record in dataset.records)
    splits: dict[Split, None] = {}
    for record in dataset.records:
        split: Split = record.split or ("train" if some_split else "")
        splits[split] = None
        name = listing.joined(split, listing.free(record.path, taken))
        size = displayed(dataset.root / record.path)
        if size == (0, 0):
            raise DataError(
                f"{shown(record.path)}: its header does not say its size, by which YOLO divides.",
                fix="save it as JPEG or PNG, or take it out",
            )
        if record.size not in ((0, 0), size):
            raise DataError(
                f"{shown(record.path)}: annotated as {record.size[0]}x{record.size[1]}, but it is shown as "
                f"{size[0]}x{size[1]}.",
                fix="bring the image to the size that was annotated, or annotate it again",
            )
        copying.copy(dataset.root / record.path, destination, f"images/{name}", placed)
        label = destination / "labels" / f"{listing.stem(name)}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        rows = [row(one, size, numbers[one.name], shape) for one in record.boxes]
        label.write_text("".join(f"{line}\n" for line in rows), "utf-8", newline="\n")
    text = "\n".join([*_data_file(dataset, splits), ""])
    (destination / "data.yaml").write_text(text, "utf-8", newline="\n")


def _data_file(dataset: DataSet, splits: dict[Split, None]) -> Iterator[str]:
    """The lines of `data.yaml`; images of no split are named both train and val, which training tools ask for."""
    if "" in splits:
        yield from ("train: images", "val: images")
    for split in (one for one in ("train", "val", "test") if one in splits):
        yield f"{split}: images/{split}"
    yield "names:"
    for number, name in enumerate(dataset.classes):
        yield f"  {number}: {json.dumps(name, ensure_ascii=False)}"
    if dataset.points:
        yield f"kpt_shape: [{len(dataset.points)}, 3]"
        mirror = {one: other for pair in dataset.swaps for one, other in (pair, pair[::-1])}
        yield f"flip_idx: {[dataset.points.index(mirror.get(name, name)) for name in dataset.points]}"
        yield f"kpt_names:\n  0: {json.dumps(list(dataset.points), ensure_ascii=False)}"


def _notes(layout: Layout, found: _Found) -> Iterator[str]:
    """What a person should know of how the files were taken."""
    yield from layout.notes
    used = {one.name for record in found.records.values() for one in record.boxes}
    if layout.names is None:
        yield "No file gives the classes names: they are called by their numbers (classes.txt, a name a line)."
    elif idle := sorted(set(layout.names.values()) - used):
        yield f"{count(len(idle), 'named class has', 'named classes have')} no object here: {few(idle)}."
    if found.unlabelled:
        what = count(found.unlabelled, "image has", "images have")
        yield f"{what} no label file and counts as not looked at; an empty file says that nothing is there."
    if found.repeats:
        yield f"{count(found.repeats, 'row')} repeated another of the same file and counted once."


def _looks_like_rows(root: Root, path: str) -> bool:
    try:
        words = content(root, path, MOST_BYTES).decode("utf-8", errors="replace").split(maxsplit=5)[:5]
        return len(words) == 5 and all(float(word) >= 0 for word in words)
    except (Refused, ValueError):
        return False


@dataclass(slots=True)
class _Found:
    """What reading the places gave: records by path, and how often what was not to be counted stood there."""

    records: dict[str, Record] = field(default_factory=dict)
    aside: list[SetAside] = field(default_factory=list)
    contradicted: set[str] = field(default_factory=set)
    unlabelled: int = 0
    repeats: int = 0


def _layout(inside: Root, given: Path) -> Layout:
    if not given.is_dir():
        return from_data_file(inside, given.name)
    found = data_files(inside)
    if len(found) > 1:
        raise DataError(
            f"{shown(str(given))} holds several data files: {few(found)}.",
            fix="give the path of the one that counts",
        )
    return from_data_file(inside, found[0]) if found else from_folders(inside)


def _read_place(root: Root, place: Place, layout: Layout, found: _Found) -> None:
    """The images of one place, each by its label file; label files without an image are set aside."""
    used: set[str] = set()
    for same in listing.images(place.paths(root)).values():
        label = place.label_of(same[0])
        used.add(label)
        for image in same:
            try:
                _read_image(root, image, label, same, place.split, layout, found)
            except Refused as refusal:
                found.aside.append(
                    SetAside(path=image if writable(image) else shown(image), reason=str(refusal))
                )
    if place.listed is None:
        labels = listing.below(root, place.labels) if place.deep else listing.files(root, place.labels)
        for path in sorted(set(labels) - used):
            if suffixes.suffix(path) == ".txt" and path.rpartition("/")[2].lower() not in CLASS_LISTS:
                found.aside.append(SetAside(path=path, reason="labels without an image of that name"))


def _read_image(
    root: Root, image: str, label: str, same: list[str], split: Split, layout: Layout, found: _Found
) -> None:
    """The record of one image. Raises Refused where it cannot have one."""
    path = root.find(image)
    if path in found.contradicted:
        return
    if path in found.records:
        if found.records[path].split != split:
            found.contradicted.add(path)
            raise Refused(f"in {found.records.pop(path).split or 'train'} and in {split}")
        return
    if not os.access(f"{root.path}/{label}", os.F_OK):
        found.unlabelled += 1
        raise Refused(f"no label file {shown(label)}; an empty one would say that nothing is in it")
    if len(same) > 1:
        raise Refused(f"{count(len(same), 'image')} for one label file: {few(same)}")
    size = displayed(Path(root.path, path))
    if size == (0, 0):
        raise Refused("its header does not say its size, without which fractions are no pixels")
    try:
        rows = parse(content(root, label, MOST_BYTES), size, layout.names, layout.points)
    except Refused as refusal:
        raise Refused(f"{shown(label)}: {refusal}") from None
    found.repeats += rows.repeats
    found.aside += [SetAside(path=label, reason=fault) for fault in rows.faults]
    found.records[path] = Record(path=path, split=split, boxes=tuple(rows.objects), size=size)
