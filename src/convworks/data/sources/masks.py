"""Mask images: one beside each image, whose pixels say the class, by index, by palette or by colour.

- `images/` and `masks/`, perhaps in `train/` and `val/`, or with those inside; `train/` beside `trainannot/`
  (SegNet) or `train_labels/`; `JPEGImages/` and `SegmentationClass/` (VOC). A mask has its image's name; all masks
  may carry one more word at its end (`7_mask.png`).
- `instances/` (or `SegmentationObject/`) hold masks of object ids, 8 or 16 bits, beside the others or alone.
- A list of classes (`classes.txt`, `codes.txt`, `class_dict.csv`, `label_colors.txt`, ...) says what the values mean.
  Where there is none, only the pixels can tell: the data set has no `masks` code until they were looked at.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convworks.data.names import few, shown
from convworks.data.packed import pack
from convworks.data.record import DataSet, MaskCode, Record, SetAside, Split
from convworks.data.sources import class_list, copying, suffixes
from convworks.data.sources.confine import Refused, Root
from convworks.data.sources.features import Feature
from convworks.data.sources.folder import SPLITS
from convworks.errors import DataError

holds: frozenset[Feature] = frozenset({"split", "mask", "instances"})

IMAGES = ("images", "image", "imgs", "img", "jpegimages")
MASKS = ("masks", "mask", "labels", "label", "annotations", "annot", "gt", "segmentationclass")
INSTANCES = ("instances", "segmentationobject")
"""What the folders may be called, in lower case."""

OBJECT = "object"
"""The class of what is told apart but not named."""

_ENDINGS = ("annot", "_labels", "_masks", "_mask", "_annot", "masks")
"""What follows the name of a split in the name of its masks' folder (`trainannot/`)."""
_ORDER: tuple[Split, ...] = ("train", "", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Folders, relative to the root, that belong together; "" where there is none. `chosen` are stems, if listed."""

    split: Split
    images: str
    masks: str
    instances: str = ""
    chosen: frozenset[str] | None = None


def fits(root: Path) -> bool:
    """A folder in which images and masks lie side by side."""
    return root.is_dir() and any(_holds_images(root / place.images) for place in _places(root))


def read(root: Path) -> DataSet:
    """Records of images and their masks, sorted by split and path. Raises DataError."""
    places = _places(root) if root.is_dir() else []
    if not places:
        raise DataError(
            f"{shown(str(root))} holds no images beside masks.",
            expected="images/ and masks/ with the same names, perhaps in train/ and val/",
        )
    reader = _Reader(Root(root))
    for place in places:
        reader.read(place)
    if not reader.records:
        first = f": {shown(reader.aside[0].path)} ({reader.aside[0].reason})" if reader.aside else ""
        raise DataError(
            f"No image of {shown(str(root))} has a mask{first}.", fix="give each mask the name of its image"
        )
    parts = {record.split for record in reader.records}
    if not parts & {"train", ""}:
        raise DataError(
            f"{shown(str(root))} holds images of val or test, but none of train.",
            fix="name the images to learn from train",
        )
    named = next((path for path in _lists(root, places) if path.is_file()), None)
    code = class_list.read(named) if named else None
    masked = any(record.mask for record in reader.records)
    return DataSet(
        root=root,
        source="masks",
        task="segmentation" if masked else "detection",
        classes=_classes(code, masked),
        records=pack(sorted(reader.records, key=lambda one: (_ORDER.index(one.split), one.path))),
        set_aside=tuple(sorted(reader.aside, key=lambda file: file.path)),
        notes=(*reader.notes, *_remarks(named, code, masked)),
        masks=code if masked else None,
    )


def write(dataset: DataSet, destination: Path) -> None:
    """Copies images and masks to `images/` and `masks/` of each split, and writes the list of classes.

    Raises DataError for an image that has no mask.
    """
    destination.mkdir(parents=True, exist_ok=True)
    if dataset.masks is not None:
        (destination / class_list.NAME).write_text(class_list.write(dataset.masks), encoding="utf-8")
    elif dataset.classes not in ((), (OBJECT,)):
        names = MaskCode(values=tuple(((value,), name) for value, name in enumerate(dataset.classes)))
        (destination / class_list.NAME).write_text(class_list.write(names), encoding="utf-8")
    given = any(record.split for record in dataset.records)
    taken: set[str] = set()
    stems: set[str] = set()
    for record in dataset.records:
        if not (record.mask or record.instances):
            raise DataError(f"{shown(record.path)} has no mask image.", fix="write its objects to coco")
        split = record.split or ("train" if given else "")
        top = f"{split}/" if split else ""
        stem = _stem(record.path)[0]
        number = next(one for one in range(len(stems) + 1) if f"{top}{_numbered(stem, one)}" not in stems)
        stem = _numbered(stem, number)
        stems.add(f"{top}{stem}")
        for folder, path in (
            ("images", record.path),
            ("masks", record.mask),
            ("instances", record.instances),
        ):
            if path:
                wanted = f"{top}{folder}/{stem}{_stem(path)[1]}"
                copying.copy(dataset.root / path, destination, wanted, taken)


def _numbered(stem: str, number: int) -> str:
    return f"{number}-{stem}" if number else stem


def _stem(path: str) -> tuple[str, str]:
    """A file's name without its suffix, and the suffix with its dot."""
    name = path.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem else (name, "")


class _Reader:
    """Pairs images with masks, folder by folder; keeps what was found on the way."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.records: list[Record] = []
        self.aside: list[SetAside] = []
        self.notes: list[str] = []

    def read(self, place: _Place) -> None:
        """Adds the records of one place."""
        images = self._files(place.images, place.chosen)
        masks, ending = self._beside(place.masks, images)
        instances, _ = self._beside(place.instances, images)
        for stem, path in images.items():
            mask, objects = masks.pop(stem, ""), instances.pop(stem, "")
            if place.masks and not mask:
                self._set_aside(path, f"no mask of its name in {shown(place.masks)}/")
            elif not place.masks and not objects:
                self._set_aside(path, f"no mask of its name in {shown(place.instances)}/")
            else:
                self.records.append(Record(path=path, split=place.split, mask=mask, instances=objects))
        for path in (*masks.values(), *instances.values()) if place.chosen is None else ():
            self._set_aside(path, f"no image of its name in {shown(place.images)}/")
        told = f"{shown(place.images)}/ with {shown(place.masks or place.instances)}/"
        self.notes.append(
            f"Read from {told}{f' ({place.split})' if place.split else ''}"
            + (f'; names of masks end with "{shown(ending)}".' if ending else ".")
        )

    def _beside(self, folder: str, images: dict[str, str]) -> tuple[dict[str, str], str]:
        """Masks by the stem of their image, and what their names have at the end beyond it."""
        files = self._files(folder, None) if folder else {}
        if not files or files.keys() & images.keys():
            return files, ""
        endings = Counter(
            stem[at:]
            for stem in files
            for at in range(1, len(stem))
            if stem[at] in "_-. " and stem[:at] in images
        )
        if not endings:
            return files, ""
        ending = endings.most_common(1)[0][0]
        return {stem.removesuffix(ending): path for stem, path in files.items()}, ending

    def _files(self, folder: str, chosen: frozenset[str] | None) -> dict[str, str]:
        """Paths of the images in a folder by their stem, sorted; what cannot be used is set aside."""
        found: dict[str, str] = {}
        for name in _names(Path(self.root.path) / folder):
            path = f"{folder}/{name}" if folder else name
            stem = _stem(name)[0]
            if suffixes.suffix(name) not in suffixes.READ or (chosen is not None and stem not in chosen):
                if suffixes.suffix(name) in suffixes.FOREIGN:
                    self._set_aside(path, f"{suffixes.suffix(name)} images are not read; save it as PNG")
                continue
            try:
                self.root.find(path)
            except Refused as refusal:
                self._set_aside(path, str(refusal))
                continue
            if stem in found:
                self._set_aside(path, f"has the name of {shown(found[stem])}, but for its suffix")
            else:
                found[stem] = path
        return found

    def _set_aside(self, path: str, reason: str) -> None:
        self.aside.append(SetAside(path=path, reason=reason))


def _places(root: Path) -> list[_Place]:
    """Where images and masks lie; of one kind of layout only."""
    tops = _folders(root)
    for found in (
        _side_by_side(root, tops),
        _named_after(root, tops),
        _voc(root, tops),
        _pairs(root, "", "", tops),
    ):
        if places := [place for place in found if _holds_images(root / (place.masks or place.instances))]:
            return sorted(places, key=lambda place: _ORDER.index(place.split))
    return []


def _side_by_side(root: Path, tops: Sequence[str]) -> Iterator[_Place]:
    """`train/images` and `train/masks`, or `images/train` and `masks/train`."""
    for top in tops:
        if split := SPLITS.get(top.lower()):
            yield from _pairs(root, f"{top}/", split, _folders(root / top))
    for place in _pairs(root, "", "", tops):
        inside = {
            name: _folders(root / name) for name in (place.images, place.masks, place.instances) if name
        }
        for name in inside[place.images]:
            if split := SPLITS.get(name.lower()):
                same = {top: f"{top}/{name}" if name in names else "" for top, names in inside.items()}
                masks, instances = same.get(place.masks, ""), same.get(place.instances, "")
                if masks or instances:
                    yield _Place(split=split, images=same[place.images], masks=masks, instances=instances)


def _named_after(root: Path, tops: Sequence[str]) -> Iterator[_Place]:
    """`train/` beside `trainannot/`."""
    lower = {top.lower(): top for top in tops}
    for top in tops:
        split = SPLITS.get(top.lower(), "")
        masks = next((lower[top.lower() + end] for end in _ENDINGS if top.lower() + end in lower), "")
        if split and masks and _holds_images(root / top):
            yield _Place(split=split, images=top, masks=masks)


def _voc(root: Path, tops: Sequence[str]) -> Iterator[_Place]:
    """The parts that `ImageSets/Segmentation` lists."""
    for place in _pairs(root, "", "", tops):
        for split in _ORDER:
            path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
            if split and path.is_file():
                chosen = frozenset(path.read_text("utf-8", "replace").split())
                yield _Place(
                    split=split,
                    images=place.images,
                    masks=place.masks,
                    instances=place.instances,
                    chosen=chosen,
                )


def _pairs(root: Path, top: str, split: Split, names: Sequence[str]) -> Iterator[_Place]:
    """The folders of `names` that go by known words, under `top`."""
    images, masks, instances = (
        next((name for word in words for name in names if name.lower() == word), "")
        for words in (IMAGES, MASKS, INSTANCES)
    )
    if images and (masks or instances):
        yield _Place(
            split=split,
            images=top + images,
            masks=masks and top + masks,
            instances=instances and top + instances,
        )


def _lists(root: Path, places: Sequence[_Place]) -> Iterator[Path]:
    """Where a list of classes may lie: at the top, or where images and masks do."""
    above = dict.fromkeys(["", *(place.images.rpartition("/")[0] for place in places)])
    for folder in above:
        yield from (root / folder / name for name in class_list.FILES)


def _classes(code: MaskCode | None, masked: bool) -> tuple[str, ...]:
    """The names of the code; of object ids alone its one name, or OBJECT."""
    names = tuple(sorted({name for _, name in code.values})) if code else ()
    return names if masked or len(names) == 1 else (OBJECT,)


def _remarks(named: Path | None, code: MaskCode | None, masked: bool) -> Iterator[str]:
    if named and code:
        kind = "colours" if any(len(value) == 3 for value, _ in code.values) else "values"
        yield f"Names of {kind} from {shown(named.name)}: {few([name for _, name in code.values], 4)}."
    elif masked:
        yield f"No list of classes ({few(class_list.FILES, 2)}): classes are called after the values in the masks."


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not suffixes.hidden(entry.name))
    except OSError:
        return []


def _folders(folder: Path) -> list[str]:
    return [name for name in _names(folder) if (folder / name).is_dir()]


def _holds_images(folder: Path) -> bool:
    return any(suffixes.suffix(name) in suffixes.READ for name in _names(folder))
