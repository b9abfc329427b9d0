"""Masks of regions are cut from those of their objects, cost what cross-entropy says, and come back to their pixels."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import shape_detection as tried
from convworks.augmentation import plan
from convworks.data.raster import from_runs, to_runs
from convworks.data.synthetic import flat_scene
from convworks.detectors import mask_head
from convworks.detectors.answer import Truth
from convworks.detectors.mask_head import DRAWN, Masked, MaskHead, answered, loss, restore, targets
from convworks.detectors.two_stage import Regions
from convworks.geometry.move import identity
from convworks.metrics import average_precision as ap
from convworks.metrics.mask_overlap import overlaps, stretches
from convworks.metrics.matches import coco_rows
from convworks.samples import Sample

SIDE = tried.SIDE


def scene(seed: int, index: int) -> Sample:
    return flat_scene(seed, index, task="detection", classes=tried.CLASSES, size=(SIDE, SIDE))


def truth(sample: Sample) -> Truth:
    boxes, labels = torch.from_numpy(sample.boxes), torch.from_numpy(sample.labels)
    return Truth(boxes=boxes, labels=labels, aside=torch.zeros(0, 4))


def regions(boxes: Tensor, wanted: Tensor | None = None) -> Regions:
    rows = torch.zeros(len(boxes), dtype=torch.int64)
    return Regions(boxes=boxes, rows=rows, labels=rows, wanted=boxes if wanted is None else wanted)


def test_the_target_of_a_region_is_what_the_object_covers_of_it() -> None:
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[0, 8:36, 8:36] = True
    boxes = torch.tensor([[8.0, 8, 36, 36], [22, 8, 50, 36]])
    one = Truth(boxes=boxes[:1], labels=torch.zeros(1, dtype=torch.int64), aside=torch.zeros(0, 4))
    found = targets(regions(boxes, boxes[:1].expand(2, -1)), torch.tensor([True, True]), [one], [mask])
    assert found[0, 1:-1, 1:-1].min() == 1
    assert found[0].min() > 0.7, "at its edge a mask is read halfway to what lies beyond"
    torch.testing.assert_close(found[1, 1:-1, :13], torch.ones(DRAWN - 2, 13))
    torch.testing.assert_close(found[1, :, 15:], torch.zeros(DRAWN, 13))


def test_no_region_with_an_object_wants_nothing_and_costs_nothing() -> None:
    none = truth(Sample(image=np.zeros((SIDE, SIDE, 3), np.uint8)))
    nothing = torch.zeros(0, SIDE, SIDE, dtype=torch.bool)
    assert targets(regions(torch.zeros(2, 4)), torch.tensor([False, False]), [none], [nothing]).shape == (
        0,
        28,
        28,
    )
    net, head = tried.untrained(tried.FIXED), MaskHead(64, 3, width=8)
    parts = loss(net, head, torch.zeros(1, 3, SIDE, SIDE), [none], [nothing],
                 [torch.tensor([[0.0, 0, 30, 30]])], torch.Generator())  # fmt: skip
    assert float(parts["masks"].detach()) == 0


def test_a_head_without_an_opinion_pays_the_logarithm_of_two_for_each_cell() -> None:
    sample = scene(0, 3)
    net, head = tried.untrained(tried.FIXED), MaskHead(64, 3, width=8)
    last = head.layers[-1]
    assert isinstance(last, nn.Conv2d)
    nn.init.zeros_(last.weight)
    image = torch.from_numpy(sample.image).permute(2, 0, 1)[None].float() / 128 - 1
    masks = [torch.from_numpy(sample.masks)]
    given = [torch.tensor([[0.0, 0, 40, 40], [30, 30, 90, 90]])]
    parts = loss(net, head, image, [truth(sample)], masks, given, torch.Generator().manual_seed(0))
    assert float(parts["masks"].detach()) == pytest.approx(math.log(2), abs=1e-6)
    assert {"names", "places"} < parts.keys()


@pytest.mark.parametrize("size", [(SIDE, SIDE), (161, 240)])
def test_what_was_wanted_of_each_box_pasted_back_is_the_object(size: tuple[int, int]) -> None:
    """Objects of the frame, its boxes and targets, restored to a picture of another size that the frame was made of."""
    move = identity((SIDE, SIDE)) if size == (SIDE, SIDE) else plan.fixed(size, (SIDE, SIDE), "squash").move
    for index in range(4):
        sample = scene(1, index)
        boxes = torch.from_numpy(sample.boxes)
        there = torch.ones(len(boxes), dtype=torch.bool)
        wanted = targets(regions(boxes), there, [truth(sample)], [torch.from_numpy(sample.masks)])
        answer = Masked(
            boxes=sample.boxes,
            scores=np.ones(len(boxes), np.float32),
            labels=sample.labels,
            logits=(wanted - 0.5).numpy(),
        )
        found = restore(answer, move, size, tried.CLASSES)
        back = np.stack([from_runs(one.runs, size) for one in found.found])
        small = np.stack(
            [
                plan.apply_image(plan.fixed(size, (SIDE, SIDE), "squash"), _grey(one))[..., 0] > 127
                for one in back
            ]
        )
        share = overlaps(_stretches(small), _stretches(sample.masks), np.zeros(len(boxes), np.bool_))
        assert np.diagonal(share).min() > 0.88


def _grey(mask: np.ndarray) -> np.ndarray:
    return np.repeat(255 * mask[..., None].astype(np.uint8), 3, 2)


def _stretches(masks: np.ndarray) -> object:
    return stretches([to_runs(mask) for mask in masks])


@cache
def learned() -> tuple[object, MaskHead]:
    net = tried.untrained(tried.NETWORK)
    head, generator = MaskHead(64, 3, width=64), torch.Generator().manual_seed(1)
    whole = nn.ModuleList([net, head])
    drawn = {id(one): scene(0, index) for index, one in enumerate(tried.shapes(800, 0)[1])}

    def losses(images: Tensor, truths: list[Truth]) -> dict[str, Tensor]:
        masks = [torch.from_numpy(drawn[id(one)].masks) for one in truths]
        return loss(net, head, images, truths, masks, [], generator)

    tried.learned(whole, losses)
    return net, head


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_masks_of_shapes_are_learned_beside_their_boxes() -> None:
    net, head = learned()
    evidence = []
    images, _ = tried.shapes(150, 1)
    answers = [one for part in images.split(10) for one in answered(net, head, part, [])]  # type: ignore[arg-type]
    for index, answer in enumerate(answers):
        sample = scene(1, index)
        found = restore(answer, identity((SIDE, SIDE)), (SIDE, SIDE), tried.CLASSES).found
        mine, true = (
            stretches([one.runs for one in found]),
            stretches([to_runs(mask) for mask in sample.masks]),
        )
        aside = sample.aside
        shares = overlaps(mine, true, aside == 2)
        labels = np.array([tried.CLASSES.index(one.name) for one in found], np.int64)
        scores = np.array([one.probability for one in found], np.float64)
        evidence.append(coco_rows(scores, labels, mine.areas, shares, sample.labels, aside, true.areas))
    numbers = ap.twelve(ap.table(evidence, 3))
    parameters = sum(value.numel() for value in head.parameters())
    print(f"Mask head of {parameters:,} parameters: {numbers}")
    assert numbers["AP50"] >= 0.80
    assert mask_head.DRAWN == DRAWN
