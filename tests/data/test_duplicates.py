"""Copies are found however they were encoded, scaled or mirrored; what only looks alike is left alone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import duplicates
from convworks.data.decode import decode_bytes
from convworks.data.duplicates import Hashes, groups, hashes


def scene(seed: int, size: tuple[int, int] = (192, 144)) -> Image.Image:
    """A picture with shapes of several sizes, unlike any other seed's."""
    chance = np.random.default_rng(seed)
    coarse = Image.fromarray(chance.integers(0, 256, (5, 6, 3), np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    fine = Image.fromarray(chance.integers(0, 256, (18, 24, 3), np.uint8)).resize(
        size, Image.Resampling.BILINEAR
    )
    return Image.blend(coarse, fine, 0.3)


def hashed(image: Image.Image, format: str = "PNG", **options: object) -> Hashes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return hashes(decode_bytes(file.getvalue(), "").image, file.getvalue())


def resized(image: Image.Image, share: float) -> Image.Image:
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.BICUBIC)


CHANGES: dict[str, Callable[[Image.Image], Hashes]] = {
    "the same pixels in another file": lambda image: hashed(image, "BMP"),
    "quality 90": lambda image: hashed(image, "JPEG", quality=90),
    "quality 50": lambda image: hashed(image, "JPEG", quality=50),
    "half the size": lambda image: hashed(resized(image, 0.5), "JPEG", quality=80),
    "a third of the size": lambda image: hashed(resized(image, 0.34), "JPEG", quality=75),
    "one and a half": lambda image: hashed(resized(image, 1.5), "WEBP", quality=80),
    "made square": lambda image: hashed(image.resize((64, 64)), "JPEG", quality=90),
    "mirrored": lambda image: hashed(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "JPEG", quality=85),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_a_stranger_is_not(change: str) -> None:
    images = [scene(seed) for seed in range(24)]
    found = groups([*map(hashed, images), *(CHANGES[change](image) for image in images)])
    assert (found[:24] == np.arange(24)).all(), "strangers were taken for copies"
    assert (found[24:] == np.arange(24)).mean() >= 0.95


def test_equal_files_are_always_found() -> None:
    one = hashed(scene(0))
    other = Hashes(file=one.file, signs=0, mirrored=0, thumbnail=np.zeros((16, 16), np.uint8))
    assert groups([hashed(scene(1)), one, other]).tolist() == [0, 1, 1]
    assert groups([hashed(scene(1)), one, other], near=False).tolist() == [0, 1, 1]


def test_without_near_only_equal_files_are_copies() -> None:
    found = [hashed(scene(0)), hashed(scene(0), "BMP"), hashed(scene(0))]
    assert groups(found, near=False).tolist() == [0, 1, 0]


def test_without_mirrored_a_mirror_image_is_no_copy() -> None:
    found = [hashed(scene(0)), CHANGES["mirrored"](scene(0))]
    assert groups(found, mirrored=False).tolist() == [0, 1]
    assert groups(found).tolist() == [0, 0]


def test_a_copy_of_a_copy_is_in_the_group() -> None:
    image = scene(3)
    found = [hashed(scene(9)), CHANGES["mirrored"](image), hashed(image), CHANGES["half the size"](image)]
    assert groups(found).tolist() == [0, 1, 1, 1]


def test_the_digest_is_sha256_of_the_file() -> None:
    assert hashes(np.zeros((3, 5, 3), np.uint8), b"abc").file == hashlib.sha256(b"abc").digest()


def test_signs_say_where_it_grows_brighter() -> None:
    ramp = np.repeat(np.arange(90, dtype=np.uint8)[None, :, None], 80, axis=0).repeat(3, axis=2)
    brief = hashes(ramp, b"")
    assert (brief.signs, brief.mirrored) == (2**64 - 1, 0)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 4000, 3), (4000, 1, 3), (8, 9, 3)])
def test_any_shape_has_hashes(shape: tuple[int, int, int]) -> None:
    assert hashes(np.full(shape, 7, np.uint8), b"").thumbnail.shape == (16, 16)


def test_flat_images_of_other_brightness_are_strangers() -> None:
    found = [hashes(np.full((20, 20, 3), level, np.uint8), bytes([level])) for level in (0, 40, 80, 255)]
    assert groups(found).tolist() == [0, 1, 2, 3]


def test_no_pictures_have_no_groups() -> None:
    assert groups([]).shape == (0,)


