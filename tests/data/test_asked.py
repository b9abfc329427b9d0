"""Outlines are learned where they are asked for, whatever form they come in, and none is made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from convworks.augmentation import mix, plan
from convworks.data import sources, synthetic
from convworks.data.asked import asked
from convworks.data.load import load
from convworks.data.record import BoxNote, DataSet, Record
from convworks.data.scenes import smaller
from convworks.data.settled import settled
from convworks.errors import DataError
from convworks.geometry.boxes import iou
from convworks.recipe.options import AugmentationOptions
from convworks.samples import Sample

TRIANGLE = (1.0, 1.0, 8.0, 1.0, 4.0, 7.0)
CLASSES = ("ellipse", "rectangle", "triangle")


def some(*notes: BoxNote, task: str = "detection") -> DataSet:
    names = tuple(sorted({one.name for one in notes}))
    records = [Record(path="a.png", boxes=notes, size=(10, 10)), Record(path="b.png", size=(10, 10))]
    return DataSet(root=Path("pictures"), source="coco", task=task, classes=names, records=records)  # type: ignore[arg-type]


def note(**values: object) -> BoxNote:
    return BoxNote(**{"name": "cat", "box": (1.0, 1.0, 8.0, 7.0), **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("outlines", ["polygons", "runs", "maps"])
def test_every_form_of_outlines_gives_the_objects_that_were_drawn(tmp_path: Path, outlines: str) -> None:
    folder = synthetic.write(
        tmp_path,
        task="instances",
        count=18,
        classes=3,
        size=(48, 40),
        seed=2,
        style="shapes",
        outlines=outlines,
    )
    dataset = settled(sources.read(folder))
    made = asked(dataset, "instances")
    assert (made.task, made.classes, made.masks) == ("instances", CLASSES, None)
    ids = {name: place for place, name in enumerate(made.classes)}
    for record in made.records:
        index = int(Path(record.path).stem)
        truth = synthetic.flat_scene(2, index, task="detection", classes=CLASSES, size=(48, 40))
        sample = load(made, record, ids)
        order = np.lexsort(sample.boxes.T), np.lexsort(truth.boxes.T)
        np.testing.assert_array_equal(sample.boxes[order[0]], truth.boxes[order[1]])
        np.testing.assert_array_equal(sample.labels[order[0]], truth.labels[order[1]])
        np.testing.assert_array_equal(sample.masks[order[0]], truth.masks[order[1]])
        assert sample.class_map.size == 0


def test_boxes_are_learned_where_nobody_asks_and_that_there_are_outlines_is_said() -> None:
    drawn = asked(some(note(polygons=(TRIANGLE,))))
    assert drawn.task == "detection"
    assert "--task instances" in drawn.notes[-1]
    assert asked(some(note())).notes == ()


def test_rectangles_that_a_tool_wrote_for_outlines_are_seen_through() -> None:
    box = (1.0, 1.0, 8.0, 1.0, 8.0, 7.0, 1.0, 7.0)
    assert asked(some(note(polygons=(box,)))).notes == ()
    assert "just its object's box" in asked(some(note(polygons=(box,))), "instances").notes[-1]


def test_an_object_without_an_outline_counts_neither_way() -> None:
    made = asked(some(note(polygons=(TRIANGLE,)), note(name="dog")), "instances")
    cat, dog = made.records[0].boxes
    assert (cat.difficult, dog.difficult) == (False, True)
    assert dog.polygons
    assert "1 object of 2 without an outline" in made.notes[-1]


@pytest.mark.parametrize(
    ("dataset", "task", "words"),
    [
        (some(note()), "instances", "have boxes, but no outlines"),
        (some(task="segmentation"), "instances", "not which object"),
        (some(task="classification"), "detection", "without objects"),
        (some(note()), "segmentation", "is a set for detection; segmentation was asked"),
    ],
)
def test_what_the_data_do_not_serve_is_refused_with_what_would_help(
    dataset: DataSet, task: str, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        asked(dataset, task)


def test_boxes_can_be_asked_of_maps_of_objects(tmp_path: Path) -> None:
    synthetic.write(
        tmp_path, task="instances", count=6, classes=2, size=(48, 40), seed=0, style="shapes", outlines="maps"
    )
    made = asked(settled(sources.read(tmp_path)), "detection")
    assert made.task == "detection"
    assert made.classes == ("ellipse", "triangle")[: len(made.classes)] or "background" not in made.classes
    assert all(record.boxes and not record.mask for record in made.records)


def sample(seed: int) -> Sample:
    return synthetic.flat_scene(7, seed, task="detection", classes=CLASSES, size=(96, 80))


def test_masks_move_with_their_boxes_through_draws_mosaics_and_smaller_pictures() -> None:
    options = AugmentationOptions(crop_scale=0.5, rotate=0.0, flip_vertical=True)
    for seed in range(12):
        draw = np.random.default_rng(seed)
        one = smaller(sample(seed), 60)
        moved = plan.apply(plan.draw(options, draw, (60, one.image.shape[1]), (64, 64), "letterbox"), one)
        four = mix.mosaic([sample(4 * seed + number) for number in range(4)], options, draw, (64, 96))
        for made in (one, moved, four):
            assert len(made.masks) == len(made.boxes) == len(made.labels)
            if not len(made.boxes):
                continue
            tight = np.array([around(mask) for mask in made.masks], np.float32)
            # A box that a crop cut may hold more than what is left of its object, never less.
            assert (tight[:, :2] >= np.floor(made.boxes[:, :2]) - 1).all()
            assert (tight[:, 2:] <= np.ceil(made.boxes[:, 2:]) + 1).all()
            assert np.median(np.diagonal(iou(tight, made.boxes))) > 0.7


def around(mask: np.ndarray) -> tuple[int, int, int, int]:
    y, x = np.nonzero(mask)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def test_the_same_set_is_asked_for_twice_to_the_same_end() -> None:
    once = asked(some(note(polygons=(TRIANGLE,))), "instances")
    assert asked(once, "instances") == dataclasses.replace(once)
