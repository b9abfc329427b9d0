"""The pixels of an image, a class map or a mask where a Move puts them: interpolated once, or not at all.

A move that only mirrors, turns by right angles or shifts by whole pixels copies them exactly. One that
shrinks by more than half averages pixels first, so that nothing fine turns into a false pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image

from convworks.geometry import boxes
from convworks.geometry.move import Matrix, Move, matrix, scales
from convworks.recipe.options import Border
from convworks.samples import IGNORE

Interpolation = Literal["bilinear", "bicubic"]
Pixels = UInt8[np.ndarray, "_ _ _"]
"""Height, width and bands: red, green and blue, or any others."""

GREY = 128
# Four channels are warped twice as fast as three.
TO_FOUR, TO_THREE = cv2.COLOR_RGB2RGBA, cv2.COLOR_RGBA2RGB
# The scale below which one side is averaged although the other is not: twice as slow as both at once.
ALONE = 1 / 3
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# From corner-based to middle-based coordinates: OpenCV counts from the middle of the first pixel.
TO_MIDDLES = matrix([[1, 0, -0.5], [0, 1, -0.5]])
FROM_MIDDLES = matrix([[1, 0, 0.5], [0, 1, 0.5]])


def image(pixels: Pixels, move: Move, border: Border = "reflect", out: Pixels | None = None) -> Pixels:
    """The moved image, a new array or `out`; bilinear, averaged first where it shrinks below half.

    Beyond the old image lies its mirror, or grey with `border` "fill".
    """
    copied = _copied(pixels, move)
    if copied is not None:
        return _delivered(np.ascontiguousarray(copied), out, pixels)
    if pixels.shape[2] != 3:
        return _in_threes(pixels, lambda three: image(three, move, border), out)
    pixels, move = _shrunk(*_cut(pixels, move))
    four = cv2.cvtColor(pixels, TO_FOUR)
    return cv2.cvtColor(_warped(four, move, cv2.INTER_LINEAR, border, GREY), TO_THREE, dst=out)


def smooth(
    pixels: Pixels,
    move: Move,
    interpolation: Interpolation,
    border: Border = "reflect",
    out: Pixels | None = None,
) -> Pixels:
    """The moved image by Pillow's antialiased filter, as most nets saw theirs; for moves that keep rows rows.

    Other moves, and those that copy pixels exactly, are as `image` does them.
    """
    copied = _copied(pixels, move)
    if copied is not None or not move.is_upright:
        return image(pixels, move, border, out)
    if pixels.shape[2] != 3:
        return _in_threes(pixels, lambda three: smooth(three, move, interpolation, border), out)
    height, width = move.size
    whole = np.array([[0.0, 0.0, pixels.shape[1], pixels.shape[0]]])
    covered = np.rint(boxes.clip(move.boxes(whole), move.size))[0].astype(int).tolist()
    left, top, right, bottom = covered
    if right <= left or bottom <= top:
        return image(pixels, move, border, out)
    source = move.inverse(move.size).boxes(np.array([[left, top, right, bottom]], np.float64))
    source = boxes.clip(source, (pixels.shape[0], pixels.shape[1]))
    resized = np.asarray(
        Image.fromarray(pixels).resize(
            (right - left, bottom - top), FILTERS[interpolation], tuple(source[0].tolist()), reducing_gap=2.0
        )
    )
    resized = resized[:: -1 if move.matrix[1, 1] < 0 else 1, :: -1 if move.matrix[0, 0] < 0 else 1]
    if (right - left, bottom - top) == (width, height):
        return _delivered(np.ascontiguousarray(resized), out, pixels)
    around = (top, height - bottom, left, width - right)
    kind = cv2.BORDER_CONSTANT if border == "fill" else cv2.BORDER_REFLECT_101
    return _delivered(cv2.copyMakeBorder(resized, *around, kind, value=(GREY,) * 3), out, pixels)


def class_map(classes: UInt8[np.ndarray, "h w"], move: Move, border: Border) -> UInt8[np.ndarray, "h2 w2"]:
    """The moved class a pixel, by the nearest; beyond the old image its mirror, or "ignore" with "fill"."""
    copied = _copied(classes, move)
    if copied is not None:
        return np.array(copied)
    return _warped(classes, move, cv2.INTER_NEAREST, border, IGNORE)


def masks(objects: Bool[np.ndarray, "m h w"], move: Move) -> Bool[np.ndarray, "m h2 w2"]:
    """The moved masks of single objects, by the nearest pixel; beyond the old image there is nothing."""
    moved = np.zeros((len(objects), *move.size), np.uint8)
    for mask, target in zip(objects.view(np.uint8), moved, strict=True):
        copied = _copied(mask, move)
        target[:] = _warped(mask, move, cv2.INTER_NEAREST, "fill", 0) if copied is None else copied
    return moved.view(np.bool_)


def _copied(pixels: Shaped[np.ndarray, "h w *c"], move: Move) -> Shaped[np.ndarray, "h2 w2 *c"] | None:
    """A view of the moved pixels where the move only picks and reorders whole ones of the image, or None."""
    (a, b, x), (c, d, y), (g, h, i) = move.matrix.tolist()
    if (g, h, i) != (0, 0, 1) or {abs(a), abs(b)} != {0, 1} or {abs(c), abs(d)} != {0, 1} or abs(a) != abs(d):
        return None
    if not (float(x).is_integer() and float(y).is_integer()):
        return None
    left, top, right, bottom = map(round, move.reach())
    if left < 0 or top < 0 or right > pixels.shape[1] or bottom > pixels.shape[0]:
        return None
    part = pixels[top:bottom, left:right]
    if b:
        part, a, d = part.swapaxes(0, 1), b, c
    return part[:: int(d), :: int(a)]


def _in_threes(pixels: Pixels, moved: Callable[[Pixels], Pixels], out: Pixels | None) -> Pixels:
    """Bands moved three at a time, as pictures are; the last ones stand in for those that are missing to three."""
    bands = pixels.shape[2]
    parts: list[Pixels] = []
    for start in range(0, bands, 3):
        chosen = [min(band, bands - 1) for band in range(start, start + 3)]
        parts.append(moved(np.ascontiguousarray(pixels[..., chosen]))[..., : bands - start])
    return _delivered(np.concatenate(parts, 2), out, pixels)


def _delivered(pixels: Pixels, out: Pixels | None, source: Pixels) -> Pixels:
    """`pixels` in `out` where there is one, never sharing memory with `source`."""
    if out is None:
        return pixels.copy() if np.may_share_memory(pixels, source) else pixels
    np.copyto(out, pixels)
    return out


def _cut(pixels: Pixels, move: Move) -> tuple[Pixels, Move]:
    """Only the part of the image that the frame shows, itself or mirrored, with two pixels around it."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = move.reach()
    x0, x1 = _part(left, right, width)
    y0, y1 = _part(top, bottom, height)
    if (x0, y0) == (0, 0):
        return pixels[:y1, :x1], move
    return pixels[y0:y1, x0:x1], Move(move.matrix @ matrix([[1, 0, x0], [0, 1, y0]]), move.size)


