"""Small parts of pictures are found where features say to look, and pictures of another thing are not accused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import small_parts, sources
from convworks.data.audit import scan
from convworks.data.duplicates import brightness
from convworks.report.audit.resemblance import resembling


def scene(seed: int, side: int = 360) -> np.ndarray:
    """Smooth shapes with fine detail, like no other seed's."""
    draw = np.random.default_rng(seed)
    found = np.zeros((side, side, 3))
    for cells, strength in ((5, 90), (20, 50), (80, 30)):
        coarse = Image.fromarray(draw.integers(0, 256, (cells, cells, 3), np.uint8))
        found += strength / 128 * (np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)) - 128.0)
    return (found + 128).clip(0, 255).astype(np.uint8)


def part_of(
    image: np.ndarray, share: float, seed: int, *, mirrored: bool = False, size: float = 1.0
) -> np.ndarray:
    """A part of that share of the area, encoded and scaled anew."""
    draw = np.random.default_rng(seed)
    side = round(len(image) * share**0.5)
    top, left = draw.integers(0, len(image) - side + 1, 2)
    part = Image.fromarray(image[top : top + side, left : left + side])
    part = part.resize((round(side * size),) * 2, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    part.save(file, "JPEG", quality=75)
    pixels = np.asarray(Image.open(file))
    return pixels[:, ::-1] if mirrored else pixels


SHARES = (0.12, 0.25, 0.4, 0.6)


@pytest.fixture(scope="module")
def grays() -> list[np.ndarray]:
    """Eight pictures, then a part of each; of the last four mirrored."""
    wholes = [scene(seed) for seed in range(8)]
    small = [
        part_of(wholes[seed], SHARES[seed % 4], seed, mirrored=seed >= 4, size=1.3 if seed % 2 else 0.9)
        for seed in range(8)
    ]
    return [brightness(np.ascontiguousarray(one)) for one in (*wholes, *small)]


def test_parts_of_any_place_and_size_are_found(grays: list[np.ndarray]) -> None:
    found = small_parts.parts(lambda row: grays[row], np.tile(np.eye(8), (2, 1)), np.arange(16))
    assert sorted(found.part.tolist()) == list(range(8, 16))
    for part, whole, kept, mirrored in zip(found.part, found.whole, found.kept, found.mirrored, strict=True):
        assert whole == part - 8
        assert kept == pytest.approx(SHARES[part % 4], rel=0.05)
        assert bool(mirrored) == (part >= 12)


def test_pictures_of_other_things_are_none_however_alike_their_features(grays: list[np.ndarray]) -> None:
    found = small_parts.parts(lambda row: grays[row], np.ones((16, 4)), np.arange(16))
    assert all(whole == part - 8 for part, whole in zip(found.part, found.whole, strict=True))
    assert small_parts.parts(lambda row: grays[row], np.eye(16), np.arange(16)).part.shape == (0,)


def test_known_copies_and_pictures_without_anything_to_find_are_passed_over() -> None:
    image = brightness(scene(0))
    same = small_parts.parts(lambda row: image, np.ones((3, 2)), np.zeros(3, np.int64))
    assert same.part.shape == (0,)
    flat = np.full((100, 100), 90, np.uint8)
    assert small_parts.parts(lambda row: flat, np.ones((3, 2)), np.arange(3)).part.shape == (0,)
    assert small_parts.parts(lambda row: flat, np.zeros((0, 2)), np.zeros(0, np.int64)).part.shape == (0,)


def test_a_part_across_the_split_is_a_warning_and_within_a_note(tiny: Path, tmp_path: Path) -> None:
    for split, label, seeds in (
        ("train", "a", range(3)),
        ("train", "b", range(3, 6)),
        ("val", "a", range(6, 8)),
    ):
        folder = tmp_path / split / label
        folder.mkdir(parents=True)
        for seed in seeds:
            Image.fromarray(scene(seed)).save(folder / f"{seed}.png")
    (tmp_path / "val" / "b").mkdir()
    Image.fromarray(part_of(scene(3), 0.3, 1)).save(tmp_path / "val" / "b" / "part.png")
    Image.fromarray(part_of(scene(1), 0.3, 1)).save(tmp_path / "train" / "a" / "part.png")
    found = resembling(scan(sources.read(tmp_path)), net="tiny", max_pixels=1_000_000)
    assert [(one.level, one.pairs) for one in found] == [
        ("note", (("train/a/part.png", "train/a/1.png"),)),
        ("warning", (("val/b/part.png", "train/b/3.png"),)),
    ]
    assert found[1].said.startswith("1 validation image shows what a training image shows")
