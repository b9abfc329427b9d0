"""COCO: JSON files of images, annotations and categories, as COCO itself, Roboflow, CVAT and others lay them out.

- A folder with `annotations/instances_train2017.json` beside `train2017/`, `train/_annotations.coco.json`, or
  `train.json` beside the images; or the path of one JSON file, which then makes no split.
- A box is x, y, width, height in pixels from the image's top left edge: half-open edges, as everywhere here.
- A class is a category's name; ids may have gaps. Categories that nothing is annotated with are no classes.
- An annotation that is wrong is set aside by its id, an image only where no annotation of it is right. Images without
  annotations are kept.
- `ignore` marks an object as difficult. Named keypoints whose names hold left and right change places in a mirror.
"""

from __future__ import annotations

from pathlib import Path

from convworks.data.names import few, shown
from convworks.data.record import DataSet, Split
from convworks.data.sources import objects
from convworks.data.sources.coco import layout, reading, writing
from convworks.data.sources.features import Feature
from convworks.errors import DataError

holds: frozenset[Feature] = frozenset(
    {"split", "size", "boxes", "polygons", "runs", "points", "crowd", "difficult"}
)


def fits(root: Path) -> bool:
    """A JSON file of images, annotations and categories, or a folder that holds one."""
    if root.is_dir():
        return bool(layout.candidates(root))
    return root.suffix.lower() == ".json" and layout.looks_right(root)


def read(root: Path) -> DataSet:
    """Records of all images that the annotation files name. Raises DataError."""
    if root.is_dir():
        folder, files = root, layout.files(root)
    else:
        folder, files = layout.home(root), dict[Path, Split]({root: ""})
    if not files:
        raise DataError(
            f"{shown(str(root))} holds no annotation file of COCO.",
            expected="a JSON file with the lists images, annotations and categories, beside the images",
            fix="give the path of the file",
        )
    found = [reading.read(folder, path, split) for path, split in files.items()]
    records = [record for one in found for record in one.records]
    aside = [file for one in found for file in one.set_aside]
    if not records:
        first = f": {shown(aside[0].path)} ({aside[0].reason})" if aside else ""
        raise DataError(
            f"No image that {few([path.name for path in files])} names can be used{first}.",
            expected="paths of images beside the file, or in a folder of the same data",
            fix="give the folder that holds both the images and the annotations",
        )
    points, notes = reading.named_points(found)
    dataset = objects.gathered(
        folder,
        "coco",
        "detection",
        records,
        set_aside=aside,
        notes=[*(note for one in found for note in one.notes), *reading.unlisted(folder, found), *notes],
    )
    return reading.with_points(dataset, points)


def write(dataset: DataSet, destination: Path) -> None:
    """Copies each image to the path it has, and writes one JSON file a split. Raises DataError."""
    writing.write(dataset, destination)
