"""Sets of outlines that are unlike the usual: palettes, 16 bits, nothing known, many classes, odd sizes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convworks import api
from convworks.evaluation.scenes import SceneEvaluation
from convworks.samples import IGNORE

GIVEN: dict[str, Any] = {
    "backbone": "tiny",
    "weights": "none",
    "threads": 1,
    "workers": 1,
    "precision": "float32",
    "channels_last": False,
    "device": "cpu",
    "learning_rate": 0.005,
    "input_size": 96,
    "crop": 64,
    "batch": 4,
    "epochs": 2,
}


def saved(mask: np.ndarray, mode: str, path: Path) -> None:
    image = Image.fromarray(mask.astype(np.uint16) if mode == "I;16" else mask)
    if mode == "P":
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    image.save(path)


def written(root: Path, classes: int, mode: str) -> Path:
    """Coloured rectangles on a ground of class 0; the last class is not in val, one training image is all unknown."""
    draw = np.random.default_rng(classes)
    colours = draw.integers(0, 256, (classes, 3))
    for part, count in (("train", 8), ("val", 4), ("test", 4)):
        for kind in ("images", "masks"):
            (root / part / kind).mkdir(parents=True)
        for number in range(count):
            height, width = int(draw.integers(61, 79)), int(draw.integers(83, 101))
            mask = np.zeros((height, width), np.uint8)
            there = classes - (part == "val")
            for one in draw.integers(0, there, 3) if classes > 2 else [there - 1]:
                top, left = draw.integers(5, 30, 2)
                mask[top : top + 30, left : left + 40] = one
            mask[:3] = IGNORE
            image = (colours[mask.clip(max=classes - 1)] + draw.normal(0, 9, (*mask.shape, 3))).clip(0, 255)
            if part == "train" and number == 3:
                mask[:] = IGNORE
            Image.fromarray(image.astype(np.uint8)).save(root / part / "images" / f"{part}{number}.png")
            saved(mask, mode, root / part / "masks" / f"{part}{number}.png")
    names = "\n".join(f"class{place:03}" for place in range(classes))
    (root / "classes.txt").write_text(names, encoding="utf-8")
    return root


@pytest.mark.parametrize(("classes", "mode"), [(2, "P"), (200, "I;16")])
def test_it_learns_and_is_measured(tiny: Path, tmp_path: Path, classes: int, mode: str) -> None:
    data = written(tmp_path / "set", classes, mode)
    made = api.train(data, run=tmp_path / "run", watch=lambda events: events, **GIVEN)
    assert made.classes == tuple(f"class{place:03}" for place in range(classes))
    found = SceneEvaluation.read(made.run / "evaluation.json")
    assert found.n == 4
    assert math.isfinite(found.value)
    there = {name for name, value in found.per_class.items() if math.isfinite(value)}
    assert "class000" in there
    if classes > 2:
        assert len(there) < classes, "a class that is neither in the truth nor answered has no score"
    for path in found.paths:
        with Image.open(data / path) as picture:
            assert made.predict(data / path).class_map.shape == picture.size[::-1]
