"""What every task must keep; a task joins by being in TASKS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from convworks import tasks
from convworks.backbones.contract import Stage
from convworks.detectors.prototypes import Said
from convworks.errors import RecipeError
from convworks.geometry.move import crop, identity
from convworks.samples import IGNORE, Sample
from convworks.tasks.localization import middles

NAMES = ("cat", "dog", "eel")
INFO = [Stage(name="a", channels=8, stride=2), Stage(name="b", channels=16, stride=4)]
SIDE = 16
BARE = 5  # the sample without a box
SCENES = [name for name in tasks.TASKS if tasks.find(name).scenes]
SEVERAL = [name for name in tasks.TASKS if tasks.find(name).several]
WHOLE = [name for name in tasks.TASKS if not tasks.find(name).scenes and name not in SEVERAL]


def maps(n: int, seed: int = 0) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [
        torch.randn(n, stage.channels, SIDE // stage.stride, SIDE // stage.stride, generator=draw)
        for stage in INFO
    ]


def samples(n: int) -> list[Sample]:
    """Images of one class each, which show several classes or none; some have an object or an outline."""
    made: list[Sample] = []
    for number in range(n):
        class_map = np.zeros((SIDE, SIDE), np.uint8)
        class_map[4:12, 4 : 8 + number % 5] = number % len(NAMES)
        class_map[0] = IGNORE
        image = np.full((SIDE, SIDE, 3), number, np.uint8)
        shows = np.array([number % 2, number % 3 == 0, number > 5], np.bool_)
        here = Sample(image=image, label=number % len(NAMES), shows=shows, class_map=class_map)
        if number != BARE:
            box = np.array([[4, 4, 8 + number % 5, 12]], np.float32)
            mask = np.zeros((1, SIDE, SIDE), np.bool_)
            mask[0, 4:12, 4 : 8 + number % 5] = True
            here = replace(here, boxes=box, labels=np.array([number % len(NAMES)]), masks=mask)
        made.append(here)
    return made


def targets(name: str, n: int) -> dict[str, Tensor]:
    return dict(tasks.find(name).targets(samples(n)))


def perfect(name: str, wanted: dict[str, Tensor]) -> Any:
    """Outputs that say the targets and nothing else; a new task adds its own."""
    if name == "segmentation":
        known = wanted["class_map"].long().clamp(max=len(NAMES) - 1)
        return 50.0 * nn.functional.one_hot(known, len(NAMES)).permute(0, 3, 1, 2).float()
    if name == "localization":
        places = middles(4, 4).expand(len(wanted["box"]), -1, -1)
        sure = -50.0 * (places - (wanted["box"][:, :2] + wanted["box"][:, 2:])[:, None] / 2).square().sum(-1)
        box = wanted["box"][:, None].expand(-1, 16, -1)
        known = 50.0 * nn.functional.one_hot(wanted["label"].clamp(min=0), len(NAMES)).float()
        return torch.cat([places, sure[..., None], box, known[:, None].expand(-1, 16, -1)], -1)
    if name in ("detection", "instances"):
        rows = torch.zeros(len(wanted["boxes"]), wanted["boxes"].shape[1], 7 + len(NAMES))
        rows[..., :2] = (wanted["boxes"][..., :2] + wanted["boxes"][..., 2:]) / 2
        rows[..., 2], rows[..., 3:7], rows[..., 7:] = 4.0, wanted["boxes"], -50.0
        for image, place in (wanted["labels"] >= 0).nonzero().tolist():
            rows[image, place, 7 + int(wanted["labels"][image, place])] = 50.0
        if name == "detection":
            return rows
        full = torch.full((len(rows), 1, SIDE, SIDE), 50.0)
        return Said(rows=rows, shares=torch.ones(*rows.shape[:2], 1), prototypes=full)
    if name == "multilabel":
        return 100.0 * wanted["shows"] - 50.0
    assert name == "classification"
    return 50.0 * nn.functional.one_hot(wanted["label"], len(NAMES)).float()


def predictions(name: str, outputs: Any) -> list[Any]:
    """What a task says of its outputs, in pictures of the size of the frame."""
    task = tasks.find(name)
    answers = task.decode(outputs, NAMES)
    if task.scenes is None:
        return answers
    move = identity((SIDE, SIDE))
    return [task.scenes.restore(answer, move, (SIDE, SIDE), NAMES) for answer in answers]


def value(name: str, outputs: Any, n: int) -> float:
    """How well outputs do on the samples, in [0, 1]."""
    task, said, there = tasks.find(name), predictions(name, outputs), samples(n)
    if task.several:
        named = [{found for found, _ in one.shown} for one in said]
        truth = [{NAMES[place] for place in np.flatnonzero(sample.shows)} for sample in there]
        return float(np.mean([one == other for one, other in zip(named, truth, strict=True)]))
    if task.scenes is None:
        return float(
            np.mean([one.name == NAMES[sample.label] for one, sample in zip(said, there, strict=True)])
        )
    seen = [task.scenes.observe(one, sample, NAMES) for one, sample in zip(said, there, strict=True)]
    return task.scenes.summarise(seen, NAMES).value


@pytest.mark.parametrize("name", tasks.TASKS)
def test_it_overfits_eight_samples(name: str) -> None:
    torch.manual_seed(0)
    task = tasks.find(name)
    head, given, wanted = task.head(INFO, len(NAMES), 0.0), maps(8), targets(name, 8)
    optimiser = torch.optim.Adam(head.parameters(), 0.02)
    for _ in range(150):
        loss = task.loss(head(given), wanted, 0.5)
        optimiser.zero_grad()
        (loss.total / loss.weight).backward()
        optimiser.step()
    assert value(name, tree_map(torch.detach, head(given)), 8) > 0.9


@pytest.mark.parametrize("name", tasks.TASKS)
def test_perfect_outputs_decode_to_their_targets(name: str) -> None:
    assert value(name, perfect(name, targets(name, 7)), 7) == 1


@pytest.mark.parametrize("name", tasks.TASKS)
@pytest.mark.parametrize("sizes", [(9,), (4, 5), (1, 8), (3, 3, 3), (1,) * 9])
def test_the_loss_is_the_mean_however_the_batch_is_cut(name: str, sizes: tuple[int, ...]) -> None:
    task = tasks.find(name)
    wanted = targets(name, 9)
    exact = perfect(name, wanted)
    draw = torch.Generator().manual_seed(1)
    outputs = tree_map(lambda one: one * 0.01 + torch.randn(one.shape, generator=draw), exact)
    whole = task.loss(outputs, wanted, 0.0)
    total, weight, begin = torch.zeros(()), torch.zeros(()), 0
    for size in sizes:
        part = slice(begin, begin + size)
        cut = tree_map(lambda one, part=part: one[part], outputs)
        loss = task.loss(cut, {key: one[part] for key, one in wanted.items()}, 0.0)
        total, weight, begin = total + loss.total, weight + loss.weight, begin + size
    torch.testing.assert_close(total / weight, whole.total / whole.weight)


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_head_reads_every_size_and_no_pictures_at_all(name: str) -> None:
    head = tasks.find(name).head(INFO, len(NAMES), 0.2).eval()
    assert {len(one) for one in tree_leaves(head(maps(2)))} == {2}
    assert {len(one) for one in tree_leaves(head([one[:0] for one in maps(2)]))} == {0}
    odd = [torch.randn(2, stage.channels, 12 // stage.stride, 20 // stage.stride) for stage in INFO]
    here = 1 if name in ("classification", "multilabel", "segmentation") else -1  # where the classes are
    first, second = (tree_leaves(head(given))[0] for given in (odd, maps(2)))
    assert first.shape[here] == second.shape[here]


@pytest.mark.parametrize("name", SCENES)
def test_an_answer_comes_back_into_the_original_picture(name: str) -> None:
    task, sample = tasks.find(name), samples(3)[1]
    assert task.scenes
    answers = task.decode(perfect(name, dict(task.targets([sample]))), NAMES)
    move = crop((0, 0, 2 * SIDE, 3 * SIDE), (SIDE, SIDE))
    said = task.scenes.restore(answers[0], move, (3 * SIDE, 2 * SIDE), NAMES)
    larger = Sample(
        image=np.repeat(np.repeat(sample.image, 3, 0), 2, 1),
        boxes=sample.boxes * np.array([2, 3, 2, 3], np.float32),
        labels=sample.labels,
        masks=np.repeat(np.repeat(sample.masks, 3, 1), 2, 2),
        class_map=np.repeat(np.repeat(sample.class_map, 3, 0), 2, 1),
    )
    assert task.scenes.summarise([task.scenes.observe(said, larger, NAMES)], NAMES).value > 0.8


@pytest.mark.parametrize("name", SCENES)
def test_nothing_at_all_is_measured_as_unknown(name: str) -> None:
    scenes = tasks.find(name).scenes
    assert scenes
    summary = scenes.summarise([], NAMES)
    assert np.isnan(summary.value)
    assert list(summary.classes) == list(NAMES)


@pytest.mark.parametrize("name", WHOLE)
def test_outputs_that_are_not_sure_are_still_probabilities(name: str) -> None:
    outputs = torch.tensor([[0.0, 0.0, 0.0], [1e4, -1e4, 0.0]])
    even, sure = tasks.find(name).decode(outputs, NAMES)
    assert even.names == NAMES, "ties go to the first name"
    assert even.probability == pytest.approx(1 / 3)
    assert sure.probability == 1
    assert sorted(sure.names) == sorted(NAMES)
    assert sum(sure.probabilities) == pytest.approx(1)


@pytest.mark.parametrize("name", SEVERAL)
def test_each_class_is_said_by_itself_and_named_from_its_threshold_on(name: str) -> None:
    outputs = torch.tensor([[0.0, -1.0, 2.0], [-1e4, -1e4, -1e4]])
    mixed, empty = tasks.find(name).decode(outputs, NAMES)
    assert mixed.probabilities == pytest.approx(torch.sigmoid(outputs[0].double()).tolist())
    assert [found for found, _ in mixed.shown] == ["eel", "cat"], (
        "the most probable first, one half is enough"
    )
    assert str(empty) == "nothing"
    higher = replace(mixed, thresholds=(0.6, 0.2, 0.9))
    assert higher.to_dict()["classes"] == ["dog"]


def test_smoothing_of_yes_and_no_draws_both_nearer_to_one_half() -> None:
    from convworks.tasks.multilabel import binary_cross_entropy

    outputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(3))
    shows = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
    soft = 0.9 * shows + 0.05
    by_hand = -(soft * outputs.sigmoid().log() + (1 - soft) * (1 - outputs.sigmoid()).log()).mean(1).sum()
    found = binary_cross_entropy(outputs, {"shows": shows}, 0.0, smoothing=0.1)
    torch.testing.assert_close(found.total, by_hand)
    assert float(found.weight) == 4


def test_smoothing_is_spread_over_all_classes() -> None:
    from convworks.tasks.classification import cross_entropy

    outputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    labels = torch.tensor([0, 1, 2, 0, 1])
    logs = outputs.log_softmax(1)
    soft = 0.9 * nn.functional.one_hot(labels, 3) + 0.1 / 3
    found = cross_entropy(outputs, {"label": labels}, 0.0, smoothing=0.1)
    torch.testing.assert_close(found.total, -(soft * logs).sum())
    assert float(found.weight) == 5


def test_a_task_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match=r'no task "classificaton"(.|\n)*did you mean "classification"'):
        tasks.find("classificaton")
