"""Instance segmentation: "class label + an outline of every object", each object with a box and a mask of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from convworks.backbones.contract import Stage
from convworks.data.raster import to_runs
from convworks.data.run_lengths import part_of
from convworks.detectors import prototypes
from convworks.detectors.prototypes import Outlined, Said
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move
from convworks.metrics import average_precision as ap
from convworks.metrics.mask_overlap import overlaps, stretches
from convworks.metrics.matches import coco_matches, coco_rows
from convworks.recipe.options import ModelOptions
from convworks.samples import CROWD, Detection, Sample
from convworks.tasks.contract import Evidence, Loss, Scenes, Summary, Task

BOX = "box "
"""Before the name of what is measured of boxes, beside that of masks."""
BOX_NUMBERS = ("AP", "AP50", "AP75")
KEPT = 240  # pixels of the longer side of the maps that a report shows
SHOWN = 0.3  # score from which a find is drawn into them
DRAWN = 255  # objects that a map tells apart


def settings(options: ModelOptions) -> dict[str, Any]:
    """The strides of the finest and the coarsest map in which objects are looked for."""
    return {"finest": options.finest, "coarsest": options.coarsest}


def head(
    info: Sequence[Stage], classes: int, dropout: float, *, finest: int = 8, coarsest: int = 32
) -> prototypes.ConvOutline:
    """A new head for a net whose stages `info` describes, on maps from stride `finest` to `coarsest`."""
    return prototypes.ConvOutline(info, classes, dropout, finest=finest, coarsest=coarsest)


def targets(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """The objects of some samples and their outlines, padded to one number."""
    return prototypes.targets(samples)


def loss(outputs: Said, targets: Mapping[str, Tensor], progress: float) -> Loss:
    """The loss of the default detector, and of its outlines."""
    total, weight = prototypes.loss(outputs, targets, progress)
    return Loss(total=total, weight=weight.detach())


def decode(outputs: Said, names: Sequence[str]) -> list[Outlined]:
    """What is found in each frame."""
    return prototypes.decode(outputs)


def restore(answer: Outlined, move: Move, size: Size, names: Sequence[str]) -> Detection:
    """Boxes and masks in pixels of the original picture; finds of which no pixel lies in it are left out."""
    return prototypes.restore(answer, move, size, names)


def observe(prediction: Detection, sample: Sample, names: Sequence[str]) -> Evidence:
    """Which masks are right, which boxes are ("box hits"), and by falling score the boxes found and true."""
    ids = {name: place for place, name in enumerate(names)}
    found = sorted(prediction.found, key=lambda one: -one.probability)
    boxes = np.array([one.box for one in found], np.float32).reshape(-1, 4)
    scores = np.array([one.probability for one in found], np.float64)
    labels = np.array([ids[one.name] for one in found], np.int64)
    mine, true = stretches([one.runs for one in found]), stretches([to_runs(mask) for mask in sample.masks])
    shares = overlaps(mine, true, sample.aside == CROWD)
    rows = coco_rows(scores, labels, mine.areas, shares, sample.labels, sample.aside, true.areas)
    boxed = coco_matches(boxes, scores, labels, sample.boxes, sample.labels, sample.aside, true.areas)
    return {
        **rows,
        **{BOX + name: boxed[name] for name in ("hits", "skips")},
        "boxes": boxes,
        "truth": sample.boxes,
        "aside": sample.aside,
    }


def study(prediction: Detection, sample: Sample, names: Sequence[str]) -> Evidence:
    """Which object each pixel is of, in truth and by the answer: two small maps of the rows of `observe`, from 1 on."""
    height, width = sample.image.shape[:2]
    step = max(1, round(max(height, width) / KEPT))
    ranked = sorted(prediction.found, key=lambda one: -one.probability)[:DRAWN]
    said = np.zeros((height, width), np.uint8)
    for number, one in reversed(list(enumerate(ranked, 1))):
        if one.probability >= SHOWN:
            part, (left, top) = part_of(one.runs, (height, width))
            said[top : top + part.shape[0], left : left + part.shape[1]][part] = number
    true = np.zeros((height, width), np.uint8)
    for number, mask in enumerate(sample.masks[:DRAWN], 1):
        true[mask] = number
    return {"true objects": _every(true, step), "said objects": _every(said, step)}


def _every(pixels: UInt8[np.ndarray, "h w"], step: int) -> UInt8[np.ndarray, "_ _"]:
    """Every so many pixels of a map."""
    return np.ascontiguousarray(pixels[step // 2 :: step, step // 2 :: step])


def summarise(evidence: Sequence[Evidence], names: Sequence[str]) -> Summary:
    """The twelve numbers of COCO of masks, average precision first, three of boxes, and that of each class."""
    masks, boxes = ap.table(evidence, len(names)), ap.table([boxed(one) for one in evidence], len(names))
    box_numbers = ap.twelve(boxes)
    return Summary(
        measures={f"mask {name}": value for name, value in ap.twelve(masks).items()}
        | {f"box {name}": box_numbers[name] for name in BOX_NUMBERS},
        classes=dict(zip(names, ap.by_class(masks).tolist(), strict=True)),
    )


def boxed(evidence: Evidence) -> Evidence:
    """The rows of boxes instead of those of masks."""
    return {**evidence, **{name: evidence[BOX + name] for name in ("hits", "skips")}}


INSTANCES = Task(
    name="instances",
    head=head,
    targets=targets,
    loss=loss,
    decode=decode,
    settings=settings,
    scenes=Scenes(restore=restore, observe=observe, summarise=summarise, study=study),
)
