"""Boxes against pixels: whether another place for all of them would suit the images better.

An object differs in brightness from what is around it more often than a piece of an image chosen anywhere does. So the
contrast between the inside of a box and a rim around it, over many images, is greatest where the boxes belong; where
it is surely greater for boxes moved, scaled or turned over, all of them were drawn on another frame. Which single
boxes are wrong cannot be told this way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64, Int64

from convworks.data.crops import FLAT, SIDE
from convworks.data.findings.objects import Objects
from convworks.data.findings.seen import Seen, about
from convworks.events import Finding

SURE = 6.0
"""Standard errors, over images, by which another place has to be better."""
BETTER = 1.15
"""... and by which factor."""
ENOUGH = 20
"""Images from which on this is asked."""
RIM = 0.2
"""The width of the rim around a box, as a share of its sides."""
MOST = 2000
"""Images that are looked at, spread over the set."""

Boxes = Float64[np.ndarray, "b 4"]


def findings(seen: Seen, found: Objects) -> Iterator[Finding]:
    """One finding where all boxes would fit better elsewhere."""
    images = np.unique(found.rows)
    images = images[:: -(-len(images) // MOST) or 1]
    found = found.only(np.isin(found.rows, images))
    if len(images) < ENOUGH:
        return
    sums, spread = _sums(seen, images)
    place = np.searchsorted(images, found.rows)
    scale = SIDE / found.frames[:, [0, 1, 0, 1]]

    def fit(boxes: Boxes) -> Float64[np.ndarray, "i"]:
        contrast = _contrast(sums, place, boxes * scale) / spread[place]
        known = ~np.isnan(contrast)
        number = np.bincount(place[known], minlength=len(images))
        total = np.bincount(place[known], contrast[known], minlength=len(images))
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)

    now = fit(found.boxes)
    best: tuple[float, str] | None = None
    for words, other in _others(found):
        there = fit(other)
        both = ~np.isnan(there - now)
        gain = (there - now)[both]
        if both.sum() < ENOUGH or gain.mean() <= 0:
            continue
        sure = gain.mean() / max(float(gain.std()), 1e-9) * np.sqrt(len(gain))
        factor = float(there[both].mean() / max(float(now[both].mean()), 1e-9))
        if sure >= SURE and factor >= BETTER and (best is None or factor > best[0]):
            best = (factor, words)
    if best is not None:
        yield about(
            "misfit",
            "warning",
            f"The boxes would fit their images better {best[1]}.",
            number=len(found.boxes),
            evidence=f"the contrast between their inside and a rim around them is {best[0]:.1f} times as large there, "
            f"in {len(images):,} images",
            why="as it looks, every box lies beside its object in the same way",
            action="look at a few boxes; check the frame on which they were drawn",
            values={"contrast": best[0], "where": best[1]},
        )


def _others(found: Objects) -> Iterator[tuple[str, Boxes]]:
    """Other places for all boxes, in words."""
    width, height = found.frames[:, :1], found.frames[:, 1:]
    for share in (0.03, 0.06, 0.1):
        for words, sign, size, columns in (
            ("to the left by {} of the width", -1, width, (0, 2)),
            ("to the right by {} of the width", 1, width, (0, 2)),
            ("up by {} of the height", -1, height, (1, 3)),
            ("down by {} of the height", 1, height, (1, 3)),
        ):
            moved = found.boxes.copy()
            moved[:, columns] += sign * share * size
            yield f"when moved {words.format(f'{share:.0%}')}", moved
        for across, down in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            moved = found.boxes + share * np.hstack([across * width, down * height] * 2)
            way = f"{('to the left', 'to the right')[across > 0]} and {('up', 'down')[down > 0]}"
            yield f"when moved {way} by {share:.0%} of the image's sides", moved
    yield "at twice the size and distance from the corner", found.boxes * 2
    yield "at half the size and distance from the corner", found.boxes / 2
    yield "with x and y exchanged", found.boxes[:, [1, 0, 3, 2]]


def _sums(
    seen: Seen, images: Int64[np.ndarray, "i"]
) -> tuple[Float64[np.ndarray, "i 33 33"], Float64[np.ndarray, "i"]]:
    """The sums of brightness above and left of each corner of the cells, and the contrast, of some thumbnails."""
    shown = np.array([seen.facts[row].thumbnail for row in images.tolist()], np.float64)
    sums = np.zeros((len(images), SIDE + 1, SIDE + 1))
    sums[:, 1:, 1:] = shown.cumsum(1).cumsum(2)
    return sums, np.maximum(shown.std((1, 2)), FLAT)


def _contrast(
    sums: Float64[np.ndarray, "i 33 33"], place: Int64[np.ndarray, "b"], boxes: Boxes
) -> Float64[np.ndarray, "b"]:
    """By how much the inside of each box, in cells, differs from its rim; NaN where either is hardly in the image."""
    rim = RIM * (boxes[:, 2:] - boxes[:, :2])
    inner = np.clip(boxes, 0, SIDE)
    outer = np.clip(boxes + np.hstack([-rim, rim]), 0, SIDE)
    inside, whole = _area(inner), _area(outer)
    bright, total = _total(sums, place, inner), _total(sums, place, outer)
    known = (inside > 2) & (whole - inside > 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(known, np.abs(bright / inside - (total - bright) / (whole - inside)), np.nan)


def _area(boxes: Boxes) -> Float64[np.ndarray, "b"]:
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(1)


def _total(
    sums: Float64[np.ndarray, "i 33 33"], place: Int64[np.ndarray, "b"], boxes: Boxes
) -> Float64[np.ndarray, "b"]:
    """The sum of brightness in each box, cells in part by their part."""

    def corner(x: int, y: int) -> Float64[np.ndarray, "b"]:
        column, row = (np.minimum(boxes[:, edge].astype(np.int64), SIDE - 1) for edge in (x, y))
        right, low = boxes[:, x] - column, boxes[:, y] - row
        above = sums[place, row, column] * (1 - right) + sums[place, row, column + 1] * right
        below = sums[place, row + 1, column] * (1 - right) + sums[place, row + 1, column + 1] * right
        return above * (1 - low) + below * low

    return corner(2, 3) - corner(0, 3) - corner(2, 1) + corner(0, 1)
