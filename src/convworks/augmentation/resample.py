"""The pixels of an image, a class map or a mask where a Move puts them: interpolated once, or not at all.

A move that only mirrors, turns by right angles or shifts by whole pixels copies them exactly. One that
shrinks by more than half averages pixels first, so that nothing fine turns into a false pattern.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image

from convworks.geometry import boxes, outlines
from convworks.geometry.move import Matrix, Move, matrix, scales
from convworks.recipe.options import Border
from convworks.samples import IGNORE

Interpolation = Literal["bilinear", "bicubic"]
Pixels = UInt8[np.ndarray, "_ _ 3"]

GREY = 128
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
    pixels, move = _cut(pixels, move)
    pixels, move = _shrunk(pixels, move)
    # Four channels are interpolated twice as fast as three.
    four = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    warped = _warped(four, move, cv2.INTER_LINEAR, border, GREY)
    return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB, dst=out)


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
    left, top, right, bottom = (int(edge) for edge in outlines.hull(move.frame()).tolist())
    if left < 0 or top < 0 or right > pixels.shape[1] or bottom > pixels.shape[0]:
        return None
    part = pixels[top:bottom, left:right]
    if b:
        part, a, d = part.swapaxes(0, 1), b, c
    return part[:: int(d), :: int(a)]


def _delivered(pixels: Pixels, out: Pixels | None, source: Pixels) -> Pixels:
    """`pixels` in `out` where there is one, never sharing memory with `source`."""
    if out is None:
        return pixels.copy() if np.may_share_memory(pixels, source) else pixels
    np.copyto(out, pixels)
    return out


def _cut(pixels: Pixels, move: Move) -> tuple[Pixels, Move]:
    """Only the part of the image that the frame shows, where it shows nothing beyond the image."""
    left, top, right, bottom = outlines.hull(move.frame()).tolist()
    height, width = pixels.shape[:2]
    if left < 0 or top < 0 or right > width or bottom > height:
        return pixels, move
    x, y = max(int(left) - 2, 0), max(int(top) - 2, 0)
    part = pixels[y : int(bottom) + 3, x : int(right) + 3]
    return part, Move(move.matrix @ matrix([[1, 0, x], [0, 1, y]]), move.size)


def _shrunk(pixels: Pixels, move: Move) -> tuple[Pixels, Move]:
    """The image, halved by averaging until no side need shrink by half or more, and the move from there."""
    across, down = scales(move)
    while (across <= 0.5 and pixels.shape[1] >= 2) or (down <= 0.5 and pixels.shape[0] >= 2):
        x = 2 if across <= 0.5 and pixels.shape[1] >= 2 else 1
        y = 2 if down <= 0.5 and pixels.shape[0] >= 2 else 1
        size = (pixels.shape[1] // x, pixels.shape[0] // y)
        whole = pixels[: size[1] * y, : size[0] * x]
        pixels = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
        move = Move(move.matrix @ matrix([[x, 0, 0], [0, y, 0]]), move.size)
        across, down = across * x, down * y
    return pixels, move


def _warped(
    pixels: Shaped[np.ndarray, "h w *c"], move: Move, flags: int, border: Border, fill: int
) -> Shaped[np.ndarray, "h2 w2 *c"]:
    size = (move.size[1], move.size[0])
    kind = cv2.BORDER_CONSTANT if border == "fill" else cv2.BORDER_REFLECT_101
    on_middles: Matrix = TO_MIDDLES @ move.matrix @ FROM_MIDDLES
    if move.is_affine:
        return cv2.warpAffine(pixels, on_middles[:2], size, None, flags, kind, (fill,) * 4)
    return cv2.warpPerspective(pixels, on_middles, size, None, flags, kind, (fill,) * 4)
