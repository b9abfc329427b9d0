"""Small pictures of the user's images, taken into the page; a missing one is said, not stumbled over."""

from __future__ import annotations

import base64
import io
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8
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
    return small(decode(path, at_least=side).image, side)


def small(image: UInt8[np.ndarray, "h w 3"], side: int) -> bytes:
    """The middle of an image as a square WebP of `side` pixels."""
    out = io.BytesIO()
    fitted = ImageOps.fit(Image.fromarray(image), (side, side), Image.Resampling.BICUBIC)
    fitted.save(out, "WEBP", quality=QUALITY, method=4)
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
        return self.place(self.open(path, side) if self.left > 0 else None, side, said)

    def place(self, image: UInt8[np.ndarray, "h w 3"] | None, side: int, said: str) -> Markup:
        """The middle of an image that was opened, or made of one; a plate where there is none."""
        if self.left <= 0:
            return _plate("not shown, to keep this file small", said)
        if image is None:
            return _plate("file not there", said)
        return self._taken(small(image, side), side, side, said)

    def whole(self, image: UInt8[np.ndarray, "h w 3"] | None, said: str) -> Markup:
        """All of an image, as it is; a plate where there is none."""
        if self.left <= 0 or image is None:
            return self.place(None, 0, said)
        out = io.BytesIO()
        Image.fromarray(image).save(out, "WEBP", quality=QUALITY, method=4)
        return self._taken(out.getvalue(), image.shape[1], image.shape[0], said)

    def _taken(self, data: bytes, width: int, height: int, said: str) -> Markup:
        self.left -= len(data)
        self.shown += 1
        address = f"data:image/webp;base64,{base64.b64encode(data).decode()}"
        return tag("img", src=address, alt=said, width=width, height=height, decoding="async")

    def open(self, path: str, at_least: int) -> UInt8[np.ndarray, "h w 3"] | None:
        """The image of a path relative to the root, no smaller than `at_least`; None, and counted, if it is gone."""
        inside = PurePosixPath(path)
        try:
            if inside.is_absolute() or ".." in inside.parts:
                raise ValueError(path)
            return decode(self.root / inside, at_least=at_least).image
        except (DecodeError, ValueError):
            self.missing.add(path)
            return None


def _plate(reason: str, said: str) -> Markup:
    return tag("span", reason, class_="plate", role="img", aria_label=f"{said} ({reason})")
