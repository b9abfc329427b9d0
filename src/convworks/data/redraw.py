"""The same objects in another form: outlines as masks, masks as outlines, masks as objects, all to the pixel."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from convworks.data import raster, upright
from convworks.data.decode import stored
from convworks.data.names import shown
from convworks.data.record import BoxNote, DataSet, MaskCode, Record
from convworks.data.sources.size import oriented
from convworks.errors import DataError
from convworks.samples import IGNORE

BACKGROUND = "background"
"""The class, value 0, of pixels that no object covers."""

_MOST_CLASSES = 254
_MOST_OBJECTS = (1 << 16) - 1


def as_shown(dataset: DataSet) -> tuple[DataSet, int]:
    """Records whose annotation speaks of the stored, turned picture, brought to the one that is shown; how many."""
    records: list[Record] = []
    turned = 0
    for record in dataset.records:
        size, turn = oriented(dataset.root / record.path)
        width, height = size
        if turn >= 5 and record.size == (height, width) and width != height:
            records.append(_turned(record, size, turn))
            turned += 1
        else:
            records.append(record)
    return dataclasses.replace(dataset, records=records), turned


def with_outlines(dataset: DataSet) -> tuple[DataSet, int]:
    """Masks of objects as outlines of the same pixels; how many there were."""
    traced = 0
    records: list[Record] = []
    for record in dataset.records:
        notes: list[BoxNote] = []
        for one in record.boxes:
            if one.runs and not one.polygons:
                rings = raster.to_polygons(raster.from_runs(one.runs, _size(dataset, record)))
                one = dataclasses.replace(one, runs=(), polygons=rings)
                traced += 1
            notes.append(one)
        records.append(dataclasses.replace(record, boxes=tuple(notes)))
    return dataclasses.replace(dataset, records=records), traced


def with_objects(dataset: DataSet) -> tuple[DataSet, int]:
    """Mask images as objects with a mask each; how many images have pixels that do not count, which no object holds.

    The data set is settled: what its maps of object ids tell apart are objects already. What is left of a class in an
    image is one object more; pixels of a class called background are none. Raises DecodeError and DataError.
    """
    records: list[Record] = []
    ignored = 0
    for record in dataset.records:
        notes, size = list(record.boxes), record.size
        if record.mask:
            classes = _classes(dataset, record)
            ignored += bool((classes == IGNORE).any())
            size = (classes.shape[1], classes.shape[0])
            notes += _regions(dataset.classes, classes, notes)
        records.append(dataclasses.replace(record, mask="", instances="", boxes=tuple(notes), size=size))
    names = {one.name for record in records for one in record.boxes}
    made = dataclasses.replace(
        dataset, records=records, masks=None, task="detection", classes=tuple(sorted(names))
    )
    return made, ignored


def with_maps(dataset: DataSet, folder: Path) -> tuple[DataSet, int]:
    """Objects drawn as a class map and a map of object ids for each image, small ones over large; how many are covered.

    The maps are written to `folder`, and records hold their absolute paths. Raises DataError for an object that has
    but a box.
    """
    if len(dataset.classes) > _MOST_CLASSES:
        raise DataError(f"{len(dataset.classes)} classes do not fit into an 8-bit mask.")
    named = [name for name in dataset.classes if name != BACKGROUND]
    values = {name: value for value, name in enumerate([BACKGROUND, *named])}
    for part in ("masks", "instances"):
        (folder / part).mkdir(parents=True)
    records: list[Record] = []
    covered = 0
    for number, record in enumerate(dataset.records):
        classes, instances = _drawn(dataset, record, values)
        covered += len(record.boxes) - int((np.bincount(instances.ravel())[1:] > 0).sum())
        paths: list[str] = []
        for part, pixels in (("masks", classes), ("instances", instances)):
            path = folder / part / f"{number}.png"
            path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
            paths.append(str(path.absolute()))
        mask, objects = paths
        records.append(dataclasses.replace(record, boxes=(), size=(0, 0), mask=mask, instances=objects))
    code = MaskCode(values=tuple(((value,), name) for name, value in values.items()))
    return dataclasses.replace(dataset, records=records, masks=code, task="segmentation"), covered


def _turned(record: Record, size: tuple[int, int], turn: int) -> Record:
    """A record of a stored picture as one of the picture of `size` (width, height) that is shown."""
    width, height = size
    move = upright.move(turn, (height, width))

    def corners(flat: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(move.points(np.array(flat, np.float64).reshape(-1, 2)).ravel().tolist())

    def moved(one: BoxNote) -> BoxNote:
        x0, y0, x1, y1 = corners(one.box)
        seen = [(*corners((x, y)), flag) for x, y, flag in one.points]
        mask = upright.turned(raster.from_runs(one.runs, (width, height)), turn) if one.runs else None
        return dataclasses.replace(
            one,
            box=(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)),
            polygons=tuple(map(corners, one.polygons)),
            points=tuple((x, y, flag) for x, y, flag in seen),
            runs=() if mask is None else raster.to_runs(mask),
        )

    return dataclasses.replace(record, size=size, boxes=tuple(map(moved, record.boxes)))


def _classes(dataset: DataSet, record: Record) -> UInt8[np.ndarray, "h w"]:
    """Class ids of an image's pixels, positions in the data set's classes; 255 for what does not count."""
    if dataset.masks is None:
        raise DataError(f"{shown(record.mask)}: nothing says what the values in masks mean.")
    ids = {name: place for place, name in enumerate(dataset.classes)}
    pixels = stored(dataset.root / record.mask, coloured=raster.coloured(dataset.masks))
    return raster.class_map(pixels, dataset.masks, ids)


def _regions(
    names: tuple[str, ...], classes: UInt8[np.ndarray, "h w"], notes: list[BoxNote]
) -> Iterator[BoxNote]:
    """An object for each class of the pixels that no object of `notes` has."""
    left = classes != IGNORE
    for one in notes:
        left &= ~raster.from_runs(one.runs, classes.shape)
    for place in np.unique(classes[left]).tolist():
        if names[place].lower() != BACKGROUND:
            pixels = left & (classes == place)
            x0, y0, x1, y1 = map(float, raster.box(pixels))
            yield BoxNote(name=names[place], box=(x0, y0, x1, y1), runs=raster.to_runs(pixels))


def _drawn(
    dataset: DataSet, record: Record, values: dict[str, int]
) -> tuple[UInt8[np.ndarray, "h w"], UInt16[np.ndarray, "h w"]]:
    size = _size(dataset, record)
    classes, instances = np.zeros(size, np.uint8), np.zeros(size, np.uint16)
    if len(record.boxes) > _MOST_OBJECTS:
        raise DataError(f"{shown(record.path)}: {len(record.boxes):,} objects do not fit into a 16-bit map.")
    drawn: list[tuple[int, int, str, Bool[np.ndarray, "h w"]]] = []
    for number, one in enumerate(record.boxes, start=1):
        if not one.runs and not one.polygons:
            raise DataError(
                f"{shown(record.path)}: a {shown(one.name)} with a box, but no outline to draw.",
                fix="convert to coco, voc, yolo or csv, which hold boxes",
            )
        pixels = raster.from_runs(one.runs, size) if one.runs else raster.from_polygons(one.polygons, size)
        drawn.append((int(pixels.sum()), number, one.name, pixels))
    for _, number, name, pixels in sorted(drawn, key=lambda one: (-one[0], one[1])):
        classes[pixels], instances[pixels] = values[name], number
    return classes, instances


def _size(dataset: DataSet, record: Record) -> tuple[int, int]:
    """(height, width) of the picture that the annotation speaks of. Raises DataError where nothing says it."""
    width, height = record.size if record.size != (0, 0) else oriented(dataset.root / record.path)[0]
    if (width, height) == (0, 0):
        raise DataError(f"{shown(record.path)}: neither its annotation nor its header says its size.")
    return height, width
