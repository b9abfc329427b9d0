"""Flips are made where mirrored images are read as well, and given up where left and right are what is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convworks import api
from convworks.events import Event, Finding
from convworks.recipe.options import Recipe
from convworks.training import fit as fitting
from convworks.training import plan
from convworks.training.mirror import ENOUGH, Held, compared, decided
from convworks.training.team import Team

GIVEN: dict[str, Any] = {
    "model.backbone": "tiny",
    "model.weights": "none",
    "transfer.mode": "extract",
    "transfer.views": 2,
    "data.input_size": 32,
    "data.tuning": 0.4,
    "compute.threads": 1,
    "compute.workers": 1,
    "compute.precision": "float32",
    "compute.channels_last": False,
    "compute.device": "cpu",
}


def trained(data: Path, **given: Any) -> tuple[list[Event], Recipe]:
    chosen = {**GIVEN, **{name.replace("__", "."): value for name, value in given.items()}}
    recipe, prepared, backbone = plan.planned(api._dataset(data), chosen, Team(), lambda done, total: None)
    model = plan.new_model(recipe, prepared, backbone, "m", torch.device("cpu"))
    said: list[Event] = []
    box: list[Recipe] = []

    def through() -> Iterator[Event]:
        box.append((yield from fitting.fit(model, prepared, recipe)))

    said.extend(through())
    return said, box[0]


@pytest.fixture(scope="module")
def arrows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes of red, green and blue to the right or to the left: mirrored, one is the other."""
    root = tmp_path_factory.mktemp("arrows")
    draw = np.random.default_rng(0)
    for name, sign in (("left", -1), ("right", 1)):
        (root / name).mkdir()
        for number in range(48):
            stripes = np.eye(3)[(sign * np.arange(32) + draw.integers(0, 9)) // 3 % 3][None]
            coarse = Image.fromarray(draw.integers(0, 120, (4, 4, 3), np.uint8))  # or all would be copies
            ground = np.asarray(coarse.resize((32, 32), Image.Resampling.BICUBIC))
            picture = ground + 130 * stripes + draw.normal(0, 4, (32, 32, 3))
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(root / name / f"{number:03}.png")
    return root


def test_where_mirroring_changes_the_class_flips_are_given_up(tiny: Path, arrows: Path) -> None:
    said, recipe = trained(arrows)
    assert recipe.augmentation.flip_horizontal is False
    assert recipe.why("augmentation.flip_horizontal").endswith("left and right matter")
    found = [event for event in said if isinstance(event, Finding)]
    assert [one.code for one in found] == ["mirror"] and "of 12 held-out images" in found[0].evidence


def test_where_it_does_not_they_are_kept_with_their_figure(
    tiny: Path, patterns: Callable[..., Path], tmp_path: Path
) -> None:
    said, recipe = trained(patterns(tmp_path, 32))
    assert recipe.augmentation.flip_horizontal is True
    assert recipe.why("augmentation.flip_horizontal").startswith("mirrored, ")
    assert recipe.augmentation.flip_vertical is False
    assert not any(isinstance(event, Finding) for event in said)


def test_what_was_decided_or_settled_before_is_not_measured_again(tiny: Path, arrows: Path) -> None:
    _, recipe = trained(arrows, augmentation__flip_horizontal=True, augmentation__flip_vertical=True)
    assert recipe.augmentation.flip_horizontal is recipe.augmentation.flip_vertical is True
    assert recipe.why("augmentation.flip_horizontal") == "you said so"
    first, again = trained(arrows), trained(arrows)
    assert first[1] == again[1]


def test_without_images_that_choose_nothing_is_settled(tiny: Path, arrows: Path) -> None:
    _, recipe = trained(arrows, data__tuning=0.0)
    assert recipe.augmentation.flip_horizontal is True
    assert "augmentation.flip_horizontal" not in recipe.reasons


def test_answers_lost_and_won_are_told_apart() -> None:
    plain, flipped = np.array([1, 1, 1, 0, 0], bool), np.array([1, 0, 0, 1, 0], bool)
    assert compared(plain, flipped) == Held(n=5, plain=3, flipped=2, lost=2, won=1)


def test_chance_alone_seldom_speaks_against_a_flip() -> None:
    draw = np.random.default_rng(0)
    false_alarms = 0
    for _ in range(2000):
        plain, flipped = draw.random((2, 48)) < 0.8
        false_alarms += compared(plain, flipped).falls
    assert false_alarms < 0.04 * 2000


def test_a_vertical_flip_is_made_only_where_nothing_falls_on_enough_images() -> None:
    same = Held(n=ENOUGH, plain=38, flipped=38, lost=1, won=1)
    worse = Held(n=ENOUGH, plain=38, flipped=37, lost=2, won=1)
    few = Held(n=ENOUGH - 1, plain=38, flipped=38, lost=1, won=1)
    fallen = Held(n=ENOUGH, plain=38, flipped=20, lost=18, won=0)
    assert [decided("flip_vertical", one)[0] for one in (same, worse, few, fallen)] == [
        True,
        False,
        False,
        False,
    ]
    assert [decided("flip_horizontal", one)[0] for one in (same, worse, few, fallen)] == [
        True,
        True,
        True,
        False,
    ]
    assert decided("flip_vertical", fallen)[1].endswith("up and down matter")
