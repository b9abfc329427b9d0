"""From one format of annotations to another: what the target cannot hold is named before anything is written."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from convworks.data import sources
from convworks.data.names import count, shown
from convworks.data.record import BoxNote, DataSet, SetAside
from convworks.data.sources.features import Feature, used
from convworks.errors import DataError
from convworks.files import refusal

PART = ".convworks-part"
"""How the folder ends in which a conversion is written until all of it is there."""

_CONTENT: dict[str, tuple[Feature, ...]] = {
    "coco": ("boxes",),
    "voc": ("boxes",),
    "yolo": ("boxes",),
    "csv": ("label", "labels", "boxes"),
    "masks": ("mask", "instances"),
    "folder": ("label",),
}
"""Of which features a format needs at least one to hold anything."""

_OF_OBJECTS: dict[Feature, str] = {
    "points": "points",
    "crowd": "crowd flags",
    "difficult": "difficult flags",
}
_OF_IMAGES: dict[Feature, str] = {
    "group": "groups",
    "labels": "labels",
    "mask": "masks",
    "instances": "masks of object ids",
}
"""What is said of what is lost with a feature."""

_CALLED: dict[Feature, str] = {
    "label": "a class an image",
    "labels": "several labels an image",
    "boxes": "objects with boxes",
    "mask": "the class of every pixel",
    "instances": "the object of every pixel",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What was read and written, and, in words, what changed its form on the way and what the target cannot hold."""

    source: str
    target: str
    root: Path
    destination: Path
    images: int
    objects: int
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    set_aside: tuple[SetAside, ...]
    changed: tuple[str, ...]
    lost: tuple[str, ...]


def convert(
    data: str | Path,
    destination: str | Path,
    *,
    to: str,
    source: str = "auto",
    lossy: bool = False,
) -> Converted:
    """The data set at `data` written to the new folder `destination` as coco, voc, yolo, csv, masks or folder.

    Images are copied, and nothing is written to where the data lies. The destination is there whole or not at all,
    and was read back. Raises DataError where the target cannot hold all that is said, unless `lossy`, and
    where it can hold nothing of it.
    """
    place = Path(destination)
    target = sources.module(to)
    dataset = sources.read(Path(data), source=source)
    _apart(dataset.root, place)
    if "mask" not in target.holds and any(one.mask or one.instances for one in dataset.records):
        from convworks.data.settled import settled

        dataset = settled(dataset)
    with tempfile.TemporaryDirectory(prefix="convworks-", ignore_cleanup_errors=True) as drawn:
        fitted, changed, lost = _fitted(dataset, to, target.holds, Path(drawn))
        _refuse_unfit(fitted, to)
        lost += _losses(fitted, to, target.holds)
        if lost and not lossy:
            raise DataError(
                f"{to} cannot hold all that {shown(str(data))} says: {'; '.join(lost)}.",
                expected=_elsewhere(dataset),
                fix="--lossy (lossy=True) writes the rest",
            )
        _write(fitted, place, to)
    return Converted(
        source=dataset.source,
        target=to,
        root=dataset.root,
        destination=place,
        images=len(fitted.records),
        objects=sum(len(record.boxes) for record in fitted.records),
        classes=fitted.classes,
        notes=dataset.notes,
        set_aside=dataset.set_aside,
        changed=tuple(changed),
        lost=tuple(lost),
    )


def _apart(root: Path, place: Path) -> None:
    """Raises DataError where the destination and the data lie in one another."""
    here, there = root.resolve(), place.resolve()
    if there == here or here in there.parents or there in here.parents:
        raise DataError(
            f"{shown(str(place))} lies in the data's folder {shown(str(root))}, or holds it.",
            fix="name a new folder elsewhere; your files are not written to",
        )
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise DataError(f"{shown(str(place))} is not empty.", fix="choose a new folder")


def _fitted(
    dataset: DataSet, to: str, holds: frozenset[Feature], drawn: Path
) -> tuple[DataSet, list[str], list[str]]:
    """The data set in the form that the target holds, what changed its form, and what was lost by it."""
    said = used(dataset)
    changed: list[str] = []
    lost: list[str] = []
    if "boxes" in holds and (said["mask"] or said["instances"]):
        from convworks.data import redraw

        dataset, ignored = redraw.with_objects(dataset)
        objects = sum(len(record.boxes) for record in dataset.records)
        changed.append(f"{count(len(dataset.records), 'mask image')} became {count(objects, 'object')}")
        if ignored:
            lost.append(f"pixels that do not count, in {count(ignored, 'mask')}, become background")
    elif "mask" in holds and not said["mask"] and (said["polygons"] or said["runs"]):
        from convworks.data import redraw

        lost += _unheld(said, holds, _OF_OBJECTS, "object")
        dataset, covered = redraw.with_maps(dataset, drawn)
        changed.append(f"{count(said['boxes'], 'object')} drawn into class and instance masks")
        if covered:
            lost.append(f"{count(covered, 'object lies', 'objects lie')} wholly under others")
        return dataset, changed, lost
    if "runs" not in holds and "polygons" in holds and used(dataset)["runs"]:
        from convworks.data import redraw

        dataset, traced = redraw.with_outlines(dataset)
        changed.append(f"{count(traced, 'mask')} traced as outlines of the same pixels")
    if to == "yolo":
        from convworks.data import redraw

        dataset, turned = redraw.as_shown(dataset)
        if turned:
            changed.append(f"annotations of {count(turned, 'image')} turned upright as EXIF says")
        changed += _outlined(dataset)
    return dataset, changed, lost


