"""The first directory of a TIFF, which is how TIFF images and EXIF say their numbers: tag -> value."""

from __future__ import annotations

import io
import os
import struct
from typing import BinaryIO

_ORIENTATION = 274
_MOST_TAGS = 4096
_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""Kinds of values that are whole numbers, and how they are stored; others are passed over."""


def pages(file: BinaryIO) -> dict[int, int]:
    """The whole numbers in the directory of the first page, each tag's first value; the file may be a BigTIFF.

    Raises struct.error where the file ends too soon.
    """
    file.seek(0)
    start = file.read(16)
    order = "<" if start.startswith(b"II") else ">"
    big = struct.unpack(f"{order}H", start[2:4])[0] == 43
    (at,) = struct.unpack(f"{order}Q", start[8:16]) if big else struct.unpack(f"{order}I", start[4:8])
    file.seek(min(at, 1 << 60), os.SEEK_SET)
    (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", file.read(8 if big else 2))
    width, room = (20, 12) if big else (12, 8)
    found: dict[int, int] = {}
    for _ in range(min(count, _MOST_TAGS)):
        entry = file.read(width)
        tag, kind = struct.unpack(f"{order}HH", entry[:4])
        if kind in _NUMBERS:
            code = f"{order}{_NUMBERS[kind]}"
            if struct.calcsize(code) <= width - room:
                (found[tag],) = struct.unpack_from(code, entry, room)
    return found


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, that a block of EXIF states; 0 where it states none or cannot be read."""
    if exif[:2] not in (b"II", b"MM"):
        return 0
    try:
        return pages(io.BytesIO(exif)).get(_ORIENTATION, 0)
    except struct.error:
        return 0
