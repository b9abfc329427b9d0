"""Outlines as files: a mask image for each picture, the list of its classes, and rings of corners."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convworks.cli.answers import free_name
from convworks.files import write_whole
from convworks.samples import Detection, Segmentation


def write_classes(classes: Sequence[str], folder: Path) -> None:
    """Writes `classes.txt`: the name of each value of the masks, a line each."""
    write_whole(folder / "classes.txt", "".join(f"{name}\n" for name in classes).encode())


def write_mask(answer: Segmentation, folder: Path, taken: set[str]) -> Path:
    """Writes the class of every pixel as a PNG of indices, with a palette to look at it; gives the file.

    `taken` holds the names that are no longer free; a picture of the same name in another folder gets a number.
    """
    from PIL import Image

    from convworks.report.overlay import palette

    assert answer.path is not None
    name = free_name(answer.path, taken)
    mask = Image.fromarray(answer.class_map)
    mask.putpalette(palette(len(answer.names)).tobytes())
    content = io.BytesIO()
    mask.save(content, "PNG")
    file = folder / f"{name}.png"
    write_whole(file, content.getvalue())
    return file


def polygons(answer: Segmentation) -> dict[str, list[list[float]]]:
    """The rings of each class that is there, x, y, x, y, ... in pixels, along the edges of its pixels."""
    from convworks.data.raster import to_polygons

    return {
        name: [list(ring) for ring in to_polygons(answer.class_map == answer.names.index(name))]
        for name in answer.shares()
    }


def described(answer: Any) -> dict[str, Any]:
    """An answer for JSON; outlines with their rings, x, y, x, y, ... in pixels."""
    from convworks.data.run_lengths import rings

    said = answer.to_dict()
    if isinstance(answer, Segmentation):
        return {**said, "polygons": polygons(answer)}
    if isinstance(answer, Detection):
        width, height = answer.size
        for row, one in zip(said["found"], answer.found, strict=True):
            if one.runs:
                row["polygons"] = [list(ring) for ring in rings(one.runs, (height, width))]
    return said
