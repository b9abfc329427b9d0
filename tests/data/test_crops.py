"""Pictures that show a part of another are found, also encoded and scaled anew and mirrored; strangers are not."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from convworks.data import crops, duplicates
from convworks.data.crops import KEPT, WINDOWS, thumbnail
from convworks.data.decode import decode_bytes

Picture = np.ndarray


def scene(seed: int, size: tuple[int, int] = (192, 144)) -> Picture:
    """A picture with shapes of several sizes, unlike any other seed's."""
    chance = np.random.default_rng(seed)
    layers = [
        cv2.resize(
            chance.integers(0, 256, (rows, rows + 2, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC
        )
        for rows in (4, 9, 20)
    ]
    mixed = sum(share * layer for share, layer in zip((0.5, 0.3, 0.2), layers, strict=True))
    return np.clip(np.asarray(mixed), 0, 255).astype(np.uint8)


def part(image: Picture, chance: np.random.Generator, kept: float) -> Picture:
    """A window of the share `kept` of the area, anywhere, of any shape near the image's."""
    across = kept ** chance.uniform(0, 1)
    height, width = image.shape[:2]
    w, h = int(np.ceil(width * across)), int(np.ceil(height * kept / across))
    x, y = chance.integers(0, width - w + 1), chance.integers(0, height - h + 1)
    return image[y : y + h, x : x + w]


def encoded(image: Picture, quality: int) -> Picture:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


def small(images: list[Picture]) -> np.ndarray:
    return np.array([thumbnail(duplicates.shrunk(duplicates.brightness(image))) for image in images])


def cropped(images: list[Picture], seed: int = 0) -> list[Picture]:
    """A part of each, of 80 to 99 % of its area, every second scaled down, all encoded anew."""
    chance = np.random.default_rng(seed)
    copies: list[Picture] = []
    for number, image in enumerate(images):
        window = part(image, chance, chance.uniform(KEPT, 0.99))
        if number % 2:
            window = cv2.resize(window, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        copies.append(encoded(window, int(chance.integers(60, 95))))
    return copies


def found(thumbnails: np.ndarray, **options: int) -> dict[tuple[int, int], bool]:
    """(part, whole) -> mirrored or not."""
    pairs = crops.crops(thumbnails, **options)
    return dict(
        zip(zip(pairs.part.tolist(), pairs.whole.tolist(), strict=True), pairs.mirrored.tolist(), strict=True)
    )


@pytest.mark.parametrize("mirrored", [False, True])
def test_parts_are_found_with_their_whole_and_strangers_are_not(mirrored: bool) -> None:
    images = [scene(seed) for seed in range(60)]
    copies = [image[:, ::-1] if mirrored else image for image in cropped(images)]
    pairs = found(small([*images, *copies]))
    right = {(60 + number, number) for number in range(60)}
    assert len(right & pairs.keys()) >= 0.95 * 60
    assert all(pairs[pair] == mirrored for pair in right & pairs.keys())
    assert not {(one, other) for one, other in pairs if abs(one - other) != 60}


def test_what_is_kept_of_the_whole_is_measured() -> None:
    images = [scene(seed) for seed in range(12)]
    chance = np.random.default_rng(3)
    shares = np.linspace(0.82, 0.98, 12)
    copies = [part(image, chance, share) for image, share in zip(images, shares, strict=True)]
    pairs = crops.crops(small([*images, *copies]))
    parts = pairs.part - pairs.whole == 12
    assert parts.sum() == 12
    assert np.abs(pairs.kept[parts] - shares[pairs.whole[parts]]).max() < 0.02


def test_much_smaller_parts_are_no_copies() -> None:
    images = [scene(seed) for seed in range(20)]
    halves = [part(image, np.random.default_rng(0), 0.5) for image in images]
    assert found(small([*images, *halves])) == {}


def test_threads_change_nothing() -> None:
    images = [scene(seed) for seed in range(20)]
    thumbnails = small([*images, *cropped(images)])
    assert found(thumbnails, workers=3) == found(thumbnails)


def test_flat_pictures_and_gradients_of_other_pictures_are_strangers() -> None:
    flat = [np.full((40, 40, 3), level, np.uint8) for level in (10, 10, 200)]
    assert found(small(flat)) == {}


def test_few_or_no_pictures_have_no_parts() -> None:
    for n in range(3):
        images = [scene(seed) for seed in range(n)]
        assert found(small(images).reshape(n, 32, 32).astype(np.uint8)) == {}


def test_every_window_that_keeps_enough_is_near_one_that_is_looked_up() -> None:
    chance = np.random.default_rng(0)
    for _ in range(500):
        across = KEPT ** chance.uniform(0, 1)
        cuts = [
            (1 - side) * share
            for side in (across, KEPT / across)
            for share in (lambda t: (t, 1 - t))(chance.uniform())
        ]
        assert np.abs(WINDOWS - cuts).max(1).min() <= 0.075


@pytest.mark.packs
@pytest.mark.parametrize("pack", ["ants_bees/val/*", "photos", "bccd/JPEGImages", "camvid/val/images"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_parts_of_real_photos_are_found_and_no_two_photos_confused(
    pack: str, mirrored: bool, packs: Path
) -> None:
    paths = sorted(packs.glob(f"{pack}/*.jpg"))
    paths = paths[:: max(1, len(paths) // 60)]
    images = [decode_bytes(path.read_bytes(), "").image for path in paths]
    n = len(images)
    copies = [image[:, ::-1] if mirrored else image for image in cropped(images)]
    pairs = found(small([*images, *copies]))
    assert sum((n + row, row) in pairs for row in range(n)) >= 0.95 * n
    if "camvid" not in pack:  # whose frames of a car that stands still are copies
        wrong = {one for one, other in pairs if abs(one - other) != n}
        assert len(wrong) <= 0.005 * n
