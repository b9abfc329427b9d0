"""Samples with boxes, masks or class maps, decoded once at the size that training asks for, and kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import UInt8

from convworks.data.bands import Ranges
from convworks.data.decode import MAX_PIXELS
from convworks.data.load import load
from convworks.data.pixels import resized
from convworks.data.record import DataSet
from convworks.geometry.boxes import Size
from convworks.geometry.move import crop
from convworks.samples import Sample


class SceneStore:
    """The samples of a data set, short side at most `side` pixels, kept up to `limit_bytes`, else loaded again.

    Positions are those of the records. Class ids come by name from `ids`. `bands` are the ranges of files of other
    bands than red, green and blue. Threads may share a store.
    """

    def __init__(
        self,
        dataset: DataSet,
        ids: Mapping[str, int],
        side: int,
        limit_bytes: int,
        *,
        bands: Ranges = (),
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.dataset, self.ids, self.side, self.limit_bytes = dataset, ids, side, limit_bytes
        self._bands, self._max_pixels = bands, max_pixels
        self._kept: dict[int, Sample] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.dataset.records)

    def get(self, row: int) -> Sample:
        """The sample at a position, read-only, in the frame of its smaller image.

        Raises DecodeError or DataError where its files were damaged since they were looked at.
        """
        kept = self._kept.get(row)
        if kept is not None:
            return kept
        record = self.dataset.records[row]
        sample = load(
            self.dataset,
            record,
            self.ids,
            crowds=crowded(self.dataset),
            at_least=self.side,
            bands=self._bands,
            max_pixels=self._max_pixels,
        )
        small = smaller(sample, self.side)
        self._keep(row, small)
        return small

    def _keep(self, row: int, sample: Sample) -> None:
        size = sample.image.nbytes + sample.masks.nbytes + sample.class_map.nbytes
        for array in (sample.image, sample.boxes, sample.labels, sample.masks, sample.class_map):
            array.setflags(write=False)
        with self._lock:
            if row not in self._kept and self._bytes + size <= self.limit_bytes:
                self._kept[row] = sample
                self._bytes += size


def crowded(dataset: DataSet) -> bool:
    """Whether regions of many objects are of use: to a detector, which must not learn that nothing is there."""
    return dataset.task in ("detection", "instances")


def smaller(sample: Sample, side: int) -> Sample:
    """The sample with a short side of at most `side` pixels, never enlarged; what lies in it shrinks along.

    >>> sample = Sample(
    ...     image=np.zeros((30, 40, 3), np.uint8),
    ...     boxes=np.array([[0, 0, 20, 30]], np.float32),
    ...     labels=np.zeros(1, np.int64),
    ... )
    >>> small = smaller(sample, 15)
    >>> small.image.shape, small.boxes.tolist()
    ((15, 20, 3), [[0.0, 0.0, 10.0, 15.0]])
    """
    image = resized(sample.image, side)
    (height, width), size = sample.image.shape[:2], (image.shape[0], image.shape[1])
    if size == (height, width):
        return replace(sample, image=image)
    move = crop((0, 0, width, height), size)
    masks = [_nearest(mask, size) for mask in sample.masks.view(np.uint8)]
    return replace(
        sample,
        image=image,
        boxes=move.boxes(sample.boxes),
        masks=np.stack(masks).view(np.bool_) if masks else np.zeros((0, *size), np.bool_),
        class_map=_nearest(sample.class_map, size) if sample.class_map.size else sample.class_map,
        points=move.points(sample.points),
        regions=move.boxes(sample.regions),
    )


def _nearest(pixels: UInt8[np.ndarray, "h w"], size: Size) -> UInt8[np.ndarray, "h2 w2"]:
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
