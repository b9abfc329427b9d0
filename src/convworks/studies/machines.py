"""R-CNN and SPP-net: machines and regressors on kept features, of crops through the body or of regions of one map."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from convworks.detectors import rcnn
from convworks.detectors.answer import Answer
from convworks.detectors.presets import PRESETS
from convworks.detectors.rcnn import Looked
from convworks.events import Progress
from convworks.studies.material import Material, Scene, last_map
from convworks.studies.rungs import Budget, Learned, Place, Work
from convworks.studies.shelf import Shelf
from convworks.training.signals import Stopping

SIDE, CONTEXT = 96, 7
"""Pixels of a crop and of what surrounds its region: 16 of 227 in the paper; a smaller crop costs a fifth."""
BINS = 3
"""Cells a side of what is kept of a crop's map, each the largest value of four; 6 in the paper."""

Features = Float[np.ndarray, "n d"]
Reader = Callable[[Scene, Tensor], Features]
"""A picture and boxes of it to their features."""


def learn_rcnn(material: Material, budget: Budget, place: Place) -> Generator[Progress, None, Learned]:
    """Every proposal is warped and goes through the body by itself."""
    whole = last_map(material.body)

    def body(crops: Tensor) -> Tensor:
        return F.adaptive_max_pool2d(whole(crops), BINS)

    def read(scene: Scene, boxes: Tensor) -> Features:
        return rcnn.cropped(body, material.image(scene), boxes, side=SIDE, context=CONTEXT)

    shelf = Shelf(place.folder / "features")
    learned = yield from _learned(material, place, "crops through the net", read, _crops, shelf)
    shelf.clear()
    return learned


def learn_spp(material: Material, budget: Budget, place: Place) -> Generator[Progress, None, Learned]:
    """The body gives one map of a picture, from which every proposal reads grids of its largest values."""
    reading, stage = PRESETS["spp"].read, material.body.info[-1]
    # A reader takes a cell to look at the middle of its square.
    shift = 0.0 if stage.centre is None else stage.stride / 2 - stage.centre

    def read(scene: Scene, boxes: Tensor) -> Features:
        maps = material.map(material.image(scene))[None]
        rows = torch.zeros(len(boxes), dtype=torch.int64)
        with torch.inference_mode():
            return reading(maps, boxes + shift, rows, 1 / stage.stride).flatten(1).numpy()

    return (yield from _learned(material, place, "regions read from maps", read, _reads, None))


def _crops(regions: int) -> Work:
    return Work(crops=regions)


def _reads(regions: int) -> Work:
    return Work(maps=1, reads=regions)


def _learned(
    material: Material,
    place: Place,
    said: str,
    read: Reader,
    took: Callable[[int], Work],
    shelf: Shelf | None,
) -> Generator[Progress, None, Learned]:
    """The features of every picture, kept on the shelf where there is one, and the machines taught by them."""
    pictures: list[Looked] = []
    preparing, work, total = 0.0, Work(), len(material.learn)
    for number, scene in enumerate(material.learn):
        if place.stop.asked:
            raise Stopping
        boxes, proposing = material.proposals(scene)
        regions = torch.cat([boxes, scene.truth.boxes])
        features, reading = _features(scene, regions, read, shelf)
        pictures.append(
            Looked(
                boxes=boxes,
                features=features[: len(boxes)],
                objects=features[len(boxes) :],
                truth=scene.truth,
            )
        )
        preparing += proposing + reading
        work += took(len(regions)) + Work(proposals=len(boxes))
        pace = preparing / (number + 1)
        yield Progress(stage=said, done=number + 1, total=total, remaining=pace * (total - number - 1))
    began = time.perf_counter()
    judge = rcnn.learned(pictures, len(material.classes))
    solving = time.perf_counter() - began

    def find(scene: Scene) -> tuple[Answer, Work]:
        boxes, _ = material.proposals(scene)
        answer = rcnn.answered(judge, boxes, read(scene, boxes), material.size)
        return answer, took(len(boxes)) + Work(proposals=len(boxes))

    return Learned(find=find, seconds=preparing + solving, preparing=preparing, work=work, proposes=True)


def _features(scene: Scene, boxes: Tensor, read: Reader, shelf: Shelf | None) -> tuple[Features, float]:
    """The features of some boxes of a picture, and the seconds that they took."""
    if shelf is None:
        began = time.perf_counter()
        return read(scene, boxes), time.perf_counter() - began
    kept, seconds = shelf.taken(str(scene.row), lambda: {"features": read(scene, boxes).astype(np.float16)})
    return kept["features"].astype(np.float32), seconds
