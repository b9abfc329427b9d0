"""JPEGs that were cut short and then closed with an end marker, which every decoder opens without a word.

A decoder needs all the data of a whole image and ignores what follows it. So bits that are slipped in before
the end marker change nothing in a whole image, and change the missing part of a cut one.
"""

from __future__ import annotations

import io
import re

from PIL import Image, ImageChops

CUT = "looks cut short: its last part carries no image"

_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_BITS = bytes(range(1, 128)) * 2
_START_OF_SCAN, _END = 0xDA, 0xD9


def is_cut(data: bytes, decoded: Image.Image) -> bool:
    """Whether the last part of the JPEG in `data` is missing; `decoded` is its loaded image, at any scale."""
    if not (decoded.info.get("progressive") or _flat_corner(decoded)):
        return False
    end = _end(data)
    if end < 0:
        return False
    with Image.open(io.BytesIO(data[:end] + _BITS + data[end:]), formats=["JPEG"]) as longer:
        longer.draft(None, decoded.size)
        longer.load()
        return ImageChops.difference(decoded, longer).getbbox(alpha_only=False) is not None


def _flat_corner(image: Image.Image) -> bool:
    """Whether the last pixels are all alike, as a decoder leaves those for which it has no data."""
    corner = image.crop((max(0, image.width - 4), max(0, image.height - 4), image.width, image.height))
    return all(low == high for low, high in (channel.getextrema() for channel in corner.split()))


def _end(data: bytes) -> int:
    """Where the end marker of the first image in `data` stands; -1 where there is none."""
    at = 2
    while found := _MARKER.search(data, at):
        marker = data[found.end() - 1]
        if marker == _END:
            return found.start()
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return -1
