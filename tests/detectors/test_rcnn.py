"""R-CNN learns from the features of crops, ranks as softmax does, and a search finds boxes that were not proposed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from convworks import backbones
from convworks.data.synthetic import flat_scene
from convworks.detectors import rcnn
from convworks.detectors.answer import Answer, Truth
from convworks.detectors.rcnn import Judge, Looked
from convworks.metrics.average_precision import table
from convworks.metrics.matches import coco_matches
from convworks.regions import svm
from convworks.transfer import linear

CLASSES, SIDE = ["ellipse", "rectangle", "triangle"], 96


@dataclass(frozen=True, eq=False)
class Scenery:
    """A picture, the boxes to look at, and what it holds."""

    image: Tensor
    boxes: Tensor
    truth: Truth


def nothing() -> Tensor:
    return torch.zeros(0, 4)


@cache
def scenery(count: int, seed: int, near: int = 3, far: int = 24) -> list[Scenery]:
    """Flat shapes; of each object some boxes beside it, and some anywhere."""
    draw, found = np.random.default_rng(seed), []
    for index in range(count):
        one = flat_scene(seed, index, task="detection", classes=CLASSES, size=(SIDE, SIDE))
        sides = np.tile(one.boxes[:, 2:] - one.boxes[:, :2], 2)
        beside = [one.boxes + draw.normal(0, 0.12, one.boxes.shape) * sides for _ in range(near)]
        corner = draw.uniform(0, 60, (far, 2))
        anywhere = np.concatenate([corner, corner + draw.uniform(16, 36, (far, 2))], 1)
        boxes = np.concatenate([*beside, anywhere]).clip(0, SIDE).astype(np.float32)
        solid = (boxes[:, 2:] - boxes[:, :2] >= 6).all(1)
        found.append(
            Scenery(
                image=torch.from_numpy(one.image).permute(2, 0, 1).float() / 127.5 - 1,
                boxes=torch.from_numpy(boxes[solid]),
                truth=Truth(
                    boxes=torch.from_numpy(one.boxes), labels=torch.from_numpy(one.labels), aside=nothing()
                ),
            )
        )
    return found


def looked(read: partial[np.ndarray], some: list[Scenery]) -> list[Looked]:
    return [
        Looked(
            boxes=one.boxes,
            features=read(one.image, one.boxes),
            objects=read(one.image, one.truth.boxes),
            truth=one.truth,
        )
        for one in some
    ]


PIXELS = partial(rcnn.cropped, nn.AvgPool2d(8), side=32, context=2)


@cache
def coloured(count: int, seed: int, near: int = 4, spread: float = 4.0) -> list[Scenery]:
    """Two boxes of each picture, red, green or blue by class on noise; proposals beside them and anywhere."""
    draw, found = np.random.default_rng(seed), []
    for _ in range(count):
        image = draw.uniform(-0.2, 0.2, (3, SIDE, SIDE)).astype(np.float32)
        corner = np.array([[6, 8], [52, 50]]) + draw.integers(-6, 6, (2, 2))
        truth = np.concatenate([corner, corner + draw.integers(20, 36, (2, 2))], 1).astype(np.float32)
        labels = draw.integers(0, 3, 2)
        for (x0, y0, x1, y1), label in zip(truth.astype(int).tolist(), labels.tolist(), strict=True):
            image[label, y0:y1, x0:x1] += 1
        start = draw.uniform(0, 60, (12, 2))
        anywhere = np.concatenate([start, start + draw.uniform(16, 36, (12, 2))], 1)
        beside = [truth + draw.normal(0, spread, (2, 4)) for _ in range(near)]
        found.append(
            Scenery(
                image=torch.from_numpy(image),
                boxes=torch.from_numpy(np.concatenate([*beside, anywhere]).clip(0, SIDE)).float(),
                truth=Truth(boxes=torch.from_numpy(truth), labels=torch.from_numpy(labels), aside=nothing()),
            )
        )
    return found


@cache
def by_pixels() -> tuple[Judge, list[Looked]]:
    pictures = looked(PIXELS, coloured(30, 0))
    return rcnn.learned(pictures, 3), pictures


def precision(found: list[Answer], some: list[Scenery]) -> tuple[float, float]:
    """AP at .5 and .7."""
    seen = [
        coco_matches(
            *(answer.boxes, answer.scores, answer.labels),
            *(one.truth.boxes.numpy(), one.truth.labels.numpy(), np.zeros(len(one.truth.boxes), np.uint8)),
        )
        for answer, one in zip(found, some, strict=True)
    ]
    measured = np.nanmean(table(seen, 3).precision[:, :, 0], 1)
    return float(measured[0]), float(measured[4])


def answers(judge: Judge, read: partial[np.ndarray], some: list[Scenery]) -> list[Answer]:
    return [
        rcnn.answered(judge, one.boxes, read(one.image, one.boxes), (SIDE, SIDE), least=-2.0) for one in some
    ]


def test_it_finds_what_proposals_show_and_the_regressors_sharpen_it() -> None:
    judge, _ = by_pixels()
    unseen = coloured(30, 1)
    moved = precision(answers(judge, PIXELS, unseen), unseen)
    still = Judge(machines=judge.machines, ridges=(None, None, None), scale=judge.scale)
    stayed = precision(answers(still, PIXELS, unseen), unseen)
    print(f"AP50 and AP70: moved {moved}, as proposed {stayed}")
    assert moved[0] > 0.8
    assert moved[1] > stayed[1] + 0.1


def test_a_crop_shows_its_region_and_what_surrounds_it() -> None:
    image = torch.zeros(3, 40, 40)
    image[:, 10:20, 10:30] = 1
    body = nn.Identity()
    seen = rcnn.cropped(body, image, torch.tensor([[10.0, 10, 30, 20]]), side=32, context=4)
    picture = seen.reshape(3, 32, 32)
    assert picture[:, 5:27, 5:27].min() > 0.999
    assert picture[:, :3].max() == picture[:, :, -3:].max() == 0
    assert rcnn.cropped(body, image, nothing(), side=32, context=4).shape == (0, 3 * 32 * 32)


def test_what_does_not_count_is_no_background() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30], [0, 0, 9, 10]])
    truth = Truth(boxes=boxes[:1], labels=torch.tensor([1]), aside=boxes[1:2])
    shares, nearest = rcnn.nearness(boxes, truth, 3)
    np.testing.assert_allclose(shares, [[0, 1, 0], [0.5, 0.5, 0.5], [0, 0.9, 0]])
    assert nearest.tolist() == [[-1, 0, -1], [-1, 0, -1], [-1, 0, -1]]


def test_pictures_without_objects_or_proposals_and_classes_without_boxes_are_no_trouble() -> None:
    _, pictures = by_pixels()
    empty = Truth(boxes=nothing(), labels=torch.zeros(0, dtype=torch.int64), aside=nothing())
    bare = Looked(
        boxes=nothing(),
        features=np.zeros((0, 48), np.float32),
        objects=np.zeros((0, 48), np.float32),
        truth=empty,
    )
    lonely = Looked(boxes=pictures[0].boxes, features=pictures[0].features, objects=bare.objects, truth=empty)
    for teacher in (rcnn.with_hard_background, rcnn.with_ramp):
        judge = rcnn.learned([*pictures[:6], bare, lonely], 4, teacher)
        assert judge.ridges[3] is None
        found = rcnn.answered(judge, bare.boxes, bare.features, (SIDE, SIDE))
        assert found.boxes.shape == (0, 4)
        some = rcnn.answered(judge, lonely.boxes, lonely.features, (SIDE, SIDE), least=-9.0)
        assert 3 not in some.labels[some.scores > 0.3].tolist()
        assert (np.diff(some.scores) <= 0).all()
        assert (some.boxes >= 0).all() and (some.boxes <= SIDE).all()


def test_a_search_finds_better_boxes_than_were_proposed() -> None:
    """A machine that scores the overlap itself: what is found lies nearer to the object than any proposal."""
    judge = Judge(
        machines=svm.Machines(weight=np.array([[3.0]], np.float32), bias=np.array([-1.0], np.float32)),
        ridges=(None,),
        scale=1.0,
    )
    draw = torch.Generator().manual_seed(0)
    pictures: list[Looked] = []
    for _ in range(9):
        corner = torch.rand(1, 2, generator=draw) * 40
        truth = torch.cat([corner, corner + 20 + torch.rand(1, 2, generator=draw) * 30], 1)
        boxes = truth + torch.randn(12, 4, generator=draw) * 6
        pictures.append(
            Looked(
                boxes=boxes,
                features=box_iou(boxes, truth).numpy(),
                objects=np.ones((1, 1), np.float32),
                truth=Truth(boxes=truth, labels=torch.tensor([0]), aside=nothing()),
            )
        )
    surface = rcnn.surfaces(judge, pictures[:8])
    boxes, truth = pictures[8].boxes, pictures[8].truth.boxes

    def read(tried: Tensor) -> np.ndarray:
        return box_iou(tried, truth).numpy()

    found = rcnn.bayes_refined(judge, surface, boxes, read(boxes), read, (SIDE, SIDE))
    plain = rcnn.answered(judge, boxes, read(boxes), (SIDE, SIDE))
    best = [float(box_iou(torch.from_numpy(one.boxes[:1]), truth)) for one in (plain, found)]
    print(f"IoU of the best find: proposed {best[0]:.3f}, searched {best[1]:.3f}")
    assert best[1] > best[0] + 0.05
    assert best[1] >= 0.85


@cache
def deep() -> tuple[partial[np.ndarray], list[Looked], list[Scenery], list[np.ndarray]]:
    """Features of crops by a pretrained net, computed once."""
    body = nn.Sequential(*list(backbones.create("efficientnet-lite0").stages)[:6]).eval()
    read = partial(rcnn.cropped, body, side=64, context=5)
    unseen = scenery(60, 1)
    return read, looked(read, scenery(60, 0)), unseen, [read(one.image, one.boxes) for one in unseen]


@pytest.mark.slow
def test_machines_rank_as_well_as_softmax_on_the_same_features() -> None:
    """Check 12: AP within .03."""
    _, pictures, unseen, features = deep()
    everything = np.concatenate([one.features for one in pictures] + [one.objects for one in pictures])
    shares = np.concatenate([rcnn.nearness(one.boxes, one.truth, 3)[0] for one in pictures])
    labels = np.where(shares.max(1) >= 0.5, shares.argmax(1), 3)
    labels = np.concatenate([labels, *(one.truth.labels.numpy() for one in pictures)])
    softmax = linear.fit(everything, labels, 4, 1e-2)
    judge = rcnn.learned(pictures, 3)
    found: dict[str, list[Answer]] = {"machines": [], "softmax": []}
    for one, seen in zip(unseen, features, strict=True):
        found["machines"].append(rcnn.answered(judge, one.boxes, seen, (SIDE, SIDE), least=-3.0))
        # The logit of a class above that of background, put where a machine's score is read.
        logits = softmax.logits(seen)
        told = (logits[:, :3] - logits[:, 3:]).astype(np.float32)
        other = Judge(
            machines=svm.Machines(weight=np.eye(3, dtype=np.float32), bias=np.zeros(3, np.float32)),
            ridges=(None, None, None),
            scale=1.0,
        )
        found["softmax"].append(rcnn.answered(other, one.boxes, told, (SIDE, SIDE), least=-8.0))
    still = Judge(machines=judge.machines, ridges=(None, None, None), scale=judge.scale)
    found["machines"] = [
        rcnn.answered(still, one.boxes, seen, (SIDE, SIDE), least=-3.0)
        for one, seen in zip(unseen, features, strict=True)
    ]
    mine, theirs = (precision(found[name], unseen) for name in ("machines", "softmax"))
    print(f"AP50 and AP70 of the same crops: machines {mine}, softmax {theirs}")
    assert mine[0] >= theirs[0] - 0.03
    assert mine[1] >= theirs[1] - 0.03


@pytest.mark.slow
def test_the_pass_for_hard_background_lowers_false_alarms() -> None:
    """Check 12, second half: against as much background as a pass keeps, drawn by chance."""
    _, pictures, unseen, features = deep()
    scale = svm.scale_to([one.features for one in pictures])
    draw = np.random.default_rng(0)
    alarms = np.zeros(2, np.int64)
    for label in range(3):
        positives = np.concatenate([one.objects[one.truth.labels.numpy() == label] for one in pictures])
        pools = [
            one.features[rcnn.nearness(one.boxes, one.truth, 3)[0][:, label] < svm.NEGATIVE] * scale
            for one in pictures
        ]
        every = np.concatenate(pools)
        chosen = draw.permutation(len(every))[: len(every) // 10]
        easy = svm.fit(positives * scale, every[chosen])
        hard = svm.mined(positives * scale, pools, enough=200)
        for place, solved in enumerate((easy, hard)):
            for one, seen in zip(unseen, features, strict=True):
                far = rcnn.nearness(one.boxes, one.truth, 3)[0][:, label] < svm.NEGATIVE
                alarms[place] += int((seen[far] * scale @ solved[:-1] + solved[-1] > 0).sum())
    print(f"false alarms: background by chance {alarms[0]}, hard background {alarms[1]}")
    assert alarms[1] < 0.9 * alarms[0]


@pytest.mark.slow
def test_a_search_around_each_find_sharpens_what_the_ramp_taught() -> None:
    # The outer cells are what surrounds the region: a box that is too small shows its object there.
    ringed = partial(rcnn.cropped, nn.AvgPool2d(8), side=32, context=8)
    pictures, unseen = looked(ringed, coloured(20, 0, 10, 6.0)), coloured(6, 1, 5, 6.0)
    judge = rcnn.learned(pictures, 3, rcnn.with_ramp)
    # No regressor: what is found lies where it was scored.
    still = Judge(machines=judge.machines, ridges=(None, None, None), scale=judge.scale)
    believed = rcnn.surfaces(still, pictures)
    plain, searched = list[Answer](), list[Answer]()
    for one in unseen:
        features = ringed(one.image, one.boxes)
        plain.append(rcnn.answered(still, one.boxes, features, (SIDE, SIDE)))
        read = partial(ringed, one.image)
        searched.append(rcnn.bayes_refined(still, believed, one.boxes, features, read, (SIDE, SIDE)))
    before, after = (precision(found, unseen) for found in (plain, searched))
    print(f"AP50 and AP70: proposals alone {before}, searched {after}")
    assert after[0] >= before[0] - 0.02
    assert after[1] > before[1]
