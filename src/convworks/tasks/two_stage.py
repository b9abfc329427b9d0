"""Detection in two stages, from SPP to Faster R-CNN: first where to look in the picture, then what is there.

The parts of each system are a value of `detectors.presets`; here each is a task, so that all learn, are judged and
answer by the road that the default takes. Boxes from outside the net are found in the picture once (`finder`), move
along with whatever is done to it, and come with the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from convworks.backbones.contract import Stage, tapped
from convworks.data.decode import header
from convworks.detectors.answer import Answer, Truth, padded, stacked, truths, unstacked
from convworks.detectors.presets import PRESETS
from convworks.detectors.two_stage import Source, System, TwoStage, found_on, step
from convworks.errors import DataError, RecipeError, unknown
from convworks.geometry.boxes import Size, area
from convworks.recipe.options import ModelOptions
from convworks.regions import proposals
from convworks.regions.pyramid import Pyramid
from convworks.regions.remembered import Remembered
from convworks.samples import Sample
from convworks.tasks.contract import Finder, Loss, Task
from convworks.tasks.detection import DETECTION

SEARCHED = 1_000
"""Boxes of selective search that are read in a picture."""
CLUSTERS = 200
"""Boxes that stand for those of the training pictures."""
WIDTH, CELLS = 128, 4
"""Channels of a pyramid, and cells that its anchors span on each of its maps."""
ANCHORS = (10, 50, 90)
"""Percentiles of the objects' sizes that are the scales of anchors."""
SOURCES: dict[str, Source] = {
    "selective-search": "selective search",
    "grid": "grid",
    "clusters": "clusters",
    "whole-image": "whole image",
    "region-network": "region network",
}


class TwoStageHead(nn.Module):
    """A system on the last map of stride `finest`, or on a light pyramid from there to `coarsest`.

    The body of the system is the backbone, which has run. It gives its losses while it learns or is judged, and what it
    finds. `source` says where it looks, and `file` where given boxes come from, which `finder` reads; `fixed` are boxes
    that are the same in every frame, as shares of its sides, and `scales` the sides of anchors in pixels. Where nothing
    says where to look, it is a grid.
    """

    fixed: Tensor

    def __init__(
        self,
        info: Sequence[Stage],
        classes: int,
        dropout: float,
        *,
        system: System,
        finest: int = 8,
        coarsest: int = 32,
        source: Source = "grid",
        fixed: Sequence[Sequence[float]] = (),
        scales: Sequence[float] = (),
        file: str = "",
    ) -> None:
        super().__init__()
        self.tap = tapped(info, finest)
        self.pyramid, stages = None, [info[self.tap]]
        if system.pyramid:
            channels, strides = [stage.channels for stage in info], [stage.stride for stage in info]
            self.pyramid = Pyramid(channels, strides, finest=finest, coarsest=coarsest, width=WIDTH)
            taps = self.pyramid.taps[: len(self.pyramid.strides)]
            stages = [replace(info[tap], channels=WIDTH) for tap in taps]
            scales = [CELLS * stage.stride for stage in stages] + [2 * CELLS * stages[-1].stride]
        self.reads = len(info) if self.pyramid else self.tap + 1
        self.stride = stages[0].stride
        system = replace(system, source=source, scales=tuple(scales) or system.scales)
        self.net = TwoStage(system, nn.Identity(), stages, classes)
        self.dropout = nn.Dropout2d(dropout / 2)
        same = proposals.grid() if not len(fixed) else np.array(fixed)
        self.register_buffer("fixed", torch.from_numpy(same).float())

    def forward(
        self, maps: Sequence[Float[Tensor, "n _ _ _"]], shown: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Each loss by name (n,), while it learns or the objects are shown; `found` (n, f, 6), where it does not learn.

        A row of `found` is a box (xyxy, pixels of the frame), its score and its class, -1 where there is none.
        """
        told = shown or {}
        read = self.pyramid(maps) if self.pyramid else [maps[self.tap]]
        with torch.autocast(read[0].device.type, enabled=False):
            here = [self.dropout(one).float() for one in read]
            given = self.given(here[0], told)
            said: dict[str, Tensor] = {}
            if self.training or "labels" in told:
                said |= self.learned(here, given, told)
            if not self.training:
                said["found"] = self.found(here, given)
            return said

    def size(self, here: Float[Tensor, "n c h w"]) -> Size:
        """Height and width of the frames, by their first map."""
        return self.stride * here.shape[2], self.stride * here.shape[3]

    def given(
        self, here: Float[Tensor, "n c h w"], shown: Mapping[str, Tensor]
    ) -> list[Float[Tensor, "_ 4"]]:
        """Where to look in each frame, in its pixels."""
        if "regions" in shown and self.net.system.source in ("selective search", "given"):
            return unstacked(shown["regions"])
        height, width = self.size(here)
        return [self.fixed * self.fixed.new_tensor([width, height, width, height])] * len(here)

    def learned(
        self,
        maps: Sequence[Float[Tensor, "n c _ _"]],
        given: Sequence[Float[Tensor, "_ 4"]],
        shown: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """The losses of each frame; one of which nothing is shown has no object."""
        here = maps[0]
        none = Truth(boxes=here.new_zeros(0, 4), labels=here.new_zeros(0).long(), aside=here.new_zeros(0, 4))
        objects = truths(shown) if "labels" in shown else [none] * len(here)
        generator = torch.default_generator if self.training else torch.Generator().manual_seed(0)
        found: dict[str, list[Tensor]] = {"names": [here.new_zeros(0)]}
        for row, truth in enumerate(objects):
            own = [one[row : row + 1] for one in maps]
            parts, _ = step(self.net, own, self.size(here), [truth], [given[row]], generator)
            for name, value in parts.items():
                found.setdefault(name, []).append(value[None])
        return {name: torch.cat(values) for name, values in found.items()}

    def found(
        self, maps: Sequence[Float[Tensor, "n c _ _"]], given: Sequence[Float[Tensor, "_ 4"]]
    ) -> Float[Tensor, "n f 6"]:
        """What is found in each frame."""
        here = maps[0]
        answers = found_on(self.net, maps, self.size(here), given)
        rows = here.new_full((len(answers), max([1, *(len(one.scores) for one in answers)]), 6), -1.0)
        for row, one in zip(rows, answers, strict=True):
            told = np.concatenate([one.boxes, one.scores[:, None], one.labels[:, None]], 1)
            row[: len(told)] = torch.from_numpy(told).to(row)
        return rows


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The objects of some samples, and where to look in them."""
    return {**padded(samples), "regions": stacked([sample.regions for sample in samples])}


def summed(outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], progress: float) -> Loss:
    """The sum of the losses that the head gives, each frame counting alike."""
    parts = [value for name, value in outputs.items() if name != "found"]
    return Loss(total=torch.stack(parts).sum(), weight=torch.tensor(float(len(targets["labels"]))))


