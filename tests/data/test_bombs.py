"""Small files that claim to be huge are refused by their header, in no time and no memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from convworks.data.decode import decode, header
from convworks.errors import DecodeError


def small(format: str, size: tuple[int, int] = (16, 16)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, format)
    return file.getvalue()


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg() -> bytes:
    data = bytearray(small("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(data)


def gif() -> bytes:
    data = bytearray(small("GIF"))
    data[6:10] = struct.pack("<HH", 65_535, 65_535)
    return bytes(data)


def gif_frame() -> bytes:
    data = bytearray(small("GIF"))
    at = data.rindex(b"\x2c\0\0\0\0\x10\0\x10\0")
    data[at + 5 : at + 9] = struct.pack("<HH", 65_535, 65_535)
    return bytes(data)


def bmp() -> bytes:
    data = bytearray(small("BMP"))
    data[18:26] = struct.pack("<ii", 40_000, 40_000)
    return bytes(data)


def tiff() -> bytes:
    data = small("TIFF")
    for tag in (0x0100, 0x0101):
        entry = struct.pack("<HHI", tag, 4, 1)
        old = entry if entry in data else struct.pack("<HHI", tag, 3, 1)
        at = data.index(old)
        data = data[:at] + struct.pack("<HHII", tag, 4, 1, 60_000) + data[at + 12 :]
    return data


def webp() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGBA", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    data = bytearray(file.getvalue())
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (16_383).to_bytes(3, "little") * 2
    return bytes(data)


def ppm() -> bytes:
    return b"P6 50000 50000 255\n" + bytes(100)


def avif() -> bytes:
    data = bytearray(small("AVIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 40_000, 40_000)
    return bytes(data)


BOMBS: dict[str, Callable[[], bytes]] = {
    one.__name__: one for one in (png, jpeg, gif, gif_frame, bmp, tiff, webp, ppm, avif)
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    if kind == "avif" and "AVIF" not in Image.registered_extensions().values():
        pytest.skip("this Pillow reads no AVIF")
    (tmp_path / kind).write_bytes(BOMBS[kind]())
    for look in (decode, header):
        began = time.process_time()
        with pytest.raises(DecodeError, match=r"pixels|damaged|not an image"):
            look(tmp_path / kind)
        assert time.process_time() - began < 0.2


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    assert resource
    for kind, make in BOMBS.items():
        if kind != "avif" or "AVIF" in Image.registered_extensions().values():
            (tmp_path / kind).write_bytes(make())
    code = """
import resource, sys
from pathlib import Path
from convworks.data.decode import decode
from convworks.errors import DecodeError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in Path(sys.argv[1]).iterdir():
    try:
        decode(path)
        sys.exit(f"{path} was decoded")
    except DecodeError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 100_000
