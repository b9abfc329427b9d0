"""Copies of one picture: the same file, or the same picture encoded, scaled or mirrored anew.

A picture is reduced to 64 signs (is each of 8 x 8 places brighter than the one to its left?) and to a gray
thumbnail of 16 x 16. Two are near copies when at most `SIGNS` signs differ and the thumbnails differ by no
more than encoding and scaling explain. Candidates come from tables of 16 signs, so that the work grows nearly
as the number of pictures.

Source: N. Krawetz's difference hash; multi-index hashing after Norouzi, Punjani and Fleet (2012).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIGNS = 7
"""Most signs of 64 in which near copies differ: four tables of 16, with one sign off in each, find all."""

LEVELS, SHARE = 0.5, 0.04
"""Thumbnails of copies differ (root mean square) by `LEVELS` gray levels and this share of their contrast."""

_SIDE = 16
_MOST = 256
_CHUNK = 1 << 21

Pairs = tuple[Int[np.ndarray, "p"], Int[np.ndarray, "p"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hashes:
    """A picture in brief: sha256 of its file, 64 signs of it and of its mirror image, a gray thumbnail."""

    file: bytes
    signs: int
    mirrored: int
    thumbnail: UInt8[np.ndarray, "16 16"]


def shrunk(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "64 72"]:
    """The brightness of a picture on 64 x 72 cells, whatever its size and shape."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray, (9 * 8, 8 * 8), interpolation=cv2.INTER_AREA), np.uint8)


def hashes(image: UInt8[np.ndarray, "h w 3"], data: bytes) -> Hashes:
    """The picture `image` that lies in a file of the bytes `data`, in brief."""
    return brief(shrunk(image), data)


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
    thumbnails = np.stack([one.thumbnail for one in found])
    plain = _Table.of([one.signs for one in found], thumbnails)
    pairs = [(np.arange(n), same), *_alike(plain, plain)]
    if mirrored:
        turned = _Table.of([one.mirrored for one in found], thumbnails[:, :, ::-1])
        pairs += _alike(turned, plain)
    return joined(n, pairs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Signs, flat thumbnails and their contrast (standard deviation), by position."""

    signs: UInt64[np.ndarray, "n"]
    thumbnails: UInt8[np.ndarray, "n 256"]
    contrast: Float[np.ndarray, "n"]

    @classmethod
    def of(cls, signs: Sequence[int], thumbnails: UInt8[np.ndarray, "n 16 16"]) -> _Table:
        flat = thumbnails.reshape(len(signs), -1)
        return cls(signs=np.array(signs, np.uint64), thumbnails=flat, contrast=flat.std(1, dtype=np.float32))


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


def _alike(left: _Table, right: _Table) -> Iterator[Pairs]:
    """Pairs whose signs and thumbnails agree, in chunks, some of them more than once."""
    for some, others in _candidates(left.signs, right.signs):
        close = np.bitwise_count(left.signs[some] ^ right.signs[others]) <= SIGNS
        some, others = some[close], others[close]
        difference = left.thumbnails[some].astype(np.int16) - right.thumbnails[others]
        square = np.einsum("pi,pi->p", difference, difference, dtype=np.int64) / difference.shape[1]
        contrast = np.minimum(left.contrast[some], right.contrast[others])
        agree = square <= np.square(LEVELS + SHARE * contrast)
        yield some[agree], others[agree]


def _candidates(left: UInt64[np.ndarray, "n"], right: UInt64[np.ndarray, "n"]) -> Iterator[Pairs]:
    """Pairs of different positions that agree in one of four 16-bit bands but for at most one bit.

    Where more than `_MOST` share a band, those are taken whose whole hash is nearest in sorted order.
    """
    masks = np.array([0, *(1 << bit for bit in range(48, 64))], np.uint64)
    for band in range(4):
        turned, wanted = _turned(right, band), _turned(left, band)
        order = np.argsort(turned, kind="stable")
        table = turned[order]
        starts = np.searchsorted(table, np.arange(1 << 16, dtype=np.uint64) << np.uint64(48))
        starts = np.append(starts, len(table))
        for mask in masks:
            key = wanted ^ mask
            bucket = (key >> np.uint64(48)).astype(np.int64)
            place = np.searchsorted(table, key)
            low = np.maximum(starts[bucket], place - _MOST // 2)
            high = np.minimum(starts[bucket + 1], place + _MOST // 2)
            for some, others in _expanded(low, high, order):
                new = (left[some] != right[others]) if band else np.True_
                different = np.flatnonzero((some != others) & new)
                yield some[different], others[different]


def _expanded(
    low: Int[np.ndarray, "n"], high: Int[np.ndarray, "n"], order: Int[np.ndarray, "n"]
) -> Iterator[Pairs]:
    """Each position with the positions that stand from `low` to `high` in `order`, in chunks."""
    sizes = np.maximum(high - low, 0)
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + _CHUNK, side="right")))
        some = np.repeat(np.arange(begin, end), sizes[begin:end])
        within = np.arange(len(some)) - np.repeat(
            ends[begin:end] - sizes[begin:end] - before, sizes[begin:end]
        )
        others = order[np.repeat(low[begin:end], sizes[begin:end]) + within]
        yield some, others
        begin = end


def _turned(values: UInt64[np.ndarray, "n"], band: int) -> UInt64[np.ndarray, "n"]:
    """The hashes with a 16-bit band turned to the front."""
    shift = np.uint64(16 * band)
    return values if band == 0 else (values << shift) | (values >> (np.uint64(64) - shift))
