"""Files to pixels, the one way that training, predicting, serving and exporting share: Pillow decodes.

The size is checked in the header before a pixel is decoded, EXIF orientation is applied once, and whatever
bytes a file holds, nothing but DecodeError is raised and nothing is printed. `rgb` has the rules for pixels.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import BinaryIO

import numpy as np
from jaxtyping import Num, UInt8
from PIL import AvifImagePlugin, Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from convworks.data import bands, cut, files, rgb, upright
from convworks.data.names import shown
from convworks.data.quiet import hush_libtiff, listening
from convworks.errors import DecodeError

MAX_PIXELS = 64_000_000
"""The largest image that is decoded unless asked otherwise, in pixels."""

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "PPM", "AVIF")
"""What is read, whatever a file is called; other formats, some of which run programs, are not tried."""

BANDS = "several bands: the first three, or the only one, are shown as red, green and blue"
WARNED = "Pillow: "
"""How a note begins that repeats what Pillow warned of."""

_SUFFIXES: dict[str, frozenset[str]] = {
    "JPEG": frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    "MPO": frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"}),
    "PNG": frozenset({".png"}),
    "GIF": frozenset({".gif"}),
    "WEBP": frozenset({".webp"}),
    "TIFF": frozenset({".tif", ".tiff"}),
    "BMP": frozenset({".bmp", ".dib"}),
    "PPM": frozenset({".ppm", ".pgm", ".pbm", ".pnm"}),
    "AVIF": frozenset({".avif"}),
    "NPY": frozenset({".npy"}),
}
_STARTS: dict[bytes, str] = {
    b"<": "a web page or other text",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"8BPS": "a Photoshop file",
    b"version https://git-lfs": "a Git LFS pointer; fetch the file itself",
}

_PLUGINS = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Imported here, because Pillow would import all that it has to look for one that is missing."""

Stored = Num[np.ndarray, "h w *c"]
"""Pixels of a mask image: indices, or red, green and blue."""

logging.getLogger("PIL").addHandler(logging.NullHandler())
hush_libtiff()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """An upright image, and what was done to it.

    `size` is (width, height) of the original, upright, even where `image` is smaller. `mode` and `format` are
    Pillow's words for the file ("RGB", "I;16"; "JPEG"). `turn` is the EXIF orientation, 1 to 8, that was undone.
    `bands`, where not 0, is how many the file has, of which `image` shows no more than three.
    """

    image: UInt8[np.ndarray, "h w 3"]
    size: tuple[int, int]
    mode: str
    format: str
    notes: tuple[str, ...] = ()
    turn: int = 1
    bands: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says of itself before its pixels: upright (width, height), mode, format."""

    size: tuple[int, int]
    mode: str
    format: str


def decode(path: Path, *, at_least: int = 0, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The image in a file; where `at_least` is not 0, a JPEG may come smaller, its short side at least that.

    Raises DecodeError for anything that is not a whole image of at most `max_pixels`.
    """
    data = read(path, max_pixels=max_pixels)
    return decode_bytes(data, str(path), at_least=at_least, max_pixels=max_pixels)


