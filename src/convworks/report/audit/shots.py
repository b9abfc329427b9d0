"""The owner's images as small pictures, with the boxes, masks and points that the annotation gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from convworks.augmentation import plan, preview
from convworks.data.audit import Audit
from convworks.data.load import load
from convworks.data.record import DataSet, Record
from convworks.errors import DataError
from convworks.geometry.boxes import Size
from convworks.report.markup import Markup, tag
from convworks.report.pictures import Album
from convworks.report.wording import count

SIDE = 232
"""The longer side of a picture, in pixels."""
NAMED = 3
"""Classes that are named below a picture."""

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shots:
    """Where the pictures of a page come from: the data set, its records by path, and the album that counts bytes."""

    dataset: DataSet
    records: Mapping[str, Record]
    album: Album

    @property
    def background(self) -> int:
        """The class of a map that is not tinted; -1 where there is none of that name."""
        named = {name.lower(): place for place, name in enumerate(self.dataset.classes)}
        return named.get("background", -1)

    def card(self, path: str) -> Markup:
        """A list item: the picture, what the annotation says of it, and its path."""
        record = self.records.get(path)
        what = "" if record is None else described(record)
        alt = f"{path}: {what or ('its mask over it' if record and record.mask else 'the image')}"
        lines = [tag("p", what, class_="what")] if what else []
        return tag("li", self.album.whole(self.picture(path), alt), *lines, tag("p", path, class_="path"))

    def picture(self, path: str) -> Picture | None:
        """The image of a path with all that is marked in it; without the marks where they do not fit the image."""
        record = self.records.get(path)
        if record is not None and (record.boxes or (record.mask and self.dataset.masks)):
            ids = {name: place for place, name in enumerate(self.dataset.classes)}
            try:
                sample = load(self.dataset, record, ids, at_least=SIDE)
            except DataError:
                return self._plain(path)
            size = fitted(sample.image.shape[:2])
            drawn = plan.fixed(sample.image.shape[:2], size, "squash")
            return preview.cell(drawn, sample, self.background)
        return self._plain(path)

    def _plain(self, path: str) -> Picture | None:
        image = self.album.open(path, SIDE)
        if image is None:
            return None
        height, width = fitted(image.shape[:2])
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def shots(audit: Audit) -> Shots:
    """The pictures of an audited data set."""
    dataset = audit.dataset
    return Shots(
        dataset=dataset,
        records={record.path: record for record in dataset.records},
        album=Album(str(dataset.root)),
    )


def fitted(size: Size) -> Size:
    """Height and width of a small picture of an image of `size`: its longer side is `SIDE`, and none is below 8.

    >>> fitted((480, 640)), fitted((4000, 1))
    ((174, 232), (232, 8))
    """
    factor = SIDE / max(size)
    return max(round(size[0] * factor), 8), max(round(size[1] * factor), 8)


def described(record: Record) -> str:
    """What an annotation says of an image, in a few words.

    >>> from convworks.data.record import BoxNote
    >>> described(Record(path="a.jpg", boxes=(BoxNote(name="cell", box=(0, 0, 9, 9)),) * 12))
    '12 cell'
    """
    if record.label or record.labels:
        names = [record.label] if record.label else list(record.labels)
    else:
        names = [
            f"{number} {name}" for name, number in Counter(one.name for one in record.boxes).most_common()
        ]
    more = f" and {count(len(names) - NAMED, 'other')}" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
