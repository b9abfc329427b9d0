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


def drawn(n: int, seed: int) -> list[Hashes]:
    chance = np.random.default_rng(seed)
    signs, mirrored = chance.integers(0, 2**64, (2, n), np.uint64, endpoint=False).tolist()
    thumbnails = chance.integers(0, 256, (n, 16, 16), np.uint8)
    return [
        Hashes(
            file=number.to_bytes(32, "big"),
            signs=signs[number],
            mirrored=mirrored[number],
            thumbnail=thumbnail,
        )
        for number, thumbnail in enumerate(thumbnails)
    ]


def test_tables_find_what_comparing_every_pair_finds() -> None:
    base = drawn(300, 0)
    chance = np.random.default_rng(1)
    changed: list[Hashes] = []
    for one in base:
        signs = one.signs
        for bit in chance.choice(64, chance.integers(0, 14), replace=False).tolist():
            signs ^= 1 << bit
        changed.append(
            Hashes(file=bytes(one.file[1:]) + b"x", signs=signs, mirrored=0, thumbnail=one.thumbnail)
        )
    found = groups([*base, *changed])[300:]
    near = [(a.signs ^ b.signs).bit_count() <= duplicates.SIGNS for a, b in zip(base, changed, strict=True)]
    assert [group < 300 for group in found.tolist()] == near
    assert sum(near) > 100


def test_few_pairs_are_compared() -> None:
    n = 5000
    signs = np.array([one.signs for one in drawn(n, 0)], np.uint64)
    compared = sum(len(some) for some, _ in duplicates._candidates(signs, signs))
    assert compared < n * n / 500


@pytest.mark.parametrize("bits", [0, 3])
def test_among_pictures_that_are_all_alike_the_work_still_grows_as_their_number(bits: int) -> None:
    n = 3000
    signs = np.random.default_rng(0).integers(0, 2**bits, n).astype(np.uint64)
    compared = sum(len(some) for some, _ in duplicates._candidates(signs, signs))
    assert compared <= n * 256 * 4 * (1 + bits)
    same = [
        Hashes(
            file=bytes([row % 256, row // 256]),
            signs=sign,
            mirrored=0,
            thumbnail=np.zeros((16, 16), np.uint8),
        )
        for row, sign in enumerate(signs[:800].tolist())
    ]
    assert (groups(same) == 0).all()


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
