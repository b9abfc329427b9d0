"""A preview: the owner's images beside draws, everything moving along, one row an operation; nothing is written to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convworks as cw
from convworks.augmentation import plan, preview
from convworks.errors import ConvworksError, RecipeError
from convworks.recipe.options import AugmentationOptions, knobs
from convworks.report.preview import draws
from convworks.report.preview.draws import Setting
from convworks.samples import Sample

CHANCE = np.random.default_rng(0)
SETTING = Setting(frame=(96, 128), resize="crop", seed=3, background=-1)


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "pets"
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for number in range(3):
            small = Image.fromarray(CHANCE.integers(0, 256, (6, 8, 3), np.uint8))
            small.resize((160, 120), Image.Resampling.BICUBIC).save(root / label / f"{number}.png")
    (root / "cat" / "broken.png").write_bytes(b"x")
    return root


def scene() -> Sample:
    image = np.full((120, 160, 3), (90, 60, 30), np.uint8)
    image[:, :50] = (20, 140, 60)
    boxes = np.array([[20, 20, 60, 60], [0, 0, 40, 20]], np.float32)
    masks = np.zeros((2, 120, 160), np.bool_)
    masks[0, 20:60, 20:60] = masks[1, 0:20, 0:40] = True
    points = np.array([[[40, 40]], [[10, 10]]], np.float32)
    return Sample(image=image, boxes=boxes, labels=np.arange(2), masks=masks, points=points)


def test_every_operation_can_be_shown_alone() -> None:
    augmentation = {
        name.removeprefix("augmentation.") for name in knobs() if name.startswith("augmentation.")
    }
    assert set(draws.WOULD) == augmentation - {"border"}
    company = [replace(scene(), image=255 - scene().image)]
    plain = draws.drawn(scene(), 1, draws.NOTHING, SETTING, 12, company)
    for name, value in draws.WOULD.items():
        options = replace(draws.NOTHING, **{name: value})
        assert draws.active(options) == [name] and draws.alone(name, options) == options
        found = draws.drawn(scene(), 1, options, SETTING, 12, company)
        assert any(
            one.picture.shape != other.picture.shape or (one.picture != other.picture).any()
            for one, other in zip(found, plain, strict=True)
        ), name


def test_a_draw_is_what_a_run_would_do_seen_small() -> None:
    options = AugmentationOptions(crop_scale=0.4, rotate=20)
    for epoch, one in enumerate(draws.drawn(scene(), 7, options, SETTING, 5, [scene()]), start=1):
        drawn = plan.draw(options, plan.rng(3, epoch, 7), (120, 160), SETTING.frame, "crop")
        assert one.said == preview.said(drawn)
        stays = plan.kept(drawn.move, scene().boxes)[1]
        assert one.dropped <= int((~stays).sum())
        assert ((one.picture == preview.ORANGE).all(axis=2).any()) == (one.dropped > 0)


def test_a_box_that_leaves_the_frame_is_counted_and_struck() -> None:
    far = AugmentationOptions(flip_horizontal=False, colour=0.0, crop_scale=0.12)
    found = draws.drawn(scene(), 0, far, SETTING, 32, [scene()])
    assert any(one.dropped for one in found) and any(one.dropped == 0 for one in found)


def test_a_page_has_a_row_an_image_and_a_row_an_operation(pets: Path) -> None:
    made = cw.preview(pets, images=2, draws=4, backbone="conv3-8 relu pool2", rotate=15)
    page = made.html()
    assert made.paths[0].startswith("cat/") and made.paths[1].startswith("dog/")
    offered = draws.offered("classification")
    assert "mixup" in offered and "mosaic" not in offered and "mixup" not in draws.offered("detection")
    assert page.count("<h3") == 2 + len(offered)
    assert "rotate 15 degrees" in page and "--rotate 0" in page and "--flip-horizontal false" in page
    assert page.count("<img") == 2 * 5 + 4 * 6 + (len(offered) - 4) * 4
    assert all(alt for alt in re.findall(r'<img [^>]*alt="([^"]*)"', page)) and "<script" not in page
    assert len(page.encode()) < 3_000_000


def test_what_is_not_asked_for_is_as_proposed(pets: Path) -> None:
    given = {"backbone": "conv3-8 relu pool2", "input_size": 64}
    made, proposed = cw.preview(pets, **given), cw.propose(pets, **given)
    assert made.options == proposed.augmentation and made.setting.frame == (64, 64)
    assert cw.preview(pets, **given).html() == made.html() != cw.preview(pets, seed=1, **given).html()


def test_nothing_is_written_into_the_data_and_files_that_cannot_be_read_are_passed_over(
    pets: Path, tmp_path: Path
) -> None:
    before = sorted(pets.rglob("*"))
    with pytest.raises(RecipeError, match="own folder"):
        cw.preview(pets, page=pets / "preview.html", backbone="conv3-8 relu pool2")
    made = cw.preview(pets, images=9, page=tmp_path / "p.html", backbone="conv3-8 relu pool2")
    assert len(made.paths) == 6 and "cat/broken.png" not in made.paths
    assert sorted(pets.rglob("*")) == before and (tmp_path / "p.html").stat().st_size > 20_000
    assert made._repr_html_().startswith("<iframe srcdoc=")
    assert made.sheet().shape[2] == 3


@pytest.mark.parametrize("wrong", [{"images": 0}, {"draws": 33}, {"rotate": 500}, {"rotaet": 5}])
def test_a_mistake_is_said(pets: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ConvworksError):
        cw.preview(pets, **wrong)


@pytest.mark.packs
@pytest.mark.parametrize(
    ("pack", "words"), [("bccd", "struck out"), ("camvid", "Bicyclist"), ("one_animal", "box")]
)
def test_real_scenes_move_along(pack: str, words: str, packs: Path) -> None:
    page = cw.preview(packs / pack, images=3, draws=8).html()
    assert words in page and len(page.encode()) < 3_000_000
