"""Outlines to pixels and back: polygons, run lengths, maps of classes and of object ids, all in the frame of an image.

A polygon covers pixels by COCO's own rule, to the pixel: corners are rounded to a fifth of a pixel, and a pixel is
inside where its middle is, below one crossing of the outline and above the next. Whole pixels that were traced
(`to_polygons`) come back as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Int, Num, UInt8

from convworks.data.record import MaskCode
from convworks.errors import DataError
from convworks.geometry.boxes import Size
from convworks.samples import IGNORE

Ring = tuple[float, ...]

_FINE = 5
"""Steps a pixel on the outline, in COCO's rule."""
_MOST_STEPS = 1 << 20
"""Steps of an outline that are laid out at a time."""
_WINDING = 400
"""An outline longer than this many times the image's pixels is refused, in steps."""


def from_polygons(polygons: Iterable[Ring], size: Size) -> Bool[np.ndarray, "h w"]:
    """The pixels of an image of `size` (height, width) inside any of the rings, given as x, y, x, y, ... in pixels.

    Raises DataError for an outline that is not finite or winds without end.

    >>> from_polygons([(1, 0, 3, 0, 3, 2, 1, 2)], (2, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0]]
    """
    mask = np.zeros(size, np.bool_)
    for ring in polygons:
        mask |= _inside(np.asarray(ring, np.float64).reshape(-1, 2), size)
    return mask


def from_runs(runs: Sequence[int], size: Size) -> Bool[np.ndarray, "h w"]:
    """The mask of run lengths down the columns, zeros first. Raises DataError where they do not fill `size`.

    >>> from_runs((2, 3, 1), (3, 2)).astype(int).tolist()
    [[0, 1], [0, 1], [1, 0]]
    """
    height, width = size
    lengths = np.asarray(runs, np.int64)
    if (len(lengths) and lengths.min() < 0) or lengths.sum() != height * width:
        raise DataError(f"Run lengths of {lengths.sum()} pixels in an image of {width}x{height}.")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def to_runs(mask: Bool[np.ndarray, "h w"]) -> tuple[int, ...]:
    """The run lengths of a mask, down the columns, zeros first.

    >>> to_runs(np.array([[False, True], [False, True]])), to_runs(np.array([[True, False]]))
    ((2, 2), (0, 1, 1))
    """
    flat = mask.ravel(order="F")
    edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    lengths = np.diff(edges).tolist()
    return (0, *lengths) if flat.size and flat[0] else tuple(lengths)


def to_polygons(mask: Bool[np.ndarray, "h w"]) -> tuple[Ring, ...]:
    """Outlines along the edges of the pixels, one a connected part, from which `from_polygons` makes the same mask.

    A hole is joined to the outline around it by a cut there and back, which the even-odd rule does not see.

    >>> to_polygons(np.array([[True, True], [False, False]]))
    ((0.0, 0.0, 2.0, 0.0, 2.0, 1.0, 0.0, 1.0),)
    """
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    rings: dict[int, list[tuple[int, int]]] = {}
    for part, loop in sorted(_loops(mask, parts), key=lambda one: not _clockwise(one[1])):
        if part in rings:
            rings[part] += [rings[part][0], *loop, loop[0]]
        else:
            rings[part] = loop
    return tuple(tuple(float(edge) for corner in ring for edge in corner) for ring in rings.values())


