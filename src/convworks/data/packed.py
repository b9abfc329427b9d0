"""Records as bytes: a million of them in the memory of a few large photos, shared by all that read them.

A Record is made anew whenever it is asked for, from its row of bytes; words that recur (classes, folders, names of
objects) are kept once. The bytes hold no Python objects, so that a fork copies none of them, and a file of them is
mapped into memory, not read.

An index on disk is opened by its path alone and never looked up: what a folder holds is found out by reading the
folder. Times of files can say that something changed, but not that nothing did, and reading takes seconds.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import mmap
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, overload

from convworks.data import rows
from convworks.data.names import shown
from convworks.data.record import Record
from convworks.errors import DataError
from convworks.files import write_whole

_RUN = 1 << 16
"""Records whose keys are sorted at a time; runs are then merged, so that keys never lie in memory together."""

_HEADER = struct.Struct("<16sQQQ")
_MARK = f"records1 {sys.byteorder}".encode().ljust(16)


class PackedRecords(Sequence[Record]):
    """A sequence of Records in bytes; slices and selections share them. Made by `pack` and `opened`."""

    __slots__ = ("_data", "_file", "_order", "_starts", "_words")

    def __init__(
        self,
        data: memoryview,
        starts: Sequence[int],
        words: Sequence[str],
        order: Sequence[int] | None = None,
        file: Path | None = None,
    ) -> None:
        self._data, self._starts, self._words, self._order, self._file = data, starts, words, order, file

    def __len__(self) -> int:
        return len(self._starts) - 1 if self._order is None else len(self._order)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> PackedRecords: ...
    def __getitem__(self, index: int | slice) -> Record | PackedRecords:
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        place = range(len(self))[index]
        return rows.read(
            self._data, self._starts[place if self._order is None else self._order[place]], self._words
        )

    def __iter__(self) -> Iterator[Record]:
        data, starts, words = self._data, self._starts, self._words
        for place in range(len(self)) if self._order is None else self._order:
            yield rows.read(data, starts[place], words)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"<{len(self):,} records in {len(self._data):,} bytes>"

    def __reduce__(self) -> tuple[Any, ...]:
        order = None if self._order is None else array("I", self._order)
        if self._file is not None:
            return _reopened, (self._file, order)
        return _restored, (bytes(self._data), array("Q", self._starts), list(self._words), order)

    def take(self, places: Iterable[int]) -> PackedRecords:
        """The records at `places`, in that order; takes 4 bytes for each of them."""
        before = self._order
        order = array("I", places if before is None else (before[place] for place in places))
        return PackedRecords(self._data, self._starts, self._words, order, self._file)

    def ordered(self, key: Callable[[Record], Any]) -> PackedRecords:
        """The records sorted by `key`, equal ones in the order that they have."""
        return self.take(self.order(key))

    def order(self, key: Callable[[Record], Any]) -> Iterable[int]:
        """The places of the records sorted by `key`, to be gone through once."""

        def of(place: int) -> Any:
            return key(self[place])

        runs = [
            array("I", sorted(range(start, min(start + _RUN, len(self))), key=of))
            for start in range(0, len(self), _RUN)
        ]
        if all(of(one[-1]) <= of(other[0]) for one, other in pairwise(runs)):
            return chain.from_iterable(runs)
        return heapq.merge(*runs, key=of)

    def save(self, path: Path) -> None:
        """Writes the records to a file for `opened`, whole or not at all. Raises StorageError."""
        whole = self._compact() if self._order is not None else self
        words = json.dumps(list(whole._words)).encode()
        starts = memoryview(array("Q", whole._starts)).cast("B")
        parts = (starts, whole._data, memoryview(words))
        header = _HEADER.pack(_MARK, len(whole), len(whole._data), len(words))
        digest = hashlib.sha256(header)
        for part in parts:
            digest.update(part)
        write_whole(path, header, *parts, memoryview(digest.digest()))

    def _compact(self) -> PackedRecords:
        """The same records, their rows one after the other."""
        data, starts = bytearray(), array("Q", [0])
        for place in self._order or ():
            data += self._data[self._starts[place] : self._starts[place + 1]]
            starts.append(len(data))
        return PackedRecords(memoryview(data), starts, self._words)


def pack(records: Iterable[Record]) -> PackedRecords:
    """Records in bytes, in their order; what is packed already stays as it is.

    Raises DataError, with the record's path, for a number that fits into no 64 bits.

    >>> pack([Record(path="cat/1.jpg", label="cat"), Record(path="dog/2.jpg", label="dog")])[1].label
    'dog'
    """
    if isinstance(records, PackedRecords):
        return records
    data, starts, words = bytearray(), array("Q", [0]), rows.Words()
    for record in records:
        try:
            rows.write(record, data, words)
        except (struct.error, OverflowError):
            raise DataError(
                f"{shown(record.path)}: its annotation holds a number that is far too large.",
                fix="correct it, or leave the image out",
            ) from None
        starts.append(len(data))
    return PackedRecords(memoryview(data), starts, list(words))


def opened(path: Path) -> PackedRecords:
    """The records that `save` wrote, mapped into memory. Raises DataError where the file is not as it was written."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            mark, count, size, listed = _HEADER.unpack(header)
            if mark != _MARK:
                raise ValueError("not packed records of this version and kind of machine")
            found, left = hashlib.sha256(header), 8 * (count + 1) + size + listed
            while left and (chunk := file.read(min(left, 1 << 20))):
                found.update(chunk)
                left -= len(chunk)
            if file.read() != found.digest():
                raise ValueError("not as it was written")
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError, struct.error) as error:
        raise DataError(
            f"{shown(str(path))} cannot be opened: {error}.", fix="read the data's folder again"
        ) from None
    begin = _HEADER.size + 8 * (count + 1)
    words = json.loads(bytes(mapped[begin + size : begin + size + listed]))
    return PackedRecords(
        mapped[begin : begin + size], mapped[_HEADER.size : begin].cast("Q"), words, file=path
    )


def _reopened(path: Path, order: array[int] | None) -> PackedRecords:
    whole = opened(path)
    return whole if order is None else whole.take(order)


def _restored(data: bytes, starts: array[int], words: list[str], order: array[int] | None) -> PackedRecords:
    return PackedRecords(memoryview(data), starts, words, order)