def decode_bytes(data: bytes, name: str, *, at_least: int = 0, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The image in the bytes of a file; `name` is for messages, and for a note on a suffix that is wrong."""
    with listening() as warned:
        try:
            if (held := bands.layout(data, max_pixels)) is not None:
                return _of_bands(data, held, name, max_pixels)
            with _open(io.BytesIO(data), max_pixels) as image:
                size, mode = image.size, image.mode
                _shrink(image, at_least)
                decoded = _finish(image, size, mode, data)
        except Exception as error:
            raise _refusal(name, data, error, max_pixels) from None
    told = dict.fromkeys(WARNED + shown(text) for text in warned)
    return replace(decoded, notes=(*decoded.notes, *_misnamed(name, decoded.format), *told))


def _of_bands(data: bytes, held: bands.Layout, name: str, max_pixels: int) -> Decoded:
    """What a picture shows of an image of bands; one band goes by the rules for gray ones of as many bits."""
    values = bands.values(data, max_pixels)
    format, notes = "NPY" if data.startswith(bands.MAGIC) else "TIFF", [BANDS]
    if held.several:
        pixels = bands.view(values)
    elif values.dtype == np.uint8:
        pixels, notes = np.ascontiguousarray(np.broadcast_to(values, (*held.size, 3))), []
    else:
        plane, note = rgb.eight_bits(values[..., 0])
        pixels, notes = np.repeat(plane[..., None], 3, 2), [note]
    height, width = held.size
    return Decoded(
        image=pixels,
        size=(width, height),
        mode=held.mode,
        format=format,
        notes=(*notes, *_misnamed(name, format)),
        bands=held.bands if held.several else 0,
    )


def stored(path: Path, *, coloured: bool = False, max_pixels: int = MAX_PIXELS) -> Stored:
    """The values in a mask image, upright: (h, w) indices as they are stored, of up to 16 bits, or (h, w, 3) colours.

    A palette is an index, unless `coloured`, and so is a gray of three channels; one bit is 0 and 255; alpha is
    not looked at. Raises DecodeError.
    """
    data = read(path, max_pixels=max_pixels)
    with listening():
        try:
            with _open(io.BytesIO(data), max_pixels) as image:
                image.load()
                turn, _ = rgb.orientation(image)
                return upright.turned(_values(image, coloured), turn)
        except Exception as error:
            raise _refusal(str(path), data, error, max_pixels) from None


def _values(image: Image.Image, coloured: bool) -> Stored:
    if coloured or (image.mode not in ("1", "L", "LA", "P", "PA") and not image.mode.startswith("I")):
        colours = np.array(image.convert("RGB"))
        gray = not coloured and (colours == colours[..., :1]).all()
        return colours[..., 0] if gray else colours
    if image.mode == "1":
        return np.array(image.convert("L"))
    if image.mode in ("LA", "PA"):
        return np.array(image)[..., 0]
    return np.array(image)


def from_pil(image: Image.Image) -> Decoded:
    """A Pillow image under the same rules; EXIF orientation is applied where the image still carries it."""
    with listening():
        try:
            image.load()
            return _finish(image, image.size, image.mode, b"")
        except Exception as error:
            raise _refusal("the image", b"", error, MAX_PIXELS) from None


def header(path: Path, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Size, mode and format from the first bytes of a file. Raises DecodeError."""
    with files.opened(path, _most_bytes(max_pixels)) as file, listening():
        try:
            if (start := file.read(6)) == bands.MAGIC or start[:2] in (b"II", b"MM"):
                file.seek(0)
                data = file.read(1 << 14) if start == bands.MAGIC else file.read()
                if (held := bands.layout(data, max_pixels)) is not None:
                    format = "NPY" if start == bands.MAGIC else "TIFF"
                    height, width = held.size
                    return Header(size=(width, height), mode=held.mode, format=format)
            file.seek(0)
            with _open(file, max_pixels) as image:
                turn = 1 if image.format == "TIFF" else rgb.orientation(image)[0]
                return Header(size=_upright(image.size, turn), mode=image.mode, format=image.format or "")
        except Exception as error:
            raise _refusal(str(path), b"", error, max_pixels) from None


def read(path: Path, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """The bytes of a file, if they are not more than `max_pixels` could need. Raises DecodeError."""
    return files.content(path, _most_bytes(max_pixels))


def _most_bytes(max_pixels: int) -> int:
    return 16 * max_pixels + (1 << 20)


class _Unreadable(Exception):
    """Why a file is no image, in words."""


def _open(file: BinaryIO, max_pixels: int) -> Image.Image:
    """An image whose header was read and whose size is allowed."""
    if not file.read(1):
        raise _Unreadable("empty (0 bytes)")
    file.seek(0)
    # Pillow's own limit is one for the process; who asks for more than it allows lifts it.
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
    image = Image.open(file, formats=FORMATS)
    _allow(image.size, max_pixels)
    return image


def _allow(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise _Unreadable("an image without pixels")
    if width * height > max_pixels:
        raise _Unreadable(f"{width} x {height} pixels, {_millions(width * height)}; {_limit(max_pixels)}")


def _shrink(image: Image.Image, at_least: int) -> None:
    """Asks the JPEG decoder for the smallest of its scales whose short side is still `at_least` pixels."""
    short = min(image.size)
    if 0 < at_least < short:
        image.draft(None, (-(-image.width * at_least // short), -(-image.height * at_least // short)))


def _finish(image: Image.Image, size: tuple[int, int], mode: str, data: bytes) -> Decoded:
    wide = _wide(image)
    several = image.format != "MPO" and bool(getattr(image, "is_animated", False))
    image.load()
    turn, notes = rgb.orientation(image)
    pixels = rgb.to_rgb(image, turn, notes)
    if several:
        notes.append(rgb.FRAMES)
    if wide:
        notes.append(rgb.WIDE)
    if image.format in ("JPEG", "MPO") and data and cut.is_cut(data, image):
        notes.append(cut.CUT)
    return Decoded(
        image=pixels,
        size=_upright(size, turn),
        mode=mode,
        format=image.format or "",
        notes=tuple(notes),
        turn=turn,
    )


def _wide(image: Image.Image) -> bool:
    """Whether a colour file holds 16 bits a channel, of which Pillow keeps the upper 8."""
    arguments = [tile[3] for tile in getattr(image, "tile", None) or []]
    packings = [one if isinstance(one, str) else str(one[0]) for one in arguments if one]
    return image.mode in ("RGB", "RGBA", "LA", "CMYK") and any(";16" in packing for packing in packings)


def _upright(size: tuple[int, int], turn: int) -> tuple[int, int]:
    return (size[1], size[0]) if turn >= 5 else size


def _misnamed(name: str, format: str) -> list[str]:
    suffix = PurePath(name).suffix.lower()
    if not suffix or suffix in _SUFFIXES.get(format, {suffix}):
        return []
    return [f"a {format} file named {shown(suffix)}"]


def _refusal(name: str, data: bytes, error: Exception, max_pixels: int) -> DecodeError:
    place = f"{shown(name)}: " if name else ""
    match error:
        case _Unreadable():
            reason = str(error)
        case Image.DecompressionBombError():
            reason = f"far too many pixels; {_limit(max_pixels)}"
        case UnidentifiedImageError():
            what = next((what for start, what in _STARTS.items() if data.lstrip()[:40].startswith(start)), "")
            reason = f"not an image that can be read{f' ({what})' if what else ''}"
        case MemoryError():
            reason = "not enough memory to decode it"
        case _:
            text = shown(str(error))[:200] or type(error).__name__
            reason = f"cut short ({text})" if "truncat" in text.lower() else f"damaged ({text})"
    fix = "make it smaller, or raise max_pixels (`--max-pixels`)" if _limit(max_pixels) in reason else ""
    return DecodeError(f"{place}{reason}", fix=fix or "replace the file or remove it")


def _limit(max_pixels: int) -> str:
    return f"at most {_millions(max_pixels)} are decoded"


def _millions(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f} million" if pixels >= 1_000_000 else f"{pixels:,}"
