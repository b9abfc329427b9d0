"""R-CNN: each proposal is warped to one size, a machine for each class says what it is, and a regressor moves it.

The net reads every region by itself, and none of it learns here: what is taught is linear, in its features. Where the
features come from is left to the caller, so that SPP-net, which reads them from one map, shares all that follows.

Source: R-CNN (1311.2524), sections 2 and 3 and appendices A to C; `bayes_refined`: Zhang et al. (1504.03293), section
3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchvision.ops import box_iou

from convworks.detectors.answer import Answer, Truth
from convworks.geometry.boxes import Size
from convworks.regions import bayes, pooling, ridge, structured, svm
from convworks.regions.bayes import Surface
from convworks.regions.coding import deltas, from_deltas
from convworks.regions.ridge import BoxRidge
from convworks.regions.suppression import per_class
from convworks.regions.svm import Machines

AT_ONCE = 32
"""Regions that go through the net together."""
NEAR = 0.6
"""IoU with an object of its class from which a proposal teaches how it should move."""
UNSURE = 0.5
"""IoU with what does not count from which a region is not taken for background."""
LEAST, SUPPRESSED, MOST = -1.0, 0.3, 100
"""The lowest score of a find, the IoU above which the worse of two of a class goes, and the most that stay."""
REACHES, FEWEST, EXAMPLES = (0.3, 0.5, 0.7), 3, 40
"""IoUs that part the neighbours of a find from the rest, the fewest that a search begins with, and the objects from
which a surface is learned."""
UNIT = (1.0, 1.0, 1.0, 1.0)
"""The ridge whitens its targets: the deltas are not divided before."""

Reader = Callable[[Tensor], Float[np.ndarray, "n d"]]
"""Boxes (n, 4) of one picture to their features."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """What a picture teaches: its proposals (pixels of the frame), their features, those of its objects, the truth."""

    boxes: Float[Tensor, "n 4"]
    features: Float[np.ndarray, "n d"]
    objects: Float[np.ndarray, "m d"]
    truth: Truth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judge:
    """What is learned: a score for each class, and how a box of each moves; `ridges` see the features times `scale`.

    None stands for a class that no proposal came near: its boxes stay where they are.
    """

    machines: Machines
    ridges: tuple[BoxRidge | None, ...]
    scale: float


Teacher = Callable[[Sequence[Looked], int], Machines]
"""Pictures and the number of classes to a machine for each class."""


def cropped(
    body: Callable[[Tensor], Tensor],
    image: Float[Tensor, "c h w"],
    boxes: Float[Tensor, "n 4"],
    *,
    side: int = pooling.WARP,
    context: int = pooling.CONTEXT,
) -> Float[np.ndarray, "n d"]:
    """What `body` says of each region, warped to `side` pixels with `context` of them around it on every side."""
    found: list[Tensor] = []
    with torch.inference_mode():
        for part in boxes.split(AT_ONCE):
            rows = torch.zeros(len(part), dtype=torch.int64, device=boxes.device)
            crops = pooling.warped(image[None], part, rows, side=side, context=context)
            if not len(part):
                found.append(body(image.new_zeros(1, image.shape[0], side, side)).flatten(1)[:0])
            else:
                found.append(body(crops.contiguous(memory_format=torch.channels_last)).flatten(1))
    return torch.cat(found).float().cpu().numpy()


def nearness(
    boxes: Float[Tensor, "n 4"], truth: Truth, classes: int
) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
    """The IoU of each box with the nearest object of each class, and which object that is; 0 and -1 for none.

    A box inside what does not count is near to every class, so that no class takes it for background.
    """
    shares, found = np.zeros((len(boxes), classes), np.float32), np.full((len(boxes), classes), -1)
    overlaps = box_iou(boxes, truth.boxes).cpu().numpy()
    labels = truth.labels.cpu().numpy()
    for label in np.unique(labels).tolist():
        mine = np.flatnonzero(labels == label)
        shares[:, label] = overlaps[:, mine].max(1)
        found[:, label] = mine[overlaps[:, mine].argmax(1)]
    if len(truth.aside):
        unsure = box_iou(boxes, truth.aside).amax(1).cpu().numpy() >= UNSURE
        shares[unsure] = np.maximum(shares[unsure], UNSURE)
    return shares, found


def with_hard_background(pictures: Sequence[Looked], classes: int) -> Machines:
    """A support vector machine for each class: its objects against all background, the hard of it above all."""
    return svm.one_against_rest(
        np.concatenate([one.objects for one in pictures]),
        np.concatenate([one.truth.labels.cpu().numpy() for one in pictures]),
        [
            svm.Region(features=one.features, overlaps=nearness(one.boxes, one.truth, classes)[0])
            for one in pictures
        ],
        classes,
    )


def with_ramp(pictures: Sequence[Looked], classes: int) -> Machines:
    """A machine for each class by the structured hinge: the worse a box fits, the further it stays below its object."""
    scale = svm.scale_to([one.features for one in pictures])
    width = pictures[0].features.shape[1]
    weight, bias = np.zeros((classes, width), np.float32), np.full(classes, -1.0, np.float32)
    for label in range(classes):
        posed = [_posed(one, label, scale) for one in pictures]
        if any(len(one.objects) for one in posed):
            solved = structured.fit(posed, svm.STRENGTH).numpy()
            weight[label], bias[label] = solved[:-1] * scale, solved[-1]
    return Machines(weight=weight, bias=bias)


def learned(pictures: Sequence[Looked], classes: int, teacher: Teacher = with_hard_background) -> Judge:
    """The machines of `teacher`, and a box regressor for each class from the proposals near to its objects."""
    scale = svm.scale_to([one.features for one in pictures])
    pairs: list[tuple[list[np.ndarray], list[np.ndarray]]] = [([], []) for _ in range(classes)]
    for one in pictures:
        shares, nearest = nearness(one.boxes, one.truth, classes)
        shares[nearest < 0] = 0
        for label in np.flatnonzero((shares >= NEAR).any(0)).tolist():
            rows = np.flatnonzero(shares[:, label] >= NEAR)
            wanted = one.truth.boxes[nearest[rows, label].tolist()]
            pairs[label][0].append(one.features[rows] * np.float32(scale))
            pairs[label][1].append(deltas(one.boxes[rows.tolist()], wanted, UNIT).cpu().numpy())
    return Judge(
        machines=teacher(pictures, classes),
        ridges=tuple(
            ridge.fit(np.concatenate(seen), np.concatenate(told)) if seen else None for seen, told in pairs
        ),
        scale=scale,
    )


def answered(
    judge: Judge,
    boxes: Float[Tensor, "n 4"],
    features: Float[np.ndarray, "n d"],
    size: Size,
    *,
    least: float = LEAST,
) -> Answer:
    """What is found among the proposals of a frame of `size` (height, width): scores of `least` or more, moved.

    A score is told as 1 / (1 + exp(-score)), so that .5 lies on the machine's border.
    """
    scores = torch.from_numpy(judge.machines.scores(features)).float()
    rows, labels = (scores >= least).nonzero(as_tuple=True)
    places = boxes.cpu()[rows]
    for label, moves in enumerate(judge.ridges):
        mine = (labels == label).nonzero()[:, 0]
        if moves is not None and len(mine):
            told = torch.from_numpy(moves.deltas(features[rows[mine].numpy()] * np.float32(judge.scale)))
            places[mine] = from_deltas(places[mine], told.float(), UNIT)
    edges = torch.tensor([size[1], size[0], size[1], size[0]], dtype=torch.float32)
    places = places.clamp(min=0).minimum(edges)
    found = scores[rows, labels]
    kept = per_class(places, found, labels, SUPPRESSED, MOST)
    return Answer(
        boxes=places[kept].numpy(), scores=found[kept].sigmoid().numpy(), labels=labels[kept].numpy()
    )


def surfaces(judge: Judge, pictures: Sequence[Looked]) -> tuple[Surface, ...]:
    """What is believed of the scores of each class around an object, from the training pictures."""
    found: list[Surface] = []
    for label in range(len(judge.ridges)):
        searches: list[tuple[np.ndarray, np.ndarray]] = []
        for one in pictures:
            mine = (one.truth.labels == label).nonzero()[:, 0]
            overlaps = box_iou(one.boxes, one.truth.boxes[mine]).cpu().numpy()
            for column in range(overlaps.shape[1]):
                near = overlaps[:, column] > REACHES[0]
                if near.sum() >= FEWEST:
                    scores = judge.machines.scores(one.features[near])[:, label]
                    searches.append((one.boxes.cpu().numpy()[near].astype(np.float64), scores))
        searches = searches[:: max(1, len(searches) // EXAMPLES)]
        known = np.concatenate([scores for _, scores in searches]) if searches else np.zeros(1)
        start = Surface(mean=float(known.mean()), spread=max(float(known.std()), 0.1))
        found.append(bayes.learnt(searches, start) if searches else start)
    return tuple(found)


def bayes_refined(
    judge: Judge,
    believed: Sequence[Surface],
    boxes: Float[Tensor, "n 4"],
    features: Float[np.ndarray, "n d"],
    read: Reader,
    size: Size,
) -> Answer:
    """The same after a search around each find for boxes that were not proposed, the most promising scored next.

    `believed` are the `surfaces` of the classes, `read` gives the features of any boxes of the picture.
    """
    scores = torch.from_numpy(judge.machines.scores(features)).float()
    more_boxes, more_features = [boxes.cpu()], [features]
    overlaps = box_iou(boxes, boxes).cpu().numpy()
    told = boxes.cpu().numpy().astype(np.float64)
    for label, surface in enumerate(believed):
        hopeful = (scores[:, label] >= LEAST).nonzero()[:, 0]
        tops = hopeful[
            per_class(boxes.cpu()[hopeful], scores[hopeful, label], torch.zeros_like(hopeful), SUPPRESSED)
        ]

        def scorer(tried: Float[np.ndarray, "t 4"], label: int = label) -> Float[np.ndarray, "t"]:
            asked = torch.from_numpy(tried).float()
            seen = read(asked.to(boxes.device))
            more_boxes.append(asked)
            more_features.append(seen)
            return judge.machines.scores(seen)[:, label]

        for top in tops.tolist():
            counts = {int((overlaps[top] > reach).sum()): reach for reach in reversed(REACHES)}
            for count, reach in counts.items():
                if count >= FEWEST:
                    near = overlaps[top] > reach
                    bayes.searched(told[near], scores[:, label].numpy()[near], scorer, surface)
    return answered(judge, torch.cat(more_boxes), np.concatenate(more_features), size)


def _posed(one: Looked, label: int, scale: float) -> structured.Picture:
    """The problem of one class in one picture; what overlaps something that does not count is no rival."""
    mine = one.truth.labels == label
    rivals = torch.ones(len(one.boxes), dtype=torch.bool, device=one.boxes.device)
    if len(one.truth.aside):
        rivals = box_iou(one.boxes, one.truth.aside).amax(1) < UNSURE
    return structured.Picture(
        objects=torch.from_numpy(one.objects[mine.cpu().numpy()] * np.float32(scale)),
        candidates=torch.from_numpy(one.features[rivals.cpu().numpy()] * np.float32(scale)),
        overlaps=box_iou(one.boxes[rivals], one.truth.boxes[mine]).cpu(),
    )
