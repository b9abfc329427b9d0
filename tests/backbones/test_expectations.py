"""Input that is not what the weights expect is named for what it is; input that is right is left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from convworks.backbones.contract import Expects
from convworks.backbones.expectations import notice

HALF = Expects()
IMAGENET = Expects(mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))
EACH = [HALF, IMAGENET]


def prepared(pictures: Tensor, expects: Expects) -> Tensor:
    mean, deviation = torch.tensor(expects.mean), torch.tensor(expects.deviation)
    return (pictures - mean[:, None, None]) / deviation[:, None, None]


def scenes(count: int = 16, *, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Pictures between `low` and `high`, each a ramp of its own slope, a little redder than blue."""
    slopes = torch.linspace(0.5, 2, count)[:, None, None, None]
    ramp = torch.linspace(0, 1, 24 * 24).reshape(1, 1, 24, 24) ** slopes
    tint = torch.tensor([0.9, 1.0, 1.15])[:, None, None]
    return low + (high - low) * ramp**tint


@pytest.mark.parametrize("expects", EACH)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.2, 0.9), (0.0, 0.1), (0.7, 1.0)])
@pytest.mark.parametrize("count", [1, 3])
def test_what_is_right_is_left_alone(expects: Expects, low: float, high: float, count: int) -> None:
    assert notice(prepared(scenes(count, low=low, high=high), expects), expects) == []


@pytest.mark.parametrize("expects", EACH)
def test_bytes_are_noticed(expects: Expects) -> None:
    (said,) = notice(scenes() * 255, expects)
    assert "values from 0 to 255" in said


@pytest.mark.parametrize("expects", EACH)
def test_pictures_that_were_not_normalised_are_noticed(expects: Expects) -> None:
    (said,) = notice(scenes(), expects)
    assert "looks like values from 0 to 1, not normalised" in said


@pytest.mark.parametrize("expects", EACH)
def test_so_they_are_where_nothing_is_black_or_white(expects: Expects) -> None:
    (said,) = notice(scenes(low=0.2, high=0.9), expects)
    assert "No pixel is dark" in said


def test_another_mean_is_noticed_and_named() -> None:
    (one,), (two,) = notice(prepared(scenes(), IMAGENET), HALF), notice(prepared(scenes(), HALF), IMAGENET)
    assert "normalised with ImageNet's mean and deviation; the weights expect values from -1 to 1" in one
    assert "normalised with mean and deviation 0.5; the weights expect values from -2.12 to 2.64" in two


def test_normalised_twice_is_noticed() -> None:
    (said,) = notice(prepared(prepared(scenes(), HALF), HALF), HALF)
    assert said.startswith("The input has values from -3 to 1;")


@pytest.mark.parametrize("expects", EACH)
def test_pictures_bluer_than_red_may_be_bgr(expects: Expects) -> None:
    (said,) = notice(prepared(scenes().flip(1), expects), expects)
    assert "16 of 16 pictures" in said
    assert "BGR" in said


def test_few_blue_pictures_say_nothing_of_the_order() -> None:
    assert notice(prepared(scenes(7).flip(1), HALF), HALF) == []


def test_other_shapes_and_types_are_said() -> None:
    assert "shape (1, 1, 4, 4)" in notice(torch.zeros(1, 1, 4, 4), HALF)[0]
    assert (
        "is uint8; the weights expect floats" in notice(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), HALF)[0]
    )
    assert notice(torch.full((1, 3, 4, 4), float("nan")), HALF) == [
        "The input has values that are not finite."
    ]
    assert notice(torch.zeros(0, 3, 4, 4), HALF) == []


def photographs(folder: Path, count: int) -> Tensor:
    files = sorted(folder.rglob("*.jpg"))
    step = max(1, len(files) // count)
    small = [np.asarray(Image.open(path).convert("RGB").resize((48, 48))) for path in files[::step][:count]]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2) / 255


@pytest.mark.parametrize("expects", EACH)
@pytest.mark.parametrize("pack", ["photos", "ants_bees", "bccd", "one_animal"])
def test_photographs_are_left_alone_and_their_faults_noticed(
    packs: Path, pack: str, expects: Expects
) -> None:
    pictures = photographs(packs / pack, 24)
    assert notice(prepared(pictures, expects), expects) == []
    assert notice(pictures, expects)
    assert notice(pictures * 255, expects)
    if pack != "bccd":
        other = IMAGENET if expects is HALF else HALF
        assert notice(prepared(pictures, other), expects)
        assert "BGR" in notice(prepared(pictures.flip(1), expects), expects)[0]
