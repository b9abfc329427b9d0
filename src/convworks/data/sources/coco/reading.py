"""From one annotation file of COCO to records: ids to names, annotations to images, faults to words."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convworks.data.names import count, few, shown, writable
from convworks.data.packed import pack
from convworks.data.record import BoxNote, DataSet, Record, SetAside, Split
from convworks.data.sources import suffixes
from convworks.data.sources.coco import drafts, layout
from convworks.data.sources.coco.contents import Contents, Image, refuse_edges
from convworks.data.sources.coco.drafts import Draft, Id, Size
from convworks.data.sources.confine import Refused, Root
from convworks.errors import DataError

_LOOKED_UP = 64
"""How many names tell the folder in which the images lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one file holds: `listed` are the names of files in it, looked up in `folder`, relative to the root.

    `points` counts the objects that each tuple of names of keypoints belongs to.
    """

    records: list[Record]
    folder: str
    listed: set[str]
    set_aside: list[SetAside]
    notes: list[str]
    points: Counter[tuple[str, ...]]


def read(root: Path, path: Path, split: Split) -> Found:
    """The records of one file, in its order. Raises DataError where the file as a whole cannot be right."""
    file = Contents(path)
    if not file.images:
        raise DataError(
            f"{shown(str(path))} names no images{f' ({file.lost[0]})' if file.lost else ''}.",
            expected='a list "images" of objects with id and file_name',
        )
    refuse_edges(file)
    place = Root(root)
    names = [image.names[0] for image in file.images.values()]
    base = layout.images(root, path, split, names[:: -(-len(names) // _LOOKED_UP)])
    reader = _Reader(file, place, base, split)
    records = list(reader.records())
    where = f"{base}/" if base else "the same folder"
    label = path.relative_to(root).as_posix()
    aside = [SetAside(path=shown(label), reason=shown(reason)) for reason in file.lost]
    return Found(
        records=records,
        folder=base,
        listed={name.rpartition("/")[2] for image in file.images.values() for name in image.names},
        set_aside=[*reader.aside, *aside],
        notes=[
            f"Read from {shown(label)}{f' ({split})' if split else ''}; images in {shown(where)}.",
            *reader.notes(),
        ],
        points=reader.points,
    )


class _Reader:
    """Turns the images of one file to records; keeps what was found on the way."""

    def __init__(self, file: Contents, root: Root, base: str, split: Split) -> None:
        self.file, self.root, self.base = file, root, base
        self.split: Split = split
        self.aside: list[SetAside] = []
        self.points: Counter[tuple[str, ...]] = Counter()
        self.used: set[str] = set()
        self.unnamed = 0
        self.merged = 0

    def records(self) -> Iterator[Record]:
        """One record a file, with the objects of all entries that name it."""
        whole: dict[str, Record] = {}
        for identity, image in self.file.images.items():
            try:
                record = self._record(identity, image)
            except Refused as refusal:
                named = image.names[0]
                self.aside.append(
                    SetAside(path=named if writable(named) else shown(named), reason=str(refusal))
                )
                continue
            if record.path in whole:
                self.merged += 1
                record = dataclasses.replace(record, boxes=(*whole[record.path].boxes, *record.boxes))
            whole[record.path] = record
            image.drafts.clear()
        yield from whole.values()

    def _record(self, identity: Id, image: Image) -> Record:
        name, *others = image.names
        if others:
            raise Refused(f"shares its id {drafts.said(identity)} with {few(others)}")
        try:
            path = self.root.find(f"{self.base}/{name}" if self.base and not name.startswith("/") else name)
        except Refused as refusal:
            total = len(image.drafts) + len(image.faults)
            raise Refused(
                f"{refusal}" + (f"; {count(total, 'annotation')} with it" if total else "")
            ) from None
        size = (
            next((one.size for one in image.drafts if one.runs), (0, 0))
            if image.size == (0, 0)
            else image.size
        )
        notes: list[BoxNote] = []
        faults = list(image.faults)
        for one in image.drafts:
            try:
                notes.append(self._note(one, size))
            except Refused as refusal:
                faults.append(f"annotation {one.id}: {refusal}")
        if faults and not notes:
            raise Refused(f"none of its {count(len(faults), 'annotation')} can be used: {few(faults, 2)}")
        self.aside += [
            SetAside(path=path, reason=shown(f"{self.file.path.name}, {fault}")) for fault in faults
        ]
        return Record(path=path, split=self.split, size=size, boxes=tuple(notes))

    def _note(self, draft: Draft, size: Size) -> BoxNote:
        category = self.file.categories.get(draft.category)
        if category is None:
            raise Refused(f"no category has its category_id {drafts.said(draft.category)}")
        if draft.points and not category.points:
            self.unnamed += 1
            draft = dataclasses.replace(draft, points=())
        made = drafts.note(draft, category.name, size, len(category.points))
        self.used.add(category.name)
        if made.points:
            self.points[category.points] += 1
        return made

    def notes(self) -> Iterator[str]:
        """Remarks on what was read otherwise than it stands there, or not at all."""
        name, counts = shown(self.file.path.name), self.file.counts
        for key, one, several in (
            ("ids", "annotation id is given twice; both stay", "annotation ids are given twice; all stay"),
            ("float", "id is written with a point (1.0)", "ids are written with a point (1.0)"),
            (
                "images twice",
                "image is listed twice and counted once",
                "images are listed twice and counted once",
            ),
            ("sizes", "width or height is no size", "widths or heights are no size"),
            ("rings", "polygon of fewer than 3 points left out", "polygons of fewer than 3 points left out"),
        ):
            if counts[key]:
                yield f"{name}: {count(counts[key], one, several)}."
        if self.merged:
            yield f"{name}: {count(self.merged, 'file')} named by two images; their annotations are taken together."
        if self.unnamed:
            yield f"{name}: keypoints of {count(self.unnamed, 'object')} not read; their category names none."
        parents = {category.parent for category in self.file.categories.values()}
        unused = {category.name for category in self.file.categories.values()} - self.used - parents
        if unused:
            yield f"{name}: nothing is annotated as {few(sorted(unused), 8)}."


def unlisted(root: Path, found: Sequence[Found]) -> Iterator[str]:
    """A remark for each folder that holds images which no file names."""
    for folder in dict.fromkeys(one.folder for one in found):
        listed: set[str] = set().union(*(one.listed for one in found if one.folder == folder))
        try:
            names = [entry.name for entry in os.scandir(root / folder)]
        except OSError:
            continue
        rest = sorted(
            name
            for name in names
            if suffixes.suffix(name) in suffixes.READ and name not in listed and not suffixes.hidden(name)
        )
        if rest:
            yield f"{count(len(rest), 'image')} not annotated at all, so not read: {few(rest)}."


def named_points(found: Iterable[Found]) -> tuple[tuple[str, ...], list[str]]:
    """The names of keypoints that most objects have, and a remark where others have other ones."""
    total: Counter[tuple[str, ...]] = sum((one.points for one in found), Counter())
    if not total:
        return (), []
    (names, _), *others = total.most_common()
    left = sum(number for _, number in others)
    return names, [f"{count(left, 'object')} with other keypoints; those are not read."] if left else []


def with_points(dataset: DataSet, names: tuple[str, ...]) -> DataSet:
    """The data set with names for its points; points of another number are left out."""
    if not names:
        return dataset

    def fitting(record: Record) -> Record:
        if all(len(one.points) in (0, len(names)) for one in record.boxes):
            return record
        kept = [
            one if len(one.points) == len(names) else dataclasses.replace(one, points=())
            for one in record.boxes
        ]
        return dataclasses.replace(record, boxes=tuple(kept))

    records = pack(map(fitting, dataset.records))
    return dataclasses.replace(dataset, records=records, points=names, swaps=swaps(names))


def swaps(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of names that differ in left and right alone.

    >>> swaps(("nose", "left_eye", "right_eye", "LeftEar", "RightEar"))
    (('left_eye', 'right_eye'), ('LeftEar', 'RightEar'))
    """
    known = set(names)
    pairs: list[tuple[str, str]] = []
    for name in names:
        for left, right in (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT")):
            twin = name.replace(left, right)
            if twin != name and twin in known:
                pairs.append((name, twin))
    return tuple(pairs)