def box(mask: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """The box (xyxy) around a mask; all 0 where it is empty."""
    across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(across):
        return (0, 0, 0, 0)
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def class_map(
    stored: Num[np.ndarray, "h w *c"], code: MaskCode, ids: Mapping[str, int]
) -> UInt8[np.ndarray, "h w"]:
    """The class ids of a mask image's values; what is ignored, and what the code does not name, is 255.

    >>> code = MaskCode(values=(((0,), "sky"), ((7,), "road")))
    >>> class_map(np.array([[0, 7, 255, 9]], np.uint8), code, {"road": 0, "sky": 1}).tolist()
    [[1, 0, 255, 255]]
    """
    channels = 1 if stored.ndim == 2 else stored.shape[2]
    known = {value: ids[name] for value, name in code.values if len(value) == channels}
    flat = stored if stored.ndim == 2 else _packed(stored)
    if channels == 1 and flat.dtype == np.uint8:
        table = np.full(256, IGNORE, np.uint8)
        for (value,), identity in known.items():
            if value < 256:
                table[value] = identity
        return table[flat]
    keys = np.array(sorted((_key(value), identity) for value, identity in known.items()), np.int64).reshape(
        -1, 2
    )
    if not len(keys):
        return np.full(flat.shape, IGNORE, np.uint8)
    places = np.searchsorted(keys[:, 0], flat).clip(max=len(keys) - 1)
    found = np.where(keys[places, 0] == flat, keys[places, 1], IGNORE)
    return found.astype(np.uint8)


def coloured(code: MaskCode) -> bool:
    """Whether a code is of colours, not of indices."""
    return any(len(value) == 3 for value, _ in code.values)


def values(stored: Num[np.ndarray, "h w *c"]) -> dict[tuple[int, ...], int]:
    """How many pixels have each value, or each colour, the most frequent first.

    >>> values(np.array([[3, 3, 255]], np.uint8))
    {(3,): 2, (255,): 1}
    """
    flat = stored if stored.ndim == 2 else _packed(stored)
    if flat.dtype == np.uint8:
        counts = np.bincount(flat.ravel(), minlength=256)
        found, counts = np.flatnonzero(counts), counts[counts > 0]
    else:
        found, counts = _by_runs(flat.ravel())
    listed = sorted(zip(counts.tolist(), found.tolist(), strict=True), key=lambda one: (-one[0], one[1]))
    if stored.ndim == 2:
        return {(int(value),): number for number, value in listed}
    return {(value >> 16, value >> 8 & 255, value & 255): number for number, value in listed}


def objects(
    ids: Int[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"],
) -> Iterator[tuple[int, Bool[np.ndarray, "h w"]]]:
    """Each id of a map of object ids, and its pixels; 0 is no object.

    >>> [(number, int(mask.sum())) for number, mask in objects(np.array([[0, 7, 300]]))]
    [(7, 1), (300, 1)]
    """
    for number in np.unique(ids).tolist():
        if number:
            yield number, ids == number


def _by_runs(values: Num[np.ndarray, "n"]) -> tuple[Num[np.ndarray, "k"], Int[np.ndarray, "k"]]:
    """Each value and how often it is there, quickly where equal ones lie together, as in a map."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    starts = np.concatenate([[0], changes])[: len(values)]
    lengths = np.diff(starts, append=len(values))
    found, places = np.unique(values[starts], return_inverse=True)
    return found, np.bincount(places, lengths, len(found)).astype(np.int64)


def _packed(colours: Num[np.ndarray, "h w 3"]) -> Int[np.ndarray, "h w"]:
    wide = colours.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _key(value: tuple[int, ...]) -> int:
    return value[0] if len(value) == 1 else value[0] << 16 | value[1] << 8 | value[2]


def _inside(corners: Num[np.ndarray, "k 2"], size: Size) -> Bool[np.ndarray, "h w"]:
    """The pixels inside one ring: down each column, every crossing of the outline turns outside and inside about."""
    height, width = size
    if not np.isfinite(corners).all() or np.abs(corners).max(initial=0) > 1e8:
        raise DataError("An outline with a corner that is not finite, or far outside.")
    fine = (_FINE * corners + 0.5).astype(np.int64)
    starts, ends = fine, np.roll(fine, -1, axis=0)
    steps = np.abs(ends - starts).max(axis=1) if len(fine) else np.zeros(0, np.int64)
    if steps.sum() > _WINDING * (height * width + 1000):
        raise DataError(f"An outline {steps.sum() // _FINE:,} pixels long in an image of {width}x{height}.")
    turns = np.zeros(height * width + 1, np.int64)
    for part in _portions(steps):
        np.add.at(turns, _crossings(starts[part], ends[part], steps[part], size), 1)
    flat = np.cumsum(turns[:-1]) % 2 == 1
    return np.ascontiguousarray(flat.reshape(width, height).T)


def _portions(steps: Int[np.ndarray, "k"]) -> Iterator[slice]:
    """Edges in portions of about `_MOST_STEPS`, or one by one where one is longer."""
    portion = np.cumsum(steps) // _MOST_STEPS
    starts = np.flatnonzero(np.diff(portion, prepend=-1))
    yield from map(slice, starts.tolist(), [*starts[1:].tolist(), len(steps)])


def _crossings(
    starts: Int[np.ndarray, "k 2"], ends: Int[np.ndarray, "k 2"], steps: Int[np.ndarray, "k"], size: Size
) -> Int[np.ndarray, "m"]:
    """Where, counted down the columns, edges cross the middles of columns; each is walked from its lower end."""
    height, width = size
    run, rise = (ends - starts).T
    flat = np.abs(run) >= np.abs(rise)
    backward = np.where(flat, run < 0, rise < 0)
    low = np.where(backward[:, None], ends, starts)
    high = np.where(backward[:, None], starts, ends)
    across, down = (high - low).T.astype(np.float64)
    slope = np.divide(np.where(flat, down, across), steps, out=np.zeros(len(steps)), where=steps > 0)
    edge = np.repeat(np.arange(len(steps)), steps + 1)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(steps + 1) - steps - 1, steps + 1)
    base = np.where(flat, low[:, 1], low[:, 0])[edge]
    other = (base + slope[edge] * step + 0.5).astype(np.int64)
    straight = np.where(flat, low[:, 0], low[:, 1])[edge] + step
    x, y = np.where(flat[edge], straight, other), np.where(flat[edge], other, straight)
    moved = (x[1:] != x[:-1]) & (edge[1:] == edge[:-1])
    column = np.minimum(x[1:], x[:-1])[moved]
    row = np.minimum(y[1:], y[:-1])[moved]
    middle = (column % _FINE == _FINE // 2) & (column >= 0) & (column < _FINE * width)
    top = np.ceil((row[middle] + 0.5) / _FINE - 0.5).clip(0, height).astype(np.int64)
    return column[middle] // _FINE * height + top


_RIGHT, _DOWN, _LEFT, _UP = range(4)
_AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))


def _loops(
    mask: Bool[np.ndarray, "h w"], parts: Int[np.ndarray, "h w"]
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """The closed outlines along pixel edges, inside on the right, with the number of the part that they bound.

    Where four edges meet the outline turns right, and so keeps to pixels that share a side.
    """
    inside = np.pad(mask, 1)
    leaving = np.zeros((4, *inside.shape), np.bool_)
    leaving[_RIGHT, 1:, 1:] = inside[1:, 1:] & ~inside[:-1, 1:]
    leaving[_DOWN, 1:, 1:] = inside[1:, :-1] & ~inside[1:, 1:]
    leaving[_LEFT, 1:, 1:] = inside[:-1, :-1] & ~inside[1:, :-1]
    leaving[_UP, 1:, 1:] = inside[:-1, 1:] & ~inside[:-1, :-1]
    open_ = {(x - 1, y - 1, heading) for heading, y, x in np.argwhere(leaving).tolist()}
    for begin in sorted(open_, key=lambda edge: (edge[1], edge[0], edge[2])):
        if begin not in open_:
            continue
        loop: list[tuple[int, int]] = []
        x, y, heading = begin
        before = -1
        part = _part(parts, x, y, heading)
        while (x, y, heading) in open_:
            open_.remove((x, y, heading))
            if heading != before:
                loop.append((x, y))
            before = heading
            x, y = x + _AHEAD[heading][0], y + _AHEAD[heading][1]
            heading = next(
                (turn % 4 for turn in (heading + 1, heading, heading + 3) if (x, y, turn % 4) in open_),
                heading,
            )
        yield part, loop


def _part(parts: Int[np.ndarray, "h w"], x: int, y: int, heading: int) -> int:
    """The part to the right of the edge that leaves corner (x, y)."""
    right, below = ((0, 0), (-1, 0), (-1, -1), (0, -1))[heading]
    return int(parts[y + below, x + right])


def _clockwise(loop: Sequence[tuple[int, int]]) -> bool:
    """Whether a loop goes around its part, rather than around a hole in it."""
    turned = zip(loop, (*loop[1:], loop[0]), strict=True)
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in turned) > 0
