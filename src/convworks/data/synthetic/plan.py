"""What is asked of a synthetic set, which file each image becomes, and the right to write into a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from convworks.data.record import Split
from convworks.data.synthetic.objects import OBJECTS
from convworks.data.synthetic.shapes import SHAPES
from convworks.data.synthetic.truth import Task, label_of, split_of
from convworks.errors import DataError, unknown

Style = Literal["scenes", "shapes"]
Layout = Literal["split", "flat"]
Outlines = Literal["polygons", "runs", "maps"]

MARKER = ".convworks-sample-data.json"
PART = ".convworks-part"
DRAWING = 1
"""Rises whenever the same (seed, index) is drawn differently, so that two drawings never mix in a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settings of a set: `size` is (width, height).

    `layout` is for classification, `void` for masks, `outlines` for instances: polygons or run lengths in COCO's JSON,
    or maps of object ids.
    """

    task: Task
    classes: tuple[str, ...]
    size: tuple[int, int]
    seed: int
    style: Style
    layout: Layout
    void: bool
    outlines: Outlines = "polygons"

    def image(self, index: int) -> PurePosixPath:
        """Where image `index` lies, relative to the set's folder."""
        name = f"{index:06d}.{'jpg' if self.style == 'scenes' else 'png'}"
        split = self.split(index)
        match self.task:
            case "classification":
                label = self.classes[label_of(self.seed, index, len(self.classes))]
                return (
                    PurePosixPath(label, name) if self.layout == "flat" else PurePosixPath(split, label, name)
                )
            case "segmentation" | "instances" if self.maps:
                return PurePosixPath(split, "images", name)
            case _:
                return PurePosixPath("images", name)

    @property
    def maps(self) -> bool:
        """Whether a picture's truth is written as maps of its pixels."""
        return self.task == "segmentation" or (self.task == "instances" and self.outlines == "maps")

    def mask(self, index: int) -> PurePosixPath:
        """Where the class map of image `index` lies."""
        return PurePosixPath(self.split(index), "masks", f"{index:06d}.png")

    def objects(self, index: int) -> PurePosixPath:
        """Where the map of object ids of image `index` lies."""
        return PurePosixPath(self.split(index), "instances", f"{index:06d}.png")

    def split(self, index: int) -> Split:
        """The part of the set that image `index` belongs to."""
        return split_of(index, len(self.classes))


def class_names(style: Style, classes: int | Sequence[str]) -> tuple[str, ...]:
    """The sorted names for a number of classes (the first in the list) or for names; else raises DataError.

    >>> class_names("scenes", 3)
    ('beetle', 'fish', 'leaf')
    """
    known = list(OBJECTS) if style == "scenes" else list(SHAPES)
    names = known[:classes] if isinstance(classes, int) else list(classes)
    for name in names:
        if name not in known:
            raise unknown("synthetic class", name, known, DataError)
    wrong = isinstance(classes, int) and classes != len(names)
    if wrong or len(set(names)) < 2:
        asked = classes if isinstance(classes, int) else len(set(names))
        raise DataError(
            f"{asked} classes were asked of style {style}.",
            expected=f"2 to {len(known)} of {', '.join(known)}",
        )
    return tuple(sorted(set(names)))


def claim(directory: Path, plan: Plan, count: int) -> None:
    """Take `directory` for `count` images of `plan`, or go on with one begun before.

    Raises DataError where it holds anything that was not written for this very set.
    """
    if directory.exists() and not directory.is_dir():
        raise DataError(f"{directory} is a file.", expected="a folder, or a name that is free")
    if directory.is_dir() and any(not path.name.endswith(PART) for path in directory.iterdir()):
        _check_ours(directory, plan, count)
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.rglob(f".*{PART}"):
        leftover.unlink(missing_ok=True)
    mark(directory, plan, count, complete=False)


def _settings(plan: Plan) -> dict[str, Any]:
    """What decides how an image is drawn, as JSON gives it back."""
    settings = {"drawing": DRAWING, **asdict(plan)}
    if plan.task != "instances":
        del settings["outlines"]
    return json.loads(json.dumps(settings))


def _check_ours(directory: Path, plan: Plan, count: int) -> None:
    settings = _settings(plan)
    try:
        found = cast(dict[str, Any], json.loads((directory / MARKER).read_text("utf-8")))
        begun, before = int(found["count"]), dict(found["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{directory} is not empty, and sample-data did not write it.",
            fix="name a folder that is empty or does not exist yet",
        ) from None
    if before != settings:
        changed = [name for name in settings if before.get(name) != settings[name]]
        raise DataError(
            f"{directory} holds a set with another {', '.join(changed)}.",
            fix="name another folder, or ask for the same settings to make that set larger",
        )
    if begun > count:
        raise DataError(
            f"{directory} holds {begun} images of this set already; {count} were asked.",
            fix=f"name another folder, or ask for {begun} or more",
        )
    for index in range(begun, count):
        for path in (plan.image(index), plan.mask(index), plan.objects(index)):
            if (directory / path).exists():
                raise DataError(
                    f"{directory / path} is in the way; sample-data did not write it.",
                    fix="move it elsewhere, or name another folder",
                )


def mark(directory: Path, plan: Plan, count: int, *, complete: bool) -> None:
    """Say in the folder what it holds, and whether all of it is there."""
    text = json.dumps(
        {
            "written by": "convworks sample-data",
            "complete": complete,
            "count": count,
            "settings": _settings(plan),
        },
        indent=1,
    )
    put(directory / MARKER, text.encode("utf-8"))


def put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}{PART}")
    part.write_bytes(content)
    part.replace(path)
