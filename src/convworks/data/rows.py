"""One Record as a row of bytes, and back: fixed fields first, then what only some records have.

    flags 1 | label 2 | folder 2 | length of name 4 | name
    [label, folder, where not among the words] [labels] [boxes] [mask] [instances] [group] [size]

Words are the strings that recur, told by their number; once there are 65,535 of them, others stand in the row.
Numbers are little-endian; floats are float64 and texts UTF-8, lone surrogates included, so that all survives exactly.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from convworks.data.record import BoxNote, Record, Split

_SPLITS: tuple[Split, ...] = ("", "train", "val", "test")
_NUMBERS: dict[Split, int] = {split: number for number, split in enumerate(_SPLITS)}
_LABELS, _BOXES, _MASK, _INSTANCES, _GROUP, _SIZE = (1 << bit for bit in range(2, 8))
_CROWD, _DIFFICULT, _LONG_RUNS = 1, 2, 4
_HERE = 0xFFFF
"""The number of a word that stands in the row itself."""

_START = struct.Struct("<BHHI")
_WORD = struct.Struct("<H")
_COUNT = struct.Struct("<I")
_PAIR = struct.Struct("<qq")
_BOX = struct.Struct("<BddddIII")
_POINT = struct.Struct("<ddq")


class Words(dict[str, int]):
    """Strings that recur -> their numbers, in the order in which they came."""

    def number(self, word: str) -> int:
        """The number of `word`, which is now known; `_HERE` where there is no room for another."""
        found = self.get(word)
        if found is None:
            if len(self) == _HERE:
                return _HERE
            found = self[word] = len(self)
        return found


def write(record: Record, data: bytearray, words: Words) -> None:
    """Appends the row of `record`; its words become known. Raises struct.error for integers of over 64 bits."""
    cut = record.path.rfind("/") + 1
    folder, name = record.path[:cut], record.path[cut:].encode("utf-8", "surrogatepass")
    flags = (
        _NUMBERS[record.split]
        | (_LABELS if record.labels else 0)
        | (_BOXES if record.boxes else 0)
        | (_MASK if record.mask else 0)
        | (_INSTANCES if record.instances else 0)
        | (_GROUP if record.group else 0)
        | (_SIZE if record.size != (0, 0) else 0)
    )
    numbers = words.number(record.label), words.number(folder)
    data += _START.pack(flags, *numbers, len(name))
    data += name
    for number, word in zip(numbers, (record.label, folder), strict=True):
        if number == _HERE:
            data += _text(word)
    if flags < _LABELS:
        return
    if record.labels:
        data += _COUNT.pack(len(record.labels))
        for label in record.labels:
            data += _word(label, words)
    if record.boxes:
        data += _COUNT.pack(len(record.boxes))
        for note in record.boxes:
            data += _note(note, words)
    for path in (record.mask, record.instances):
        if path:
            cut = path.rfind("/") + 1
            data += _word(path[:cut], words) + _text(path[cut:])
    if record.group:
        data += _word(record.group, words)
    if flags & _SIZE:
        data += _PAIR.pack(*record.size)


def read(data: memoryview, at: int, words: Sequence[str]) -> Record:
    """The record whose row begins at `at`."""
    start: tuple[int, int, int, int] = _START.unpack_from(data, at)
    flags, label, folder, length = start
    at += _START.size
    name = str(data[at : at + length], "utf-8", "surrogatepass")
    if flags < _LABELS and label != _HERE and folder != _HERE:
        return Record(path=words[folder] + name, label=words[label], split=_SPLITS[flags])
    row = _Row(data, at + length, words)
    return Record(
        label=row.text() if label == _HERE else words[label],
        path=(row.text() if folder == _HERE else words[folder]) + name,
        split=_SPLITS[flags & 3],
        labels=tuple(row.word() for _ in range(row.count())) if flags & _LABELS else (),
        boxes=tuple(row.note() for _ in range(row.count())) if flags & _BOXES else (),
        mask=row.word() + row.text() if flags & _MASK else "",
        instances=row.word() + row.text() if flags & _INSTANCES else "",
        group=row.word() if flags & _GROUP else "",
        size=_PAIR.unpack(row.bytes(_PAIR.size)) if flags & _SIZE else (0, 0),
    )


class _Row:
    """The rest of a row, read from front to back."""

    __slots__ = ("at", "data", "words")

    def __init__(self, data: memoryview, at: int, words: Sequence[str]) -> None:
        self.data, self.at, self.words = data, at, words

    def bytes(self, size: int) -> memoryview:
        self.at += size
        return self.data[self.at - size : self.at]

    def count(self) -> int:
        return _COUNT.unpack(self.bytes(_COUNT.size))[0]

    def text(self) -> str:
        return str(self.bytes(self.count()), "utf-8", "surrogatepass")

    def word(self) -> str:
        number: int = _WORD.unpack(self.bytes(_WORD.size))[0]
        return self.text() if number == _HERE else self.words[number]

    def floats(self, count: int) -> tuple[float, ...]:
        return struct.unpack(f"<{count}d", self.bytes(8 * count))

    def note(self) -> BoxNote:
        flags, x0, y0, x1, y1, rings, runs, points = _BOX.unpack(self.bytes(_BOX.size))
        kind, size = ("q", 8) if flags & _LONG_RUNS else ("I", 4)
        return BoxNote(
            box=(x0, y0, x1, y1),
            name=self.word(),
            polygons=tuple(self.floats(self.count()) for _ in range(rings)),
            runs=struct.unpack(f"<{runs}{kind}", self.bytes(size * runs)),
            points=tuple(_POINT.iter_unpack(self.bytes(_POINT.size * points))),
            crowd=bool(flags & _CROWD),
            difficult=bool(flags & _DIFFICULT),
        )


def _note(note: BoxNote, words: Words) -> bytes:
    long = bool(note.runs) and not 0 <= min(note.runs) <= max(note.runs) < 1 << 32
    flags = _CROWD * note.crowd | _DIFFICULT * note.difficult | _LONG_RUNS * long
    parts = [
        _BOX.pack(flags, *note.box, len(note.polygons), len(note.runs), len(note.points)),
        _word(note.name, words),
        *(_COUNT.pack(len(ring)) + struct.pack(f"<{len(ring)}d", *ring) for ring in note.polygons),
        struct.pack(f"<{len(note.runs)}{'q' if long else 'I'}", *note.runs),
        *(_POINT.pack(*point) for point in note.points),
    ]
    return b"".join(parts)


def _word(word: str, words: Words) -> bytes:
    number = words.number(word)
    return _WORD.pack(number) + (_text(word) if number == _HERE else b"")


def _text(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return _COUNT.pack(len(encoded)) + encoded
