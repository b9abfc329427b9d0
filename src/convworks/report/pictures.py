"""Small pictures of the user's images, taken into the page; a missing one is said, not stumbled over."""

from __future__ import annotations

import base64
import io
from pathlib import Path, PurePosixPath

from PIL import Image, ImageOps

from convworks.data.decode import decode
from convworks.errors import DecodeError
from convworks.report.markup import Markup, tag

SMALL, LARGE = 112, 200  # pixels a side
MOST_BYTES = 2_000_000  # of pictures in one page, before they are written in base64
QUALITY = 64


def thumbnail(path: Path, side: int) -> bytes:
    """A square WebP of `side` pixels: the middle of the image as the net saw it. The file is only read.

    Raises DecodeError for a file that is missing, is no image, or is too large to be decoded safely.
    """
    whole = Image.fromarray(decode(path, at_least=side).image)
    out = io.BytesIO()
    ImageOps.fit(whole, (side, side), Image.Resampling.BICUBIC).save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


class Album:
    """The pictures of one page: counts their bytes, and those that are not there."""

    def __init__(self, root: str, most_bytes: int = MOST_BYTES) -> None:
        self.root = Path(root)
        self.left = most_bytes
        self.shown = 0
        self.missing: set[str] = set()

    def show(self, path: str, side: int, said: str) -> Markup:
        """The picture of a path relative to the root, described by `said`; a plate where there is none."""
        if self.left <= 0:
            return _plate("not shown, to keep this file small", said)
        if (address := self._address(path, side)) is None:
            return _plate("file not there", said)
        return tag("img", src=address, alt=said, width=side, height=side, decoding="async")

    def _address(self, path: str, side: int) -> str | None:
        inside = PurePosixPath(path)
        if inside.is_absolute() or ".." in inside.parts:
            self.missing.add(path)
            return None
        try:
            data = thumbnail(self.root / inside, side)
        except (DecodeError, ValueError):
            self.missing.add(path)
            return None
        self.left -= len(data)
        self.shown += 1
        return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def _plate(reason: str, said: str) -> Markup:
    return tag("span", reason, class_="plate", role="img", aria_label=f"{said} ({reason})")
