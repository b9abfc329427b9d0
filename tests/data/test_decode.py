"""Golden pixels of every odd but valid kind of file, and one word for every kind that cannot be decoded."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import random
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from convworks.data import rgb
from convworks.data.decode import Decoded, decode, decode_bytes, from_pil, header
from convworks.errors import DecodeError

ORIENTATION = 0x0112
RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOURS = np.stack([RAMP, 255 - RAMP, RAMP // 2], axis=2)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def gray(plane: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(plane, np.uint8)[..., None], 3, axis=2)


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.rint((colour * (alpha / 255.0)[..., None]) + (255.0 - alpha)[..., None]).astype(np.uint8)


def png16(values: np.ndarray) -> bytes:
    return encoded(Image.fromarray(values.astype(np.uint16)), "PNG")


def with_alpha(alpha: np.ndarray) -> Image.Image:
    return Image.merge("RGBA", [*Image.fromarray(COLOURS).split(), Image.fromarray(alpha.astype(np.uint8))])


def gray_alpha(alpha: np.ndarray) -> Image.Image:
    return Image.merge("LA", [Image.fromarray(RAMP), Image.fromarray(alpha.astype(np.uint8))])


def palette(**options: object) -> tuple[bytes, np.ndarray]:
    """A PNG of three colours, of which the second is transparent, and its colours."""
    colours = np.array([[200, 10, 10], [10, 200, 10], [10, 10, 200]], np.uint8)
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    image = Image.new("P", (4, 3))
    image.putdata(indices.ravel().tolist())
    image.putpalette(colours.ravel().tolist())
    return encoded(image, "PNG", **options), colours[indices]


ALPHA = np.arange(12).reshape(3, 4) * 23


def written_png(size: tuple[int, int], depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG put together by hand: kinds that Pillow does not write, and sizes that are not there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def rgb16_png() -> bytes:
    wide = COLOURS.astype(np.uint16) << 8 | 0x77
    return written_png((4, 3), 16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide))


def floats(values: np.ndarray) -> bytes:
    return encoded(Image.fromarray(values.astype(np.float32)), "TIFF")


def animated(format: str) -> bytes:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "lime", "blue")]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50, lossless=True)


RED = np.broadcast_to(np.array([255, 0, 0], np.uint8), (3, 4, 3))
LEVELS = np.array([[0, 100, 2000, 4095]])
WIDE = np.array([[0, 257, 32896, 65535]])

GOLDEN: dict[str, Callable[[], tuple[bytes, np.ndarray, str]]] = {
    "RGB": lambda: (encoded(Image.fromarray(COLOURS), "PNG"), COLOURS, ""),
    "L": lambda: (encoded(Image.fromarray(RAMP), "PNG"), gray(RAMP), ""),
    "1": lambda: (encoded(Image.fromarray(RAMP > 90), "PNG"), gray((RAMP > 90) * 255), ""),
    "LA": lambda: (encoded(gray_alpha(ALPHA), "PNG"), over_white(gray(RAMP), ALPHA), rgb.ALPHA),
    "LA opaque": lambda: (encoded(gray_alpha(ALPHA * 0 + 255), "PNG"), gray(RAMP), ""),
    "P": lambda: (*palette(), ""),
    "P+trns": lambda: (
        (made := palette(transparency=1))[0],
        np.where((made[1] == [10, 200, 10]).all(2, keepdims=True), 255, made[1]).astype(np.uint8),
        rgb.ALPHA,
    ),
    "RGB+trns": lambda: (
        encoded(Image.fromarray(COLOURS), "PNG", transparency=tuple(COLOURS[1, 1].tolist())),
        np.where((COLOURS[1, 1] == COLOURS).all(2, keepdims=True), 255, COLOURS).astype(np.uint8),
        rgb.ALPHA,
    ),
    "RGBA": lambda: (encoded(with_alpha(ALPHA), "PNG"), over_white(COLOURS, ALPHA), rgb.ALPHA),
    "RGBA webp": lambda: (
        encoded(with_alpha(ALPHA), "WEBP", lossless=True, exact=True),
        over_white(COLOURS, ALPHA),
        rgb.ALPHA,
    ),
    "I;16": lambda: (png16(WIDE), gray([[0, 1, 128, 255]]), rgb.RANGES[65535]),
    "I;16 of 12 bits": lambda: (png16(LEVELS), gray(np.rint(LEVELS * 255 / 4095)), rgb.RANGES[4095]),
    "I;16 of 8 bits": lambda: (png16(RAMP), gray(RAMP), rgb.RANGES[255]),
    "I;16B tiff": lambda: (
        encoded(Image.fromarray(WIDE.astype(">u2")), "TIFF"),
        gray([[0, 1, 128, 255]]),
        rgb.RANGES[65535],
    ),
    "I negative": lambda: (
        encoded(Image.fromarray(np.array([[-100, 0, 100]], np.int32)), "TIFF"),
        gray([[0, 128, 255]]),
        rgb.STRETCHED,
    ),
    "RGB of 16 bits": lambda: (rgb16_png(), COLOURS, rgb.WIDE),
    "float 0..1": lambda: (floats(np.array([[0, 0.5, 1]])), gray([[0, 128, 255]]), rgb.UNIT),
    "float 0..255": lambda: (floats(RAMP), gray(RAMP), rgb.BYTES),
    "float any": lambda: (floats(np.array([[-1000, 0, 1000]])), gray([[0, 128, 255]]), rgb.STRETCHED),
    "float with NaN": lambda: (
        floats(np.array([[np.nan, 0.5, np.inf]])),
        gray([[0, 128, 0]]),
        f"{rgb.UNIT}; {rgb.NOT_FINITE}",
    ),
    "animated gif": lambda: (animated("GIF"), RED, rgb.FRAMES),
    "animated webp": lambda: (animated("WEBP"), RED, rgb.FRAMES),
    "pages tiff": lambda: (animated("TIFF"), RED, rgb.FRAMES),
    "1x1": lambda: (encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "BMP"), np.array([[[1, 2, 3]]]), ""),
    "1x4000": lambda: (
        encoded(Image.fromarray(np.arange(4000).astype(np.uint8)[None, :]), "PNG"),
        gray(np.arange(4000).astype(np.uint8)[None, :]),
        "",
    ),
}


def equal(decoded: Decoded, expected: np.ndarray, tolerance: int = 0) -> bool:
    assert decoded.image.dtype == np.uint8 and decoded.image.flags.c_contiguous
    assert decoded.image.shape == expected.shape
    return bool((np.abs(decoded.image.astype(int) - expected) <= tolerance).all())


@pytest.mark.parametrize("kind", GOLDEN)
def test_pixels_are_golden(kind: str, tmp_path: Path) -> None:
    data, expected, note = GOLDEN[kind]()
    (tmp_path / "image").write_bytes(data)
    decoded = decode(tmp_path / "image")
    assert equal(decoded, expected, tolerance=1 if "alpha" in kind or note == rgb.ALPHA else 0), decoded.image
    assert decoded.notes == ((note,) if note else ())
    assert decoded.size == header(tmp_path / "image").size == (expected.shape[1], expected.shape[0])
    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(from_pil(opened).image, decoded.image)


def turned(stored: np.ndarray, orientation: int) -> np.ndarray:
    """What a file holding `stored` shows, from the definition: where the stored row 0 and column 0 lie."""
    ways = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).swapaxes(0, 1),
        8: np.rot90(stored),
    }
    return ways[orientation]


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(format: str, orientation: int, tmp_path: Path) -> None:
    blocks = np.kron(COLOURS, np.ones((16, 16, 1), np.uint8)) if format == "JPEG" else COLOURS
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
    path = tmp_path / "image"
    path.write_bytes(encoded(Image.fromarray(blocks), format, exif=exif, **options))
    expected = turned(blocks, orientation)
    decoded = decode(path)
    assert equal(decoded, expected, tolerance=4 if format == "JPEG" else 0)
    assert decoded.size == header(path).size == (expected.shape[1], expected.shape[0])
    with Image.open(path) as opened:
        assert np.array_equal(from_pil(opened).image, decoded.image)
    if format == "JPEG":
        smaller = decode(path, at_least=12)
        assert smaller.size == decoded.size and min(smaller.image.shape[:2]) == 12
        assert smaller.image.shape[0] * 4 == decoded.image.shape[0]


def test_orientations_that_do_not_exist_change_nothing() -> None:
    for value in (0, 9, 65535):
        exif = Image.Exif()
        exif[ORIENTATION] = value
        assert equal(decode_bytes(encoded(Image.fromarray(COLOURS), "PNG", exif=exif), "x"), COLOURS)


def test_exif_that_cannot_be_read_is_a_note() -> None:
    data = encoded(
        Image.new("RGB", (16, 16), "red"), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 40
    )
    assert decode_bytes(data, "x.jpg").size == (16, 16)


def test_cmyk_is_the_colour_that_was_printed() -> None:
    cyan = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    decoded = decode_bytes(encoded(cyan, "JPEG", quality=100), "x.jpg")
    assert equal(decoded, np.broadcast_to([0, 255, 255], (32, 32, 3)), tolerance=3)
    assert decoded.notes == (rgb.CMYK,) and decoded.mode == "CMYK"


def swapped_profile() -> bytes:
    """sRGB with the red and green primaries exchanged: what it calls red is green."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data).replace(b"s\0R\0G\0B", b"t\0e\0s\0t").replace(b"sRGB", b"test")


