"""Images of other bands than red, green and blue: numpy arrays and TIFFs, read as they are and scaled by stated ranges.

What a net reads of such an image are 256 steps of each band, from a low to a high value that were measured over the
training images and are part of the model: nothing is guessed from the picture itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num, UInt8

from convworks.data import files, tiff_bands
from convworks.data.names import shown
from convworks.errors import DataError, DecodeError

MOST_BANDS = 64
SAMPLED = 200  # training images that ranges are measured on,
PIXELS = 5_000  # and of each about so many pixels
ENDS = (0.1, 99.9)  # percentiles that become 0 and 255
MAGIC = b"\x93NUMPY"
KINDS = "uif"  # whole numbers without and with a sign, floating point

Bands = Num[np.ndarray, "h w c"]
Ranges = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a header says: height and width, how many bands of which kind, and whether the first three are RGB."""

    size: tuple[int, int]
    bands: int
    dtype: str
    coloured: bool = False

    @property
    def several(self) -> bool:
        """Whether they are more, or say more, than a gray picture or one in red, green and blue with 8 bits each."""
        return self.bands not in (1, 3) or (self.bands == 3 and self.dtype != "uint8")

    @property
    def mode(self) -> str:
        """In words, as the mode of other images."""
        return f"{self.bands} bands of {self.dtype}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How bands become numbers for a net: the values that become 0 and 255, then mean and deviation in [0, 1].

    All by band, measured over training images. `coloured` says that the first three are red, green and blue.
    """

    ranges: Ranges
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    coloured: bool


def layout(data: bytes, max_pixels: int) -> Layout | None:
    """What the header of a file says where it holds bands; None for what any other decoder reads as a picture.

    Raises ValueError, with the reason, for an array that is no image.
    """
    if data.startswith(MAGIC):
        found = _array_header(data)[0]
    else:
        tiff = tiff_bands.directory(data)
        if tiff is None or not tiff.several:
            return None
        found = Layout(size=tiff.size, bands=tiff.samples, dtype=str(tiff.dtype), coloured=tiff.coloured)
    height, width = found.size
    if height < 1 or width < 1:
        raise ValueError("an image without pixels")
    if height * width > max_pixels:
        raise ValueError(f"{width} x {height} pixels; at most {max_pixels:,} are decoded")
    if found.bands > MOST_BANDS:
        raise ValueError(
            f"{found.bands} bands; at most {MOST_BANDS} are read, and they come last: height, width, bands"
        )
    return found


def values(data: bytes, max_pixels: int) -> Bands:
    """The numbers of an image for which `layout` is not None, in the file's own units; ValueError if damaged."""
    found = layout(data, max_pixels)
    assert found is not None
    if not data.startswith(MAGIC):
        return tiff_bands.values(data)
    _, dtype, ordered, begin = _array_header(data)
    shape = (*found.size, found.bands)
    count = int(np.prod(shape))
    if len(data) - begin < count * dtype.itemsize:
        raise ValueError("truncated: fewer numbers than its header says")
    flat = np.frombuffer(data, dtype, count, begin)
    return flat.reshape(shape) if ordered else flat.reshape(shape[::-1]).transpose(2, 1, 0)


def read(path: Path, max_pixels: int) -> tuple[Bands, Layout] | None:
    """The numbers in a file; None where it is a picture like any other. Raises DecodeError."""
    data = files.content(path, 16 * max_pixels + (1 << 20))
    try:
        found = layout(data, max_pixels)
        return None if found is None else (values(data, max_pixels), found)
    except Exception as error:
        raise DecodeError(
            f"{shown(str(path))}: damaged ({shown(str(error))[:200]})", fix="replace the file or remove it"
        ) from None


def picture(path: Path, ranges: Ranges, max_pixels: int) -> UInt8[np.ndarray, "h w c"]:
    """A file's bands in 256 steps of `ranges`; raises DecodeError where it holds others than those."""
    found = read(path, max_pixels)
    if found is None or found[1].bands != len(ranges):
        has = "a picture in colours or gray" if found is None else f"{found[1].mode}"
        raise DecodeError(
            f"{shown(str(path))}: {has}, where the model reads {len(ranges)} bands",
            fix="give files like those that it learned from",
        )
    return scaled(found[0], ranges)


