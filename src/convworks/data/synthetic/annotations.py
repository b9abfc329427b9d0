"""What is written beside the pictures: a CSV of boxes, COCO JSON, and the list of classes of index masks."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from convworks.data.record import Split
from convworks.data.synthetic.plan import Plan

Thing = dict[str, Any]


def box_table(plan: Plan, things: Sequence[Sequence[Thing]]) -> str:
    """One line an image: path, label, the four edges of its box, split."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "label", "x0", "y0", "x1", "y1", "split"])
    for index, (thing,) in enumerate(things):
        table.writerow([plan.image(index), plan.classes[thing["label"]], *thing["box"], plan.split(index)])
    return text.getvalue()


def coco(plan: Plan, things: Sequence[Sequence[Thing]], split: Split) -> str:
    """COCO JSON of one split: boxes and outlines of the visible parts; paths from the set's folder on."""
    width, height = plan.size
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, seen in enumerate(things):
        if plan.split(index) != split:
            continue
        images.append(
            {"id": index + 1, "file_name": str(plan.image(index)), "width": width, "height": height}
        )
        for thing in seen:
            x0, y0, x1, y1 = thing["box"]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": thing["label"] + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": thing["area"],
                    "segmentation": thing["outline"],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(plan.classes, start=1)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def class_list(plan: Plan) -> str:
    """The names of the values of index masks, a line each, from 0 on."""
    return "\n".join(["background", *plan.classes]) + "\n"