def _outlined(dataset: DataSet) -> Iterator[str]:
    """What a row that holds one outline, and no box beside it, changes."""
    notes = [one for record in dataset.records for one in record.boxes if one.polygons]
    if dataset.points or not notes:
        return
    if several := sum(len(one.polygons) > 1 for one in notes):
        yield f"several outlines of {count(several, 'object')} joined into one around the same pixels"
    apart = [gap for one in notes if (gap := _gap(one)) > 1e-6]
    if apart:
        yield (
            f"boxes of {count(len(apart), 'object')} become the bounds of their outlines, "
            f"up to {max(apart):.2g} px off"
        )


def _gap(note: BoxNote) -> float:
    """How far the edges of a box lie from the bounds of its outlines, in pixels."""
    across = [x for ring in note.polygons for x in ring[::2]]
    down = [y for ring in note.polygons for y in ring[1::2]]
    bounds = (min(across), min(down), max(across), max(down))
    return max(abs(edge - bound) for edge, bound in zip(note.box, bounds, strict=True))


def _losses(dataset: DataSet, to: str, holds: frozenset[Feature]) -> Iterator[str]:
    """What the target cannot hold, in words with counts."""
    said = used(dataset)
    if "boxes" not in holds and said["boxes"]:
        yield f"{count(said['boxes'], 'box is', 'boxes are')} lost"
    elif "polygons" not in holds:
        for number, what in ((said["polygons"], "outline"), (said["runs"], "mask")):
            if number:
                yield count(number, f"{what} becomes a box", f"{what}s become boxes")
    elif to == "yolo" and dataset.points and said["polygons"]:
        yield f"outlines of {count(said['polygons'], 'object')}, which have points, become boxes"
    yield from _unheld(said, holds, _OF_OBJECTS, "object")
    yield from _unheld(said, holds, _OF_IMAGES, "image")
    if "label" not in holds and (named := _labels_apart(dataset)):
        yield f"classes of {count(named, 'whole image')} are lost"


def _unheld(
    said: Counter[Feature], holds: frozenset[Feature], parts: dict[Feature, str], whose: str
) -> Iterator[str]:
    for feature, what in parts.items():
        if feature not in holds and said[feature]:
            yield f"{what} of {count(said[feature], whose)} are lost"


def _refuse_unfit(dataset: DataSet, to: str) -> None:
    """Raises DataError where the target could hold nothing, or not every image."""
    said, needed = used(dataset), _CONTENT[to]
    most = max(said[feature] for feature in needed)
    if not most or ("boxes" not in needed and most < len(dataset.records)):
        what = " or ".join(_CALLED[feature] for feature in needed)
        lack = "none" if not most else f"it for {most:,} of {count(len(dataset.records), 'image')}"
        raise DataError(
            f"{to} holds {what}; this is a set for {dataset.task}, and has {lack}.",
            expected=_elsewhere(dataset),
        )


def _labels_apart(dataset: DataSet) -> int:
    """How many images have a class that is not just the name of their one object."""
    return sum(
        bool(record.label) and {record.label} != {one.name for one in record.boxes}
        for record in dataset.records
    )


def _elsewhere(dataset: DataSet) -> str:
    """The formats that hold all that a data set says."""
    said = used(dataset).keys() - {"size", *(() if _labels_apart(dataset) else ("label",))}
    able = [name for name in sources.SOURCES if said <= sources.module(name).holds]
    return f"{' or '.join(able)} hold{'s' * (len(able) == 1)} all of it" if able else ""


def _write(dataset: DataSet, place: Path, to: str) -> None:
    """Writes beside the destination, reads back, and moves what is whole to its place."""
    part = place.with_name(f".{place.name}{PART}")
    shutil.rmtree(part, ignore_errors=True)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        sources.write(dataset, part, source=to)
        _read_back(dataset, part, to)
        if place.exists():
            place.rmdir()
        part.replace(place)
    except OSError as error:
        raise refusal(place, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _read_back(dataset: DataSet, part: Path, to: str) -> None:
    """Raises DataError where what was written is not what is read again."""
    try:
        again: DataSet = sources.module(to).read(part)
    except DataError as error:
        said = error.found.replace(str(part), to)
        raise DataError(f"As {to} it could not be read again: {said}", fix=error.fix) from None
    found, given = _counted(again), _counted(dataset)
    if found != given:
        raise DataError(
            f"{to} reads back {found[0]:,} images and {found[1]:,} objects where {given[0]:,} and {given[1]:,} "
            f"were written{f': {again.set_aside[0].reason}' if again.set_aside else ''}.",
            fix="convert to another format; nothing was left behind",
        )


def _counted(dataset: DataSet) -> tuple[int, int]:
    return len(dataset.records), sum(len(record.boxes) for record in dataset.records)
