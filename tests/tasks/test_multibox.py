"""MultiBox as a task: priors from the data, objects to priors one to one, answers back in the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convworks import api
from convworks.backbones.contract import Stage
from convworks.data import synthetic
from convworks.detectors import multibox
from convworks.detectors.answer import Answer, Truth
from convworks.evaluation.scenes import SceneEvaluation
from convworks.geometry.boxes import iou
from convworks.geometry.move import crop
from convworks.samples import CROWD, Sample
from convworks.tasks import find
from convworks.tasks import multibox as task

NAMES = ("cat", "dog")
PRIORS = torch.tensor([[0.0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 1, 1]])


def rows(boxes: torch.Tensor, sure: list[float], labels: list[int]) -> torch.Tensor:
    names = 40.0 * torch.nn.functional.one_hot(torch.tensor(labels), 2).float()
    return torch.cat([PRIORS, boxes, torch.tensor(sure)[:, None], names], 1)


def truth(boxes: list[list[float]], labels: list[int], aside: list[list[float]] | None = None) -> Truth:
    return Truth(
        boxes=torch.tensor(boxes).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        aside=torch.tensor(aside or []).reshape(-1, 4),
    )


def test_perfect_rows_cost_nothing_and_are_answered() -> None:
    said = rows(PRIORS, [-50, 50, -50], [0, 1, 0])
    assert float(multibox.loss(said, truth([[0.5, 0.5, 1, 1]], [1]))) == pytest.approx(0, abs=1e-6)
    answer = multibox.decode(said)
    assert answer.boxes.tolist() == [[0.5, 0.5, 1, 1]]
    assert answer.labels.tolist() == [1]
    assert answer.scores.tolist() == pytest.approx([1.0])


def test_each_mistake_costs_by_itself() -> None:
    there = truth([[0.5, 0.5, 1, 1]], [1])
    place = multibox.loss(rows(PRIORS + 0.1, [-50, 50, -50], [0, 1, 0]), there)
    assert float(place) == pytest.approx(0.3 / 2 * 4 * (0.1 * 10) ** 2)
    assert float(multibox.loss(rows(PRIORS, [-50, 50, -50], [0, 0, 0]), there)) == pytest.approx(40)
    assert float(multibox.loss(rows(PRIORS, [-50, -9, -50], [0, 1, 0]), there)) == pytest.approx(9, abs=1e-3)
    assert float(multibox.loss(rows(PRIORS, [9, 50, -50], [0, 1, 0]), there)) == pytest.approx(9, abs=1e-3)


def test_a_prior_where_nobody_counts_learns_nothing() -> None:
    said = rows(PRIORS, [9, 50, -50], [0, 1, 0]).requires_grad_()
    there = truth([[0.5, 0.5, 1, 1]], [1], [[0.0, 0, 0.4, 0.6]])
    loss = multibox.loss(said, there)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert said.grad is not None
    assert float(said.grad[0].abs().sum()) == 0


def test_frames_without_objects_and_with_more_than_priors() -> None:
    said = rows(PRIORS, [-50, -50, -50], [0, 1, 0])
    assert float(multibox.loss(said, truth([], []))) == pytest.approx(0, abs=1e-6)
    five = torch.rand(5, 2, generator=torch.Generator().manual_seed(0)) / 2
    many = truth(torch.cat([five, five + 0.3], 1).tolist(), [0, 1, 0, 1, 0])
    assert bool(multibox.loss(said, many).isfinite())
    assert not len(multibox.decode(said).scores)


def test_boxes_are_shares_of_the_frame_until_they_are_back_in_the_picture() -> None:
    sample = Sample(
        image=np.zeros((20, 40, 3), np.uint8),
        boxes=np.array([[4, 5, 20, 10], [0, 0, 1, 1]], np.float32),
        labels=np.array([1, 0]),
        aside=np.array([0, CROWD], np.uint8),
    )
    wanted = task.targets([sample])
    assert wanted["boxes"][0, 0].tolist() == pytest.approx([0.1, 0.25, 0.5, 0.5])
    answer = Answer(boxes=wanted["boxes"][0, :1].numpy(), scores=np.ones(1, np.float32), labels=np.array([1]))
    [found] = task.restore(answer, crop((0, 0, 80, 40), (20, 40)), (40, 80), NAMES).found
    assert found.box == pytest.approx((8, 10, 40, 20))
    assert found.name == "dog"


def test_priors_stand_for_the_boxes_of_the_data_or_are_a_grid() -> None:
    boxes = np.array([[4, 5, 20, 10], [0, 0, 1, 1]], np.float32)
    settings = task.fitted({"stride": 8}, boxes, (20, 40))
    assert settings == {"stride": 8, "priors": [[0, 0, 0.025, 0.05], [0.1, 0.25, 0.5, 0.5]]}
    assert task.fitted({"stride": 8}, boxes[:0], (20, 40)) == {"stride": 8}
    info = [Stage(name="a", channels=8, stride=8)]
    head = find("detection", "multibox").head(info, 2, 0.0, **settings)
    said = head([torch.randn(3, 8, 4, 5)])
    assert said.shape == (3, 2, multibox.ROW + 2)
    assert torch.equal(said[..., :4], said[..., 4:8]), "a net that has not learned names its priors"
    assert head([torch.randn(0, 8, 4, 5)]).shape == (0, 2, multibox.ROW + 2)
    assert find("detection", "multibox").head(info, 2, 0.0)([torch.randn(1, 8, 4, 5)]).shape[1] > 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_boxes_recall_three_times_what_ten_priors_do(tmp_path: Path) -> None:
    """PAPERS.md, check 11, on the main road."""
    data = synthetic.write(
        tmp_path / "data",
        task="detection",
        count=1100,
        classes=3,
        size=(96, 96),
        seed=0,
        style="shapes",
        workers=1,
    )
    net = " ".join(
        f"conv3-{width} s{step} p1 bn relu" for width, step in ((16, 2), (32, 2), (48, 2), (64, 1), (64, 1))
    )
    given: dict[str, Any] = {"backbone": net, "weights": "none", "input_size": 96, "epochs": 14, "batch": 16}
    given |= {"learning_rate": 2e-3, "threads": 1, "workers": 1, "precision": "float32"}
    made = api.train(data, run=tmp_path / "run", detector="multibox", watch=lambda events: events, **given)
    priors = np.array(made.settings["priors"], np.float32)[:10] * 96
    kept = SceneEvaluation.read(made.run / "evaluation.json")
    found, raw = [], []
    for evidence in kept.evidence:
        boxes = evidence["truth"].reshape(-1, 4)
        if len(boxes):
            found += _reached(evidence["boxes"].reshape(-1, 4)[:10], boxes)
            raw += _reached(priors, boxes)
    print(f"recall of ten {np.mean(found):.3f}, of ten priors {np.mean(raw):.3f}; {kept.measures}")
    assert np.mean(found) >= 3 * np.mean(raw)


def _reached(found: np.ndarray, truth: np.ndarray) -> list[bool]:
    """Which true boxes one of those found overlaps by half."""
    return (iou(found, truth).max(axis=0, initial=0) >= 0.5).tolist()