def test_a_colour_profile_is_brought_to_srgb() -> None:
    data = encoded(Image.new("RGB", (8, 8), (255, 0, 0)), "PNG", icc_profile=swapped_profile())
    decoded = decode_bytes(data, "x.png")
    assert equal(decoded, np.broadcast_to([0, 255, 0], (8, 8, 3)), tolerance=2)
    assert decoded.notes == ("colour profile: brought to sRGB",)


def test_an_srgb_profile_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    decoded = decode_bytes(encoded(Image.fromarray(COLOURS), "PNG", icc_profile=srgb), "x.png")
    assert equal(decoded, COLOURS) and decoded.notes == ()


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200])
def test_a_damaged_profile_is_a_note(profile: bytes) -> None:
    decoded = decode_bytes(encoded(Image.fromarray(COLOURS), "PNG", icc_profile=profile), "x.png")
    assert equal(decoded, COLOURS)
    assert decoded.notes == ("colour profile cannot be used: colours taken as sRGB",)


def test_a_lab_tiff_is_brought_to_srgb() -> None:
    white_and_black = Image.new("LAB", (2, 1))
    white_and_black.putdata([(255, 128, 128), (0, 128, 128)])
    decoded = decode_bytes(encoded(white_and_black, "TIFF"), "x.tif")
    assert equal(decoded, gray(np.array([[255, 0]])), tolerance=2)


