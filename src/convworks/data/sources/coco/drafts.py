"""One annotation of a COCO file, checked number by number before anything is made of it.

What an annotation says by itself is checked as it is read (`draft`); what depends on its image and its category,
which may stand further down in the file, when all is known (`note`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from convworks.data.names import shown
from convworks.data.record import BoxNote
from convworks.data.sources import objects, runs
from convworks.data.sources.confine import Refused
from convworks.data.sources.objects import Box

Id = int | str
Size = tuple[int, int]
Ring = tuple[float, ...]
Point = tuple[float, float, int]

_UNSTATED = 1_000_000
"""How far a polygon may reach, in pixels, where its image's size is not stated."""
_EXACT = 1 << 53
_LONG = 1000
"""Coordinates from which on the length of an outline is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an annotation says, without its image: `box` is x, y, width, height, () where there is none.

    `edges` are the box's as we write them where a sum would not give them to the last bit, else (). `size` is
    (width, height) of `runs`; `short` counts rings of fewer than three points, which were left out.
    """

    id: Id
    category: Id
    box: tuple[float, ...]
    edges: tuple[float, ...]
    polygons: tuple[Ring, ...]
    runs: tuple[int, ...]
    size: Size
    points: tuple[Point, ...]
    crowd: bool
    difficult: bool
    short: int


def identity(value: object, what: str) -> Id:
    """An id as a whole number where it is one, however it is written (3, 3.0, "3"). Raises Refused."""
    match value:
        case bool():
            pass
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str():
            return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else value
        case _:
            pass
    raise Refused(f"{what} is {said(value)}, neither a whole number nor text")


def called(entry: dict[str, Any]) -> Id:
    """How an annotation is called in messages: by its id, whatever that is."""
    match entry.get("id", "without id"):
        case int() as value if abs(value) < 1 << 63:
            return value
        case value:
            return said(value)


def draft(entry: dict[str, Any], name: Id) -> Draft:
    """The annotation in `entry`, called `name`. Raises Refused with the field that is wrong."""
    box = _box(entry.get("bbox"))
    outline = entry.get("segmentation")
    polygons, short = _polygons(outline) if isinstance(outline, list) else ((), 0)
    lengths, size = _runs(cast("dict[str, Any]", outline)) if isinstance(outline, dict) else ((), (0, 0))
    if outline is not None and not isinstance(outline, list | dict):
        raise Refused(f"segmentation is {said(outline)}, neither polygons nor run lengths")
    if not (box or polygons or lengths):
        raise Refused(
            "a polygon of fewer than 3 points" if short else "neither a bbox nor a segmentation",
        )
    return Draft(
        id=name,
        category=identity(entry.get("category_id"), "category_id"),
        box=box,
        edges=_exact(box, entry.get("edges")),
        polygons=polygons,
        runs=lengths,
        size=size,
        points=_points(entry.get("keypoints")),
        crowd=_flag(entry, "iscrowd"),
        difficult=_flag(entry, "ignore"),
        short=short,
    )


def note(draft: Draft, name: str, size: Size, points: int) -> BoxNote:
    """The object of class `name` in an image of `size`, (0, 0) where that is not known, with that many points.

    Raises Refused where it does not fit them.
    """
    if draft.runs and size != draft.size:
        (width, height), (wide, high) = draft.size, size
        raise Refused(f"run lengths for {width}x{height} in an image of {wide}x{high}")
    for ring in draft.polygons:
        _bounded(ring, size)
    if draft.points and len(draft.points) != points:
        raise Refused(f"{len(draft.points)} keypoints, where its category has {points}")
    return BoxNote(
        name=name,
        box=objects.edges(_edges(draft), size),
        polygons=draft.polygons,
        runs=draft.runs,
        points=draft.points,
        crowd=draft.crowd,
        difficult=draft.difficult,
    )


def said(value: object) -> str:
    """A value as the file has it, on one short line."""
    text = shown(value if isinstance(value, str) else repr(value))
    return text if len(text) <= 40 else text[:37] + "..."


