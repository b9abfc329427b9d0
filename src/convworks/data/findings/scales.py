"""Boxes that mean something else: shares, another spelling, another size, x and y exchanged, moved or shrunk.

What is told apart here follows from where all boxes lie in their frames. A frame that only some annotations
mistake, in a way that keeps their boxes inside, is not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from convworks.data import rgb
from convworks.data.findings.objects import Objects, every, some
from convworks.data.findings.seen import Seen, about
from convworks.data.names import count
from convworks.events import Finding

NEARLY = 0.95
"""The share of the boxes that has to agree on a rule."""
ROOM = 0.02
"""What a box may reach beyond its frame, as a share of the side, before it is outside."""
EXCHANGED = 3
"""Images whose boxes fit only with x and y exchanged, from which on that is said."""
SPELT = 0.1
"""The share of the boxes that has to be impossible before all are taken to be spelt another way."""
ENOUGH_IMAGES, ENOUGH_BOXES = 20, 50
"""From this many on, where all boxes lie says something."""
REACHED = 0.75
"""The share of the frame beyond which boxes of many images reach, unless they were drawn on larger ones."""


def shares(seen: Seen, found: Objects) -> Iterator[Finding]:
    """Boxes from 0 to 1, where pixels belong."""
    if not len(found.boxes) or found.frames.min() < 8:
        return
    unit = every(found.boxes >= -ROOM) & every(found.boxes <= 1 + ROOM)
    if unit.mean() >= NEARLY:
        yield about(
            "shares",
            "error",
            f"{int(unit.sum()):,} of {count(len(unit), 'box', 'boxes')} lie between 0 and 1.",
            files=_paths(seen, found.rows[unit]),
            number=int(unit.sum()),
            why="they are shares of width and height, read as pixels",
            action="multiply them by the width and height of their image",
        )


def spelling(seen: Seen, found: Objects) -> Iterator[Finding]:
    """Width and height read as a corner, or a corner read as width and height."""
    found = found.only(every(np.isfinite(found.boxes)))
    if not len(found.boxes):
        return
    first, second = found.boxes[:, :2], found.boxes[:, 2:]
    reversed_ = some(second < first)
    beyond = some(found.over() > 1 + ROOM * found.frames[:, [0, 1, 0, 1]])
    for wrong, corner, was, now in (
        (reversed_, first + second, "x, y, width and height", "two corners"),
        (beyond, second - first, "two corners", "x, y, width and height"),
    ):
        inside = every(corner > first) & every(first >= -1)
        fits = inside & every(corner <= found.frames * (1 + ROOM))
        if wrong.mean() >= SPELT and fits.mean() >= NEARLY:
            yield about(
                "spelling",
                "error",
                f"The boxes are {was}, read as {now}: {int(wrong.sum()):,} of {len(wrong):,} cannot be what they seem.",
                files=_paths(seen, found.rows[wrong]),
                number=int(wrong.sum()),
                why="the net learns from what is beside the objects",
                action=f"write all of them as {now}",
            )
            return


def findings(seen: Seen, found: Objects) -> Iterator[Finding]:
    """Other sizes than the annotation states, exchanged axes, and boxes that all lie moved or shrunk."""
    yield from _sizes(seen)
    yield from _exchanged(seen, found)
    if len(set(found.rows.tolist())) >= ENOUGH_IMAGES and len(found.boxes) >= ENOUGH_BOXES:
        moved = list(_moved(seen, found))
        yield from moved or _shrunk(seen, found)


def _sizes(seen: Seen) -> Iterator[Finding]:
    turned: list[str] = []
    scaled: dict[float, list[str]] = {}
    other: list[str] = []
    for record, fact in zip(seen.records, seen.facts, strict=True):
        (width, height), size = record.size, (fact.width, fact.height)
        if not width or not height or record.size == size:
            continue
        factor = fact.width / width
        if (height, width) == size and rgb.TURNED in fact.notes:
            turned.append(record.path)
        elif abs(fact.height / height / factor - 1) < ROOM:
            scaled.setdefault(round(factor, 2), []).append(record.path)
        else:
            other.append(record.path)
    told = Counter({factor: len(paths) for factor, paths in scaled.items()})
    for factor, number in told.most_common(3):
        yield about(
            "size",
            "warning",
            f"{count(number, 'image has', 'images have')} {factor:g} times the size that the annotation states.",
            files=scaled[factor],
            why="boxes in pixels of another size lie beside their objects",
            action=f"multiply their boxes by {factor:g}, or give the images that were annotated",
            values={"factor": factor},
        )
    for paths, said, action in (
        (turned, "turned by EXIF and annotated as it was before", "turn their boxes too"),
        (other, "of another size than the annotation states", "give the images that were annotated"),
    ):
        if paths:
            yield about(
                "size",
                "warning",
                f"{count(len(paths), 'image is', 'images are')} {said}.",
                files=paths,
                why="boxes in pixels of another frame lie beside their objects",
                action=action,
            )


def _exchanged(seen: Seen, found: Objects) -> Iterator[Finding]:
    room = 1 + ROOM * found.frames[:, [0, 1, 0, 1]]
    outside = some(found.over() > room)
    turned = Objects(
        rows=found.rows,
        kinds=found.kinds,
        names=found.names,
        boxes=found.boxes[:, [1, 0, 3, 2]],
        frames=found.frames,
    )
    misfit = some(turned.over() > room)
    wrong = set(found.rows[outside].tolist())
    mended = wrong - set(found.rows[misfit].tolist())
    if len(mended) >= EXCHANGED and len(mended) >= len(wrong) / 2:
        yield about(
            "exchanged",
            "error",
            f"x and y are exchanged: in {count(len(mended), 'image')} boxes leave the frame, and fit when turned over.",
            files=_paths(seen, np.array(sorted(mended), np.int64)),
            number=len(mended),
            why="the net learns from what is beside the objects",
            action="write x before y in every box, also where none leaves its frame",
        )


def _moved(seen: Seen, found: Objects) -> Iterator[Finding]:
    """All boxes too far to one side: some leave the frame there, and none comes near the other side."""
    over = found.over()
    moves: list[str] = []
    for low, high, axis, words in ((0, 2, 0, ("right", "left")), (1, 3, 1, ("down", "up"))):
        for gap, excess, way in (
            (-over[:, low], over[:, high], words[0]),
            (-over[:, high], over[:, low], words[1]),
        ):
            least = max(2.0, ROOM * float(np.median(found.frames[:, axis])))
            need, room = float(np.percentile(excess, 99.5)), float(np.percentile(gap, 0.5))
            if need > least and room >= 0.9 * need:
                moves.append(f"{way} by {need:.0f} pixels or a little more")
    if moves:
        yield about(
            "moved",
            "error",
            f"The boxes lie too far {' and '.join(moves)}: some leave the frame, and none is near the other side.",
            files=_paths(seen, found.rows[some(over > 1)]),
            number=len(found.boxes),
            why="every box lies beside its object, by the same amount",
            action="move them back, or give the images that were annotated",
        )


def _shrunk(seen: Seen, found: Objects) -> Iterator[Finding]:
    """No box of many reaches the right and lower part, and some reach the left and upper edge."""
    reached = (found.boxes[:, 2:] / found.frames).max(0)
    begun = (found.boxes[:, :2] / found.frames).min(0)
    far = float(reached.max())
    if far <= REACHED and abs(reached[0] - reached[1]) < 0.05 and (begun < (1 - reached) / 3).all():
        yield about(
            "shrunk",
            "error",
            f"No box of {len(found.boxes):,} reaches beyond {far:.0%} of its image's width or height.",
            files=_paths(seen, found.rows),
            number=len(found.boxes),
            why=f"they look as if drawn on images of {far:.2g} times the size",
            action=f"divide them by {far:.2g}, or give the images that were annotated",
            values={"factor": far},
        )


def _paths(seen: Seen, rows: np.ndarray) -> list[str]:
    return [seen.records[row].path for row in np.unique(rows).tolist()]
