"""Small pictures of the user's images, taken into the page; a missing one is said, not stumbled over."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from convworks.errors import DecodeError
from convworks.report.markup import Markup, tag

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")
MOST_PIXELS = 64_000_000
SMALL, LARGE = 112, 200  # pixels a side
MOST_BYTES = 2_000_000  # of pictures in one page, before they are written in base64
QUALITY = 64


def thumbnail(path: Path, side: int) -> bytes:
    """A square WebP of `side` pixels: the middle of the image, upright, in colour. The file is only read.

    Raises DecodeError for a file that is missing, is no image, or is too large to be decoded safely.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise DecodeError(f"{path} has {image.width} x {image.height} pixels, too many to show.")
                image.draft("RGB", (2 * side, 2 * side))
                upright = ImageOps.exif_transpose(image)
                small = ImageOps.fit(_plain(upright), (side, side), Image.Resampling.BICUBIC)
    except FileNotFoundError as error:
        raise DecodeError(f"{path} is no longer there.") from error
    except DecodeError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds for a broken file
        raise DecodeError(f"{path} cannot be decoded: {error}.") from error
    out = io.BytesIO()
    small.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """RGB of any mode: deep ones scaled to eight bits, transparency laid on grey."""
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image.convert("F")))
        span = max(float(np.ptp(values)), 1e-6)
        scaled = (values - values.min()) * (255 / span)
        return Image.fromarray(scaled.astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        shown = image.convert("RGBA")
        ground = Image.new("RGBA", shown.size, (128, 128, 128, 255))
        return Image.alpha_composite(ground, shown).convert("RGB")
    return image.convert("RGB")


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
        return tag("img", src=address, alt=said, width=side, height=side, loading="lazy", decoding="async")

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
