"""What every part of a kind keeps: sources, readers, coders, matchers, namings, losses of boxes, suppression."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from convworks.detectors import presets
from convworks.regions import losses, matching, multibox, pooling, proposals, suppression
from convworks.regions.coding import CODERS
from convworks.regions.heads import SIGMOID, SOFTMAX, Fit, Naming, overlapping, straight
from convworks.regions.matching import BACKGROUND, IGNORED
from convworks.regions.proposals import ProposalSource
from convworks.regions.refine import settled

NONE = torch.zeros(0, 4)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def boxes(count: int, seed: int, side: float = 96) -> Tensor:
    """Boxes of every size in a square, the first of one pixel."""
    low = torch.rand(count, 2, generator=seeded(seed)) * side * 0.8
    reach = 1 + torch.rand(count, 2, generator=seeded(seed + 1)) ** 2 * side / 2
    found = torch.cat([low, (low + reach).clamp(max=side)], 1)
    found[:1, 2:] = found[:1, :2] + 1
    return found


# Sources of boxes.

FROM_FILE = "a.png,0,0,2,3,0.5\na.png,1,1,2,2,0.25\n"
SOURCES: dict[str, Callable[[Path], ProposalSource]] = {
    "whole image": lambda folder: proposals.whole_image,
    "grid": lambda folder: proposals.fixed(proposals.grid()),
    "clusters": lambda folder: proposals.fixed(proposals.clustered(boxes(60, 0).numpy() / 96, 7)),
    "selective search": lambda folder: proposals.searched(50),
    "given": lambda folder: lambda image: proposals.given(folder / "boxes.csv")["a.png"],
}


@pytest.mark.parametrize("size", [(40, 30), (3, 60), (9, 2), (64, 64)])
@pytest.mark.parametrize("name", SOURCES)
def test_a_source_gives_boxes_in_the_picture_and_the_same_each_time(
    name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    (tmp_path / "boxes.csv").write_text("path,x0,y0,x1,y1,score\n" + FROM_FILE)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image[: size[0] // 2] //= 4
    source = SOURCES[name](tmp_path)
    found, again = source(image), source(image)
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert found.boxes.shape == (len(found.scores), 4)
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= np.array([size[1], size[0]] * 2) + 1e-4).all()
    np.testing.assert_array_equal(found.boxes, again.boxes)
    if name != "selective search":  # it leaves out what is too small to hold an object
        assert len(found.boxes)


# Readers: regions of any size as features of one size.


def warped(maps: Tensor, boxes: Tensor, rows: Tensor, scale: float) -> Tensor:
    return pooling.warped(maps, boxes * scale, rows, side=9, context=1)


READERS = {
    "aligned": presets.aligned,
    "pooled": presets.pooled,
    "pyramid": presets.pyramid,
    "ten views": presets.ten_views,
    "warped": warped,
}


@pytest.mark.parametrize("name", READERS)
def test_each_region_is_read_by_itself(name: str) -> None:
    read, maps = READERS[name], torch.randn(2, 3, 12, 12, generator=seeded(0))
    regions, rows = boxes(6, 3), torch.tensor([0, 1, 1, 0, 1, 0])
    regions[1:4] += torch.tensor([[-60.0, 0, 0, 0], [0, 0, 80, 80], [200, 200, 200, 200]])
    whole = read(maps, regions, rows, 1 / 8)
    assert bool(torch.isfinite(whole).all())
    order = torch.tensor([5, 2, 0, 1, 4, 3])
    torch.testing.assert_close(read(maps, regions[order], rows[order], 1 / 8), whole[order])
    assert read(maps, NONE, rows[:0], 1 / 8).shape == (0, *whole.shape[1:])


@pytest.mark.parametrize("name", READERS)
def test_a_region_that_moves_with_the_map_is_read_alike_and_others_don_t_matter(name: str) -> None:
    read = READERS[name]
    maps = torch.randn(1, 2, 24, 24, generator=seeded(1)).requires_grad_()
    region, row = torch.tensor([[70.3, 80.9, 102.6, 111.2]]), torch.tensor([0])
    here = read(maps, region, row, 1 / 8)
    moved = read(maps.roll((2, 1), (2, 3)), region + torch.tensor([8.0, 16, 8, 16]), row, 1 / 8)
    torch.testing.assert_close(moved, here, atol=1e-4, rtol=1e-4)
    (slope,) = torch.autograd.grad(here.square().sum(), maps)
    assert float(slope[:, :, 9:15, 8:14].abs().max()) > 0
    assert float(slope[:, :, :6].abs().max()) == float(slope[:, :, 19:].abs().max()) == 0


@pytest.mark.parametrize("name", READERS)
def test_an_even_map_is_read_evenly(name: str) -> None:
    found = READERS[name](torch.full((1, 2, 30, 30), 2.0), boxes(5, 6) + 70, torch.zeros(5).long(), 1 / 8)
    seen = found[found != 0]  # a view of a ring does not see its middle
    torch.testing.assert_close(seen, torch.full_like(seen, 2))
    assert len(seen) > found.numel() / 2


# Coders: four numbers for a box.


@pytest.mark.parametrize("shape", [(0,), (5,), (2, 3)])
@pytest.mark.parametrize("name", CODERS)
def test_a_coder_undoes_itself_for_any_number_of_boxes_and_has_a_slope_at_a_point(
    name: str, shape: tuple[int, ...]
) -> None:
    coder, count = CODERS[name], int(np.prod(shape))
    around, wanted = boxes(count, 1).reshape(*shape, 4), boxes(count, 2).reshape(*shape, 4)
    if name in ("absolute", "distances"):
        around = around[..., 2:]
    told = coder.encode(around, wanted)
    assert told.shape == wanted.shape
    torch.testing.assert_close(coder.decode(around, told), wanted, atol=1e-3, rtol=1e-4)
    point = torch.full((*shape, 4), 7.0).requires_grad_()
    coder.decode(around, coder.encode(around, point)).sum().backward()
    assert point.grad is not None
    assert bool(torch.isfinite(point.grad).all())


# Matchers: which candidate learns which object.


def adaptive(candidates: Tensor, objects: Tensor) -> Tensor:
    return matching.adaptive(
        (candidates[:, :2] + candidates[:, 2:]) / 2, torch.full((len(candidates),), 8.0), objects
    )


def task_aligned(candidates: Tensor, objects: Tensor) -> Tensor:
    inside = matching.reachable((candidates[:, :2] + candidates[:, 2:]) / 2, objects)
    overlaps = box_iou(candidates, objects)
    return matching.task_aligned(torch.full_like(overlaps, 0.5), overlaps, inside, top=3)[0]


MATCHERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "thresholds": lambda c, o: matching.by_overlap(box_iou(c, o), 0.7, 0.3, best_of_each=True),
    "one to one": lambda c, o: matching.bipartite(1 - box_iou(c, o)),
    "multibox": lambda c, o: multibox.assigned(c / 96, o / 96),
    "adaptive": adaptive,
    "task-aligned": task_aligned,
}


@pytest.mark.parametrize("name", MATCHERS)
def test_a_matcher_gives_every_object_its_own_box_whatever_the_order(name: str) -> None:
    match = MATCHERS[name]
    objects = torch.tensor([[2.0, 2, 34, 30], [50, 8, 90, 44], [10, 52, 40, 92], [60, 60, 92, 92]])
    candidates = torch.cat([objects, boxes(30, 4)])
    found = match(candidates, objects)
    assert found.shape == (34,)
    assert set(found.tolist()) <= {BACKGROUND, IGNORED, 0, 1, 2, 3}
    assert set(found.tolist()) >= {0, 1, 2, 3}
    if name != "adaptive":  # which looks at how candidates lie, not at how well they fit
        assert found[:4].tolist() == [0, 1, 2, 3]
    order = torch.randperm(34, generator=seeded(0))
    assert torch.equal(match(candidates[order], objects), found[order])
    turned = match(candidates, objects.flip(0))
    assert torch.equal(torch.where(turned >= 0, 3 - turned, turned), found)


@pytest.mark.parametrize(("candidates", "objects"), [(0, 2), (5, 0), (0, 0), (2, 9)])
@pytest.mark.parametrize("name", MATCHERS)
def test_a_matcher_answers_for_every_candidate_however_few(name: str, candidates: int, objects: int) -> None:
    found = MATCHERS[name](boxes(candidates, 1), boxes(objects, 3))
    assert found.shape == (candidates,)
    assert bool(((found >= IGNORED) & (found < max(objects, 1))).all())
    if not objects:
        assert found.tolist() == [BACKGROUND] * candidates


# Namings: logits that tell a class.


@pytest.mark.parametrize("naming", [SOFTMAX, SIGMOID], ids=["softmax", "sigmoid"])
def test_a_naming_learns_its_labels_and_scores_background_low(naming: Naming) -> None:
    labels = torch.tensor([0, 1, 2, 3, 3])
    logits = torch.zeros(5, 3 + naming.spare, requires_grad=True)
    assert naming.loss(logits[:0], labels[:0]).shape == (0,)
    assert naming.scores(logits[:0]).shape == (0, 3)
    assert bool(torch.isfinite(naming.loss(torch.full_like(logits, 500.0), labels)).all())
    for _ in range(60):
        (slope,) = torch.autograd.grad(naming.loss(logits, labels).sum(), logits)
        logits = (logits - 2 * slope).detach().requires_grad_()
    scores = naming.scores(logits.detach())
    assert bool(((scores >= 0) & (scores <= 1)).all())
    torch.testing.assert_close(scores, torch.eye(5)[:, :3] * (labels < 3)[:, None], atol=0.05, rtol=0)
    assert float(naming.loss(logits, labels).detach().max()) < 0.1


# Losses of boxes.


@pytest.mark.parametrize("fit", [straight, overlapping])
def test_a_fit_costs_nothing_where_it_is_perfect_and_nothing_for_the_scale_of_the_picture(fit: Fit) -> None:
    around, wanted = boxes(20, 1), boxes(20, 2)
    told = CODERS["deltas"].encode(around, wanted)
    torch.testing.assert_close(fit(around, told, wanted), torch.zeros(20), atol=1e-4, rtol=0)
    off = torch.randn(20, 4, generator=seeded(3)).requires_grad_()
    error = fit(around, off, wanted)
    assert error.shape == (20,)
    assert bool((error > 0).all())
    torch.testing.assert_close(fit(3 * around, off, 3 * wanted), error, atol=1e-3, rtol=1e-3)
    error.sum().backward()
    assert off.grad is not None
    assert bool(torch.isfinite(off.grad).all())
    assert fit(NONE, NONE, NONE).shape == (0,)


@pytest.mark.parametrize("measure", [losses.overlap, losses.generalised_overlap, losses.distant_overlap])
def test_how_boxes_overlap_depends_on_neither_order_place_nor_scale(
    measure: Callable[[Tensor, Tensor], Tensor],
) -> None:
    first, second = boxes(30, 1)[1:], boxes(30, 2)[1:]
    value = measure(first, second)
    assert bool(((value > -1) & (value <= 1)).all())
    torch.testing.assert_close(measure(second, first), value)
    torch.testing.assert_close(measure(3 * first + 5, 3 * second + 5), value, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(measure(first, first), torch.ones(29), atol=1e-4, rtol=0)


@pytest.mark.parametrize("loss", [losses.focal, losses.quality_focal])
def test_a_loss_of_scores_is_never_below_0_and_finite_for_the_surest(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    logits = torch.tensor([-90.0, -3, 0, 3, 90]).repeat(2).requires_grad_()
    truth = torch.tensor([0.0, 1]).repeat_interleave(5)
    error = loss(logits, truth)
    error.sum().backward()
    assert logits.grad is not None
    assert bool((error >= 0).all())
    assert bool(torch.isfinite(logits.grad).all())
    assert bool((error[:5].diff() > 0).all())
    assert bool((error[5:].diff() < 0).all())


# Suppression: of many boxes that say the same, one.


def alone(boxes: Tensor, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    kept = suppression.per_class(boxes, scores, labels, 0.4)
    return boxes[kept], scores[kept], labels[kept]


def softly(boxes: Tensor, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    lower = suppression.soft(boxes, scores, labels)
    order = lower.argsort(descending=True)
    return boxes[order], lower[order], labels[order]


def by_vote(boxes: Tensor, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return settled(boxes, scores, labels, suppress=0.4, vote=0.5)


@pytest.mark.parametrize("suppress", [alone, softly, by_vote])
def test_suppression_keeps_the_best_and_each_class_to_itself_whatever_the_order(
    suppress: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]],
) -> None:
    near = boxes(5, 1)[1:].repeat(10, 1) + torch.randn(40, 4, generator=seeded(2)).abs()
    scores, labels = torch.rand(40, generator=seeded(3)), torch.arange(40) % 3
    places, kept, names = suppress(near, scores, labels)
    assert float(kept[0]) == float(scores.max())
    assert bool((kept.diff() <= 0).all())
    order = torch.randperm(40, generator=seeded(4))
    for one, other in zip(
        suppress(near[order], scores[order], labels[order]), (places, kept, names), strict=True
    ):
        torch.testing.assert_close(one, other)
    for label in range(3):
        own = labels == label
        mine = suppress(near[own], scores[own], labels[own])
        torch.testing.assert_close(mine[0], places[names == label])
        torch.testing.assert_close(mine[1], kept[names == label])
    empty = suppress(NONE, scores[:0], labels[:0])
    assert [part.shape for part in empty] == [(0, 4), (0,), (0,)]
