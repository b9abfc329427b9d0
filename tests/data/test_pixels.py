"""Each image is decoded once while there is room, again where there is none, and always comes at its size."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import pixels
from convworks.data.decode import decode
from convworks.data.pixels import PixelStore, resized
from convworks.errors import DecodeError


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    chance = np.random.default_rng(0)
    made: list[Path] = []
    for number, (height, width) in enumerate([(40, 60), (60, 40), (32, 32), (8, 8), (90, 33)]):
        made.append(tmp_path / f"{number}.png")
        Image.fromarray(chance.integers(0, 256, (height, width, 3), np.uint8)).save(made[-1])
    return made


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that a store decodes, as it does."""
    names: list[str] = []

    def counting(path: Path, **options: int) -> object:
        names.append(path.name)
        return decode(path, **options)

    monkeypatch.setattr(pixels, "decode", counting)
    return names


def test_an_image_is_decoded_once(paths: list[Path], decoded: list[str]) -> None:
    store = PixelStore(paths, 32, 1 << 20)
    first = [store.get(index) for index in range(5)]
    assert all(store.get(index) is first[index] for index in range(5))
    assert decoded == [path.name for path in paths]
    assert store.held == len(store) == 5
    assert store.held_bytes == sum(image.nbytes for image in first)


def test_what_was_put_is_not_decoded(paths: list[Path], decoded: list[str]) -> None:
    store = PixelStore(paths, 32, 1 << 20)
    image = decode(paths[1]).image
    store.put(1, image)
    assert np.array_equal(store.get(1), resized(image, 32))
    assert decoded == []


def test_beyond_its_limit_a_store_decodes_each_time(paths: list[Path], decoded: list[str]) -> None:
    store = PixelStore(paths, 32, 32 * 48 * 3)
    first, second = store.get(0), store.get(1)
    assert (store.held, store.held_bytes) == (1, 32 * 48 * 3)
    assert store.get(0) is first
    assert np.array_equal(store.get(1), second)
    assert decoded == ["0.png", "1.png", "1.png"]


def test_images_are_not_to_be_written_to(paths: list[Path]) -> None:
    with pytest.raises(ValueError, match="read-only"):
        PixelStore(paths, 32, 1 << 20).get(0)[0, 0, 0] = 1


def test_a_selection_keeps_what_is_held(paths: list[Path], decoded: list[str]) -> None:
    store = PixelStore(paths, 32, 1 << 20)
    images = [store.get(index) for index in range(3)]
    chosen = store.select([2, 4, 0])
    assert len(chosen) == 3 and chosen.held == 2
    assert chosen.get(0) is images[2] and chosen.get(2) is images[0]
    chosen.get(1)
    assert decoded == ["0.png", "1.png", "2.png", "4.png"]


def test_a_file_that_vanished_is_named(paths: list[Path]) -> None:
    paths[3].unlink()
    with pytest.raises(DecodeError, match=r"3\.png"):
        PixelStore(paths, 32, 0).get(3)


@pytest.mark.parametrize(
    "shape", [(40, 60), (60, 40), (32, 32), (8, 8), (1, 4000), (3000, 2), (1, 1), (33, 500)]
)
def test_the_short_side_is_at_most_the_side_and_the_long_one_has_a_limit(shape: tuple[int, int]) -> None:
    height, width = resized(np.zeros((*shape, 3), np.uint8), 16).shape[:2]
    scale = min(16 / min(shape), 1)
    assert min(height, width) == min(16, *shape)
    assert max(height, width) == min(round(max(shape) * scale), 16 * pixels.LONGEST)


def test_shrinking_averages() -> None:
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    assert np.abs(resized(checks, 16).astype(int) - 127.5).max() <= 1


def test_what_is_kept_is_a_copy() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    assert not np.shares_memory(resized(image, 16), image)


def test_a_fork_reads_what_was_held(paths: list[Path], decoded: list[str]) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    store = PixelStore(paths, 32, 1 << 20)
    expected = store.get(0).copy()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, pickle.dumps((np.array_equal(store.get(0), expected), len(decoded))))
        os._exit(0)
    os.waitpid(child, 0)
    assert pickle.loads(os.read(read, 100)) == (True, 1)
    os.close(read)
    os.close(write)
