"""Record -> Sample: the image decoded, and all that was said of it in the image's own frame.

A picture that its camera stored lying down is shown upright. Whoever annotated it saw it one way or the other, and
the width and height that the annotation states tell which: where they are those of the stored picture, everything is
turned along with it. Where nothing is stated, or both are the same, it was annotated as it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from convworks.data import raster, upright
from convworks.data.bands import Ranges, picture
from convworks.data.decode import MAX_PIXELS, Decoded, decode, stored
from convworks.data.names import few, shown
from convworks.data.record import BoxNote, DataSet, Record
from convworks.errors import DataError
from convworks.geometry import boxes as boxes_
from convworks.geometry.move import Move, crop
from convworks.samples import COUNTED, CROWD, DIFFICULT, Sample


def load(
    dataset: DataSet,
    record: Record,
    ids: Mapping[str, int],
    *,
    masks: bool = True,
    crowds: bool = False,
    at_least: int = 0,
    bands: Ranges = (),
    max_pixels: int = MAX_PIXELS,
) -> Sample:
    """The image of a record with its boxes, labels, masks, class map and points; class ids by name from `ids`.

    Boxes are clipped to the image, and one of which nothing is left is left out; so are crowds unless asked for.
    Objects have masks where each of them has an outline and `masks` asks for it. `at_least`, where not 0, lets a
    JPEG come smaller, its short side at least that; everything else then shrinks with it. `bands`, where there are any,
    are the values of each band of the file that become 0 and 255.

    Raises DecodeError for an image or mask that cannot be read, and DataError for one of another size than stated,
    and for a class that `ids` does not know.
    """
    decoded = decode(dataset.root / record.path, at_least=at_least, max_pixels=max_pixels)
    if bands:
        decoded = replace(decoded, image=picture(dataset.root / record.path, bands, max_pixels))
    turn = annotated_turn(record, decoded.size, decoded.turn)
    frame = _Frame(decoded, turn)
    notes = [one for one in record.boxes if crowds or not one.crowd]
    boxes = frame.boxes(notes)
    stays = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
    notes = [notes[place] for place in stays.tolist()]
    said = Sample(
        image=decoded.image,
        label=_id(record, record.label, ids) if record.label else -1,
        shows=shows(record, ids) if dataset.task == "multilabel" else np.zeros(0, np.bool_),
        boxes=boxes[stays],
        labels=np.array([_id(record, one.name, ids) for one in notes], np.int64),
        aside=np.array([_aside(one) for one in notes], np.uint8),
    )
    if masks and notes and all(one.polygons or one.runs for one in notes):
        said = replace(said, masks=np.stack([frame.mask(one) for one in notes]))
    if record.mask:
        said = replace(said, class_map=_class_map(dataset, record, ids, frame, max_pixels))
    if dataset.points:
        said = replace(said, points=frame.points(notes, len(dataset.points)))
    return said


def _aside(note: BoxNote) -> int:
    """Whether an object counts."""
    return CROWD if note.crowd else DIFFICULT if note.difficult else COUNTED


def shows(record: Record, ids: Mapping[str, int]) -> Bool[np.ndarray, "k"]:
    """Which of the classes of `ids` a record names; raises DataError for one that is none of them."""
    found = np.zeros(len(ids), np.bool_)
    found[[_id(record, name, ids) for name in record.labels]] = True
    return found


def annotated_turn(record: Record, size: tuple[int, int], turn: int) -> int:
    """The EXIF orientation that an annotation still has to follow: 1 where it was made upright.

    `size` is (width, height) of the upright image and `turn` its orientation. Raises DataError where the size that
    the annotation states is neither that of the image as it is shown nor as it is stored.
    """
    if record.size in ((0, 0), size):
        return 1
    if turn >= 5 and record.size == size[::-1]:
        return turn
    raise DataError(
        f"{shown(record.path)}: annotated as {record.size[0]}x{record.size[1]}, but the image has {size[0]}x{size[1]}.",
        fix="bring the image to the size that was annotated, or annotate it again",
    )


class _Frame:
    """The way from what was annotated to the pixels of a decoded image, which may be turned and smaller."""

    def __init__(self, decoded: Decoded, turn: int) -> None:
        width, height = decoded.size
        self.turn = turn
        self.exif = decoded.turn
        self.whole = (height, width)
        self.annotated = (width, height) if turn >= 5 else (height, width)
        self.size = (decoded.image.shape[0], decoded.image.shape[1])
        self.move: Move = upright.move(turn, self.whole).then(crop((0, 0, width, height), self.size))

    def boxes(self, notes: Sequence[BoxNote]) -> Float[np.ndarray, "n 4"]:
        """Boxes (xyxy) in the image, clipped to it."""
        given = np.array([one.box for one in notes], np.float64).reshape(-1, 4)
        return boxes_.clip(self.move.boxes(given), self.size).astype(np.float32)

    def points(self, notes: Sequence[BoxNote], number: int) -> Float[np.ndarray, "n k 2"]:
        """Points in the image, NaN where one is not labelled."""
        given = np.full((len(notes), number, 2), np.nan)
        for row, one in zip(given, notes, strict=True):
            for place, (x, y, seen) in enumerate(one.points):
                if seen:
                    row[place] = x, y
        return self.move.points(given).astype(np.float32)

    def mask(self, note: BoxNote) -> Bool[np.ndarray, "h w"]:
        """The pixels of an object."""
        if note.runs:
            mask = raster.from_runs(note.runs, self.annotated)
        else:
            mask = raster.from_polygons(note.polygons, self.annotated)
        return self.small(upright.turned(mask, self.turn))

    def small(self, pixels: Shaped[np.ndarray, "h w"]) -> Shaped[np.ndarray, "_ _"]:
        """Pixels of the whole image, brought to the size of the decoded one without mixing any."""
        if pixels.shape == self.size:
            return np.ascontiguousarray(pixels)
        small = cv2.resize(pixels.astype(np.uint8), self.size[::-1], interpolation=cv2.INTER_NEAREST)
        return small.astype(pixels.dtype)


def _class_map(
    dataset: DataSet, record: Record, ids: Mapping[str, int], frame: _Frame, max_pixels: int
) -> UInt8[np.ndarray, "h w"]:
    if dataset.masks is None:
        raise DataError(
            f"{shown(record.mask)}: nothing says what the values in masks mean.",
            fix="look at the masks first (settled), or add a list of classes",
        )
    pixels = stored(
        dataset.root / record.mask, coloured=raster.coloured(dataset.masks), max_pixels=max_pixels
    )
    if pixels.shape[:2] == frame.whole[::-1] and frame.exif >= 5:
        pixels = upright.turned(pixels, frame.exif)
    if pixels.shape[:2] != frame.whole:
        (high, wide), (height, width) = pixels.shape[:2], frame.whole
        raise DataError(
            f"{shown(record.mask)}: a mask of {wide}x{high} for an image of {width}x{height}.",
            fix="bring the mask to the image's size, without mixing its values",
        )
    known = {name: _id(record, name, ids) for _, name in dataset.masks.values}
    return frame.small(raster.class_map(pixels, dataset.masks, known))


def _id(record: Record, name: str, ids: Mapping[str, int]) -> int:
    if name not in ids:
        raise DataError(
            f'{shown(record.path)}: "{shown(name)}" is no class of the model.', expected=few(sorted(ids), 8)
        )
    return ids[name]
