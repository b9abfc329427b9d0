"""Objects that a model found as a file of COCO's form, which annotation tools read, and Convworks as data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convworks.samples import Detection, Found

ENDING = ".coco.json"


def document(answers: Sequence[Detection], classes: Sequence[str], folder: Path) -> dict[str, Any]:
    """Images, annotations with a `score` each, and categories; paths are relative to `folder`, masks run lengths."""
    ids = {name: number for number, name in enumerate(classes, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for answer in answers:
        assert answer.path is not None
        width, height = answer.size
        path = Path(os.path.relpath(answer.path, folder)).as_posix()
        images.append({"id": len(images) + 1, "file_name": path, "width": width, "height": height})
        for one in answer.found:
            about = {"id": len(annotations) + 1, "image_id": len(images), "category_id": ids[one.name]}
            annotations.append({**about, **_object(one, answer.size)})
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _object(one: Found, size: tuple[int, int]) -> dict[str, Any]:
    """A find as an annotation; `size` is the width and height of its picture."""
    from convworks.data.sources.runs import area, packed

    x0, y0, x1, y1 = one.box
    said: dict[str, Any] = {
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
        "score": one.probability,
    }
    if one.runs:
        said |= {
            "area": area(one.runs),
            "segmentation": {"size": [size[1], size[0]], "counts": packed(one.runs)},
        }
    return said
