"""What every task must keep; a task joins by being in TASKS."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from convworks import tasks
from convworks.backbones.contract import Stage
from convworks.data.record import Record
from convworks.errors import RecipeError

NAMES = ("cat", "dog", "eel")
IDS = {name: place for place, name in enumerate(NAMES)}
INFO = [Stage(name="a", channels=8, stride=2), Stage(name="b", channels=16, stride=4)]


def maps(n: int, seed: int = 0) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [
        torch.randn(n, stage.channels, 16 // stage.stride, 16 // stage.stride, generator=draw)
        for stage in INFO
    ]


def records(n: int) -> list[Record]:
    return [Record(path=f"{number}.png", label=NAMES[number % len(NAMES)]) for number in range(n)]


def targets(name: str, n: int) -> dict[str, Tensor]:
    given = [tasks.find(name).target(record, IDS) for record in records(n)]
    return {key: torch.tensor([each[key] for each in given]) for key in given[0]}


def perfect(name: str, wanted: dict[str, Tensor]) -> Tensor:
    """Outputs that say the targets and nothing else; a new task adds its own."""
    assert name == "classification"
    return 50.0 * nn.functional.one_hot(wanted["label"], len(NAMES)).float()


def truth(name: str, n: int) -> list[Any]:
    assert name == "classification"
    return [record.label for record in records(n)]


@pytest.mark.parametrize("name", tasks.TASKS)
def test_it_overfits_eight_samples(name: str) -> None:
    torch.manual_seed(0)
    task = tasks.find(name)
    head, given, wanted = task.head(INFO, len(NAMES), 0.0), maps(8), targets(name, 8)
    optimiser = torch.optim.Adam(head.parameters(), 0.05)
    for _ in range(300):
        loss = task.loss(head(given), wanted, 0.5)
        optimiser.zero_grad()
        (loss.total / loss.weight).backward()
        optimiser.step()
    assert [answer.name for answer in task.decode(head(given).detach(), NAMES)] == truth(name, 8)


@pytest.mark.parametrize("name", tasks.TASKS)
def test_perfect_outputs_decode_to_their_targets(name: str) -> None:
    answers = tasks.find(name).decode(perfect(name, targets(name, 7)), NAMES)
    assert [answer.name for answer in answers] == truth(name, 7)
    assert all(answer.probability > 0.999 for answer in answers)
    assert all(sum(answer.probabilities) == pytest.approx(1) for answer in answers)
    assert all(sorted(answer.names) == sorted(NAMES) for answer in answers)


@pytest.mark.parametrize("name", tasks.TASKS)
@pytest.mark.parametrize("sizes", [(9,), (4, 5), (1, 8), (3, 3, 3), (1,) * 9])
def test_the_loss_is_the_mean_however_the_batch_is_cut(name: str, sizes: tuple[int, ...]) -> None:
    task = tasks.find(name)
    outputs = torch.randn(9, len(NAMES), generator=torch.Generator().manual_seed(1))
    wanted = targets(name, 9)
    whole = task.loss(outputs, wanted, 0.0)
    total, weight, begin = torch.zeros(()), torch.zeros(()), 0
    for size in sizes:
        part = slice(begin, begin + size)
        loss = task.loss(outputs[part], {key: value[part] for key, value in wanted.items()}, 0.0)
        total, weight, begin = total + loss.total, weight + loss.weight, begin + size
    torch.testing.assert_close(total / weight, whole.total / whole.weight)


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_head_reads_every_size_and_no_pictures_at_all(name: str) -> None:
    head = tasks.find(name).head(INFO, len(NAMES), 0.2).eval()
    assert head(maps(2)).shape[0] == 2
    assert head([value[:0] for value in maps(2)]).shape[0] == 0
    odd = [torch.randn(2, stage.channels, 3, 5) for stage in INFO]
    assert head(odd).shape == head(maps(2)).shape


@pytest.mark.parametrize("name", tasks.TASKS)
def test_outputs_that_are_not_sure_are_still_probabilities(name: str) -> None:
    outputs = torch.tensor([[0.0, 0.0, 0.0], [1e4, -1e4, 0.0]])
    even, sure = tasks.find(name).decode(outputs, NAMES)
    assert even.names == NAMES, "ties go to the first name"
    assert even.probability == pytest.approx(1 / 3)
    assert sure.probability == 1


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