def decode(outputs: Mapping[str, Tensor], names: Sequence[str]) -> list[Answer]:
    """What is found in each frame."""
    answers: list[Answer] = []
    for rows in outputs["found"]:
        there = rows[rows[:, 5] >= 0].numpy()
        labels = there[:, 5].astype(np.int64)
        answers.append(Answer(boxes=there[:, :4], scores=there[:, 4], labels=labels))
    return answers


def settings(options: ModelOptions, system: System) -> dict[str, Any]:
    """The stride of the map, and where to look. Raises RecipeError for a source or file that there is not."""
    word = options.proposals
    chosen: dict[str, Any] = {"finest": options.finest, "source": system.source}
    if system.pyramid:
        chosen["coarsest"] = options.coarsest
    if word in SOURCES:
        chosen["source"] = SOURCES[word]
    elif word.endswith(".csv"):
        if not Path(word).is_file():
            raise RecipeError(
                f"There is no file {word} of proposals.", fix="name a CSV of path,x0,y0,x1,y1[,score]"
            )
        chosen |= {"source": "given", "file": str(Path(word).resolve())}
    elif word != "default":
        raise unknown("source of proposals", word, SOURCES)
    if chosen["source"] == "whole image":
        chosen["fixed"] = [[0.0, 0.0, 1.0, 1.0]]
    return chosen


def fitted(settings: Mapping[str, Any], boxes: Float[np.ndarray, "n 4"], size: Size) -> dict[str, Any]:
    """The same, with the boxes or the anchors that the training boxes (pixels of frames of `size`) ask for."""
    if not len(boxes):
        return dict(settings)
    if settings["source"] == "clusters":
        shares = boxes / np.array([size[1], size[0], size[1], size[0]])
        return {**settings, "fixed": proposals.clustered(shares, CLUSTERS).round(4).tolist()}
    if settings["source"] == "region network" and "coarsest" not in settings:
        scales = np.percentile(np.sqrt(area(boxes)), ANCHORS).round().clip(min=4)
        return {**settings, "scales": scales.tolist()}
    return dict(settings)


def finder(settings: Mapping[str, Any]) -> Finder | None:
    """What finds the boxes from outside the net; None where it needs none."""
    if settings["source"] == "selective search":
        return _searched
    return partial(_given, file=settings["file"]) if settings["source"] == "given" else None


def _searched(image: UInt8[np.ndarray, "h w 3"], path: str) -> Float[np.ndarray, "r 4"]:
    return _search()(image)


@cache
def _search() -> Remembered:
    """Selective search, once for each picture."""
    found = Remembered(source=proposals.searched(SEARCHED), name=f"selective-search-1-{SEARCHED}")
    found.sweep()
    return found


def _given(image: UInt8[np.ndarray, "h w 3"], path: str, file: str) -> Float[np.ndarray, "r 4"]:
    """The boxes that a file has for a picture, brought to the size at which it was decoded.

    Raises DataError for a picture that the file does not name, by its path or the last parts of it.
    """
    known, parts = _file(file), Path(path).parts
    name = next((name for first in range(len(parts)) if (name := "/".join(parts[first:])) in known), None)
    if name is None:
        raise DataError(
            f"{file} has no proposals for {path or 'a picture without a path'}.",
            fix="add a line for it, with the whole picture's box where there is nothing better",
        )
    width, height = header(Path(path)).size
    small = np.array([image.shape[1] / width, image.shape[0] / height] * 2)
    return (known[name].boxes * small).astype(np.float32)


@cache
def _file(file: str) -> Mapping[str, proposals.Proposals]:
    return proposals.given(Path(file))


def _task(name: str) -> Task:
    system = PRESETS[name]
    scenes = DETECTION.scenes
    assert scenes is not None
    return replace(
        DETECTION,
        head=partial(TwoStageHead, system=system),
        targets=targets,
        loss=summed,
        decode=decode,
        settings=partial(settings, system=system),
        fitted=fitted,
        finder=finder,
        scenes=replace(scenes, guided=True, averaged=None),
        decoder=name,
    )


SPP = _task("spp")
FAST_RCNN = _task("fast_rcnn")
FASTER_RCNN = _task("faster_rcnn")
FASTER_RCNN_PYRAMID = _task("faster_rcnn_pyramid")
RCNN_MINUS_R = _task("rcnn_minus_r")
MULTI_REGION = _task("multi_region")
