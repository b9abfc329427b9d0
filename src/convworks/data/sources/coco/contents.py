"""What stands in one annotation file of COCO, entry by entry, before one thing in it is held against another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convworks.data.names import count, shown, writable
from convworks.data.sources.coco import drafts
from convworks.data.sources.coco.drafts import Draft, Id, Size
from convworks.data.sources.coco.stream import entries
from convworks.data.sources.confine import Refused
from convworks.errors import DataError

_EDGES = 0.2
"""The share of boxes that leave their image from which on, if all fit it as edges, they are taken for edges."""
_KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True, slots=True)
class Category:
    """An entry of `categories`: its keypoints' names, and the name of its supercategory."""

    name: str
    points: tuple[str, ...]
    parent: str


@dataclass(slots=True)
class Image:
    """An entry of `images`: one name, or several that claim the same id."""

    names: list[str]
    size: Size
    drafts: list[Draft] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Contents:
    """What stands in a file, before one thing in it is held against another."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.images: dict[Id, Image] = {}
        self.categories: dict[Id, Category] = {}
        self.lost: list[str] = []
        self.counts: Counter[str] = Counter()
        self._waiting: dict[Id, Image] = {}
        self._ids: set[Id] = set()
        for key, entry in entries(path, _KEYS):
            try:
                if not isinstance(entry, dict):
                    raise Refused(f"an entry of {key} is {drafts.said(entry)}")
                self._take(key, entry)
            except Refused as refusal:
                self.lost.append(str(refusal))
        for identity, image in self._waiting.items():
            self.lost += [
                f"annotation {one.id}: no image has its image_id {drafts.said(identity)}"
                for one in image.drafts
            ]
            self.lost += image.faults

    def _take(self, key: str, entry: dict[str, Any]) -> None:
        match key:
            case "images":
                self._image(entry)
            case "categories":
                self._category(entry)
            case _:
                self._annotation(entry)

    def _image(self, entry: dict[str, Any]) -> None:
        name = entry.get("file_name")
        if not isinstance(name, str):
            raise Refused(f"an image's file_name is {drafts.said(name)}")
        try:
            identity = drafts.identity(entry.get("id"), "the image's id")
        except Refused as refusal:
            raise Refused(f"{shown(name)}: {refusal}") from None
        self.counts["float"] += isinstance(entry["id"], float)
        size = self._size(entry)
        if identity in self.images:
            known = self.images[identity]
            if name in known.names:
                self.counts["images twice"] += 1
            else:
                known.names.append(name)
            return
        waiting = self._waiting.pop(identity, None)
        self.images[identity] = Image([name], size)
        if waiting:
            self.images[identity].drafts, self.images[identity].faults = waiting.drafts, waiting.faults

    def _size(self, entry: dict[str, Any]) -> Size:
        """Width and height where both are there and sensible."""
        if "width" not in entry and "height" not in entry:
            return (0, 0)
        try:
            width, height = (drafts.whole(entry.get(side), side) for side in ("width", "height"))
        except Refused:
            width = height = 0
        self.counts["sizes"] += not (width and height)
        return (width, height) if width and height else (0, 0)

    def _category(self, entry: dict[str, Any]) -> None:
        identity = drafts.identity(entry.get("id"), "a category's id")
        name = entry.get("name")
        if not isinstance(name, str) or not name or not writable(name):
            raise Refused(f"category {identity}: its name is {drafts.said(name)}")
        points = entry.get("keypoints") or []
        if not isinstance(points, list) or not all(isinstance(one, str) and writable(one) for one in points):
            raise Refused(f"category {shown(name)}: its keypoints are {drafts.said(points)}, not names")
        if len(set(points)) < len(points):
            raise Refused(f"category {shown(name)}: two keypoints have one name")
        known = self.categories.get(identity)
        if known and known.name != name:
            raise DataError(
                f"{shown(str(self.path))}: category {identity} is {shown(known.name)} and also {shown(name)}.",
                fix="give each category its own id",
            )
        parent = entry.get("supercategory")
        self.categories[identity] = Category(name, tuple(points), parent if isinstance(parent, str) else "")

    def _annotation(self, entry: dict[str, Any]) -> None:
        said = drafts.called(entry)
        try:
            identity = drafts.identity(entry.get("image_id"), "image_id")
        except Refused as refusal:
            raise Refused(f"annotation {said}: {refusal}") from None
        self.counts["float"] += isinstance(entry["image_id"], float)
        self.counts["ids"] += "id" in entry and said in self._ids
        self._ids.add(said)
        image = self.images.get(identity) or self._waiting.setdefault(identity, Image([], (0, 0)))
        try:
            drawn = drafts.draft(entry, said)
        except Refused as refusal:
            image.faults.append(f"annotation {said}: {refusal}")
            return
        self.counts["rings"] += drawn.short
        image.drafts.append(drawn)


def refuse_edges(file: Contents) -> None:
    """Raises DataError where boxes are clearly written as edges, x0, y0, x1, y1."""
    total = leaving = 0
    for image in file.images.values():
        width, height = image.size
        for draft in image.drafts if width else ():
            if draft.box:
                x, y, wide, high = draft.box
                if not (x < wide <= width + 1 and y < high <= height + 1):
                    return
                total += 1
                leaving += x + wide > width + 1 or y + high > height + 1
    if leaving >= 3 and leaving >= _EDGES * total:
        raise DataError(
            f"{shown(str(file.path))}: {leaving:,} of {count(total, 'box', 'boxes')} leave their image when read "
            "as x, y, width, height, and all fit it as edges x0, y0, x1, y1.",
            expected="bbox as x, y, width, height",
            fix="write x1 - x0 and y1 - y0 for the last two numbers",
        )
