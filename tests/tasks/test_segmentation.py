"""The default for outlines: where its maps lie, and what it makes of sets that are unlike one another."""

from __future__ import annotations

import typing

import pytest
import torch
from torch import Tensor

from convworks.backbones.contract import Stage
from convworks.recipe.options import Outlining
from convworks.samples import IGNORE
from convworks.tasks.contract import Task
from convworks.tasks.segmentation import SEGMENTATION, PyramidDecoder, with_loss


def ramps(info: list[Stage], height: int, width: int) -> list[Tensor]:
    """Maps that say, in their first two channels, where the middle of each cell lies in the picture."""
    made: list[Tensor] = []
    for stage in info:
        middle = stage.stride / 2 if stage.centre is None else stage.centre
        y = middle + stage.stride * torch.arange(height // stage.stride)
        x = middle + stage.stride * torch.arange(width // stage.stride)
        rows, columns = y[:, None].expand(-1, len(x)), x[None].expand(len(y), -1)
        made.append(torch.stack([rows, columns]).float()[None])
    return made


@pytest.mark.parametrize("late", [0.0, 0.5])
def test_every_map_says_its_places_in_the_picture_and_so_do_the_logits(late: float) -> None:
    strides = (4, 8, 16, 32)
    info = [Stage(name=str(s), channels=2, stride=s, centre=(s - 0.5 if late else s / 2)) for s in strides]
    decoder = PyramidDecoder(info, 2, 0.0).eval()
    with torch.no_grad():
        for lateral in decoder.lateral:
            lateral.weight.zero_()  # type: ignore[operator]
            lateral.weight[:2, :, 0, 0] = torch.eye(2)  # type: ignore[index]
        decoder.smooth = torch.nn.Sequential()
        decoder.classify.weight.zero_()
        decoder.classify.weight[:, :2, 0, 0] = torch.eye(2) / len(strides)
        decoder.classify.bias.zero_()  # type: ignore[union-attr]
        [found] = decoder(ramps(info, 128, 192))
    inner = slice(12, -12)  # beyond the coarsest map its border goes on
    rows = 4 * torch.arange(32) + 2.0
    columns = 4 * torch.arange(48) + 2.0
    torch.testing.assert_close(found[0, inner, 0], rows[inner], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found[1, 16, inner], columns[inner], rtol=1e-4, atol=1e-3)


def loss(task: Task, logits: Tensor, wanted: Tensor) -> float:
    return float(task.loss(logits, {"class_map": wanted}, 0.5).total)


@pytest.mark.parametrize("outlining", typing.get_args(Outlining))
@pytest.mark.parametrize("classes", [2, 200])
def test_every_loss_falls_where_the_truth_is_said_and_is_finite_where_nothing_is_known(
    outlining: Outlining, classes: int
) -> None:
    task = with_loss(SEGMENTATION, outlining, torch.linspace(0.5, 1.5, classes))
    wanted = torch.zeros(2, 24, 24, dtype=torch.uint8)
    wanted[0, :, 8:] = classes - 1
    wanted[1] = IGNORE
    logits = torch.zeros(2, classes, 6, 6)
    sure = logits.clone()
    sure[0, 0, :, :2] = 6.0
    sure[0, classes - 1, :, 2:] = 6.0
    assert loss(task, sure, wanted) < loss(task, logits, wanted) - 0.05
    logits.requires_grad_(True)
    task.loss(logits, {"class_map": wanted}, 0.5).total.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[1].any(), "an image of which nothing is known teaches nothing"


@pytest.mark.parametrize("outlining", ["cross-entropy", "focal"])
def test_a_class_of_more_weight_costs_more_where_it_is_missed(outlining: Outlining) -> None:
    wanted = torch.zeros(1, 16, 16, dtype=torch.uint8)
    wanted[:, :, 12:] = 1
    missed = torch.zeros(1, 2, 4, 4)
    missed[:, 0] = 3.0
    light, heavy = (
        loss(with_loss(SEGMENTATION, outlining, torch.tensor(weights)), missed, wanted)
        for weights in ([1.0, 1.0], [0.5, 1.5])
    )
    assert heavy > light + 0.3
