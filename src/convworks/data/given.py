"""The pictures that people give to a model, as the pixels that it reads: files, folders, PIL images, arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from convworks.data import bands
from convworks.data.decode import decode, from_pil
from convworks.data.names import shown
from convworks.data.sources.suffixes import READ
from convworks.errors import DataError, DecodeError

Picture = str | Path | Image.Image | np.ndarray
"""A file, a PIL image, or an array of height x width x colours or bands."""


def below(folder: Path) -> list[Path]:
    """The image files below a folder, by name; hidden ones and links that lead out of it are left out."""
    root = folder.resolve()
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in READ
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and path.resolve().is_relative_to(root)
    )


def pixels(
    picture: Picture, ranges: bands.Ranges, max_pixels: int, *, at_least: int = 0
) -> tuple[UInt8[np.ndarray, "h w c"], tuple[int, int]]:
    """The pixels of a picture, RGB or the bands of `ranges`, and the height and width of the picture itself.

    Of a JPEG file they may be fewer, if the short side has `at_least` so many (0: all). Raises DecodeError for a file
    that cannot be read or has other bands, DataError for an array that is no picture.
    """
    if isinstance(picture, (str, Path)):
        return _of_file(Path(picture), ranges, max_pixels, at_least)
    image = _banded(picture, ranges) if ranges else _coloured(picture)
    return image, (image.shape[0], image.shape[1])


def _of_file(
    path: Path, ranges: bands.Ranges, max_pixels: int, at_least: int
) -> tuple[UInt8[np.ndarray, "h w c"], tuple[int, int]]:
    if ranges:
        image = bands.picture(path, ranges, max_pixels)
        return image, (image.shape[0], image.shape[1])
    decoded = decode(path, at_least=at_least, max_pixels=max_pixels)
    if decoded.bands:
        raise DecodeError(
            f"{shown(str(path))}: {decoded.mode}, where the model reads red, green and blue",
            fix="give files like those that it learned from",
        )
    return decoded.image, (decoded.size[1], decoded.size[0])


def _coloured(picture: Image.Image | np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    if isinstance(picture, Image.Image):
        return from_pil(picture).image
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise DataError(
            f"This array is {picture.dtype} {picture.shape}, not a picture.",
            expected="uint8, height x width x 3, red first",
            fix="(255 * array).astype(np.uint8) for numbers in 0 to 1; array[..., ::-1] for blue first",
        )
    return np.ascontiguousarray(picture)


def _banded(picture: Image.Image | np.ndarray, ranges: bands.Ranges) -> UInt8[np.ndarray, "h w c"]:
    """In the units of the files that the net learned from."""
    if isinstance(picture, Image.Image) or picture.ndim != 3 or picture.shape[2] != len(ranges):
        what = "a PIL image" if isinstance(picture, Image.Image) else f"an array {picture.shape}"
        raise DataError(
            f"This is {what}; the model reads {len(ranges)} bands.",
            expected=f"an array of height x width x {len(ranges)}, in the units of the training images",
        )
    return bands.scaled(picture, ranges)
