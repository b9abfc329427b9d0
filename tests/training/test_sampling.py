"""Small classes are seen more often where that is asked for, and mixed images teach both of their classes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convworks import api
from convworks.augmentation.preprocess import Preprocessing
from convworks.data.pixels import PixelStore
from convworks.recipe.options import AugmentationOptions, read
from convworks.tasks.classification import cross_entropy
from convworks.tasks.multilabel import binary_cross_entropy
from convworks.training import randomness
from convworks.training.feed import LiveFeed
from convworks.training.sampling import weights

GIVEN: dict[str, Any] = {
    "backbone": "tiny",
    "weights": "none",
    "threads": 1,
    "workers": 1,
    "precision": "float32",
    "channels_last": False,
    "device": "cpu",
    "epochs": 2,
    "batch": 16,
}


def test_an_epoch_shows_classes_by_the_square_roots_of_their_images() -> None:
    shown = [("common",)] * 400 + [("rare",)] * 16
    found = weights(shown, "square-root")
    assert found is not None
    order = randomness.order(416, 0, 0, found)
    assert len(order) == 416
    counts = Counter(shown[place][0] for place in order.tolist())
    assert counts["common"] / counts["rare"] == pytest.approx(5, rel=0.05)
    times = np.bincount(order, minlength=416)
    assert set(times[400:].tolist()) <= {4, 5}
    assert set(times[:400].tolist()) <= {0, 1}


def test_over_the_epochs_every_image_of_a_class_is_seen_about_as_often() -> None:
    found = weights([("a",)] * 90 + [("b",)] * 10, "square-root")
    times = sum(np.bincount(randomness.order(100, 3, epoch, found), minlength=100) for epoch in range(400))
    assert times[:90].min() > 0.75 * times[:90].mean()
    assert times[90:].min() > 0.9 * times[90:].mean()


def test_an_image_of_several_classes_goes_with_the_rarest_and_even_is_even() -> None:
    shown = [("a",), ("a", "b"), ("a",), ("a",), ()]
    found = weights(shown, "square-root")
    assert found is not None
    assert found.tolist() == [0.5, 1, 0.5, 0.5, 0.5]
    assert weights(shown, "even") is None
    assert weights([(), ()], "square-root") is None


@pytest.fixture
def feed(tmp_path: Path) -> Callable[..., LiveFeed]:
    """Four plain images of the gray levels 0, 60, 120 and 180, of a class each."""
    paths: list[Path] = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (16, 16), (60 * number,) * 3).save(paths[-1])

    def made(targets: dict[str, torch.Tensor], **knobs: float) -> LiveFeed:
        return LiveFeed(
            store=PixelStore(paths, 16, 1 << 20),
            rows=range(4),
            preprocessing=Preprocessing(
                size=16,
                side=16,
                resize="crop",
                mean=(0.0,) * 3,
                deviation=(1.0,) * 3,
                interpolation="bilinear",
            ),
            targets=targets,
            seed=0,
            workers=1,
            augmentation=AugmentationOptions(colour=0.0, crop_scale=1.0, **knobs),
        )

    return made


@pytest.mark.parametrize("knob", ["mixup", "cutmix"])
def test_the_classes_of_a_mixed_batch_are_mixed_as_its_pixels_are(
    knob: str, feed: Callable[..., LiveFeed]
) -> None:
    labels = torch.arange(4)
    (batch,) = feed({"label": labels}, **{knob: 1.0}).batches([np.arange(4)], epoch=1)
    share, other = batch.targets["share"], batch.targets["other"]
    level = batch.images.mean((1, 2, 3)) * 255 / 60
    assert level == pytest.approx(share * labels + (1 - share) * other, abs=0.02)
    (alone,) = feed({"label": labels}, **{knob: 1.0}).batches([np.array([2])], epoch=1)
    assert torch.equal(alone.images[0], batch.images[2])
    (plain,) = feed({"label": labels}).batches([np.arange(4)], epoch=1)
    assert "other" not in plain.targets

    shows = torch.eye(4)
    (batch,) = feed({"shows": shows}, **{knob: 1.0}).batches([np.arange(4)], epoch=1)
    expected = share[:, None] * shows + (1 - share)[:, None] * shows[other]
    assert batch.targets["shows"] == pytest.approx(expected)


def test_the_loss_of_a_mixed_image_is_that_of_its_soft_class() -> None:
    outputs, labels = (
        torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),
        torch.tensor([0, 1, 2, 0, 1]),
    )
    other, share = torch.tensor([1, 1, 0, 2, 0]), torch.tensor([1.0, 0.5, 0.0, 0.25, 0.75])
    rows = torch.eye(3)
    soft = share[:, None] * rows[labels] + (1 - share)[:, None] * rows[other]
    found = cross_entropy(outputs, {"label": labels, "other": other, "share": share}, 0.0, smoothing=0.1)
    wanted = torch.nn.functional.cross_entropy(outputs, soft, reduction="sum", label_smoothing=0.1)
    assert float(found.total) == pytest.approx(float(wanted), abs=1e-5)
    assert found.weight == 5
    assert binary_cross_entropy(outputs, {"shows": soft}, 0.0).total.isfinite()


def uneven(patterns: Callable[..., Path], root: Path) -> Path:
    patterns(root, 24)
    for path in sorted((root / "bars").iterdir())[2:]:
        path.unlink()
    return root


def test_where_classes_are_uneven_the_recipe_says_so_and_an_epoch_evens_them(
    tiny: Path, patterns: Callable[..., Path], tmp_path: Path
) -> None:
    data = uneven(patterns, tmp_path / "data")
    api.train(data, run=tmp_path / "run", **GIVEN, tuning=0.0)
    recipe = read(tmp_path / "run" / "recipe.toml")
    assert recipe.data.sampling == "square-root"
    assert "times the images of the smallest" in recipe.why("data.sampling")


def test_a_run_that_mixes_images_trains_and_repeats(
    tiny: Path, patterns: Callable[..., Path], tmp_path: Path
) -> None:
    data = patterns(tmp_path / "data", 12)
    losses: list[list[float]] = []
    for name, workers in (("one", 1), ("two", 2)):
        given = {**GIVEN, "workers": workers, "micro_batch": 8}
        api.train(data, run=tmp_path / name, **given, mixup=0.4, cutmix=1.0)
        lines = (tmp_path / name / "events.jsonl").read_text().splitlines()
        losses.append([one["train_loss"] for one in map(json.loads, lines) if "train_loss" in one])
    assert losses[0] and losses[0] == losses[1]