def _part(low: float, high: float, size: int) -> tuple[int, int]:
    """The pixels from `low` to `high`, those whose mirror lies beyond 0 or `size`, and two more."""
    start = int(max(min(low, size - max(high - size, 0)) - 2, 0))
    stop = int(min(max(high, -low) + 3, size))
    return min(start, size - 1), max(stop, 1)


def _shrunk(pixels: Pixels, move: Move) -> tuple[Pixels, Move]:
    """The image, averaged until neither side need shrink much below half, and the move from there."""
    across, down = scales(move)
    while True:
        height, width = pixels.shape[:2]
        both = across <= 0.5 and down <= 0.5
        x = 2 if width >= 2 and (both or across <= ALONE) else 1
        y = 2 if height >= 2 and (both or down <= ALONE) else 1
        if x == y == 1:
            return pixels, move
        whole = pixels[: height // y * y, : width // x * x]
        pixels = cv2.resize(whole, (width // x, height // y), interpolation=cv2.INTER_AREA)
        move = Move(move.matrix @ matrix([[x, 0, 0], [0, y, 0]]), move.size)
        across, down = across * x, down * y


def _warped(
    pixels: Shaped[np.ndarray, "h w *c"], move: Move, flags: int, border: Border, fill: int
) -> Shaped[np.ndarray, "h2 w2 *c"]:
    size = (move.size[1], move.size[0])
    kind = cv2.BORDER_CONSTANT if border == "fill" else cv2.BORDER_REFLECT_101
    on_middles: Matrix = TO_MIDDLES @ move.matrix @ FROM_MIDDLES
    if move.is_affine:
        return cv2.warpAffine(pixels, on_middles[:2], size, None, flags, kind, (fill,) * 4)
    return cv2.warpPerspective(pixels, on_middles, size, None, flags, kind, (fill,) * 4)
