"""What only the pixels of mask images tell: what their values mean where no list says it, and which objects there are.

A source reads names and never opens an image. So a data set of mask images may come without a code, or with maps of
object ids and no objects; looked at once, it is like any other.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from convworks.data import raster
from convworks.data.decode import MAX_PIXELS, stored
from convworks.data.names import count, shown
from convworks.data.packed import pack
from convworks.data.record import BoxNote, DataSet, MaskCode, Record, SetAside
from convworks.errors import DataError, DecodeError

if TYPE_CHECKING:
    from convworks.data.decode import Stored

Value = tuple[int, ...]
Progress = Callable[[int, int], None]

BINARY: dict[Value, str] = {(0,): "background", (255,): "object"}
"""Black and white masks."""

FEW = 64
"""Up to so many values each is taken for a class; of more, those that hold ..."""
SHARE, COVERED = 0.01, 0.9
"""... this share of all pixels each, where together they hold at least that."""
SHADES = 8
"""So many shades between black and white that hold most pixels, some of them light, are blended edges."""
LOOKS = 40
"""Masks that are looked at where a list says what the values mean."""


def settled(dataset: DataSet, *, progress: Progress | None = None, max_pixels: int = MAX_PIXELS) -> DataSet:
    """The data set with a code for its masks and objects for its ids; the same one where neither was missing.

    Without a list of classes a value's name is itself ("7", or "128 64 0" of a colour), and black and white are
    "background" and "object"; 255 beside other values is ignored. A list of two names means black and white where
    the masks are. A mask that cannot be read is set aside with its image.

    Raises DataError where values are too many to be classes, or where none of them is what the list says.
    """
    masked = [place for place, record in enumerate(dataset.records) if record.mask]
    if masked:
        dataset = _coded(dataset, masked, progress, max_pixels)
    if any(record.instances and not record.boxes for record in dataset.records):
        dataset = _counted(dataset, progress, max_pixels)
    return dataset


def _coded(dataset: DataSet, masked: Sequence[int], progress: Progress | None, max_pixels: int) -> DataSet:
    """The data set with a code that fits its masks."""
    code = dataset.masks
    places = masked if code is None else masked[:: -(-len(masked) // LOOKS)]
    found: Counter[Value] = Counter()
    aside: list[SetAside] = []
    for done, place in enumerate(places, start=1):
        path = dataset.records[place].mask
        try:
            pixels = stored(
                dataset.root / path,
                coloured=code is not None and raster.coloured(code),
                max_pixels=max_pixels,
            )
            found.update(raster.values(pixels))
        except DecodeError as error:
            aside.append(SetAside(path=path, reason=error.found.rpartition(": ")[2]))
        if progress is not None:
            progress(done, len(places))
    lost = {file.path for file in aside}
    records = [record for record in dataset.records if record.mask not in lost] if lost else dataset.records
    new, notes = _named(dataset, found) if code is None else _held_against(dataset, code, found)
    return dataclasses.replace(
        dataset,
        records=pack(records),
        masks=new,
        classes=tuple(sorted({name for _, name in new.values})),
        set_aside=tuple(sorted((*dataset.set_aside, *aside), key=lambda file: file.path)),
        notes=(*dataset.notes, *notes),
    )


def _named(dataset: DataSet, found: Counter[Value]) -> tuple[MaskCode, list[str]]:
    """Each value that is a class, under its own name."""
    place = shown(str(dataset.root))
    if not found:
        raise DataError(f"No mask of {place} can be read.", fix="replace the masks")
    if found.keys() <= BINARY.keys():
        return MaskCode(values=tuple(BINARY.items()), ignore=()), [
            "Masks are black and white: read as background and object."
        ]
    total = found.total()
    real = _real(found)
    covered = sum(found[value] for value in real) / total
    if covered < COVERED:
        raise DataError(
            f"The masks of {place} hold {len(found):,} values, too many for classes.",
            expected=f"up to {FEW}, or a list of classes",
            fix="if they are ids of objects, call their folder instances/; "
            "if their edges are blended, save them as PNG without smoothing; or add classes.txt",
        )
    notes: list[str] = []
    if len(real) < len(found):
        notes.append(
            f"{count(len(found) - len(real), 'other value')} in {1 - covered:.1%} of all pixels of masks not counted; "
            "their edges seem to be blended."
        )
    if set(real) == BINARY.keys():
        return MaskCode(values=tuple(BINARY.items()), ignore=()), notes
    classes = sorted(value for value in real if value != (255,))
    notes.append(
        f"Classes are called after the {count(len(classes), 'value')} in the masks; 255 is not counted."
    )
    return MaskCode(values=tuple((value, " ".join(map(str, value))) for value in classes)), notes


def _real(found: Counter[Value]) -> list[Value]:
    """The values that may be classes: all where they are few, and not those between black and white at edges."""
    total = found.total()
    between = [value for value in found if value not in BINARY]
    black_and_white = sum(found[value] for value in BINARY) >= COVERED * total and all(map(found.get, BINARY))
    if black_and_white and len(between) >= SHADES and max(between) > (127,):
        return list(BINARY)
    return list(found) if len(found) <= FEW else [value for value in found if found[value] >= SHARE * total]


def _held_against(dataset: DataSet, code: MaskCode, found: Counter[Value]) -> tuple[MaskCode, list[str]]:
    """The code, or the one for black and white that was meant."""
    named = [value for value, _ in code.values]
    names = [name for _, name in code.values]
    if len(names) == 2 and named == [(0,), (1,)] and found.keys() == BINARY.keys():
        values = tuple(zip(BINARY, names, strict=True))
        return MaskCode(values=values, ignore=()), [f"Masks are black and white: 255 is {shown(names[1])}."]
    if found and not found.keys() & {*named, *code.ignore}:
        seen = "; ".join(" ".join(map(str, value)) for value, _ in found.most_common(4))
        raise DataError(
            f"No value in the masks of {shown(str(dataset.root))} is in its list of classes: they hold {seen}.",
            expected="; ".join(" ".join(map(str, value)) for value in named[:4]),
            fix="name the colours in the list (red green blue name), or the indices of the palette",
        )
    return code, []


def _counted(dataset: DataSet, progress: Progress | None, max_pixels: int) -> DataSet:
    """The data set with an object, as run lengths, for each id in its maps of ids."""
    aside: list[SetAside] = []
    nameless = 0

    def records() -> Iterator[Record]:
        nonlocal nameless
        for done, record in enumerate(dataset.records, start=1):
            if record.instances and not record.boxes:
                try:
                    record, lost = _with_objects(dataset, record, max_pixels)
                    nameless += lost
                except DataError as error:
                    aside.append(SetAside(path=record.path, reason=error.found))
                    continue
            yield record
            if progress is not None:
                progress(done, len(dataset.records))

    packed = pack(records())
    notes = (
        [f"{count(nameless, 'object')} left out, because the class map has no class there."]
        if nameless
        else []
    )
    return dataclasses.replace(
        dataset,
        records=packed,
        set_aside=tuple(sorted((*dataset.set_aside, *aside), key=lambda file: file.path)),
        notes=(*dataset.notes, *notes),
    )


def _with_objects(dataset: DataSet, record: Record, max_pixels: int) -> tuple[Record, int]:
    """The record with its objects, and how many have no class; each is of the class that most of its pixels are of."""
    ids = stored(dataset.root / record.instances, max_pixels=max_pixels)
    if ids.ndim == 3:
        ids = _from_colours(ids)
    names = _names(dataset, record, ids, max_pixels)
    found: list[BoxNote] = []
    lost = 0
    for number, mask in raster.objects(ids):
        name = names.get(number, "")
        lost += not name
        x0, y0, x1, y1 = raster.box(mask)
        if name:
            found.append(BoxNote(name=name, box=(x0, y0, x1, y1), runs=raster.to_runs(mask)))
    height, width = ids.shape
    return dataclasses.replace(record, boxes=tuple(found), size=(width, height)), lost


def _from_colours(colours: Stored) -> Stored:
    """One number for each colour; black is no object."""
    wide = colours.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _names(dataset: DataSet, record: Record, ids: Stored, max_pixels: int) -> dict[int, str]:
    """The class of each id: the one class there is, or what the class map says most of its pixels are."""
    numbers = np.unique(ids)
    if not record.mask or dataset.masks is None:
        return dict.fromkeys(numbers.tolist(), dataset.classes[0])
    pixels = stored(
        dataset.root / record.mask, coloured=raster.coloured(dataset.masks), max_pixels=max_pixels
    )
    if pixels.shape[:2] != ids.shape:
        raise DataError(f"{shown(record.instances)} is not of the size of {shown(record.mask)}.")
    classes = raster.class_map(pixels, dataset.masks, {name: at for at, name in enumerate(dataset.classes)})
    places = np.searchsorted(numbers, ids)
    votes = np.bincount(places.ravel() * 256 + classes.ravel(), minlength=len(numbers) * 256).reshape(-1, 256)
    best = votes[:, : len(dataset.classes)].argmax(axis=1)
    return {
        number: dataset.classes[place]
        for number, place, row in zip(numbers.tolist(), best.tolist(), votes, strict=True)
        if row[place] > 0
    }
