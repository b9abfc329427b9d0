"""Mask images that are missing, unreadable, of another size, empty, or hold values that no class has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from convworks.data.facts import Facts
from convworks.data.findings.seen import Seen, about, learned
from convworks.data.maps import MapFacts, Value
from convworks.data.names import count, few, shown
from convworks.data.record import MaskCode
from convworks.events import Finding

SMOOTHED = 16
"""More unexpected values than this in a mask are a smoothed or compressed one's."""


def findings(seen: Seen) -> Iterator[Finding]:
    """What is wrong with the masks of a data set that has them."""
    maps = [
        (record.path, fact.map, fact)
        for record, fact in zip(seen.records, seen.facts, strict=True)
        if fact.map is not None
    ]
    if not maps and seen.dataset.task != "segmentation":
        return
    yield from _missing(seen)
    if broken := [(path, found.problem) for path, found, _ in maps if found.problem]:
        yield about(
            "mask-unreadable",
            "warning",
            f"{count(len(broken), 'mask')} cannot be read.",
            files=[path for path, _ in broken],
            evidence=few([f"{shown(path)} ({problem})" for path, problem in broken]),
            why="an image without its mask teaches nothing",
            action="write them again",
        )
    read = [(path, found, fact) for path, found, fact in maps if not found.problem]
    if other := [
        (path, found.size, (fact.width, fact.height)) for path, found, fact in read if not _fits(found, fact)
    ]:
        yield about(
            "mask-size",
            "warning",
            f"{count(len(other), 'mask is', 'masks are')} of another size than the image.",
            files=[path for path, _, _ in other],
            evidence=few([f"{shown(path)} ({_by(mask)} for {_by(size)})" for path, mask, size in other]),
            why="pixels and their classes do not lie on one another",
            action="scale the masks without smoothing, or give the images that were annotated",
        )
    if seen.dataset.masks is not None and read:
        found = [(path, one) for path, one, _ in read]
        yield from _unexpected(found, seen.dataset.masks)
        yield from _empty(found, seen.dataset.masks)
        yield from _absent(seen, seen.dataset.masks)


def _missing(seen: Seen) -> Iterator[Finding]:
    without = [
        record.path
        for record in seen.records
        if not record.mask and not any(box.polygons or box.runs for box in record.boxes)
    ]
    if without and seen.dataset.task == "segmentation":
        yield about(
            "no-mask",
            "warning",
            f"{count(len(without), 'image')} of {len(seen.records):,} without a mask.",
            files=without,
            why="they teach nothing, or, where outlines are meant, that all is background",
            action="add the masks, or leave the images out",
        )


def _fits(found: MapFacts, fact: Facts) -> bool:
    """Whether a mask is of the size of its image, as that is shown or as its camera stored it lying down."""
    size = (fact.width, fact.height)
    return found.size == size or (fact.turn >= 5 and found.size == size[::-1])


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _unexpected(found: list[tuple[str, MapFacts]], code: MaskCode) -> Iterator[Finding]:
    known = {value for value, _ in code.values} | set(code.ignore)
    masks: Counter[Value] = Counter()
    pixels: Counter[Value] = Counter()
    odd: dict[str, int] = {}
    total = 0
    for path, one in found:
        strange = {value: number for value, number in one.values.items() if value not in known}
        total += sum(one.values.values())
        if strange:
            odd[path] = len(strange)
            masks.update(strange.keys())
            pixels.update(strange)
    if not odd:
        return
    smoothed = sum(number > SMOOTHED for number in odd.values()) > len(odd) / 2
    told = [
        f"value {_value(value)} in {count(masks[value], 'mask')} ({number / total:.2g} of all pixels)"
        for value, number in pixels.most_common()
    ]
    yield about(
        "mask-values",
        "warning",
        f"{count(len(odd), 'mask')} with values that no class has.",
        files=list(odd),
        evidence=few(told),
        why="they lie between those of classes, as where a mask was smoothed or saved as JPEG"
        if smoothed
        else "what a pixel of such a value shows is not known",
        action="write the masks again without smoothing, as PNG"
        if smoothed
        else "name their class, or declare them ignored",
        values={
            "values": {_value(value): number for value, number in pixels.most_common(256)},
            "masks": {_value(value): number for value, number in masks.most_common(256)},
        },
    )


def _value(value: Value) -> str:
    return " ".join(map(str, value))


def _empty(found: list[tuple[str, MapFacts]], code: MaskCode) -> Iterator[Finding]:
    ignored = set(code.ignore)
    if nothing := [path for path, one in found if one.values.keys() <= ignored]:
        yield about(
            "mask-empty",
            "warning",
            f"{count(len(nothing), 'mask')} without a pixel that counts.",
            files=nothing,
            why="they teach nothing, and are measured as nothing",
            action="draw them, or leave the images out",
        )
    rest = set(nothing)
    uniform = [path for path, one in found if len(one.values.keys() - ignored) == 1 and path not in rest]
    if uniform and len(uniform) < len(found):
        yield about(
            "mask-uniform",
            "note",
            f"{count(len(uniform), 'mask')} of one class all over.",
            files=uniform,
            why="a mask that was never drawn looks like this",
        )


def _absent(seen: Seen, code: MaskCode) -> Iterator[Finding]:
    """Classes without a pixel, anywhere or where it is learned."""
    everywhere: Counter[Value] = Counter()
    to_learn: Counter[Value] = Counter()
    for record, fact in zip(seen.records, seen.facts, strict=True):
        if fact.map is not None:
            everywhere.update(fact.map.values)
            if learned(record):
                to_learn.update(fact.map.values)
    names = dict.fromkeys(name for _, name in code.values)
    present, taught = (
        {name for value, name in code.values if counted[value]} for counted in (everywhere, to_learn)
    )
    never = [name for name in names if name not in present]
    untaught = [name for name in names if name in present and name not in taught]
    for absent, where in ((never, "any mask"), (untaught, "a mask to learn from")):
        if absent:
            yield about(
                "class-absent",
                "warning",
                f"{count(len(absent), 'class', 'classes')} without a pixel in {where}: {few(absent, 8)}.",
                number=len(absent),
                why="what is never shown is never learned, and counts as nought in a mean over classes",
                action="add images that show it, or leave the class out",
                values={"classes": absent},
            )
