"""Copies of one picture: the same file, or the same picture encoded, scaled or mirrored anew.

A picture is reduced to 64 signs (is each of 8 x 8 places brighter than the one to its left?) and to a gray
thumbnail of 16 x 16. Two are near copies when at most `SIGNS` signs differ and the thumbnails differ by no
more than encoding and scaling explain. Then their means differ by no more either: with pictures in the order of their
brightness, each is compared with the few that follow it closely, and none is missed. Those that are known to be in
one group are not compared again, so that a film of a hundred thousand frames takes no longer than as many photos.

Source: N. Krawetz's difference hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIGNS = 7
"""Most signs of 64 in which near copies differ."""

LEVELS, SHARE = 0.5, 0.04
"""Thumbnails of copies differ (root mean square) by `LEVELS` gray levels and this share of their contrast."""

_SIDE = 16
_LARGE = 288
_MOST = 1 << 17
_ROUNDING = 1e-3

Pairs = tuple[Int[np.ndarray, "p"], Int[np.ndarray, "p"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hashes:
    """A picture in brief: sha256 of its file, 64 signs of it and of its mirror image, a gray thumbnail."""

    file: bytes
    signs: int
    mirrored: int
    thumbnail: UInt8[np.ndarray, "16 16"]


def brightness(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w"]:
    """The gray levels of a picture."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def shrunk(gray: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "64 72"]:
    """The brightness of a picture on 64 x 72 cells, whatever its size and shape."""
    while min(gray.shape) >= _LARGE:
        # The mean of each 2 x 2 pixels is many times as quick as that of the rest of the way.
        height, width = (side // 2 for side in gray.shape)
        gray = cv2.resize(gray[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(gray, (9 * 8, 8 * 8), interpolation=cv2.INTER_AREA), np.uint8)


def hashes(image: UInt8[np.ndarray, "h w 3"], data: bytes) -> Hashes:
    """The picture `image` that lies in a file of the bytes `data`, in brief."""
    return brief(shrunk(brightness(image)), data)


def brief(gray: UInt8[np.ndarray, "64 72"], data: bytes) -> Hashes:
    """The same of a picture that was `shrunk`."""
    places = cv2.resize(gray.astype(np.float32), (9, 8), interpolation=cv2.INTER_AREA)
    return Hashes(
        file=hashlib.sha256(data).digest(),
        signs=_signs(places),
        mirrored=_signs(places[:, ::-1]),
        thumbnail=np.asarray(cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8),
    )


def groups(found: Sequence[Hashes], *, near: bool = True, mirrored: bool = True) -> Int[np.ndarray, "n"]:
    """For each picture the position of the first one in its group; a picture without a copy is its own group.

    A copy of a copy belongs to the group too. Without `near` only equal files are copies, without `mirrored`
    a picture and its mirror image are none.
    """
    n = len(found)
    if not n:
        return np.zeros(0, np.int64)
    first: dict[bytes, int] = {}
    same = np.array([first.setdefault(one.file, position) for position, one in enumerate(found)], np.int64)
    if not near:
        return same
    return joined(n, [(np.arange(n), same), *_alike(_Table.of(found, mirrored=mirrored))])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """What pictures are compared by, in the order of their brightness: the mean of a thumbnail, in gray levels.

    `row` is a picture's position in what was given; `contrast` the standard deviation of its thumbnail. `mirrored`
    is None where mirror images are not compared.
    """

    row: Int[np.ndarray, "n"]
    signs: UInt64[np.ndarray, "n"]
    mirrored: UInt64[np.ndarray, "n"] | None
    thumbnails: UInt8[np.ndarray, "n 16 16"]
    brightness: Float[np.ndarray, "n"]
    contrast: Float[np.ndarray, "n"]

    @classmethod
    def of(cls, found: Sequence[Hashes], *, mirrored: bool) -> _Table:
        thumbnails = np.stack([one.thumbnail for one in found])
        brightness = thumbnails.mean((1, 2), dtype=np.float32)
        order = np.argsort(brightness, kind="stable")
        thumbnails = thumbnails[order]
        return cls(
            row=order,
            signs=np.array([one.signs for one in found], np.uint64)[order],
            mirrored=np.array([one.mirrored for one in found], np.uint64)[order] if mirrored else None,
            thumbnails=thumbnails,
            brightness=brightness[order],
            contrast=thumbnails.std((1, 2), dtype=np.float32),
        )


def _signs(places: np.ndarray) -> int:
    return int.from_bytes(np.packbits(places[:, 1:] > places[:, :-1]).tobytes(), "big")


def joined(n: int, pairs: Sequence[Pairs]) -> Int[np.ndarray, "n"]:
    """For each of `n` positions the first of those to which `pairs` of positions join it, directly or by others."""
    rows = np.concatenate([left for left, _ in pairs])
    columns = np.concatenate([right for _, right in pairs])
    graph = coo_array((np.ones(len(rows), np.bool_), (rows, columns)), (n, n))
    _, component = connected_components(graph, directed=False)
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def _alike(table: _Table) -> Iterator[Pairs]:
    """Pairs of positions that join all that are alike: enough of such pairs, not each."""
    n = len(table.row)
    group = np.arange(n)
    ends = np.searchsorted(
        table.brightness, table.brightness + _tolerance(table.contrast) + _ROUNDING, "right"
    )
    waiting: list[Pairs] = []
    size = 0
    for place, end in enumerate(ends.tolist()):
        apart = group[place + 1 : end] != group[place]
        if apart.any():
            others = place + 1 + np.flatnonzero(_near(table, place, end) & apart)
            waiting.append((np.full(len(others), place), others))
            size += len(others)
        if size > _MOST or (size and place == n - 1):
            one, other = (np.concatenate(sides) for sides in zip(*waiting, strict=True))
            agree = _agree(table, one, other)
            one, other = one[agree], other[agree]
            yield table.row[one], table.row[other]
            group = joined(n, [(np.arange(n), group), (one, other)])
            waiting, size = [], 0


def _near(table: _Table, place: int, end: int) -> Bool[np.ndarray, "m"]:
    """For each place from `place` + 1 to `end` whether its signs are those of a copy of the one at `place`."""
    others = slice(place + 1, end)
    near = np.bitwise_count(table.signs[others] ^ table.signs[place]) <= SIGNS
    if table.mirrored is not None:
        near |= np.bitwise_count(table.signs[others] ^ table.mirrored[place]) <= SIGNS
        near |= np.bitwise_count(table.mirrored[others] ^ table.signs[place]) <= SIGNS
    return near


def _agree(table: _Table, one: Int[np.ndarray, "p"], other: Int[np.ndarray, "p"]) -> Bool[np.ndarray, "p"]:
    """For pairs of places whether signs and thumbnails are those of copies, both mirrored or both not."""
    tolerance = _tolerance(np.minimum(table.contrast[one], table.contrast[other]))
    agree = np.abs(table.contrast[one] - table.contrast[other]) <= tolerance + _ROUNDING
    one, other, tolerance = one[agree], other[agree], tolerance[agree]
    left, right = table.thumbnails[one].astype(np.int16), table.thumbnails[other].astype(np.int16)

    def copies(
        signs: UInt64[np.ndarray, "n"], others: UInt64[np.ndarray, "n"], left: Int[np.ndarray, "p 16 16"]
    ) -> Bool[np.ndarray, "p"]:
        difference = (left - right).reshape(len(left), _SIDE**2)
        square = np.einsum("pi,pi->p", difference, difference, dtype=np.int64) / _SIDE**2
        return (np.bitwise_count(signs[one] ^ others[other]) <= SIGNS) & (square <= np.square(tolerance))

    found = copies(table.signs, table.signs, left)
    if table.mirrored is not None:
        found |= copies(table.mirrored, table.signs, left[:, :, ::-1])
        found |= copies(table.signs, table.mirrored, left[:, :, ::-1])
    agree[agree] = found
    return agree


def _tolerance(contrast: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """How far thumbnails of copies may be apart (root mean square), in gray levels."""
    return LEVELS + SHARE * contrast
