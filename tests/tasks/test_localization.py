"""One box an image: told in shares of the frame, measured in the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from convworks.geometry.move import crop
from convworks.samples import Localization, Sample
from convworks.tasks import localization as task

NAMES = ("cat", "dog")


def sample(box: list[float], label: int = 1) -> Sample:
    image = np.zeros((30, 40, 3), np.uint8)
    boxes = np.array([box], np.float32).reshape(-1, 4)
    return Sample(image=image, boxes=boxes, labels=np.full(len(boxes), label))


def said(box: tuple[float, float, float, float], name: str = "dog") -> Localization:
    other = "cat" if name == "dog" else "dog"
    return Localization(names=(name, other), probabilities=(0.9, 0.1), box=box, size=(40, 30))


def test_the_numbers_do_not_change_with_the_size_of_the_picture() -> None:
    small = task.targets([sample([4, 3, 20, 15])])
    large = Sample(
        image=np.zeros((60, 80, 3), np.uint8),
        boxes=np.array([[8, 6, 40, 30]], np.float32),
        labels=np.array([1]),
    )
    assert small["box"].tolist() == [pytest.approx([0.1, 0.1, 0.5, 0.5])]
    torch.testing.assert_close(task.targets([large])["box"], small["box"])


def test_of_several_objects_the_largest_is_learned_and_of_none_nothing() -> None:
    two = Sample(
        image=np.zeros((10, 10, 3), np.uint8),
        boxes=np.array([[0, 0, 2, 2], [0, 0, 8, 8]], np.float32),
        labels=np.array([0, 1]),
    )
    assert task.targets([two, sample([])])["label"].tolist() == [1, -1]


def test_an_image_without_an_object_teaches_nothing_but_counts() -> None:
    outputs = torch.randn(2, 9, 9, requires_grad=True)
    loss = task.place_and_class(outputs, task.targets([sample([]), sample([4, 3, 20, 15])]), 0.0)
    loss.total.backward()
    assert outputs.grad is not None
    assert float(outputs.grad[0].abs().sum()) == 0 < float(outputs.grad[1].abs().sum())
    assert float(loss.weight) == 2


def test_cells_in_the_middle_of_an_object_learn_its_edges_or_the_nearest_does() -> None:
    places = task.middles(4, 4)[None]
    large = task.on_object(places, torch.tensor([[[0.0, 0, 1, 1]]])).reshape(4, 4)
    assert large.tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    tiny = task.on_object(places, torch.tensor([[[0.9, 0.9, 0.91, 0.91]]]))
    assert tiny.sum() == tiny[0, -1] == 1


def test_an_answer_comes_back_through_crops_and_stays_in_the_picture() -> None:
    answer = task.Answer(
        probabilities=np.array([0.2, 0.8], np.float32), box=np.array([0, 0, 0.5, 1.2], np.float32)
    )
    found = task.restore(answer, crop((10, 0, 30, 30), (64, 64)), (30, 40), NAMES)
    assert found.box == pytest.approx((10, 0, 20, 30))
    assert found.name == "dog"
    assert found.size == (40, 30)


def test_edges_the_wrong_way_round_still_make_a_box() -> None:
    outputs = torch.zeros(1, 1, 9)
    outputs[0, 0, 3:7] = torch.tensor([0.8, 0.1, 0.2, 0.6])
    [answer] = task.decode(outputs, NAMES)
    assert answer.box.tolist() == pytest.approx([0.2, 0.1, 0.8, 0.6])


def test_what_is_found_and_what_is_named_are_counted_apart() -> None:
    truth = sample([0, 0, 20, 10])
    seen = [
        task.observe(said((0, 0, 20, 10)), truth, NAMES),
        task.observe(said((0, 0, 20, 10), "cat"), truth, NAMES),
        task.observe(said((20, 0, 40, 10)), truth, NAMES),
        task.observe(said((0, 0, 1, 1)), sample([]), NAMES),
    ]
    summary = task.summarise(seen, NAMES)
    assert summary.measures == {
        "mean IoU": pytest.approx(2 / 3),
        "found": pytest.approx(2 / 3),
        "class accuracy": pytest.approx(2 / 3),
        "found and named": pytest.approx(1 / 3),
    }
    assert summary.classes["dog"] == pytest.approx(2 / 3)
    assert np.isnan(summary.classes["cat"])
