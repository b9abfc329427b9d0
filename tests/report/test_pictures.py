"""Thumbnails of every kind of image that a user brings; what cannot be shown is said."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.errors import DecodeError
from convworks.report.pictures import Album, thumbnail


def decoded(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "WEBP"
        return np.asarray(image.convert("RGB")).astype(int)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "P", "RGBA", "1", "CMYK", "I;16", "F"])
def test_every_mode_gives_a_square_in_colour(tmp_path: Path, mode: str) -> None:
    if mode in ("I;16", "F"):
        kind = np.uint16 if mode == "I;16" else np.float32
        image = Image.fromarray(np.linspace(0, 4095, 60 * 90).reshape(60, 90).astype(kind))
    else:
        image = Image.new("RGB", (90, 60), (200, 40, 40)).convert(mode)
    path = saved(tmp_path / ("a.tiff" if mode in ("CMYK", "F") else "a.png"), image)
    assert decoded(thumbnail(path, 32)).shape == (32, 32, 3)


def test_a_deep_image_is_not_black(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    shown = decoded(thumbnail(saved(tmp_path / "deep.png", Image.fromarray(ramp)), 32))
    assert shown[:3].mean() < 40 < 215 < shown[-3:].mean()


def test_the_middle_is_shown_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (80, 40), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    shown = decoded(thumbnail(saved(tmp_path / "turned.jpg", image, exif=exif, quality=95), 20))
    assert shown[2, :, 0].min() > 200, "the red half is above"
    assert shown[-3, :, 2].min() > 200, "the blue half is below"


def test_a_file_that_is_missing_broken_or_too_large_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"gone\.png"):
        thumbnail(tmp_path / "gone.png", 32)
    (tmp_path / "bad.png").write_bytes(b"not an image")
    with pytest.raises(DecodeError, match=r"bad\.png"):
        thumbnail(tmp_path / "bad.png", 32)
    with pytest.raises(DecodeError, match="pixels"):
        thumbnail(saved(tmp_path / "bomb.png", Image.new("1", (10_000, 10_000))), 32)


def test_an_album_stops_at_what_it_may_weigh_and_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    saved(tmp_path / "a.png", Image.fromarray(noise))
    album = Album(str(tmp_path), most_bytes=1)
    assert album.show("a.png", 32, "a").startswith("<img")
    assert "to keep this file small" in album.show("a.png", 32, "a")
    assert (album.shown, album.missing) == (1, set())


@pytest.mark.parametrize("path", ["../a.png", "/a.png", "b/../../a.png", "gone.png", "nul\0.png"])
def test_an_album_shows_nothing_from_outside_its_root(tmp_path: Path, path: str) -> None:
    root = tmp_path / "data"
    root.mkdir()
    saved(tmp_path / "a.png", Image.new("RGB", (8, 8)))
    album = Album(str(root))
    assert "file not there" in album.show(path, 32, "a")
    assert album.missing == {path}
