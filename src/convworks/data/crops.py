"""Copies of a part: pictures that show most of another one, encoded and scaled anew, perhaps mirrored.

The thumbnail of a crop looks like a window of the thumbnail that it was cut from. So every picture is looked up
among the same `WINDOWS` of all pictures, by a few principal components of 5 x 5 brightnesses in a k-d tree: work
that grows nearly as the number of pictures. A pair that is found is then aligned, edge by edge, to a fraction of a
thumbnail's cell, first on 5 x 5 and then on 16 x 16 cells, and is a copy when what is left is no more than
encoding and scaling explain.

Source: J. L. Bentley's k-d tree (1975); the alignment of B. D. Lucas and T. Kanade (1981).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from scipy.spatial import KDTree

SIDE = 32
"""Cells of a thumbnail along each side."""

KEPT = 0.8
"""The smallest share of a picture's area that a copy of a part shows."""

LEFT, DETAIL = 0.28, 0.9
"""Most that is left of the contrast (root mean square) after aligning, and least correlation of the fine detail."""

FLAT = 4.0
"""Pictures of less contrast, in gray levels, show nothing to align."""

_CELLS, _FINE = 5, 16
_CUTS = (0.0, 0.07, 0.14, 0.2)
_COMPONENTS = 10
_BRIGHTNESS, _CONTRAST = 1 / 40, 1.0
_NEAREST, _RADIUS = 4, 0.34
_COARSE = 0.3
_BEYOND = 0.02
_STEP = 0.004
_CHUNK = 2048

