"""Width and height from the first bytes of an image, as it is shown: turned as its EXIF orientation says.

YOLO files hold fractions of the image that a person saw, and records hold pixels; this is what lies between them.
It agrees with `decode.header`, without opening the image: the marks of JPEG, PNG, GIF, BMP, WebP, TIFF and PNM.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from convworks.data import files
from convworks.data.sources.tiff import orientation, pages
from convworks.errors import DecodeError

Size = tuple[int, int]

_MOST = 1 << 20
"""The largest part of a file that is read at once, and ..."""
_PARTS = 1 << 16
"""... how many parts are looked at: a file that has more is not waited for."""
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that begin with a size: all SOFs, but neither tables (C4, CC) nor the reserved C8."""


def displayed(path: Path) -> Size:
    """(width, height) of the upright image in a file; (0, 0) where its header does not say it."""
    return oriented(path)[0]


def oriented(path: Path) -> tuple[Size, int]:
    """(width, height) of the upright image in a file, (0, 0) if unknown, and the EXIF orientation (1 to 8)."""
    try:
        with files.opened(path, 1 << 62) as file:
            width, height, turn = _stored(file)
    except (DecodeError, OSError, struct.error, IndexError, ValueError):
        return (0, 0), 1
    if width < 1 or height < 1:
        return (0, 0), 1
    if not 1 <= turn <= 8:
        turn = 1
    return (height, width) if turn >= 5 else (width, height), turn


def _stored(file: BinaryIO) -> tuple[int, int, int]:
    """Width and height as stored, and the orientation (1 where nothing is said)."""
    start = file.read(32)
    match start:
        case _ if start.startswith(b"\xff\xd8\xff"):
            return _jpeg(file)
        case _ if start.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(file)
        case _ if start.startswith((b"GIF87a", b"GIF89a")):
            return (*_gif(file), 1)
        case _ if start.startswith(b"BM"):
            return (*_bmp(start), 1)
        case _ if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
            return _webp(file, start)
        case _ if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
            first = pages(file)
            return first.get(256, 0), first.get(257, 0), first.get(274, 1)
        case _ if re.match(rb"P[1-6]\s", start):
            return (*_pnm(file), 1)
        case _:
            return (0, 0, 1)


def _jpeg(file: BinaryIO) -> tuple[int, int, int]:
    """The size in the first frame, and the orientation in what stands before the picture."""
    file.seek(2)
    size, exif, spoken = (0, 0), b"", b""
    for marker, length in _segments(file):
        if marker in _FRAMES and size == (0, 0):
            _, height, width = struct.unpack(">BHH", file.read(5))
            size, length = (width, height), length - 5
        elif marker == 0xE1:
            content, length = file.read(length), 0
            if content.startswith(b"Exif\0\0"):
                exif += content[6:]
            elif content.startswith(_XMP_MARK):
                spoken = content
        file.seek(max(0, length), os.SEEK_CUR)
    return (*size, orientation(exif) or _in_xmp(spoken))


def _segments(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Marker and length of each segment before the picture itself; the reader goes on behind it."""
    marked = False
    for _ in range(_PARTS):
        byte = file.read(1)
        if not marked or byte == b"\xff":
            marked = byte == b"\xff"
        elif not byte or byte in (b"\xda", b"\xd9"):
            return
        else:
            marked = False
            if byte != b"\0" and not 0xD0 <= byte[0] <= 0xD8 and byte[0] != 1:
                yield byte[0], max(0, struct.unpack(">H", file.read(2))[0] - 2)


def _png(file: BinaryIO) -> tuple[int, int, int]:
    file.seek(8)
    size, turn, spoken = (0, 0), 0, b""
    for head in _heads(file):
        length, kind = struct.unpack(">I4s", head)
        content = file.read(length) if length <= _MOST and kind in (b"IHDR", b"eXIf", b"iTXt") else b""
        file.seek(length - len(content) + 4, os.SEEK_CUR)
        match kind:
            case b"IHDR":
                size = struct.unpack(">II", content[:8])
            case b"eXIf":
                turn = orientation(content.removeprefix(b"Exif\0\0"))
            case b"iTXt" if content.startswith(b"XML:com.adobe.xmp\0"):
                spoken = content
            case _:
                pass
    return (*size, turn or _in_xmp(spoken))


def _heads(file: BinaryIO) -> Iterator[bytes]:
    """The eight bytes before each part of a PNG or WebP; the reader goes on behind its content."""
    for _ in range(_PARTS):
        if len(head := file.read(8)) < 8:
            return
        yield head


def _gif(file: BinaryIO) -> Size:
    """The screen, or the first frame where that reaches further."""
    file.seek(6)
    width, height, flags = struct.unpack("<HHBxx", file.read(7))
    file.seek(3 << (flags & 7) + 1 if flags & 0x80 else 0, os.SEEK_CUR)
    while (kind := file.read(1)) == b"!" and file.tell() < _MOST:
        file.read(1)
        while (length := file.read(1)[0]) and file.tell() < _MOST:
            file.seek(length, os.SEEK_CUR)
    if kind != b",":
        return width, height
    left, top, wide, high = struct.unpack("<HHHH", file.read(8))
    return max(width, left + wide), max(height, top + high)


def _bmp(start: bytes) -> Size:
    if struct.unpack_from("<I", start, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", start, 18)
    else:
        width, height = struct.unpack_from("<ii", start, 18)
    return width, abs(height)


def _webp(file: BinaryIO, start: bytes) -> tuple[int, int, int]:
    if start[12:16] == b"VP8L":
        bits = struct.unpack_from("<I", start, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1
    if start[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", start, 26)
        return width & 0x3FFF, height & 0x3FFF, 1
    if start[12:16] != b"VP8X":
        return 0, 0, 1
    width, height = (1 + int.from_bytes(start[at : at + 3], "little") for at in (24, 27))
    turn, spoken = 0, b""
    file.seek(12)
    for head in _heads(file):
        kind, length = struct.unpack("<4sI", head)
        content = file.read(length) if length <= _MOST and kind in (b"EXIF", b"XMP ") else b""
        file.seek(length - len(content) + (length & 1), os.SEEK_CUR)
        if kind == b"EXIF":
            turn = orientation(content.removeprefix(b"Exif\0\0"))
        elif kind == b"XMP ":
            spoken = content
    return width, height, turn or _in_xmp(spoken)


def _pnm(file: BinaryIO) -> Size:
    file.seek(2)
    words = re.sub(rb"#[^\n\r]*", b" ", file.read(4096)).split()
    return int(words[0]), int(words[1])


def _in_xmp(spoken: bytes) -> int:
    """The orientation that an XMP packet states; 1 where it states none."""
    found = _XMP.search(spoken)
    return int(found[1]) if found else 1
