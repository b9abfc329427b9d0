"""One rule for every kind of pixels: any Pillow image to upright RGB with 8 bits, and in words what was done.

The rules are listed in docs/decoding.md, with the file kinds that they are tested on.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Num, UInt8
from PIL import ExifTags, Image

from convworks.data import profile

TURNED = "turned upright as its EXIF orientation says"
NO_EXIF = "EXIF cannot be read: taken as upright"
ALPHA = "transparent parts laid over white"
CMYK = "CMYK brought to RGB"
FRAMES = "several frames or pages: the first is used"
WIDE = "16 bits a channel: the upper 8 are used"
RANGES = {
    255: "16-bit values up to 255 taken as 8-bit",
    4095: "16-bit values up to 4095 taken as 12-bit",
    65535: "16-bit values scaled to 8 bits",
}
"""Largest value of a range -> what is said when an image of more than 8 bits is taken to have it."""
STRETCHED = "values outside the known ranges: smallest to largest stretched to 0..255"
UNIT = "values in 0..1 taken as black to white"
BYTES = "floating point values in 0..255 taken as they are"
NOT_FINITE = "values that are not finite taken as 0"

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_rgb(image: Image.Image, turn: int, notes: list[str]) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a loaded image, turned upright; what was done beyond copying is added to `notes`."""
    if image.mode.startswith("I") or image.mode == "F":
        plane, note = eight_bits(np.asarray(image))
        coloured = Image.fromarray(plane).convert("RGB")
        notes.append(note)
    else:
        coloured = _coloured(image, notes)
    if turn in _TURNS:
        coloured = coloured.transpose(_TURNS[turn])
        notes.append(TURNED)
    return np.array(coloured)


def orientation(image: Image.Image) -> tuple[int, list[str]]:
    """The EXIF orientation, 1 to 8, and a note where it cannot be read. A loaded TIFF is upright already."""
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # of damaged EXIF, Pillow raises whatever its parsing ran into
        return 1, [NO_EXIF]
    return (turn, []) if isinstance(turn, int) and 1 <= turn <= 8 else (1, [])


def _coloured(image: Image.Image, notes: list[str]) -> Image.Image:
    """RGB of an image with 8 bits a channel; adds to `notes`."""
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        whole = image.convert("LA") if image.mode == "La" else image.convert("RGBA")
        alpha = whole.getchannel("A")
        base = whole.getchannel("L") if whole.mode == "LA" else whole.convert("RGB")
    else:
        alpha, base = None, image
    icc = image.info.get("icc_profile")
    if base.mode not in ("L", "RGB", "CMYK", "LAB"):
        base = base.convert("RGB")
    if base.mode == "CMYK":
        notes.append(CMYK)
    if isinstance(icc, bytes) and icc:
        base, note = profile.to_srgb(base, icc)
        if note:
            notes.append(note)
    elif base.mode == "LAB":
        base = profile.lab_to_srgb(base)
    elif base.mode != "RGB":
        base = base.convert("RGB")
    if alpha is None or alpha.getextrema() == (255, 255):
        return base
    notes.append(ALPHA)
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(base, mask=alpha)
    return white


def eight_bits(values: Num[np.ndarray, "h w"]) -> tuple[UInt8[np.ndarray, "h w"], str]:
    """8 bits from integers of 16 or 32 bits or from floats, and what range they were taken to have."""
    if values.dtype.kind == "f":
        return _from_floats(values)
    low, high = int(values.min()), int(values.max())
    if low >= 0:
        for top, note in RANGES.items():
            if high <= top:
                return ((values.astype(np.uint32) * 255 + top // 2) // top).astype(np.uint8), note
    return _stretched(values.astype(np.float64)), STRETCHED


def _from_floats(values: Num[np.ndarray, "h w"]) -> tuple[UInt8[np.ndarray, "h w"], str]:
    finite = np.isfinite(values)
    if not finite.any():
        raise ValueError("it holds no finite value")
    if not finite.all():
        values = np.where(finite, values, 0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        plane, note = np.rint(values.astype(np.float64) * 255).astype(np.uint8), UNIT
    elif low >= 0 and high <= 255:
        plane, note = np.rint(values).astype(np.uint8), BYTES
    else:
        plane, note = _stretched(values.astype(np.float64)), STRETCHED
    return plane, note if finite.all() else f"{note}; {NOT_FINITE}"


def _stretched(values: Num[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    return np.rint((values - low) * 255 / (high - low)).astype(np.uint8)
