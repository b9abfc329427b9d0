"""JPEGs cut short and closed with an end marker are told from whole ones."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data.cut import CUT
from convworks.data.decode import decode_bytes
from convworks.errors import DecodeError

END = b"\xff\xd9"


def scene(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Soft noise: something to see everywhere."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def closed(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)] + END


def looks_cut(data: bytes, at_least: int = 0) -> bool:
    try:
        return CUT in decode_bytes(data, "x.jpg", at_least=at_least).notes
    except DecodeError as error:
        return "cut short" in str(error)


OPTIONS = [{}, {"quality": 30}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_blocks": 4}]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_cut_one_is_told_at_any_share(options: dict[str, object]) -> None:
    told = 0
    for seed in range(8):
        data = jpeg(scene(seed), **options)
        told += sum(looks_cut(closed(data, share)) for share in (0.35, 0.5, 0.7, 0.9, 0.95))
    assert told >= 38, f"{told} of 40"


@pytest.mark.parametrize("options", OPTIONS)
def test_a_whole_one_is_not(options: dict[str, object]) -> None:
    border = Image.new("RGB", (160, 120), (90, 90, 90))
    border.paste(scene(1, (80, 56)), (8, 8))
    for image in (*map(scene, range(6)), border, Image.new("RGB", (60, 60), "white"), border.convert("L")):
        data = jpeg(image, **options)
        assert not looks_cut(data)
        assert not looks_cut(data, at_least=16)
        assert not looks_cut(data + b"trailing bytes" + END)


def test_a_smaller_scale_tells_it_too() -> None:
    assert all(looks_cut(closed(jpeg(scene(seed)), 0.6), at_least=15) for seed in range(8))


@pytest.mark.packs
def test_of_200_cut_photos_190_are_told_and_of_whole_ones_under_1_in_100(packs: Path) -> None:
    photos = sorted([*packs.glob("ants_bees/*/*/*.jpg"), *packs.glob("photos/*.jpg")])
    chance = random.Random(0)
    chosen = [path.read_bytes() for path in chance.sample(photos, 200)]
    assert sum(looks_cut(closed(data, chance.uniform(0.1, 0.95))) for data in chosen) >= 190
    assert sum(map(looks_cut, chosen)) <= 2
