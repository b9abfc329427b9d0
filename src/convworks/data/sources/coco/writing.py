"""From records to COCO's JSON: one file a split, boxes that read back bit by bit, masks as compressed run lengths.

Where no width and height give a box's edges to the last bit, the annotation has `edges` beside its `bbox`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from convworks.data.names import shown
from convworks.data.record import BoxNote, DataSet, Record, Split
from convworks.data.sources import copying, runs
from convworks.errors import DataError

NAMES: dict[Split, str] = {
    "train": "train.json",
    "val": "val.json",
    "test": "test.json",
    "": "annotations.json",
}
"""What the file of each split is called."""


def write(dataset: DataSet, destination: Path) -> None:
    """One file a split beside copies of the images. Raises DataError for a mask whose image has no stated size."""
    destination.mkdir(parents=True, exist_ok=True)
    splits: dict[Split, list[Record]] = {}
    given = any(record.split for record in dataset.records)
    for record in dataset.records:
        splits.setdefault(record.split or ("train" if given else ""), []).append(record)
    taken = set(NAMES.values())
    for split, records in splits.items():
        with (destination / NAMES[split]).open("w", encoding="utf-8") as file:
            _write(
                file, dataset, records, [_copied(dataset, record, destination, taken) for record in records]
            )


def _copied(dataset: DataSet, record: Record, destination: Path, taken: set[str]) -> str:
    return copying.copy(dataset.root / record.path, destination, record.path, taken)


def _write(file: TextIO, dataset: DataSet, records: list[Record], paths: list[str]) -> None:
    ids = {name: place for place, name in enumerate(dataset.classes, start=1)}
    pointed = {one.name for record in records for one in record.boxes if one.points}
    listed = enumerate(zip(records, paths, strict=True), start=1)
    file.write('{"images": [')
    _lines(file, (_image(place, record, path) for place, (record, path) in listed))
    file.write('],\n"annotations": [')
    objects = ((place, record, one) for place, record in enumerate(records, 1) for one in record.boxes)
    _lines(
        file,
        (
            {"id": number, "image_id": place, "category_id": ids[one.name], **_object(record, one)}
            for number, (place, record, one) in enumerate(objects, 1)
        ),
    )
    file.write('],\n"categories": [')
    names = {"keypoints": list(dataset.points), "skeleton": []}
    _lines(file, ({"id": ids[name], "name": name, **(names if name in pointed else {})} for name in ids))
    file.write("]}\n")


def _lines(file: TextIO, entries: Iterable[dict[str, Any]]) -> None:
    comma = "\n"
    for entry in entries:
        file.write(comma + json.dumps(entry, ensure_ascii=False, allow_nan=False))
        comma = ",\n"


def _image(place: int, record: Record, path: str) -> dict[str, Any]:
    width, height = record.size
    return {"id": place, "file_name": path} | ({"width": width, "height": height} if width else {})


def _object(record: Record, one: BoxNote) -> dict[str, Any]:
    x0, y0, x1, y1 = one.box
    width, height = _side(x0, x1), _side(y0, y1)
    said: dict[str, Any] = {
        "bbox": [x0, y0, width, height],
        "area": width * height,
        "iscrowd": int(one.crowd),
    }
    if (x0 + width, y0 + height) != (x1, y1):
        said["edges"] = list(one.box)
    if one.runs:
        if record.size == (0, 0):
            raise DataError(f"{shown(record.path)}: a mask as run lengths, but no size of the image.")
        said["segmentation"] = {"size": [record.size[1], record.size[0]], "counts": runs.packed(one.runs)}
        said["area"] = runs.area(one.runs)
    elif one.polygons:
        said["segmentation"] = [list(ring) for ring in one.polygons]
        said["area"] = sum(map(_area, one.polygons))
    if one.points:
        said["keypoints"] = [number for point in one.points for number in point]
        said["num_keypoints"] = sum(point[2] > 0 for point in one.points)
    if one.difficult:
        said["ignore"] = 1
    return said


def _side(low: float, high: float) -> float:
    """The length that, added to `low`, gives `high` in floating point too, where there is one."""
    length = high - low
    for near in (length, math.nextafter(length, math.inf), math.nextafter(length, 0.0)):
        if low + near == high:
            return near
    return length


def _area(ring: tuple[float, ...]) -> float:
    """The area inside a ring, in square pixels."""
    xs, ys = ring[0::2], ring[1::2]
    turned = zip(xs, ys, (*xs[1:], xs[0]), (*ys[1:], ys[0]), strict=True)
    return abs(sum(x * down - across * y for x, y, across, down in turned)) / 2
