"""A synthetic set as ordinary files: pictures, and the annotations that people's own data would have."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from convworks.data.raster import to_polygons, to_runs
from convworks.data.synthetic.annotations import Thing, box_table, class_list, coco
from convworks.data.synthetic.plan import Layout, Outlines, Plan, Style, claim, class_names, mark, put
from convworks.data.synthetic.scene import scene
from convworks.data.synthetic.shapes import flat_scene
from convworks.data.synthetic.truth import Task
from convworks.errors import DataError
from convworks.samples import Sample

CHUNK = 20
JPEG_QUALITY = 92
SIDES = (32, 4096)


def write(
    directory: Path,
    *,
    task: Task,
    count: int,
    classes: int | Sequence[str],
    size: tuple[int, int],
    seed: int,
    style: Style,
    layout: Layout = "split",
    void: bool = False,
    outlines: Outlines = "polygons",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `count` pictures of `size` (width, height) and their annotations into `directory`, and return it.

    classification: `train/` and `val/` with a folder a class (with `layout` "flat", the classes alone);
    localization: `images/` and `boxes.csv`; detection: `images/`, `train.json` and `val.json` (COCO);
    segmentation: `train/` and `val/` with `images/` and `masks/`, and `classes.txt` (with `void`, unsure
    borders are 255); instances: as detection, with `outlines` "polygons" or "runs", or, with "maps", as
    segmentation, with `instances/` beside, which has the id of an object in each pixel. Image i depends on
    (seed, i) and the settings, never on `count` or `workers`: a larger count makes the same set longer, and
    what an interrupted call has written is kept by the next. `progress`
    is told (done, of).

    Raises DataError for impossible settings and for a folder that holds anything else.
    """
    _check(count, size, seed)
    plan = Plan(
        task=task,
        classes=class_names(style, classes),
        size=size,
        seed=seed,
        style=style,
        layout=layout,
        void=void,
        outlines=outlines,
    )
    claim(directory, plan, count)
    things: list[list[Thing]] = []
    for drawn_chunk in _drawn(directory, plan, count, workers):
        things.extend(drawn_chunk)
        if progress is not None:
            progress(len(things), count)
    _annotate(directory, plan, things)
    mark(directory, plan, count, complete=True)
    return directory


def _check(count: int, size: tuple[int, int], seed: int) -> None:
    low, high = SIDES
    if not all(low <= side <= high for side in size):
        raise DataError(
            f"A size of {size[0]}x{size[1]} was asked.", expected=f"sides of {low} to {high} pixels"
        )
    if not 1 <= count <= 1_000_000:
        raise DataError(f"{count} images were asked.", expected="1 to 1,000,000")
    if seed < 0:
        raise DataError(f"The seed is {seed}.", expected="a whole number from 0 on")


def _drawn(directory: Path, plan: Plan, count: int, workers: int) -> Iterator[list[list[Thing]]]:
    """What annotations need of each chunk of images, in order, once the chunk is on disk."""
    chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    draw = partial(_draw, directory, plan)
    if workers < 2 or len(chunks) < 2:
        yield from map(draw, chunks)
        return
    pool = ProcessPoolExecutor(
        min(workers, len(chunks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_keep_to_one_core,
    )
    try:
        yield from pool.map(draw, chunks)
    finally:
        pool.shutdown(cancel_futures=True)


def _keep_to_one_core() -> None:
    """In a process of the pool: one thread, and an interrupt is the parent's to answer."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def drawn(plan: Plan, index: int) -> Sample:
    """Image `index` of a set, with its truth."""
    draw = scene if plan.style == "scenes" else flat_scene
    return draw(plan.seed, index, task=plan.task, classes=plan.classes, size=plan.size, void=plan.void)


def _draw(directory: Path, plan: Plan, indices: range) -> list[list[Thing]]:
    """Draw and write those of `indices` that are missing; returns what their annotations need."""
    return [_draw_one(directory, plan, index) for index in indices]


def _draw_one(directory: Path, plan: Plan, index: int) -> list[Thing]:
    path = directory / plan.image(index)
    if plan.task == "classification" and path.exists():
        return []
    shown = drawn(plan, index)
    if not path.exists():
        put(path, _encoded(path.suffix, shown))
    if plan.maps:
        _put_map(directory / plan.mask(index), shown.class_map)
        if plan.task == "instances":
            _put_map(directory / plan.objects(index), _ids(shown))
        return []
    if plan.task == "classification":
        return []
    return [
        {
            "label": int(label),
            "box": [int(edge) for edge in box],
            "area": int(mask.sum()),
            "outline": _outline(mask, plan),
        }
        for label, box, mask in zip(shown.labels, shown.boxes, shown.masks, strict=True)
    ]


def _outline(mask: Bool[np.ndarray, "h w"], plan: Plan) -> Any:
    """A mask as COCO's JSON holds it; None where boxes are all that is written."""
    if plan.task == "localization":
        return None
    if plan.task == "instances" and plan.outlines == "polygons":
        return [list(ring) for ring in to_polygons(mask)]
    return {"size": list(mask.shape), "counts": list(to_runs(mask))}


def _ids(shown: Sample) -> UInt16[np.ndarray, "h w"]:
    """The number of the object that each pixel shows, from 1 on; 0 for none."""
    ids = np.zeros(shown.class_map.shape, np.uint16)
    for number, mask in enumerate(shown.masks, 1):
        ids[mask] = number
    return ids


def _put_map(path: Path, pixels: UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]) -> None:
    """Writes a map as PNG, where it is not there yet."""
    if not path.exists():
        put(path, cv2.imencode(".png", pixels)[1].tobytes())


def _encoded(suffix: str, shown: Sample) -> bytes:
    bgr = cv2.cvtColor(shown.image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    return cv2.imencode(suffix, bgr, options)[1].tobytes()


def _annotate(directory: Path, plan: Plan, things: Sequence[Sequence[Thing]]) -> None:
    match plan.task:
        case "classification":
            pass
        case "localization":
            put(directory / "boxes.csv", box_table(plan, things).encode("utf-8"))
        case "segmentation" | "instances" if plan.maps:
            put(directory / "classes.txt", class_list(plan).encode("utf-8"))
        case _:
            put(directory / "train.json", coco(plan, things, "train").encode("utf-8"))
            put(directory / "val.json", coco(plan, things, "val").encode("utf-8"))
