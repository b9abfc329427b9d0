"""Copies of a small part: pictures that show less of another one than the thumbnails of `crops` can tell.

Which pictures may be parts of one another, the features of a net say: each is looked at beside the few whose features
are nearest. A pair is a copy when points of the one are found in the other, all moved and scaled alike, and the pixels
agree once they lie over one another.

Source: D. G. Lowe's key points (2004), M. A. Fischler and R. C. Bolles' consensus (1981).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from convworks.data.crops import Crops

NEAREST, ALIKE = 6, 0.4
"""How many pictures each is looked at beside, and the least cosine of their features."""
SMALLEST = 0.08
"""The smallest share of a picture's area that is told as a part of it."""
AGREED, SAME = 10, 0.85
"""Points that have to agree on one place and size, and the correlation of what then lies one over the other."""

_SIDE, _POINTS, _CLEAR = 384, 400, 0.75
_KEPT = 512

Gray = UInt8[np.ndarray, "h w"]
Read = Callable[[int], Gray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """A picture of at most `_SIDE` pixels, with the places and descriptions of its key points."""

    gray: Gray
    places: Float[np.ndarray, "p 2"]
    described: Float[np.ndarray, "p 128"]


def parts(read: Read, features: Float[np.ndarray, "n d"], known: Int[np.ndarray, "n"]) -> Crops:
    """Pairs of which one shows a part of the other, among pictures whose `known` groups of copies differ.

    `read` gives the gray levels of a picture by its position. Work grows as the square of the number of pictures, but
    only that of multiplying their features.
    """

    @lru_cache(_KEPT)
    def seen(row: int, mirrored: bool) -> _Seen:
        gray = _small(read(row))
        return _described(np.ascontiguousarray(gray[:, ::-1]) if mirrored else gray)

    found: list[tuple[int, int, bool, float]] = []
    for one, other in _candidates(features, known):
        for mirrored in (False, True):
            share = shown(seen(one, mirrored), seen(other, False))
            if share:
                part, whole = (one, other) if share < 1 else (other, one)
                found.append((part, whole, mirrored, min(share, 1 / share)))
                break
    part, whole, mirrors, kept = zip(*found, strict=True) if found else ((), (), (), ())
    return Crops(
        part=np.array(part, np.int64),
        whole=np.array(whole, np.int64),
        mirrored=np.array(mirrors, np.bool_),
        kept=np.array(kept, np.float64),
    )


def shown(one: _Seen, other: _Seen) -> float:
    """The area of `one` over that of `other`, in pixels of the same thing, where the smaller is a part of the larger.

    0 where it is not: where no ten points agree, where one would be turned, or leave the other, or looks otherwise.
    """
    if min(len(one.places), len(other.places)) < AGREED:
        return 0.0
    pairs = cv2.BFMatcher().knnMatch(one.described, other.described, k=2)
    clear = [
        first
        for first, second in (pair for pair in pairs if len(pair) == 2)
        if first.distance < _CLEAR * second.distance
    ]
    if len(clear) < AGREED:
        return 0.0
    here = one.places[[match.queryIdx for match in clear]]
    there = other.places[[match.trainIdx for match in clear]]
    way, agree = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=3)
    if np.shape(way) != (2, 3) or int(agree.sum()) < AGREED:
        return 0.0
    scale, turn = way[0].tolist()[:2]
    if scale < 0.05 or abs(turn) > 0.05 * scale:
        return 0.0
    share = scale**2 * one.gray.size / other.gray.size
    if min(share, 1 / share) < SMALLEST:
        return 0.0
    if share > 1:
        return 0.0 if not _lies(other.gray, one.gray, cv2.invertAffineTransform(way)) else share
    return share if _lies(one.gray, other.gray, way) else 0.0


def _lies(part: Gray, whole: Gray, way: Float[np.ndarray, "2 3"]) -> bool:
    """Whether `part`, brought by `way` into `whole`, lies in it and looks the same."""
    height, width = part.shape
    left, top = way @ (0, 0, 1)
    right, bottom = way @ (width, height, 1)
    slack = 0.04 * max(whole.shape)
    if min(left, top) < -slack or right > whole.shape[1] + slack or bottom > whole.shape[0] + slack:
        return False
    view = cv2.warpAffine(
        whole,
        way,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    soft = [cv2.GaussianBlur(image, (0, 0), 2).astype(np.float64).ravel() for image in (part, view)]
    return bool(np.corrcoef(soft[0], soft[1])[0, 1] >= SAME)


def _small(gray: Gray) -> Gray:
    share = _SIDE / max(gray.shape)
    if share >= 1:
        return gray
    size = (max(1, round(gray.shape[1] * share)), max(1, round(gray.shape[0] * share)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


def _described(gray: Gray) -> _Seen:
    points, described = cv2.SIFT.create(_POINTS).detectAndCompute(gray, None)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return _Seen(
        gray=gray,
        places=places,
        described=np.asarray(described, np.float32) if points else np.zeros((0, 128), np.float32),
    )


def _candidates(features: Float[np.ndarray, "n d"], known: Int[np.ndarray, "n"]) -> list[tuple[int, int]]:
    """Pairs of positions with near features, the smaller position first."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    found: set[tuple[int, int]] = set()
    for start in range(0, len(unit), 1024):
        near = unit[start : start + 1024] @ unit.T
        near[known[start : start + 1024, None] == known[None]] = -1
        most = min(NEAREST, near.shape[1])
        for row, others in enumerate(np.argpartition(-near, most - 1, axis=1)[:, :most]):
            for other in others.tolist():
                if near[row, other] >= ALIKE:
                    found.add((min(start + row, other), max(start + row, other)))
    return sorted(found)
