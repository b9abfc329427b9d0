"""The detectors of two stages as tasks: what they read, where they look, what is said of a source that is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from convworks import tasks
from convworks.augmentation import mix, plan
from convworks.backbones.contract import Stage, tapped
from convworks.data.scenes import smaller
from convworks.detectors.presets import PRESETS
from convworks.errors import DataError, RecipeError
from convworks.recipe.options import AugmentationOptions, Detector, ModelOptions
from convworks.samples import Sample
from convworks.tasks import two_stage

NAMES = ("cat", "dog", "eel")
INFO = [Stage(name="a", channels=8, stride=4), Stage(name="b", channels=12, stride=8)]
SIDE = 32


def maps(n: int, requires_grad: bool = False) -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [
        torch.randn(n, one.channels, SIDE // one.stride, SIDE // one.stride, generator=draw).requires_grad_(
            requires_grad
        )
        for one in INFO
    ]


def samples(n: int) -> list[Sample]:
    """Pictures with an object, but the first, and with boxes to look in, but the last."""
    made: list[Sample] = []
    for number in range(n):
        boxes = np.array([[4, 4, 20, 24]], np.float32)[: int(number > 0)]
        regions = np.array([[3, 3, 21, 25], [0, 0, 8, 8]], np.float32)[: 2 * int(number < n - 1)]
        made.append(
            Sample(
                image=np.zeros((SIDE, SIDE, 3), np.uint8),
                boxes=boxes,
                labels=np.full(len(boxes), number % 3),
                regions=regions,
            )
        )
    return made


def settings(task: Any, **given: Any) -> dict[str, Any]:
    options = ModelOptions(finest=8, coarsest=8, **given)
    boxes = np.array([[4, 4, 20, 24], [0, 0, 8, 8], [2, 2, 30, 30]], np.float32)
    return dict(task.fitted(task.settings(options), boxes, (SIDE, SIDE)))


def test_every_preset_can_be_chosen_and_every_choice_is_there() -> None:
    assert set(PRESETS) <= set(tasks.HEADS["detection"])
    heads = {name for task in ("detection", "localization") for name in tasks.HEADS[task]}
    assert set(Detector.__args__) == {"default", *heads}
    for task in tasks.HEADS:
        for name in tasks.HEADS[task]:
            assert tasks.find(task, name).decoder == name


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_learns_is_judged_and_answers_frame_by_frame(name: str) -> None:
    torch.manual_seed(0)
    task = tasks.find("detection", name)
    head = task.head(INFO, len(NAMES), 0.0, **settings(task))
    wanted = dict(task.targets(samples(3)))
    given = maps(3, requires_grad=True)
    learned = task.loss(head(given, wanted), wanted, 0.0)
    learned.total.backward()
    assert float(learned.weight) == 3
    assert given[1].grad is not None and bool(given[1].grad.isfinite().all())
    head.eval()
    with torch.no_grad():
        judged = head(given, wanted)
        again = head(given, wanted)
        alone = head([one[1:2] for one in given], {key: one[1:2] for key, one in wanted.items()})
        answered = head(given, {"regions": wanted["regions"]})
    assert set(answered) == {"found"} < set(judged)
    assert all(torch.equal(judged[part], again[part]) for part in judged), "judging draws nothing anew"
    torch.testing.assert_close(answered["found"], judged["found"])
    torch.testing.assert_close(alone["found"][0], judged["found"][1, : alone["found"].shape[1]])
    found = task.decode(judged, NAMES)
    assert len(found) == 3
    for one in found:
        assert bool((one.labels >= 0).all()) and bool((one.labels < 3).all())
        assert bool((one.boxes >= -1e-3).all()) and bool((one.boxes <= SIDE + 1e-3).all())
    if "selective search" in head.net.system.source:
        assert not len(found[2].scores), "nowhere to look, nothing found"


@pytest.mark.parametrize("name", PRESETS)
def test_without_a_word_of_what_is_there_a_net_can_still_be_timed(name: str) -> None:
    task = tasks.find("detection", name)
    head = task.head(INFO, 3, 0.2, **settings(task))
    outputs = head(maps(2, requires_grad=True))
    torch.stack([value.sum() for value in outputs.values()]).sum().backward()
    assert all(value.shape == (2,) for value in head(maps(2)).values())
    assert head(maps(0), dict(task.targets([])))["names"].shape == (0,)


def test_a_net_on_one_map_leaves_the_stages_behind_it_alone() -> None:
    task = tasks.find("detection", "fast_rcnn")
    info = [*INFO, Stage(name="c", channels=4, stride=16)]
    assert task.head(info, 3, 0.0, **settings(task)).reads == 2
    assert tasks.find("detection", "faster_rcnn_pyramid").head(info, 3, 0.0).reads == 3


@pytest.mark.parametrize(("stride", "place"), [(1, 1), (4, 1), (7, 1), (8, 2), (64, 3)])
def test_the_map_of_a_stride_is_the_last_that_is_fine_enough(stride: int, place: int) -> None:
    info = [Stage(name=str(number), channels=1, stride=step) for number, step in enumerate((4, 4, 8, 32))]
    assert tapped(info, stride) == place


def test_where_to_look_comes_from_the_paper_or_from_the_recipe() -> None:
    fast = tasks.find("detection", "fast_rcnn")
    assert settings(fast)["source"] == "selective search"
    assert settings(fast, proposals="whole-image")["fixed"] == [[0, 0, 1, 1]]
    assert settings(fast, proposals="region-network")["source"] == "region network"
    clusters = settings(fast, proposals="clusters")["fixed"]
    assert clusters == [[0, 0, 0.25, 0.25], [0.125, 0.125, 0.625, 0.75], [0.0625, 0.0625, 0.9375, 0.9375]]
    scales = settings(tasks.find("detection", "faster_rcnn"))["scales"]
    assert scales == [10, 18, 26], "a tenth, the middle and nine tenths of the objects' sizes"


def test_boxes_that_are_fixed_fill_the_frame_whatever_its_size() -> None:
    task = tasks.find("detection", "fast_rcnn")
    head = task.head(INFO, 3, 0.0, **settings(task, proposals="whole-image"))
    [box] = head.given(torch.zeros(1, 12, 3, 5), {})
    assert box.tolist() == [[0, 0, 40, 24]]


def test_boxes_of_a_file_are_those_of_the_picture_however_large_it_was_decoded(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    file = tmp_path / "boxes.csv"
    file.write_text("path,x0,y0,x1,y1\na.png,6,4,60,40\n")
    task = tasks.find("detection", "fast_rcnn")
    look = two_stage.finder(settings(task, proposals=str(file)))
    assert look is not None
    small = np.zeros((20, 30, 3), np.uint8)
    assert look(small, str(tmp_path / "a.png")).tolist() == [[3, 2, 30, 20]]
    with pytest.raises(DataError, match=r"has no proposals for .*b.png"):
        look(small, str(tmp_path / "b.png"))
    with pytest.raises(DataError, match="a picture without a path"):
        look(small, "")


@pytest.mark.parametrize(
    ("word", "said"),
    [("selective", 'did you mean "selective-search"'), ("nowhere.csv", "no file nowhere.csv of proposals")],
)
def test_a_source_that_is_none_is_refused(word: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        tasks.find("detection", "spp").settings(ModelOptions(proposals=word))


def test_a_detector_is_refused_where_it_does_not_belong() -> None:
    with pytest.raises(RecipeError, match="fast_rcnn draws boxes, but the task is segmentation"):
        tasks.chosen("segmentation", ModelOptions(detector="fast_rcnn"))
    with pytest.raises(RecipeError, match='There is no detector "fast_rcnn"'):
        tasks.chosen("localization", ModelOptions(detector="fast_rcnn"))


@pytest.mark.parametrize("seed", range(5))
def test_where_to_look_moves_as_objects_do(seed: int) -> None:
    boxes = np.array([[4, 4, 30, 30], [20, 10, 60, 50]], np.float32)
    image = np.zeros((64, 64, 3), np.uint8)
    sample = Sample(image=image, boxes=boxes, labels=np.zeros(2, np.int64), regions=boxes.copy())
    options = AugmentationOptions(rotate=20)
    four = mix.mosaic([sample] * 4, options, plan.rng(seed, 0, 0, 0), (64, 64))
    drawn = plan.draw(options, plan.rng(seed, 0, 0, 1), (64, 64), (48, 32), "letterbox")
    for moved in (four, plan.apply(drawn, sample), smaller(sample, 40)):
        assert len(moved.boxes) > 0
        assert np.array_equal(moved.boxes, moved.regions)
