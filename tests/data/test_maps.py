"""The values of mask images are counted as they are stored, or as colours where classes are colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from convworks.data.maps import MapFacts, look
from convworks.data.record import MaskCode

COLOURS = MaskCode(values=(((200, 0, 0), "road"),))
PIXELS = np.array([[0, 0, 1], [7, 255, 1]], np.uint8)
COUNTS = {(0,): 2, (1,): 2, (7,): 1, (255,): 1}


def saved(place: Path, image: Image.Image) -> Path:
    image.save(place / "mask.png")
    return place / "mask.png"


def test_indices_are_counted(tmp_path: Path) -> None:
    assert look(saved(tmp_path, Image.fromarray(PIXELS)), None) == MapFacts(size=(3, 2), values=COUNTS)


def test_indices_of_a_palette_are_not_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS)
    image.putpalette([value for number in range(256) for value in (number, 0, 255 - number)])
    assert look(saved(tmp_path, image), None).values == COUNTS
    assert look(saved(tmp_path, image), COLOURS).values == {
        (0, 0, 255): 2,
        (1, 0, 254): 2,
        (7, 0, 248): 1,
        (255, 0, 0): 1,
    }


def test_colours_are_counted_and_gray_ones_stand_for_an_index(tmp_path: Path) -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[0] = (200, 0, 0)
    assert look(saved(tmp_path, Image.fromarray(image)), COLOURS).values == {(200, 0, 0): 3, (0, 0, 0): 3}
    assert look(saved(tmp_path, Image.fromarray(PIXELS).convert("RGB")), None).values == COUNTS


def test_16_bit_indices_are_counted(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[300, 300], [2, 65535]], np.uint16))
    assert look(saved(tmp_path, image), None).values == {(2,): 1, (300,): 2, (65535,): 1}


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert "no such file" in look(tmp_path / "none.png", None).problem
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nxxxx")
    assert look(tmp_path / "x.png", None).problem == "not an image that can be read"
    whole = saved(
        tmp_path, Image.fromarray(np.random.default_rng(0).integers(0, 9, (99, 99), np.uint8))
    ).read_bytes()
    (tmp_path / "x.png").write_bytes(whole[: len(whole) // 2])
    assert look(tmp_path / "x.png", None).problem.startswith(("damaged", "cut short"))


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(PIXELS))
    assert look(path, None, max_pixels=5).problem.startswith("3 x 2 pixels, 6; at most 5")


def test_a_photo_is_no_map(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    assert "not a map of classes" in look(saved(tmp_path, Image.fromarray(noise)), COLOURS).problem