def number(value: object) -> float:
    """A finite number. Raises Refused."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        try:
            if math.isfinite(exact := float(value)):
                return exact
        except OverflowError:
            pass
    raise Refused(f"{said(value)} is not a finite number")


def numbers(values: list[Any]) -> tuple[float, ...]:
    """Finite numbers. Raises Refused with the first that is none."""
    # A sum is finite only where every number is; then none needs a look of its own.
    if set(map(type, values)) == {float} and math.isfinite(sum(values)):
        return tuple(values)
    return tuple(map(number, values))


def whole(value: object, what: str) -> int:
    """A whole number from 0 on that a float holds exactly, perhaps written 3.0. Raises Refused."""
    exact = number(value)
    if not 0 <= exact < _EXACT or not exact.is_integer():
        raise Refused(f"{what} is {said(value)}, not a whole number from 0 on")
    return int(exact)


def _box(value: object) -> tuple[float, ...]:
    if value is None or value == []:
        return ()
    if not isinstance(value, list) or len(value) != 4:
        raise Refused(f"bbox is {said(value)}; expected x, y, width, height")
    x, y, width, height = numbers(value)
    if width <= 0 or height <= 0:
        raise Refused(f"bbox of {width:g} x {height:g} has no area")
    return x, y, width, height


def _exact(box: tuple[float, ...], value: object) -> tuple[float, ...]:
    """Edges that say the same as the box, but for rounding; () where there are none."""
    if not box or not isinstance(value, list) or len(value) != 4:
        return ()
    x0, y0, x1, y1 = numbers(value)
    x, y, width, height = box
    same = (x0, y0) == (x, y) and math.isclose(x + width, x1) and math.isclose(y + height, y1)
    return (x0, y0, x1, y1) if same else ()


def _edges(draft: Draft) -> Box:
    """The box that is stated, or else the one around the outline."""
    if draft.edges:
        x0, y0, x1, y1 = draft.edges
        return x0, y0, x1, y1
    if draft.box:
        x, y, width, height = draft.box
        return x, y, x + width, y + height
    if draft.runs:
        return objects.edges(runs.extent(draft.runs, draft.size[1]))
    across = [x for ring in draft.polygons for x in ring[0::2]]
    down = [y for ring in draft.polygons for y in ring[1::2]]
    return min(across), min(down), max(across), max(down)


def _polygons(rings: Sequence[object]) -> tuple[tuple[Ring, ...], int]:
    """The rings with three points or more, and how many had fewer."""
    whole_rings = [_ring(ring) for ring in rings]
    kept = tuple(ring for ring in whole_rings if len(ring) >= 6)
    return kept, len(whole_rings) - len(kept)


def _ring(ring: object) -> Ring:
    if not isinstance(ring, list):
        raise Refused(f"a polygon is {said(ring)}; expected a list of x, y, x, y, ...")
    if len(ring) % 2:
        raise Refused(f"a polygon of {len(ring)} numbers; expected pairs of x, y")
    return numbers(ring)


def _bounded(ring: Ring, size: Size) -> None:
    """Raises Refused where an outline reaches further beyond its image than that is wide, or winds without end."""
    width, height = size if size[0] else (_UNSTATED, _UNSTATED)
    across, down = ring[0::2], ring[1::2]
    if min(across) < -width or max(across) > 2 * width or min(down) < -height or max(down) > 2 * height:
        raise Refused(
            f"a polygon from {min(across):g}, {min(down):g} to {max(across):g}, {max(down):g}"
            + (f" in an image of {width}x{height}" if size[0] else "")
        )
    if len(ring) > _LONG and size[0]:
        length = sum(
            map(math.hypot, map(float.__sub__, across[1:], across), map(float.__sub__, down[1:], down))
        )
        if length > 4 * width * height:
            raise Refused(f"a polygon {length:g} pixels long in an image of {width}x{height}")


def _runs(mask: dict[str, Any]) -> tuple[tuple[int, ...], Size]:
    """Run lengths that fill the mask's own size, and that size as (width, height)."""
    size, counts = mask.get("size"), mask.get("counts")
    if not isinstance(size, list) or len(size) != 2:
        raise Refused(f"a mask of size {said(size)}; expected height, width")
    height, width = (whole(side, "a side of the mask") for side in size)
    if not height or not width:
        raise Refused(f"a mask of size {said(size)} has no pixels")
    if isinstance(counts, str):
        lengths = runs.unpacked(counts)
    elif isinstance(counts, list):
        lengths = tuple(whole(run, "a run length") for run in counts)
    else:
        raise Refused(f"run lengths are {said(counts)}; expected numbers or text")
    return runs.checked(lengths, (width, height)), (width, height)


def _points(value: object) -> tuple[Point, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) % 3:
        raise Refused(f"keypoints are {said(value)}; expected x, y, visibility, ...")
    flat = numbers(value)
    if bad := [seen for seen in flat[2::3] if seen not in (0, 1, 2)]:
        raise Refused(f"a keypoint of visibility {bad[0]:g}; expected 0, 1 or 2")
    return tuple(zip(flat[0::3], flat[1::3], map(int, flat[2::3]), strict=True))


def _flag(entry: dict[str, Any], key: str) -> bool:
    value = entry.get(key, 0)
    if value not in (0, 1):
        raise Refused(f"{key} is {said(value)}; expected 0 or 1")
    return bool(value)
