"""The report of outlines of objects: masks beside boxes, the worst picture first, and what was wrong where it was."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks import tasks
from convworks.data.raster import to_runs
from convworks.evaluation.scenes import SceneEvaluation
from convworks.events import DataFound, encode
from convworks.report import html
from convworks.report.overlay import RIGHT, WRONG
from convworks.report.sections import instances
from convworks.report.story import read
from convworks.samples import Detection, Found, Sample

NAMES = ("<cat>", "dog")
SIZE = (60, 80)


def square(x: int, y: int, side: int = 20) -> np.ndarray:
    mask = np.zeros(SIZE, np.bool_)
    mask[y : y + side, x : x + side] = True
    return mask


def found(name: str, mask: np.ndarray, probability: float) -> Found:
    y, x = np.nonzero(mask)
    box = (float(x.min()), float(y.min()), float(x.max()) + 1, float(y.max()) + 1)
    return Found(name=name, probability=probability, box=box, runs=to_runs(mask))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two pictures: in the first both objects are right, in the second one is missed and one made up."""
    scenes = tasks.find("instances").scenes
    assert scenes
    assert scenes.study
    truth = np.stack([square(5, 5), square(50, 30)])
    said = [
        (found("<cat>", truth[0], 0.9), found("dog", truth[1], 0.8)),
        (found("<cat>", truth[0], 0.9), found("dog", square(30, 0, 12), 0.7), found("dog", truth[1], 0.1)),
    ]
    folder = tmp_path_factory.mktemp("outlines")
    data = folder / "data"
    data.mkdir()
    evidence = []
    for number, objects in enumerate(said):
        image = np.full((*SIZE, 3), 90, np.uint8)
        Image.fromarray(image).save(data / f"{number}.png")
        boxes = np.array([[5, 5, 25, 25], [50, 30, 70, 50]], np.float32)
        sample = Sample(image=image, boxes=boxes, labels=np.array([0, 1]), masks=truth)
        answer = Detection(found=objects, size=SIZE[::-1])
        evidence.append(
            (
                f"{number}.png",
                {**scenes.observe(answer, sample, NAMES), **scenes.study(answer, sample, NAMES)},
            )
        )
    evaluation = SceneEvaluation.of(
        tasks.find("instances"),
        root=str(data),
        classes=NAMES,
        found=evidence,
        chosen_on="nothing",
        seconds=1.0,
    )
    place = folder / "run"
    place.mkdir()
    (place / "evaluation.json").write_text(evaluation.to_json(), encoding="utf-8")
    first = DataFound(root=str(data), source="coco", task="instances", counts={}, short_sides=(60, 60, 60))
    (place / "events.jsonl").write_text(encode(first, 0.0) + "\n", encoding="utf-8")
    return place


def test_masks_stand_beside_boxes_and_names_are_escaped(run: Path) -> None:
    page = html.build(run)
    for words in ("Mask AP", "Masks", "Boxes", "95 % interval of AP", "Class by class", "Worst pictures"):
        assert words in page
    assert "<cat>" not in page
    assert not re.search(r'(src|href)="http', page)


def test_the_worst_picture_comes_first_with_what_was_right_wrong_and_missed(run: Path) -> None:
    said = instances.worst_masks(read(run))
    assert re.findall(r"(\d)\.png</span>", said) == ["1", "0"]
    assert "1 right, 1 wrong, 1 missed" in said
    assert "2 right, 0 wrong, 0 missed" in said


def test_what_is_wrong_is_shown_where_it_is(run: Path) -> None:
    evaluation = read(run).scenes
    assert evaluation
    under = np.zeros((*SIZE, 3), np.uint8)
    made = instances.mistakes_on(under, evaluation.evidence[1]).astype(float)

    def shade(y: int, x: int) -> np.ndarray:
        return made[y, x] / max(made[y, x].max(), 1)

    for (y, x), wanted in {(15, 15): RIGHT, (6, 36): WRONG, (40, 60): instances.MISSED}.items():
        np.testing.assert_allclose(shade(y, x), np.array(wanted) / max(wanted), atol=0.02)
    assert (made[55, 5] == 0).all(), "where nothing is, the picture is as it was"


def test_a_picture_without_objects_or_finds_is_no_worst_one() -> None:
    scenes = tasks.find("instances").scenes
    assert scenes
    empty = Sample(image=np.zeros((*SIZE, 3), np.uint8))
    evidence = scenes.observe(Detection(found=(), size=SIZE[::-1]), empty, NAMES)
    assert np.isnan(instances.quality(evidence))
    summary = scenes.summarise([evidence], NAMES)
    assert np.isnan(summary.value)
