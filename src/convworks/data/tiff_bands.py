"""TIFFs whose samples are bands, which Pillow does not open as pictures: found by their directory, unpacked by Pillow.

Source: TIFF 6.0, sections 2 to 8, 14 and 15; BigTIFF's wider numbers. Pillow (libtiff) still unpacks every compressed
strip or tile, each as a gray image of one line; only how these lie side by side is read here.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Num
from PIL import Image

from convworks.data.quiet import listening

_KINDS = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q", 17: "q"}
_MOST = 1 << 20
"""Entries of a directory, and values of one, that are read at most."""
_WIDTH, _HEIGHT, _BITS, _PACKED, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _ROWS, _COUNTS, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT = 322, 323, 324, 325, 338, 339
_UNPACKED = (5, 8, 32773, 32946)
"""How strips may be packed besides not at all (1): LZW, Deflate, PackBits, Deflate by its old number."""

Tags = dict[int, tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What the first directory of a TIFF says of its samples; `order` is "<" or ">"."""

    tags: Tags
    order: str

    def one(self, tag: int, otherwise: int = 0) -> int:
        """The first value of a tag."""
        found = self.tags.get(tag)
        return int(found[0]) if found else otherwise

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.one(_HEIGHT), self.one(_WIDTH)

    @property
    def samples(self) -> int:
        """How many numbers a pixel has."""
        return self.one(_SAMPLES, 1)

    @property
    def dtype(self) -> np.dtype:
        """The kind of number; ValueError for one of no whole bytes."""
        bits, kinds = set(self.tags.get(_BITS, (1,))), set(self.tags.get(_FORMAT, (1,)))
        if len(bits) != 1 or len(kinds) != 1:
            raise ValueError("bands of different kinds")
        name = f"{ {1: 'u', 2: 'i', 3: 'f'}.get(int(kinds.pop()), '?') }{int(bits.pop()) // 8}"
        if name not in ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8"):
            raise ValueError("numbers of a kind that is not read")
        return np.dtype(name)

    @property
    def coloured(self) -> bool:
        """Whether the first three samples are red, green and blue."""
        return self.one(_PHOTOMETRIC) == 2

    @property
    def several(self) -> bool:
        """Whether the samples are bands, and not gray, colours, or these with transparency."""
        if self.one(_PHOTOMETRIC) not in (0, 1, 2):
            return False
        bare = set(self.tags.get(_EXTRA, (0,) if not self.coloured else (1,))) == {0}
        return self.samples > 4 or (self.samples in ((4,) if self.coloured else (2, 3, 4)) and bare)


def directory(data: bytes) -> Directory | None:
    """The first directory of a TIFF or BigTIFF; None of anything else, and where it cannot be read."""
    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    word, room, width = ("Q", 8, 20) if big else ("I", 4, 12)
    tags: Tags = {}
    try:
        (at,) = struct.unpack_from(order + word, data, 8 if big else 4)
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
        at += 8 if big else 2
        for place in range(min(count, 4096)):
            tag, kind, number = struct.unpack_from(f"{order}HH{word}", data, at + place * width)
            if kind not in _KINDS or number > _MOST:
                continue
            code = f"{order}{number}{_KINDS[kind]}"
            begin = at + place * width + 4 + room
            if struct.calcsize(code) > room:
                (begin,) = struct.unpack_from(order + word, data, begin)
            tags[tag] = struct.unpack_from(code, data, begin)
    except (struct.error, OverflowError):
        return None
    return Directory(tags=tags, order=order)


def values(data: bytes) -> Num[np.ndarray, "h w c"]:
    """The samples of the first page, band last; raises ValueError for what is damaged or packed otherwise."""
    found = directory(data)
    if found is None:
        raise ValueError("its directory cannot be read")
    (height, width), samples, dtype = found.size, found.samples, found.dtype
    apart = found.one(_PLANAR, 1) == 2
    tiled = _TILE_OFFSETS in found.tags
    high, wide = (
        (found.one(_TILE_HEIGHT), found.one(_TILE_WIDTH))
        if tiled
        else (min(found.one(_ROWS, height), height), width)
    )
    if high < 1 or wide < 1 or high > max(height, 1) + 4096 or wide > max(width, 1) + 4096:
        raise ValueError("strips or tiles of an impossible size")
    if height * width * samples * dtype.itemsize > 16 * 64_000_000:
        raise ValueError("more numbers than are read")
    offsets = found.tags.get(_TILE_OFFSETS if tiled else _OFFSETS, ())
    lengths = found.tags.get(_TILE_COUNTS if tiled else _COUNTS, ())
    down, across = -(-height // high), -(-width // wide)
    planes, together = (samples, 1) if apart else (1, samples)
    if len(offsets) != len(lengths) or len(offsets) < planes * down * across:
        raise ValueError("truncated: strips or tiles are missing")
    image = np.zeros((height, width, samples), dtype)
    for number in range(planes * down * across):
        plane, place = divmod(number, down * across)
        top, left = place // across * high, place % across * wide
        rows = high if tiled else min(high, height - top)
        packed = data[offsets[number] : offsets[number] + lengths[number]]
        size = rows * wide * together * dtype.itemsize
        raw = _unpacked(packed, found.one(_PACKED, 1), size)
        if len(raw) < size:
            raise ValueError("truncated: a strip or tile is too short")
        part = np.frombuffer(raw, np.dtype(found.order + dtype.str[1:]), rows * wide * together)
        part = _restored(part.reshape(rows, wide, together).astype(dtype), found.one(_PREDICTOR, 1))
        bands = slice(plane, plane + 1) if apart else slice(None)
        inside = image[top : top + rows, left : left + wide, bands]
        inside[:] = part[: inside.shape[0], : inside.shape[1]]
    return image


def _unpacked(packed: bytes, how: int, size: int) -> bytes:
    """The bytes of a strip or tile, of which there should be `size`."""
    if how == 1:
        return packed
    if how not in _UNPACKED:
        raise ValueError(f"packed in way {how}, which is not read; save it without, or with LZW or Deflate")
    entries = (
        (256, 4, size),
        (257, 3, 1),
        (258, 3, 8),
        (259, 3, how),
        (262, 3, 1),
        (273, 4, 8 + 2 + 9 * 12 + 4),
    )
    entries += ((277, 3, 1), (278, 4, 1), (279, 4, len(packed)))
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    lines = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    with listening(), Image.open(io.BytesIO(head + lines + bytes(4) + packed), formats=("TIFF",)) as line:
        return line.tobytes()


def _restored(part: Num[np.ndarray, "h w c"], predictor: int) -> Num[np.ndarray, "h w c"]:
    """The numbers of a strip or tile that holds them as they are (1) or as differences to the left (2)."""
    if predictor == 1:
        return part
    if predictor != 2 or part.dtype.kind == "f":
        raise ValueError(f"its numbers are kept by predictor {predictor}, which is not read")
    return np.cumsum(part, axis=1, dtype=part.dtype)
