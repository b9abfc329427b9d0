"""Images of several bands are read exactly as they were written, scaled as stated, or refused in words."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import bands, tiff_bands
from convworks.data.decode import BANDS, decode, header
from convworks.errors import DataError, DecodeError

LIMIT = 64_000_000
KINDS = ("uint8", "uint16", "int16", "uint32", "float32", "float64")


def image(kind: str = "uint16", shape: tuple[int, ...] = (21, 34, 5), seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) * 250).astype(kind)


def array(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def lzw(data: bytes) -> bytes:
    """Bytes as libtiff packs them with LZW, taken out of a gray TIFF of one line that Pillow wrote."""
    out = io.BytesIO()
    Image.frombytes("L", (len(data), 1), data).save(out, "TIFF", compression="tiff_lzw")
    found = tiff_bands.directory(out.getvalue())
    assert found
    begin, length = found.tags[273][0], found.tags[279][0]
    return out.getvalue()[begin : begin + length]


def tiff(
    values: np.ndarray,
    *,
    order: str = "<",
    rows: int = 8,
    packed: int = 1,
    apart: bool = False,
    predictor: int = 1,
    tile: int = 0,
    photometric: int = 1,
    extra: int | None = 0,
) -> bytes:
    """A TIFF of the bands, in strips of `rows` or square tiles, as TIFF 6.0 says."""
    height, width, samples = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    planes = [values[..., place : place + 1] for place in range(samples)] if apart else [values]
    parts: list[bytes] = []
    for plane in planes:
        if tile:
            across, down = -(-width // tile) * tile, -(-height // tile) * tile
            whole = np.zeros((down, across, plane.shape[2]), plane.dtype)
            whole[:height, :width] = plane
            cut = [
                whole[y : y + tile, x : x + tile]
                for y in range(0, down, tile)
                for x in range(0, across, tile)
            ]
        else:
            cut = [plane[y : y + rows] for y in range(0, height, rows)]
        for part in cut:
            kept = np.diff(part, axis=1, prepend=part[:, :1] * 0) if predictor == 2 else part
            raw = kept.astype(values.dtype.newbyteorder(order)).tobytes()
            parts.append({1: bytes, 5: lzw, 8: zlib.compress}[packed](raw))
    tags = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [values.dtype.itemsize * 8] * samples),
        259: ("H", [packed]),
        262: ("H", [photometric]),
        277: ("H", [samples]),
        284: ("H", [2 if apart else 1]),
        317: ("H", [predictor]),
        339: ("H", [kind] * samples),
    }
    base = 3 if photometric == 2 else 1
    if extra is not None and samples > base:
        tags[338] = ("H", [extra] * (samples - base))
    lengths = [len(part) for part in parts]
    if tile:
        tags |= {322: ("I", [tile]), 323: ("I", [tile]), 324: ("I", lengths), 325: ("I", lengths)}
    else:
        tags |= {273: ("I", lengths), 278: ("I", [rows]), 279: ("I", lengths)}
    at = 8 + sum(lengths)
    starts = (8 + np.concatenate([[0], np.cumsum(lengths)[:-1]])).tolist()
    tags[324 if tile else 273] = ("I", starts)
    beyond, lines = b"", b""
    room = at + 2 + 12 * len(tags) + 4
    for tag, (code, numbers) in sorted(tags.items()):
        content = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        if len(content) > 4:
            content, beyond = struct.pack(order + "I", room + len(beyond)), beyond + content
        lines += struct.pack(order + "HHI", tag, {"H": 3, "I": 4}[code], len(numbers)) + content.ljust(
            4, b"\0"
        )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return head + b"".join(parts) + struct.pack(order + "H", len(tags)) + lines + bytes(4) + beyond


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_numpy_file_is_read_as_numpy_reads_it(kind: str, order: str) -> None:
    wanted = np.asarray(image(kind), order=order)
    for data in (array(wanted), array(wanted.astype(wanted.dtype.newbyteorder(">")))):
        found = bands.layout(data, LIMIT)
        assert found and (found.size, found.bands, found.dtype) == ((21, 34), 5, kind)
        assert (bands.values(data, LIMIT) == wanted).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "layout", [{}, {"apart": True}, {"tile": 16}, {"tile": 16, "apart": True}, {"rows": 99}]
)
def test_a_tiff_is_read_as_it_was_written_however_its_samples_lie(
    kind: str, order: str, layout: dict
) -> None:
    wanted = image(kind)
    assert (bands.values(tiff(wanted, order=order, **layout), LIMIT) == wanted).all()


@pytest.mark.parametrize("packed", [5, 8])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("layout", [{}, {"tile": 16, "apart": True}])
def test_a_packed_tiff_is_unpacked(packed: int, predictor: int, layout: dict) -> None:
    wanted = image("uint16")
    assert (bands.values(tiff(wanted, packed=packed, predictor=predictor, **layout), LIMIT) == wanted).all()


@pytest.mark.parametrize(
    ("bands_", "photometric", "extra", "several"),
    [
        (5, 1, 0, True),
        (4, 2, 0, True),
        (4, 2, 1, False),
        (4, 2, 2, False),
        (3, 2, None, False),
        (4, 5, None, False),
        (2, 1, 2, False),
        (2, 1, 0, True),
        (1, 1, None, False),
        (8, 2, 2, True),
    ],
)
def test_colours_gray_and_transparency_are_no_bands(
    bands_: int, photometric: int, extra: int | None, several: bool
) -> None:
    found = bands.layout(tiff(image("uint8", (8, 9, bands_)), photometric=photometric, extra=extra), LIMIT)
    assert (found is not None) == several


def test_a_picture_of_bands_is_shown_by_its_first_three(tmp_path: Path) -> None:
    values = image("uint8", (8, 9, 4))
    for name, data in (("a.npy", array(values)), ("a.tif", tiff(values, photometric=2))):
        (tmp_path / name).write_bytes(data)
        found = decode(tmp_path / name)
        assert (found.image == values[..., :3]).all()
        assert (found.size, found.bands, found.mode, found.notes) == ((9, 8), 4, "4 bands of uint8", (BANDS,))
        assert (header(tmp_path / name).size, header(tmp_path / name).mode) == (found.size, found.mode)


def test_an_array_of_one_or_three_bytes_a_pixel_is_a_picture_like_any_other(tmp_path: Path) -> None:
    colours = image("uint8", (8, 9, 3))
    (tmp_path / "a.npy").write_bytes(array(colours))
    assert (decode(tmp_path / "a.npy").image == colours).all()
    assert decode(tmp_path / "a.npy").bands == 0
    (tmp_path / "b.npy").write_bytes(array(colours[..., 0]))
    assert (decode(tmp_path / "b.npy").image == colours[..., :1]).all()
    deep = np.array([[0, 1000, 4095]], np.uint16)
    (tmp_path / "c.npy").write_bytes(array(deep))
    assert decode(tmp_path / "c.npy").image[0, :, 2].tolist() == [0, 62, 255], (
        "by the rule for gray of 16 bits"
    )


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a file was executed",))


def damaged() -> dict[str, bytes]:
    good = array(image())
    objects = io.BytesIO()
    np.save(objects, np.array([[1, 2]], object), allow_pickle=True)
    records = io.BytesIO()
    np.save(records, np.zeros((4, 4), [("a", "u1"), ("b", "u1")]))
    bomb = b"{'descr': '|u1', 'fortran_order': False, 'shape': (900000, 900000, 5), }"
    header_only = good[: good.index(b"}")]
    return {
        "cut": good[:-1],
        "header cut": good[:40],
        "objects": objects.getvalue()[:100] + pickle.dumps(Trap()),
        "records": records.getvalue(),
        "code": header_only.replace(b"False", b"exit()") + good[len(header_only) :],
        "one side": array(np.zeros(9)),
        "four sides": array(np.zeros((2, 2, 2, 2))),
        "no pixels": array(np.zeros((0, 4, 5))),
        "complex": array(np.zeros((4, 4, 5), complex)),
        "bands first": array(np.zeros((5, 40, 90))),
        "cut tiff": tiff(image())[:900],
        "bomb": b"\x93NUMPY\x01\x00v\x00" + bomb.ljust(117) + b"\n",
    }


@pytest.mark.parametrize("what", damaged())
def test_what_is_damaged_or_no_image_is_refused_and_never_run(what: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(damaged()[what])
    with pytest.raises(DecodeError, match=r"x\.npy: "):
        decode(tmp_path / "x.npy")


def test_mutated_files_are_refused_or_read_but_nothing_else_is_raised(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    originals = [
        array(image("uint8", (8, 9, 5))),
        tiff(image("uint16", (8, 9, 5)), packed=8),
        tiff(image(), packed=5),
    ]
    for number in range(300):
        data = bytearray(originals[number % 3])
        for _ in range(int(draw.integers(1, 6))):
            place = int(draw.integers(0, min(len(data), 400) if number % 2 else len(data)))
            data[place] = int(draw.integers(256))
        end = int(draw.integers(1, len(data) + 1)) if number % 5 == 0 else len(data)
        (tmp_path / "m.tif").write_bytes(bytes(data[:end]))
        try:
            assert decode(tmp_path / "m.tif").image.shape[2] == 3
        except DecodeError as error:
            assert "m.tif" in str(error)


def test_ranges_are_those_of_the_training_images_and_leave_out_what_is_rare(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    paths: list[Path] = []
    for number in range(4):
        values = np.stack([draw.uniform(0, 1, (60, 60)), draw.uniform(100, 300, (60, 60))], 2).astype(
            "float32"
        )
        values[0, 0] = np.nan, 1e9
        path = tmp_path / f"{number}.npy"
        path.write_bytes(array(values))
        paths.append(path)
    found = bands.measured(paths, LIMIT)
    assert found.ranges[0] == pytest.approx((0, 1), abs=0.01)
    assert found.ranges[1] == pytest.approx((100, 300), abs=2)
    assert found.mean == pytest.approx((0.5, 0.5), abs=0.02)
    assert found.deviation == pytest.approx((12**-0.5,) * 2, abs=0.01)
    assert not found.coloured
    shown = bands.picture(paths[0], found.ranges, LIMIT)
    assert shown.dtype == np.uint8
    assert shown[0, 0].tolist() == [0, 255]
    steps = np.array(found.ranges)
    back = steps[:, 0] + shown[1:] / 255 * (steps[:, 1] - steps[:, 0])
    np.testing.assert_allclose(back, bands.values(paths[0].read_bytes(), LIMIT)[1:], atol=0.6)


def test_bytes_stay_what_they_are(tmp_path: Path) -> None:
    values = image("uint8", (30, 30, 4)) // 2
    (tmp_path / "a.npy").write_bytes(array(values))
    found = bands.measured([tmp_path / "a.npy"], LIMIT)
    assert found.ranges == ((0.0, 255.0),) * 4
    assert (bands.picture(tmp_path / "a.npy", found.ranges, LIMIT) == values).all()


def test_files_of_other_bands_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(array(image("uint8", (30, 30, 4))))
    (tmp_path / "b.npy").write_bytes(array(image("uint8", (30, 30, 5))))
    with pytest.raises(DataError, match=r"b.npy has 5 bands of uint8, other images have 4"):
        bands.measured([tmp_path / "a.npy", tmp_path / "b.npy"], LIMIT)
    Image.new("RGB", (9, 9)).save(tmp_path / "c.png")
    for name in ("b.npy", "c.png"):
        with pytest.raises(DecodeError, match="where the model reads 4 bands"):
            bands.picture(tmp_path / name, ((0.0, 255.0),) * 4, LIMIT)