def compared(found: list[Hashes], *, mirrored: bool = True) -> np.ndarray:
    """The groups that comparing every pair gives."""
    n = len(found)
    signs = np.array([one.signs for one in found], np.uint64)
    turned = np.array([one.mirrored for one in found], np.uint64)
    flat = np.stack([one.thumbnail for one in found]).astype(np.float64)
    contrast = flat.std((1, 2))
    limit = duplicates.LEVELS + duplicates.SHARE * np.minimum(contrast[:, None], contrast)
    alike = np.zeros((n, n), bool)
    for left, pictures in ((signs, flat), *([(turned, flat[:, :, ::-1])] if mirrored else [])):
        near = np.bitwise_count(left[:, None] ^ signs) <= duplicates.SIGNS
        for row in range(n):
            some = np.flatnonzero(near[row])
            apart = np.sqrt(np.square(pictures[row] - flat[some]).mean((1, 2)))
            alike[row, some] |= apart <= limit[row, some]
    return duplicates.joined(n, [np.nonzero(alike), (np.arange(n), np.arange(n))])


def crowd(kind: str, n: int) -> list[Hashes]:
    """Sets that are hard on tables of signs: films, one pattern of light, white borders, flat and copied pictures."""
    chance = np.random.default_rng(len(kind))
    scenes = {"film": 1, "films": 17}.get(kind, n)
    coarse = chance.integers(0, 256, (scenes, 4, 4)).repeat(4, axis=1).repeat(4, axis=2)
    signs, mirrored = chance.integers(0, 2**64, (2, scenes), np.uint64)
    if kind == "borders":
        coarse[:, :4], coarse[:, -4:] = 255, 255
        signs &= np.uint64(0x0000FFFFFFFF0000)
    if kind == "one light":
        signs[:], mirrored[:] = 0x0F0F0F0F0F0F0F0F, 0xF0F0F0F0F0F0F0F0
    if kind == "flat":
        coarse[:] = chance.integers(0, 256, (scenes, 1, 1))
        signs[:] = mirrored[:] = 0
    of = chance.integers(0, scenes // 2 if kind == "copied" else scenes, n)
    noise = chance.integers(-3, 4, (n, 16, 16)) * (kind != "flat")
    thumbnails = (coarse[of] + noise).clip(0, 255).astype(np.uint8)
    signs, mirrored = signs[of], mirrored[of]
    for bit in chance.integers(0, 64, (6, n)).astype(np.uint64):
        flip = (chance.random(n) < 0.6).astype(np.uint64) << bit
        signs, mirrored = signs ^ flip, mirrored ^ flip
    return [
        Hashes(file=number.to_bytes(4, "big"), signs=one, mirrored=other, thumbnail=thumbnail)
        for number, (one, other, thumbnail) in enumerate(
            zip(signs.tolist(), mirrored.tolist(), thumbnails, strict=True)
        )
    ]


CROWDS = ["film", "films", "borders", "one light", "flat", "copied", "strangers"]


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("kind", CROWDS)
def test_groups_are_those_of_comparing_every_pair(kind: str, mirrored: bool) -> None:
    found = crowd(kind, 300)
    assert (groups(found, mirrored=mirrored) == compared(found, mirrored=mirrored)).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", CROWDS)
def test_groups_of_3000_are_those_of_comparing_every_pair(kind: str) -> None:
    found = crowd(kind, 3000)
    assert (groups(found) == compared(found)).all()


@pytest.mark.parametrize("most", [1, 50])
def test_pairs_are_judged_in_any_portions(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = crowd("films", 200)
    expected = compared(found)
    monkeypatch.setattr(duplicates, "_MOST", most)
    assert (groups(found) == expected).all()


def test_few_pairs_of_strangers_and_few_of_a_film_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[int] = []
    agree = duplicates._agree

    def counted(table: object, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        judged.append(len(one))
        return agree(table, one, other)

    monkeypatch.setattr(duplicates, "_agree", counted)
    monkeypatch.setattr(duplicates, "_MOST", 1000)
    for kind in ("film", "films", "strangers", "borders"):
        judged.clear()
        groups(crowd(kind, 2000))
        assert sum(judged) < 20 * 2000, kind


@pytest.mark.packs
def test_among_real_photos_under_1_in_200_is_taken_for_a_copy_falsely(packs: Path) -> None:
    photos = sorted([*packs.glob("ants_bees/*/*/*.jpg"), *packs.glob("photos/*.jpg")])
    found = [hashes(decode_bytes(data, "").image, data) for data in (path.read_bytes() for path in photos)]
    assert (groups(found) != np.arange(len(found))).mean() <= 0.005


@pytest.mark.packs
@pytest.mark.parametrize("change", CHANGES)
def test_among_real_photos_changed_copies_are_found(change: str, packs: Path) -> None:
    photos = sorted(packs.glob("ants_bees/val/*/*.jpg"))[::4]
    images = [Image.fromarray(decode_bytes(path.read_bytes(), "").image) for path in photos]
    originals = [
        hashes(np.array(image), path.name.encode()) for image, path in zip(images, photos, strict=True)
    ]
    found = groups([*originals, *(CHANGES[change](image) for image in images)])
    assert (found[len(images) :] == np.arange(len(images))).mean() >= 0.95
