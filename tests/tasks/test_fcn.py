"""FCN as published: its crops from arithmetic, its enlarging the library's, its skips silent at first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from convworks import backbones, tasks
from convworks.arithmetic.alignment import crop_offset, middle
from convworks.arithmetic.field import Field, slid
from convworks.backbones.contract import Stage
from convworks.data import sources, synthetic
from convworks.data.scenes import SceneStore
from convworks.data.settled import settled
from convworks.errors import RecipeError
from convworks.metrics import overlap
from convworks.tasks.enlarging import reading
from convworks.tasks.fcn import Enlarge, FullyConvolutional, painting

INFO = [Stage(name=f"s{stride}", channels=4 + stride // 8, stride=stride) for stride in (2, 4, 8, 16, 32)]


def maps(height: int = 64, width: int = 96, seed: int = 0) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    sides = [(stage.channels, height // stage.stride, width // stage.stride) for stage in INFO]
    return [torch.randn(2, *side, generator=draw) for side in sides]


def published() -> dict[str, Field]:
    """The receptive fields of the published VGG-16 nets, padded by 100, at pool3, pool4 and fc7."""
    field, found = Field(), {}
    for number, convolutions in enumerate((2, 2, 3, 3, 3), 1):
        for place in range(convolutions):
            field = slid(field, 3, 1, 100 if number == 1 and place == 0 else 1)
        field = slid(field, 2, 2, 0)
        found[f"pool{number}"] = field
    found["fc7"] = slid(field, 7, 1, 0)
    return found


def test_the_crops_are_those_of_the_published_nets() -> None:
    fields = {name: middle(field) for name, field in published().items()}
    pixel = middle(Field())
    assert crop_offset(fields["fc7"], pixel, 1, 32) == 19
    # The published nets crop the finer score where it reaches further: by 5 and 9.
    upon_pool4 = crop_offset(fields["fc7"], fields["pool4"], 16, 2)
    assert upon_pool4 == -5
    summed = fields["pool4"] - 16 * upon_pool4  # the middle of the first cell of the sum
    assert crop_offset(summed, pixel, 1, 16) == 27
    upon_pool3 = crop_offset(summed, fields["pool3"], 8, 2)
    assert upon_pool3 == -9
    assert crop_offset(fields["pool3"] - 8 * upon_pool3, pixel, 1, 8) == 31


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_enlarging_aligned_maps_is_the_librarys_up_to_the_border(factor: int) -> None:
    x = torch.randn(2, 3, 5, 7)
    size = (5 * factor, 7 * factor)
    expected = F.interpolate(x, size, mode="bilinear", align_corners=False)
    for learned in (False, True):
        torch.testing.assert_close(Enlarge(3, factor, factor / 2, learned=learned)(x, size), expected)


@pytest.mark.parametrize("offset", [-5.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.25, 9.75])
@pytest.mark.parametrize("factor", [2, 4])
def test_a_learned_filter_begins_as_the_fixed_one_wherever_maps_lie(factor: int, offset: float) -> None:
    x, size = torch.randn(1, 2, 6, 5), (6 * factor + 1, 5 * factor - 1)
    fixed, learned = (Enlarge(2, factor, offset, learned=flag)(x, size) for flag in (False, True))
    torch.testing.assert_close(learned, fixed)


def test_a_ramp_keeps_its_place_on_the_picture() -> None:
    # A map whose cells say where the middle of their field lies, enlarged to pixels, says where pixels lie.
    stride, centre = 8, 5.5
    cells = (centre + stride * torch.arange(6.0))[None, None, None].expand(1, 1, 4, 6)
    grown = Enlarge(1, stride, float(crop_offset(centre, 0.5, 1, stride)))(cells, (32, 48))
    inside = grown[0, 0, 0, 6:44]
    torch.testing.assert_close(inside, torch.arange(6.0, 44.0) + 0.5)


def test_the_shares_of_cells_sum_to_one() -> None:
    assert reading(5, 23, -0.3, 0.25).sum(1).tolist() == pytest.approx([1.0] * 23)
    assert painting(4, 2.0).sum() == 16


@pytest.mark.parametrize("name", ["fcn32", "fcn16", "fcn8", "fcn8-staged"])
def test_all_scores_begin_at_zero_and_reach_every_pixel(name: str) -> None:
    head = tasks.find("segmentation", name).head(INFO, 3, 0.0)
    given = head(maps())
    assert given.shape == (2, 3, 64, 96)
    assert not given.any()


def test_each_skip_reads_one_finer_map() -> None:
    read = {"fcn32": [4], "fcn16": [4, 3], "fcn8": [4, 3, 2]}
    for name, expected in read.items():
        head = tasks.find("segmentation", name).head(INFO, 3, 0.0)
        assert isinstance(head, FullyConvolutional)
        assert head.taps == expected


def test_a_staged_net_lets_the_finer_maps_in_one_after_the_other() -> None:
    head = FullyConvolutional(INFO, 3, 0.0, finest=8, staged=True)
    for score in head.scores:
        torch.nn.init.normal_(score.weight)
    whole = head(maps())
    seen: list[int] = []
    for progress in (0.0, 0.3, 0.34, 0.6, 0.67, 0.99, 1.0):
        head.ripen(progress)
        head.zero_grad()
        head(maps()).sum().backward()
        seen.append(sum(score.weight.grad is not None for score in head.scores))
        for score in head.scores:
            score.weight.grad = None
    assert seen == [1, 1, 2, 2, 3, 3, 3]
    torch.testing.assert_close(head(maps()), whole)


def test_all_at_once_has_all_maps_from_the_start_and_may_scale_them() -> None:
    head = FullyConvolutional(INFO, 3, 0.0, finest=8, scales=(0.01, 0.0001))
    head.ripen(0.0)
    assert head.opened == 3
    assert head.scales == (1.0, 0.01, 0.0001)


@pytest.mark.parametrize(
    "name", ["efficientnet-lite0", "vgg-small", "conv3-8 p1 relu pool2 conv3-8 p1 relu pool2"]
)
def test_it_goes_on_any_backbone(name: str) -> None:
    net = backbones.create(name, "none").eval()
    head = FullyConvolutional(net.info, 5, 0.0, finest=8).eval()
    with torch.no_grad():
        assert head(net(torch.zeros(1, 3, 64, 96))).shape == (1, 5, 64, 96)


@pytest.mark.parametrize(
    "name", ["efficientnet-lite0", "vgg-small", "conv3-8 p1 relu pool2 conv5-8 p2 relu pool2 conv3-8 p1"]
)
def test_a_stage_says_where_its_first_cell_looks(name: str) -> None:
    net = backbones.create(name, "none").eval().requires_grad_(False)
    side = 256
    picture = torch.randn(1, 3, side, side, requires_grad=True)
    for stage, given in zip(net.info, net(picture), strict=True):
        if stage.field * 2 > side:
            break
        cell = (side // 2) // stage.stride
        (seen,) = torch.autograd.grad(given[0, :, cell, cell].sum(), picture, retain_graph=True)
        rows = seen.abs().sum((0, 1, 3)).nonzero()
        found = (int(rows.min()) + int(rows.max()) + 1) / 2
        assert stage.centre is not None
        assert found == pytest.approx(stage.centre + cell * stage.stride, abs=stage.stride / 4)


def test_a_decoder_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match=r'did you mean "fcn8"'):
        tasks.find("segmentation", "fcn9")


@pytest.mark.slow
def test_a_skip_is_worth_three_points_on_small_shapes(tmp_path: Path) -> None:
    """PAPERS.md, check 6: a net of stride 16 by itself, and with the map of stride 8 added."""
    data = synthetic.write(
        tmp_path / "data", task="segmentation", count=500, classes=3, size=(96, 96), seed=0, style="shapes"
    )
    dataset = settled(sources.read(data))
    store = SceneStore(dataset, {name: place for place, name in enumerate(dataset.classes)}, 96, 1 << 30)
    parts = {
        name: [row for row, one in enumerate(dataset.records) if one.split == name]
        for name in ("train", "val")
    }
    scores = {finest: skip_score(store, parts["train"], parts["val"], finest) for finest in (16, 8)}
    assert scores[8] >= scores[16] + 0.03, scores


def skip_score(store: SceneStore, learn: list[int], judge: list[int], finest: int) -> float:
    """The mean IoU after 350 steps of 8 pictures."""
    torch.manual_seed(0)
    written = "conv3-16 p1 bn relu pool2 conv3-24 p1 bn relu pool2 conv3-32 p1 bn relu pool2 conv3-48 p1 bn relu pool2"
    net = backbones.create(written, "none").train()
    classes = len(store.dataset.classes)
    head = FullyConvolutional(net.info, classes, 0.0, finest=finest)
    task = tasks.find("segmentation")
    optimiser = torch.optim.Adam([*net.parameters(), *head.parameters()], 3e-3)

    def pictures(rows: list[int]) -> torch.Tensor:
        images = torch.from_numpy(np.stack([store.get(row).image for row in rows]).copy())
        return (images.permute(0, 3, 1, 2) / 127.5 - 1).contiguous(memory_format=torch.channels_last)

    draw = np.random.default_rng(0)
    for _ in range(350):
        rows = draw.choice(learn, 8).tolist()
        loss = task.loss(head(net(pictures(rows))), task.targets([store.get(row) for row in rows]), 0.0)
        optimiser.zero_grad()
        (loss.total / loss.weight).backward()
        optimiser.step()
    net.eval()
    table = np.zeros((classes, classes), np.int64)
    for row in judge:
        with torch.no_grad():
            said = head(net(pictures([row])))[0].argmax(0).numpy().astype(np.uint8)
        table = table + overlap.class_counts(store.get(row).class_map, said, classes)
    return overlap.mean_iou(table)
