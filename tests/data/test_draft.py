"""A JPEG that was decoded small shows what the whole one shows when it is averaged to the same size."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from convworks.data.decode import decode_bytes
from convworks.data.pixels import resized


def scene(seed: int, width: int, height: int) -> Image.Image:
    """Shapes of all sizes with a photo's fall of detail, and the noise of a sensor."""
    chance = np.random.default_rng(seed)
    total = 120 + chance.normal(0, 2.5, (height, width, 3)).astype(np.float32)
    for level in range(1, 9):
        coarse = chance.normal(0, 36 * 0.62**level, (3 * 2**level, 4 * 2**level, 3)).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray(total.clip(0, 255).astype(np.uint8))


def apart(data: bytes, side: int) -> np.ndarray:
    """How far each pixel is, in gray levels, from the whole image averaged over areas; nothing where it came whole."""
    whole, small = decode_bytes(data, "").image, decode_bytes(data, "", at_least=side).image
    if whole.shape == small.shape:
        return np.zeros(1)
    found = resized(small, side)
    wanted = cv2.resize(whole, found.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.abs(found.astype(np.int16) - wanted)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
@pytest.mark.parametrize("progressive", [False, True])
def test_at_training_size_it_differs_by_less_than_a_level(subsampling: str, progressive: bool) -> None:
    file = io.BytesIO()
    scene(0, 1600, 1200).save(file, "JPEG", quality=90, subsampling=subsampling, progressive=progressive)
    difference = apart(file.getvalue(), 224)
    assert 0 < difference.mean() < 1 and difference.max() <= 8


@pytest.mark.parametrize("side", [50, 75, 76, 100, 149, 151, 250, 299])
def test_at_any_size_it_differs_by_little(side: int) -> None:
    file = io.BytesIO()
    scene(1, 800, 600).save(file, "JPEG", quality=90)
    difference = apart(file.getvalue(), side)
    assert difference.mean() < 1.5 and difference.max() <= 16


@pytest.mark.packs
def test_of_real_photos_only_the_finest_detail_differs(packs: Path) -> None:
    photos = sorted([*packs.glob("photos/*.jpg"), *packs.glob("ants_bees/val/*/*.jpg")])[::6]
    means = [apart(path.read_bytes(), side).mean() for path in photos for side in (64, 160, 224)]
    assert np.mean(means) < 2 and max(means) < 8
