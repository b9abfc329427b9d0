"""What all steps of a ladder share: the same pictures in one frame, one frozen body, and proposals made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from convworks.augmentation import plan as draws
from convworks.augmentation.preprocess import Preprocessing
from convworks.backbones.contract import Backbone
from convworks.detectors.answer import Answer, Truth
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move
from convworks.model import Model
from convworks.recipe.options import Recipe
from convworks.regions.selective_search import selective_search
from convworks.samples import COUNTED, Detection, Found, Sample
from convworks.studies.shelf import Shelf
from convworks.tasks.contract import Evidence
from convworks.tasks.detection import observe, restore
from convworks.training.prepare import Prepared

STRIDE = 16
"""Pixels a cell of the map that regions are read from, at most: that of the history."""
SEARCHED, SMALLEST = 320, 16.0
"""Pixels of the longer side in which selective search looks; the shortest side of a box, as that search counts it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A picture as every step sees it: `frame` is what the net reads, `truth` the objects in pixels of it.

    `sample` has the same in the picture's own frame, from which `move` leads here.
    """

    row: int
    path: str
    frame: UInt8[np.ndarray, "h w 3"]
    truth: Truth
    sample: Sample
    move: Move

    def restored(self, answer: Answer, classes: Sequence[str]) -> Detection:
        """What was found in the frame, in the picture."""
        height, width = self.sample.image.shape[:2]
        return restore(answer, self.move, (height, width), classes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The pictures that teach and those that measure, and the body that no step changes.

    `prepared` holds the same pictures in the same parts, and some that choose, for the step that has epochs to choose
    from. The last stage of `body` gives the map that regions are read from; `most` is the number of proposals of a
    picture.
    """

    prepared: Prepared
    recipe: Recipe
    learn: tuple[Scene, ...]
    measure: tuple[Scene, ...]
    preprocessing: Preprocessing
    body: Backbone
    most: int
    shelf: Shelf

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.prepared.classes

    @property
    def stride(self) -> int:
        """Pixels a cell of the map."""
        return self.body.info[-1].stride

    @property
    def size(self) -> Size:
        """Height and width of every frame."""
        return self.preprocessing.seen

    def image(self, scene: Scene) -> Float[Tensor, "c h w"]:
        """The frame as the numbers that the net reads."""
        return torch.from_numpy(np.ascontiguousarray(self.preprocessing.normalise(scene.frame)))

    def map(self, image: Float[Tensor, "c h w"]) -> Float[Tensor, "d h2 w2"]:
        """The body's map of a frame."""
        with torch.inference_mode():
            return last_map(self.body)(image[None].contiguous(memory_format=torch.channels_last))[0]

    def proposals(self, scene: Scene) -> tuple[Float[Tensor, "n 4"], float]:
        """The first boxes of selective search in the frame, and the seconds that they took; made once."""
        found, seconds = self.shelf.below("proposals").taken(
            str(scene.row), lambda: {"boxes": searched(scene.frame, self.most)}
        )
        return torch.from_numpy(found["boxes"].astype(np.float32).reshape(-1, 4)), seconds


def searched(frame: UInt8[np.ndarray, "h w 3"], most: int) -> Float[np.ndarray, "n 4"]:
    """The first boxes of selective search on a frame that is made no larger than `SEARCHED`, in pixels of the frame."""
    share = min(1.0, SEARCHED / max(frame.shape[:2]))
    size = (round(frame.shape[1] * share), round(frame.shape[0] * share))
    small = (
        frame if share == 1 else np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    )
    return (selective_search(small, smallest=SMALLEST)[:most] / share).astype(np.float32)


def body_of(backbone: Backbone) -> Backbone:
    """The stages up to the last with a map every `STRIDE` pixels or finer, frozen."""
    fine = [place for place, stage in enumerate(backbone.info) if stage.stride <= STRIDE]
    cut = max(fine, default=0) + 1
    body = Backbone(
        backbone.name, list(backbone.stages)[:cut], list(backbone.info[:cut]), backbone.expects, backbone.card
    )
    body.freeze(cut)
    return body.eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def last_map(body: Backbone) -> Callable[[Tensor], Tensor]:
    """The last map of a body for pictures."""
    return lambda images: body(images)[-1].float()


def scene(prepared: Prepared, made: Model, row: int) -> Scene:
    """The picture at a row, brought to the frame of a model."""
    assert prepared.scenes is not None
    sample = prepared.scenes.get(row)
    drawn = made.preprocessing.drawn((sample.image.shape[0], sample.image.shape[1]))
    framed = draws.apply(drawn, sample)
    counted = framed.aside == COUNTED
    return Scene(
        row=row,
        path=prepared.dataset.records[row].path,
        frame=framed.image,
        truth=Truth(
            boxes=torch.from_numpy(framed.boxes[counted]),
            labels=torch.from_numpy(framed.labels[counted]),
            aside=torch.from_numpy(framed.boxes[~counted]),
        ),
        sample=replace(sample, masks=np.zeros((0, 0, 0), np.bool_)),
        move=drawn.move,
    )


def gathered(
    prepared: Prepared,
    recipe: Recipe,
    made: Model,
    rows: Mapping[str, Sequence[int]],
    most: int,
    shelf: Shelf,
) -> Material:
    """The material of some rows of a prepared data set: those that "learn", "tune" and "measure"."""
    parts = {name: np.array(chosen, np.int64) for name, chosen in rows.items()}
    return Material(
        prepared=replace(prepared, **parts),
        recipe=recipe,
        learn=tuple(scene(prepared, made, row) for row in rows["learn"]),
        measure=tuple(scene(prepared, made, row) for row in rows["measure"]),
        preprocessing=made.preprocessing,
        body=body_of(made.net.backbone),
        most=most,
        shelf=shelf,
    )


def evidence_of(prediction: Detection, seen: Scene, classes: Sequence[str]) -> Evidence:
    """What a prediction says for or against the step that made it."""
    return observe(prediction, seen.sample, classes)


def annotated(seen: Scene, classes: Sequence[str]) -> Detection:
    """What is in a picture, as if it had been found."""
    counted = seen.sample.aside == COUNTED
    boxes: list[list[float]] = seen.sample.boxes[counted].tolist()
    labels: list[int] = seen.sample.labels[counted].tolist()
    found = tuple(
        Found(name=classes[label], probability=1.0, box=(box[0], box[1], box[2], box[3]))
        for box, label in zip(boxes, labels, strict=True)
    )
    return Detection(found=found, size=(seen.sample.image.shape[1], seen.sample.image.shape[0]))


def example_of(scenes: Sequence[Scene]) -> Scene:
    """A picture that shows much and is not crowded: of those with most classes, the one of the median number."""
    most = max(len(one.truth.labels.unique()) for one in scenes)
    rich = sorted(
        (one for one in scenes if len(one.truth.labels.unique()) == most),
        key=lambda one: (len(one.truth.boxes), one.path),
    )
    return rich[len(rich) // 2]