Thumbnails = UInt8[np.ndarray, "n 32 32"]
Cuts = Float[np.ndarray, "p 4"]
"""What is cut off at the left, right, top and bottom, as shares of width and height."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crops:
    """Pairs of positions: each `part` shows the share `kept` of the picture `whole`, mirrored or not."""

    part: Int[np.ndarray, "p"]
    whole: Int[np.ndarray, "p"]
    mirrored: Bool[np.ndarray, "p"]
    kept: Float[np.ndarray, "p"]


def _windows() -> Cuts:
    sides = [cut for cut in itertools.product(_CUTS, _CUTS) if sum(cut) <= 1 - KEPT + 1e-9]
    pairs = itertools.product(sides, sides)
    return np.array([(*x, *y) for x, y in pairs if (1 - sum(x)) * (1 - sum(y)) >= KEPT - _BEYOND])


WINDOWS = _windows()
"""What is looked up: the whole and windows of it, one of which is near to any that keeps `KEPT`."""


def thumbnail(gray: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "32 32"]:
    """A gray picture, `duplicates.shrunk` or larger, on 32 x 32 cells."""
    return np.asarray(cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def crops(thumbnails: Thumbnails, *, workers: int = 1) -> Crops:
    """All pairs of which one is a copy of a part of the other; the nearest few candidates of each are looked at."""
    told = np.flatnonzero(thumbnails.reshape(len(thumbnails), SIDE**2).std(1, dtype=np.float32) >= FLAT)
    told = told[_neighbourly(thumbnails[told])]
    pictures = thumbnails[told]
    found: list[Crops] = []
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="crops") as pool:
        for mirrored in (False, True):
            part, whole, window = _candidates(pictures, workers, mirrored=mirrored)
            chunks = [slice(start, start + _CHUNK) for start in range(0, len(part), _CHUNK)]
            found += pool.map(
                lambda rows: _checked(pictures, part[rows], whole[rows], window[rows], mirrored=mirrored),  # noqa: B023
                chunks,
            )
    return Crops(
        part=told[_joined([some.part for some in found], np.int64)],
        whole=told[_joined([some.whole for some in found], np.int64)],
        mirrored=_joined([some.mirrored for some in found], np.bool_),
        kept=_joined([some.kept for some in found], np.float64),
    )


def _joined(parts: Sequence[np.ndarray], kind: type[np.generic]) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *parts])


def _neighbourly(pictures: Thumbnails) -> Int[np.ndarray, "n"]:
    """An order in which like pictures follow one another: looked up so, they read the same part of a tree."""
    if not len(pictures):
        return np.zeros(0, np.int64)
    wholes = _brief(pictures, WINDOWS[:1])
    return KDTree(wholes @ _basis(wholes), leafsize=32).indices


def _candidates(
    pictures: Thumbnails, workers: int, *, mirrored: bool
) -> tuple[Int[np.ndarray, "p"], Int[np.ndarray, "p"], Int[np.ndarray, "p"]]:
    """Pairs (part, whole) that may be copies, each with the window of the whole that is nearest to the part."""
    n = len(pictures)
    if n < 2:
        none = np.zeros(0, np.int64)
        return none, none, none
    wholes = _brief(pictures, WINDOWS[:1])
    parts = _brief(pictures[:, :, ::-1], WINDOWS[:1]) if mirrored else wholes
    basis = _basis(wholes)
    asked = parts @ basis
    pairs: list[np.ndarray] = []
    near: list[np.ndarray] = []
    windows: list[np.ndarray] = []
    for number, window in enumerate(WINDOWS):
        tree = KDTree(_brief(pictures, window[None]) @ basis, leafsize=32)
        found = tree.query(asked, _NEAREST, distance_upper_bound=_RADIUS, workers=workers)
        distance, place = np.asarray(found[0]), np.asarray(found[1])
        part, column = np.nonzero((place < n) & (place != np.arange(n)[:, None]))
        pairs.append(part * n + place[part, column])
        near.append(distance[part, column])
        windows.append(np.full(len(part), number))
    key, distance, window = map(np.concatenate, (pairs, near, windows))
    order = np.lexsort((distance, key))
    first = order[np.unique(key[order], return_index=True)[1]]
    return key[first] // n, key[first] % n, window[first]


def _brief(pictures: Thumbnails, window: Cuts) -> Float32[np.ndarray, "n d"]:
    """A window of each picture: its pattern on 5 x 5 cells at unit contrast, then brightness and contrast."""
    across, down = _weights(window[:, :2], _CELLS)[0], _weights(window[:, 2:], _CELLS)[0]
    flat = np.concatenate(
        [
            (down @ pictures[start : start + _CHUNK].astype(np.float32) @ across.T).reshape(-1, _CELLS**2)
            for start in range(0, len(pictures), _CHUNK)
        ]
    )
    mean = flat.mean(1, keepdims=True)
    pattern = flat - mean
    contrast = np.maximum(np.linalg.norm(pattern, axis=1, keepdims=True), 1e-3)
    return np.hstack([pattern / contrast, _BRIGHTNESS * mean, _CONTRAST * np.log(contrast)])


def _basis(briefs: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "d k"]:
    """The components in which patterns differ most, beside brightness and contrast as they are."""
    sample = briefs[:: max(1, len(briefs) // 10_000), :-2]
    _, components = np.linalg.eigh(sample.T @ sample)
    basis = np.zeros((briefs.shape[1], _COMPONENTS + 2), np.float32)
    basis[:-2, :-2] = components[:, ::-1][:, :_COMPONENTS]
    basis[-2:, -2:] = np.eye(2)
    return basis


def _weights(cuts: Float[np.ndarray, "p 2"], cells: int) -> Float32[np.ndarray, "p c 32"]:
    """What each cell of a thumbnail adds to each of `cells` cells of a window of it, along one side."""
    low, high = cuts[:, :1], cuts[:, 1:]
    edges = SIDE * (low + (1 - low - high) * np.linspace(0, 1, cells + 1))
    below = np.clip(edges[:, :, None] - np.arange(SIDE), 0, 1)
    return (np.diff(below, axis=1) / np.diff(edges, axis=1)[:, :, None]).astype(np.float32)


def _checked(
    pictures: Thumbnails,
    part: Int[np.ndarray, "p"],
    whole: Int[np.ndarray, "p"],
    window: Int[np.ndarray, "p"],
    *,
    mirrored: bool,
) -> Crops:
    """The pairs that are copies, when aligned from the windows on."""
    parts = pictures[part][:, :, ::-1] if mirrored else pictures[part]
    parts, wholes = parts.astype(np.float32), pictures[whole].astype(np.float32)
    cuts = WINDOWS[window].copy()
    rows = np.arange(len(part))
    for cells, steps, most in ((_CELLS, 2, _COARSE), (_FINE, 2, 2 * LEFT), (_FINE, 2, LEFT)):
        target = _weights(np.zeros((1, 2)), cells)[0]
        wanted = target @ parts[rows] @ target.T
        for _ in range(steps):
            cuts[rows] += _step(wanted, wholes[rows], cuts[rows])
            np.clip(cuts, -_BEYOND, 1 - KEPT + 2 * _BEYOND, out=cuts)
        shown = _shown(wholes[rows], cuts[rows], cells)
        left = (wanted - shown).std((1, 2)) / np.maximum(wanted.std((1, 2)), FLAT / 2)
        detailed = _correlation(_detail(wanted), _detail(shown)) >= DETAIL if most == LEFT else True
        rows = rows[(left <= most) & detailed]
    kept = (1 - cuts[rows, :2].sum(1)) * (1 - cuts[rows, 2:].sum(1))
    rows, kept = rows[kept >= KEPT - _BEYOND], np.minimum(kept[kept >= KEPT - _BEYOND], 1.0)
    return Crops(part=part[rows], whole=whole[rows], mirrored=np.full(len(rows), mirrored), kept=kept)


def _shown(wholes: Float32[np.ndarray, "p 32 32"], cuts: Cuts, cells: int) -> Float32[np.ndarray, "p c c"]:
    """Windows of pictures, on `cells` x `cells` cells."""
    across, down = _weights(cuts[:, :2], cells), _weights(cuts[:, 2:], cells)
    return down @ wholes @ across.transpose(0, 2, 1)


def _step(
    wanted: Float32[np.ndarray, "p c c"], wholes: Float32[np.ndarray, "p 32 32"], cuts: Cuts
) -> Float[np.ndarray, "p 4"]:
    """How to move the four edges so that the window looks more like what is wanted (Gauss-Newton)."""
    cells = wanted.shape[1]
    across, down = _weights(cuts[:, :2], cells).transpose(0, 2, 1), _weights(cuts[:, 2:], cells)
    rows, columns = down @ wholes, wholes @ across
    moved = np.eye(2) * _STEP
    slopes = [rows @ (_weights(cuts[:, :2] + move, cells).transpose(0, 2, 1) - across) for move in moved] + [
        (_weights(cuts[:, 2:] + move, cells) - down) @ columns for move in moved
    ]
    slope = np.stack(slopes, 1).reshape(len(cuts), 4, cells**2) / _STEP
    missing = (wanted - rows @ across).reshape(len(cuts), cells**2, 1)
    normal = slope @ slope.transpose(0, 2, 1)
    damping = 1e-3 * np.trace(normal, axis1=1, axis2=2) + 1e-3
    step = np.linalg.solve(normal + damping[:, None, None] * np.eye(4), slope @ missing)
    return np.clip(step[..., 0], -0.06, 0.06)


def _detail(shown: Float32[np.ndarray, "p 16 16"]) -> Float32[np.ndarray, "p d"]:
    """What is finer than 3 x 3 cells."""
    mean = sum(shown[:, y : y + 14, x : x + 14] for y, x in itertools.product(range(3), repeat=2)) / 9
    return (shown[:, 1:-1, 1:-1] - mean).reshape(len(shown), 14 * 14)


def _correlation(
    one: Float32[np.ndarray, "p d"], other: Float32[np.ndarray, "p d"]
) -> Float32[np.ndarray, "p"]:
    scale = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.einsum("pi,pi->p", one, other) / np.maximum(scale, 1e-6)
