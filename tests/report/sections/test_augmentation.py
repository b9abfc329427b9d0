"""The samples of augmentation are the ones that the run drew, and pictures that are gone are said."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.augmentation import plan
from convworks.recipe.options import Recipe
from convworks.report.pictures import SMALL, Album
from convworks.report.sections.augmentation import augmentation
from convworks.report.story import Story

IMAGES = (("cat/0.png", "cat", "measure"), ("cat/1.png", "cat", "learn"), ("dog/0.png", "dog", "learn"))
SIDE = 140


@pytest.fixture
def root(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    for path, _, _ in IMAGES:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
        coarse.resize((200, SIDE), Image.Resampling.BICUBIC).save(tmp_path / path)
    return tmp_path


def story_of(root: Path, recipe: Recipe) -> Story:
    card = {"input": {"size": 112, "side": SIDE}}
    return Story(
        run=root, events=(), recipe=recipe, model=card, evaluation=None, album=Album(str(root)), images=IMAGES
    )


def pictures(page: str) -> list[np.ndarray]:
    found = re.findall(r"data:image/webp;base64,([^\"]+)", page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each))), np.float64) for each in found]


@pytest.mark.parametrize(("freeze", "epoch", "view"), [(3, 0, 2), (0, 2, 0)])
def test_what_is_shown_is_what_the_run_was_fed(root: Path, freeze: int, epoch: int, view: int) -> None:
    """With kept features the views of epoch 0; with live pictures the first epochs."""
    recipe = Recipe().replace(transfer__freeze=freeze)
    shown = pictures(augmentation(story_of(root, recipe)))
    image = np.asarray(Image.open(root / "cat/1.png"))
    generator = plan.rng(recipe.seed, epoch, 1, view)
    drawn = plan.draw(recipe.augmentation, generator, image.shape[:2], (SMALL, SMALL), "crop")
    expected = plan.apply_image(drawn, image).astype(np.float64)
    assert np.abs(shown[2] - expected).mean() < 8
    assert np.abs(shown[1] - expected).mean() > 12, "another draw is another picture"


def test_each_class_is_there_once_and_only_with_images_that_were_learned_from(root: Path) -> None:
    page = augmentation(story_of(root, Recipe().replace(transfer__freeze=3)))
    assert "cat/1.png" in page
    assert "dog/0.png" in page
    assert "cat/0.png" not in page


def test_what_is_allowed_is_said_in_words(root: Path) -> None:
    page = augmentation(story_of(root, Recipe().replace(augmentation__rotate=15.0)))
    assert "rotate 15" in page
    assert "flip horizontal on" in page
    assert "noise" not in page.partition("Allowed")[2]


def test_one_view_of_each_image_is_no_augmentation(root: Path) -> None:
    page = augmentation(story_of(root, Recipe().replace(transfer__freeze=3, transfer__views=1)))
    assert "None: only the images themselves" in page


def test_images_that_are_gone_are_said_and_counted(tmp_path: Path) -> None:
    story = story_of(tmp_path, Recipe().replace(transfer__freeze=3))
    assert "file not there" in augmentation(story)
    assert story.album.missing == {"cat/1.png", "dog/0.png"}


def test_without_a_list_of_images_there_is_nothing_to_show(root: Path) -> None:
    story = story_of(root, Recipe())
    assert augmentation(Story(**{**vars(story), "images": ()})) == ""
