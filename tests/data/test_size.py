"""Sizes from headers agree with the decoder's, and no bytes make looking for them fail, hang or read everything."""

from __future__ import annotations

import io
import random
import time
from pathlib import Path

import pytest
from PIL import Image

from convworks.data.decode import header
from convworks.data.sources.size import displayed, oriented

FORMATS = {
    "JPEG": "jpg",
    "PNG": "png",
    "GIF": "gif",
    "BMP": "bmp",
    "WEBP": "webp",
    "TIFF": "tif",
    "PPM": "ppm",
}
TURNED = ("JPEG", "PNG", "WEBP", "TIFF")


def saved(path: Path, kind: str, turn: int = 0, **options: object) -> Path:
    """An image of 37x21 with that EXIF orientation, where it is not 0."""
    image = Image.new("RGB", (37, 21), "red")
    if turn and kind == "TIFF":
        options["tiffinfo"] = {274: turn}
    elif turn:
        exif = Image.Exif()
        exif[274] = turn
        options["exif"] = exif.tobytes()
    image.save(path, kind, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("kind", FORMATS)
def test_the_size_of_every_format_is_the_decoders(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path / f"x.{FORMATS[kind]}", kind)
    assert displayed(path) == header(path).size == (37, 21)


@pytest.mark.parametrize("kind", TURNED)
@pytest.mark.parametrize("turn", range(10))
def test_the_size_is_that_of_the_image_as_it_is_shown(tmp_path: Path, kind: str, turn: int) -> None:
    path = saved(tmp_path / f"x.{FORMATS[kind]}", kind, turn)
    expected = (21, 37) if 5 <= turn <= 8 else (37, 21)
    assert displayed(path) == header(path).size == expected
    assert oriented(path)[1] == (turn if 1 <= turn <= 8 else 1)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"exact": True}])
def test_both_kinds_of_webp(tmp_path: Path, options: dict[str, object]) -> None:
    assert displayed(saved(tmp_path / "x.webp", "WEBP", **options)) == (37, 21)


def test_an_orientation_that_only_xmp_states_counts_as_in_the_decoder(tmp_path: Path) -> None:
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    path = tmp_path / "x.jpg"
    Image.new("RGB", (37, 21)).save(path, "JPEG", xmp=packet)
    assert displayed(path) == header(path).size == (21, 37)


def test_an_animation_is_as_large_as_its_screen(tmp_path: Path) -> None:
    frames = [Image.new("P", (9, 8), color) for color in (1, 2)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:], comment=b"c" * 600)
    assert displayed(tmp_path / "x.gif") == (9, 8)


def test_what_is_no_image_has_no_size(tmp_path: Path) -> None:
    for name, data in (
        ("a", b""),
        ("b", b"\xff\xd8\xff"),
        ("c", b"hello"),
        ("d", b"\x89PNG\r\n\x1a\n" + b"\0" * 40),
    ):
        (tmp_path / name).write_bytes(data)
        assert displayed(tmp_path / name) == (0, 0)
    assert displayed(tmp_path / "missing") == displayed(tmp_path) == (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff" + b"\xe0\0\2" * 2_000_000,
        b"\xff\xd8\xff" + b"\xe1\0\0" * 2_000_000,
        b"\xff\xd8\xff" + b"\0" * 5_000_000,
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0aaaa\0\0\0\0" * 500_000,
        b"GIF89a" + b"\1\0\1\0\0\0\0" + b"!\1\1a\0" * 1_000_000,
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + b"\0" * 5_000_000,
        b"P6\n" + b"#" * 5_000_000,
        b"MM\0*\0\0\0\x08\xff\xff" + b"\1\0\0\3" * 1_000_000,
    ],
)
def test_no_header_is_looked_through_for_long(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    began = time.process_time()
    displayed(tmp_path / "x")
    assert time.process_time() - began < 0.5


def mutated(data: bytes, draw: random.Random) -> bytes:
    """A copy with some bytes changed, or cut short."""
    changed = bytearray(data[: draw.randrange(len(data))] if draw.random() < 0.3 else data)
    for _ in range(draw.choice((1, 3, 10))):
        if changed:
            changed[draw.randrange(min(len(changed), 400))] = draw.choice(
                (0, 1, 127, 128, 255, draw.randrange(256))
            )
    return bytes(changed)


def fuzz(folder: Path, trials: int) -> None:
    draw = random.Random(0)
    seeds: list[bytes] = []
    for kind in FORMATS:
        file = io.BytesIO()
        Image.new("RGB", (37, 21)).save(file, kind)
        seeds.append(file.getvalue())
    path = folder / "x"
    for _ in range(trials):
        path.write_bytes(mutated(draw.choice(seeds), draw))
        width, height = displayed(path)
        assert (width > 0) == (height > 0)


def test_mutated_headers_give_a_size_or_none(tmp_path: Path) -> None:
    fuzz(tmp_path, 250)


@pytest.mark.slow
def test_many_mutated_headers_give_a_size_or_none(tmp_path: Path) -> None:
    fuzz(tmp_path, 100_000)


def test_the_photos_pack(packs: Path) -> None:
    for path in sorted((packs / "photos").glob("*.jpg")):
        assert displayed(path) == header(path).size