@pytest.mark.parametrize(
    "name", ["photo.jpg", "PHOTO.JPG", "фото.png", "🐈.png", "a\nb.png", "photo", "x.png"]
)
def test_the_bytes_decide_not_the_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(encoded(Image.fromarray(COLOURS), "PNG"))
    decoded = decode(tmp_path / name)
    assert equal(decoded, COLOURS) and decoded.format == "PNG"
    wrong = name.lower().endswith(".jpg")
    assert decoded.notes == (("a PNG file named .jpg",) if wrong else ())


def test_a_jpeg_comes_smaller_only_as_far_as_asked() -> None:
    data = encoded(Image.effect_noise((640, 480), 50).convert("RGB"), "JPEG")
    for at_least, expected in ((0, 480), (1, 60), (60, 60), (61, 120), (224, 240), (241, 480), (1000, 480)):
        decoded = decode_bytes(data, "x.jpg", at_least=at_least)
        assert decoded.image.shape[0] == expected and decoded.size == (640, 480)


def test_a_smaller_jpeg_shows_the_same() -> None:
    data = encoded(Image.linear_gradient("L").resize((512, 512)).convert("RGB"), "JPEG", quality=95)
    small = decode_bytes(data, "x.jpg", at_least=128).image.astype(float)
    whole = decode_bytes(data, "x.jpg").image.reshape(128, 4, 128, 4, 3).mean((1, 3))
    assert np.abs(small - whole).mean() < 1


def test_too_many_pixels_are_refused_by_the_header_and_allowed_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    path = tmp_path / "big.png"
    path.write_bytes(written_png((12_000, 10_000), 8, 2, b""))
    with pytest.raises(DecodeError, match="12000 x 10000 pixels, 120 million") as raised:
        decode(path)
    assert "--max-pixels" in str(raised.value)
    assert header(path, max_pixels=120_000_000).size == (12_000, 10_000)
    path.write_bytes(written_png((20_000, 10_000), 8, 2, b""))
    with pytest.raises(DecodeError, match="pixels"):
        header(path)
    assert header(path, max_pixels=200_000_000).size == (20_000, 10_000)
    small = encoded(Image.fromarray(COLOURS), "PNG")
    assert decode_bytes(small, "x", max_pixels=12).size == (4, 3)
    with pytest.raises(DecodeError):
        decode_bytes(small, "x", max_pixels=11)