def scaled(image: Bands, ranges: Ranges) -> UInt8[np.ndarray, "h w c"]:
    """Each band from its low (0) to its high (255), cut off beyond; what is not finite is 0.

    >>> scaled(np.array([[[-1.0, 20.0, 300.0]]]), ((0, 1), (0, 100), (0, 255))).tolist()
    [[[0, 51, 255]]]
    """
    low, high = np.asarray(ranges, np.float64).T
    spread = np.where(high > low, high - low, 1.0)
    steps = (np.nan_to_num(image.astype(np.float64), posinf=np.inf, neginf=-np.inf) - low) * (255 / spread)
    return np.rint(steps.clip(0, 255)).astype(np.uint8)


def view(image: Bands) -> UInt8[np.ndarray, "h w 3"]:
    """Bands for the eye: the first three, or the only one, as red, green and blue; stretched unless they are bytes."""
    first = image[..., [0, 1, 2] if image.shape[2] > 2 else [0, 0, 0]]
    if first.dtype == np.uint8:
        return np.ascontiguousarray(first)
    return scaled(first, _ends(first.reshape(-1, 3).astype(np.float64)))


def measured(paths: Sequence[Path], max_pixels: int) -> Scaling:
    """The scaling for some training images, all of the same bands; raises DataError where one has others."""
    samples: list[Float[np.ndarray, "m c"]] = []
    first: Layout | None = None
    coloured = True
    for path in paths[:: max(1, len(paths) // SAMPLED)]:
        found = read(path, max_pixels)
        image, layout_ = (
            found if found else (np.zeros((1, 1, 1)), Layout(size=(1, 1), bands=1, dtype="uint8"))
        )
        first = first or layout_
        if (layout_.bands, layout_.dtype) != (first.bands, first.dtype):
            raise DataError(
                f"{shown(path.name)} has {layout_.mode}, other images have {first.mode}.",
                fix="give all images the same bands, in the same units",
            )
        coloured = coloured and (layout_.coloured or layout_.bands == 3)
        flat = image.reshape(-1, layout_.bands)
        samples.append(flat[:: max(1, len(flat) // PIXELS)].astype(np.float64))
    assert first is not None
    every = np.concatenate(samples)
    ranges = ((0.0, 255.0),) * first.bands if first.dtype == "uint8" else _ends(every)
    steps = scaled(every[None], ranges)[0] / 255
    return Scaling(
        ranges=ranges,
        mean=tuple(steps.mean(0).round(6).tolist()),
        deviation=tuple(np.maximum(steps.std(0), 1e-3).round(6).tolist()),
        coloured=coloured,
    )


def _ends(flat: Float[np.ndarray, "m c"]) -> Ranges:
    """The values of each band that become 0 and 255; of those that are finite."""
    found: list[tuple[float, float]] = []
    for band in flat.T:
        known = band[np.isfinite(band)]
        low, high = np.percentile(known, ENDS).tolist() if known.size else (0.0, 1.0)
        found.append((low, high))
    return tuple(found)


def _array_header(data: bytes) -> tuple[Layout, np.dtype, bool, int]:
    """Layout, kind of number, whether the last index runs fastest, and where the numbers begin.

    Nothing of an array is ever executed: one of Python objects is refused. Source: numpy.lib.format, version 1 to 3.
    """
    wide = data[6] > 1
    begin = 12 if wide else 10
    length = int.from_bytes(data[8:begin], "little")
    if not 1 <= data[6] <= 3 or length > 10_000 or len(data) < begin + length:
        raise ValueError("not a numpy file that can be read")
    said = ast.literal_eval(data[begin : begin + length].decode("latin1").strip())
    description, shape = said["descr"], tuple(said["shape"])
    if not isinstance(description, str) or not re.fullmatch(r"[<>|=]?[a-zA-Z][0-9]*", description):
        raise ValueError("an array of records or objects, not of numbers")
    dtype = np.dtype(description)
    if dtype.kind not in KINDS or dtype.hasobject:
        raise ValueError(f"an array of {dtype}, not of whole or floating-point numbers")
    if len(shape) not in (2, 3) or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"an array of shape {shape}; an image is height x width, or height x width x bands")
    height, width, bands = (*shape, 1)[:3]
    found = Layout(size=(height, width), bands=bands, dtype=dtype.newbyteorder("=").name)
    return found, dtype, not said["fortran_order"], begin + length
