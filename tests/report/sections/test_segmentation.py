"""The report of outlines: every part is there, counts what was measured, and asks nothing of the network."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks import tasks
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import DataFound, encode
from convworks.report import html, overlay
from convworks.report.sections import segmentation
from convworks.report.story import read
from convworks.samples import IGNORE, Sample, Segmentation

NAMES = ("<sky>", "road", "tree")


def written(folder: Path, names: tuple[str, ...] = NAMES, pictures: int = 5) -> Path:
    """A run whose answers are the truth, shifted by some pixels."""
    task = tasks.find("segmentation")
    assert task.scenes
    assert task.scenes.study
    draw = np.random.default_rng(0)
    found = []
    for number in range(pictures):
        class_map = np.kron(draw.integers(0, 3, (4, 6)), np.ones((16, 16))).astype(np.uint8)
        answer = np.roll(class_map, 2 * number, 1)
        class_map[:7] = IGNORE
        image = np.full((64, 96, 3), 40 * number, np.uint8)
        path = folder / "data" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        sample, said = Sample(image=image, class_map=class_map), Segmentation(class_map=answer, names=names)
        evidence = {**task.scenes.observe(said, sample, names), **task.scenes.study(said, sample, names)}
        found.append((path.name, evidence))
    evaluation = SceneEvaluation.of(
        task, root=str(folder / "data"), classes=names, found=found, chosen_on="nothing", seconds=1.0
    )
    run = folder / "run"
    run.mkdir()
    (run / "evaluation.json").write_text(evaluation.to_json(), encoding="utf-8")
    said_first = DataFound(
        root=str(folder / "data"), source="masks", task="segmentation", counts={}, short_sides=(64, 64, 64)
    )
    (run / "events.jsonl").write_text(encode(said_first, 0.0) + "\n", encoding="utf-8")
    return run


def test_every_part_is_on_the_page_and_names_are_escaped(tmp_path: Path) -> None:
    page = html.build(written(tmp_path))
    for title in (
        "Score",
        "Class by class",
        "Worst pictures",
        "What is taken for what",
        "What stride costs you",
    ):
        assert title in page
    assert "boundary IoU" in page
    assert "<sky>" not in page
    assert "&lt;sky&gt;" in page
    assert not re.search(r'(src|href)="http', page)


def test_the_worst_picture_comes_first_and_the_rows_of_confusion_add_up(tmp_path: Path) -> None:
    story = read(written(tmp_path))
    paths = re.findall(r"(\d)\.png</span>", segmentation.worst_outlines(story))
    assert paths[0] == "4"
    assert paths[-1] == "0"
    table = segmentation.outline_confusion(story)
    for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", table):
        shares = [int(number) for number in re.findall(r">(\d+)</td>", row)]
        assert sum(shares) == pytest.approx(100, abs=2)


def test_what_stride_costs_stands_beside_what_was_reached(tmp_path: Path) -> None:
    said = segmentation.stride_cost(read(written(tmp_path)))
    assert "stride 32" in said
    assert "reached" in said
    assert said.count("points") == 4


def test_many_classes_are_listed_and_not_drawn_as_a_table(tmp_path: Path) -> None:
    names = tuple(f"class {number}" for number in range(40))
    said = segmentation.outline_confusion(read(written(tmp_path, names)))
    assert "With 40 classes" in said
    assert "Of the class" in said


def test_pictures_that_are_gone_are_said_and_not_stumbled_over(tmp_path: Path) -> None:
    run = written(tmp_path)
    for path in (tmp_path / "data").glob("*.png"):
        path.unlink()
    assert "Worst pictures" in html.build(run)


def test_colours_are_told_apart_and_what_is_unknown_is_black() -> None:
    many = overlay.colours(60)
    assert len(np.unique(many, axis=0)) == 60
    shown = overlay.errors(np.array([[0, 1, IGNORE]], np.uint8), np.array([[0, 0, 0]], np.uint8))
    assert shown[0].tolist() == [list(overlay.RIGHT), list(overlay.WRONG), [0, 0, 0]]
    under = np.full((3, 4, 3), 100, np.uint8)
    assert overlay.painted(under, np.full((3, 4), IGNORE, np.uint8), 2).max() == 35