FORMATS = {
    "jpg": ("JPEG", {}),
    "png": ("PNG", {}),
    "gif": ("GIF", {}),
    "webp": ("WEBP", {}),
    "tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "bmp": ("BMP", {}),
}
BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "header only": lambda data: data[:24],
    "half": lambda data: data[: len(data) // 2],
    "nine tenths": lambda data: data[: len(data) * 9 // 10],
    "zeros": lambda data: bytes(len(data)),
    "noise": lambda data: random.Random(1).randbytes(len(data)),
    "web page": lambda data: b"<!DOCTYPE html><title>404</title>" + data,
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("fault", BROKEN)
def test_what_cannot_be_decoded_is_named(suffix: str, fault: str, tmp_path: Path) -> None:
    format, options = FORMATS[suffix]
    noise = Image.effect_noise((64, 48), 90).convert("RGB")
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(BROKEN[fault](encoded(noise, format, **options)))
    with pytest.raises(DecodeError, match=f"broken\\.{suffix}: [^:]+") as raised:
        decode(path)
    assert raised.value.fix and len(str(raised.value).splitlines()) <= 3


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<html>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04zip", "zip"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (pickle.dumps(os.getcwd), "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (encoded(Image.new("RGB", (4, 4)), "ICO"), "not an image"),
        (encoded(Image.new("RGB", (4, 4)), "TGA"), "not an image"),
        (floats(np.full((2, 2), np.nan)), "no finite value"),
    ],
)
def test_what_is_no_image_is_called_what_it_is(data: bytes, word: str) -> None:
    with pytest.raises(DecodeError, match=word):
        decode_bytes(data, "x.jpg")


def test_what_is_no_file_is_said_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, word in (("pipe.jpg", "not a file"), ("none.jpg", "no such file"), (".", "folder|not a file")):
        with pytest.raises(DecodeError, match=word):
            decode(tmp_path / name)
    with pytest.raises(DecodeError):
        decode(tmp_path / "a\0b.jpg")


@pytest.mark.parametrize("format", ["BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("width", [16, 53, 160, 1600])
def test_no_width_is_taken_for_a_depth(format: str, width: int) -> None:
    assert decode_bytes(encoded(Image.new("RGB", (width, 2)), format), "x").notes == ()


def test_refused_files_are_closed(tmp_path: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir())) if Path("/dev/fd").exists() else 0
    for _ in range(20):
        with pytest.raises(DecodeError):
            decode(tmp_path)
    assert not before or len(list(Path("/dev/fd").iterdir())) <= before


def test_a_header_takes_no_more_than_the_first_bytes(tmp_path: Path) -> None:
    data = encoded(Image.effect_noise((640, 480), 90).convert("RGB"), "JPEG")
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    assert header(tmp_path / "half.jpg").size == (640, 480)
    with pytest.raises(DecodeError, match="cut short"):
        decode(tmp_path / "half.jpg")


def test_a_file_larger_than_any_image_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.tiff"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(DecodeError, match="3,072 MB"):
        decode(path)


def test_what_pillow_warns_of_is_a_note_and_no_warning() -> None:
    data = encoded(Image.fromarray(COLOURS), "TIFF")
    tag = data.index(struct.pack("<HH", 0x0116, 4)) if struct.pack("<HH", 0x0116, 4) in data else -1
    mutants = [data[:at] + b"\xff" + data[at + 1 :] for at in range(8, len(data)) if at != tag]
    notes: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for mutant in mutants:
            try:
                notes.update(decode_bytes(mutant, "x.tif").notes)
            except DecodeError:
                continue
    assert any(note.startswith("Pillow: ") for note in notes)


@pytest.mark.parametrize("count", [150, pytest.param(4_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("suffix", [*FORMATS, "ppm", "avif"])
def test_no_mutation_raises_anything_else_or_takes_long(
    suffix: str, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    format, options = {**FORMATS, "ppm": ("PPM", {}), "avif": ("AVIF", {})}[suffix]
    if suffix == "avif" and "AVIF" not in Image.registered_extensions().values():
        pytest.skip("this Pillow reads no AVIF")
    chance = random.Random(suffix if count == 150 else f"{suffix} {count}")
    data = encoded(Image.effect_noise((24, 18), 60).convert("RGB"), format, **options)
    for _ in range(count):
        mutant = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 8, 40))):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        if chance.random() < 0.2:
            del mutant[chance.randrange(len(mutant)) :]
        began = time.process_time()
        with contextlib.suppress(DecodeError):
            assert decode_bytes(bytes(mutant), f"x.{suffix}").image.dtype == np.uint8
        assert time.process_time() - began < 2, bytes(mutant).hex()
    assert capfd.readouterr() == ("", "")
