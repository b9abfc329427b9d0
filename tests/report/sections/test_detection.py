"""The page of a detector says from which score to believe it, and shows each kind of mistake."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks import tasks
from convworks.evaluation.scenes import SceneEvaluation
from convworks.report.pictures import Album
from convworks.report.sections import detection as page
from convworks.report.story import Story
from convworks.samples import Detection, Found, Sample

NAMES = ("cat", "dog")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Two pictures: a cat found twice and a dog missed; a dog found, and a cat where nothing is."""
    Image.new("RGB", (80, 60), (90, 120, 90)).save(tmp_path / "a.png")
    blank = np.zeros((60, 80, 3), np.uint8)
    both = np.array([[0, 0, 20, 20], [40, 20, 70, 50]], np.float32)
    task = tasks.find("detection")
    assert task.scenes
    cat = [Found(name="cat", probability=p, box=(0, 0, 20, 20 - p)) for p in (0.9, 0.8)]
    first = Sample(image=blank, boxes=both, labels=np.array([0, 1]))
    second = Sample(image=blank, boxes=both[1:], labels=np.array([1]))
    dog = Found(name="dog", probability=0.7, box=(40, 20, 70, 50))
    stray = Found(name="cat", probability=0.6, box=(0, 40, 10, 50))
    found = [
        ("a.png", task.scenes.observe(Detection(found=tuple(cat), size=(80, 60)), first, NAMES)),
        ("b.png", task.scenes.observe(Detection(found=(dog, stray), size=(80, 60)), second, NAMES)),
    ]
    evaluation = SceneEvaluation.of(
        task, root=str(tmp_path), classes=NAMES, found=found, chosen_on="nothing", seconds=1.0
    )
    kept = SceneEvaluation.from_json(evaluation.to_json())
    return Story(
        run=tmp_path,
        events=(),
        recipe=None,
        model={},
        evaluation=None,
        album=Album(str(tmp_path)),
        scenes=kept,
    )


def test_the_score_and_each_class_are_told(story: Story) -> None:
    assert "95\xa0% interval" in page.box_score(story) or "95 % interval" in page.box_score(story)
    classes = page.box_classes(story)
    assert classes.index("dog") < classes.index("cat"), "the hardest first"
    assert "<svg" in classes
    assert re.search(r"\(\d+ to \d+\)", classes), "each class has its interval"


def test_each_kind_of_mistake_has_its_number_and_its_pictures(story: Story) -> None:
    assert story.scenes
    assert page.best_score(story.scenes) == pytest.approx(0.7)
    mistakes = page.box_mistakes(story)
    assert "2 boxes are right" in mistakes
    assert "twice: cat 0.80" in mistakes
    assert "missed: dog" in mistakes
    assert "background: cat" not in mistakes, "it is below the score"


def test_each_row_has_a_cell_under_each_head(story: Story) -> None:
    for part in (page.box_score(story), page.box_classes(story), page.box_mistakes(story)):
        for shown in re.findall(r"<table.*?</table>", part, re.DOTALL):
            head, *rows = re.findall(r"<tr>.*?</tr>", shown, re.DOTALL)
            wide = len(re.findall(r"<t[dh][ >]", head))
            assert rows
            assert {len(re.findall(r"<t[dh][ >]", row)) for row in rows} == {wide}


def test_what_was_meant_is_named_and_what_a_kind_costs_is_told(story: Story) -> None:
    mistakes = page.box_mistakes(story)
    assert "AP lost" in mistakes
    assert story.scenes
    [case] = [case for case in page.worst(story.scenes, 0.0) if case.kind == "background"]
    assert (case.box[0], case.meant) == ("cat", None)
    [twice] = [case for case in page.worst(story.scenes, 0.0) if case.kind == "twice"]
    assert twice.box[1] == pytest.approx(0.8)


def test_a_score_is_told_down_to_which_so_many_are_right() -> None:
    scores, precision = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 0.5, 2 / 3, 0.75])
    recall = np.array([0.25, 0.25, 0.5, 0.75])
    assert page.believed(scores, recall, precision, 0.7) == "0.60 (75\xa0%)"
    assert page.believed(scores, recall, precision, 0.95) == "0.90 (25\xa0%)"
    assert page.believed(scores, recall, precision * 0.5, 0.95) == "never"


def test_other_runs_have_none_of_it(tmp_path: Path) -> None:
    other = Story(run=tmp_path, events=(), recipe=None, model={}, evaluation=None, album=Album(""))
    assert not (page.box_score(other) or page.box_classes(other) or page.box_mistakes(other))
