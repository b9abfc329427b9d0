"""Each image is decoded once while there is room, again where there is none, and always comes at its size."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convworks.data import patience, pixels
from convworks.data.cache import ImageCache
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


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageCache:
    """A cache that keeps files however lately they changed."""
    monkeypatch.setattr(pixels, "SETTLED", -60)
    return ImageCache(tmp_path / "images", limit_bytes=1 << 20)


def test_beyond_its_limit_images_come_from_the_cache(
    paths: list[Path], decoded: list[str], cache: ImageCache
) -> None:
    store = PixelStore(paths, 32, 32 * 48 * 3, cache=cache)
    first = [store.get(index) for index in range(5)]
    assert store.held == 1
    for again in (store, PixelStore(paths, 32, 0, cache=ImageCache(cache.folder))):
        assert all(np.array_equal(again.get(index), first[index]) for index in range(1, 5))
    assert decoded == [path.name for path in paths]
    chosen = store.select([3, 0])
    assert np.array_equal(chosen.get(0), first[3])
    with pytest.raises(ValueError, match="read-only"):
        chosen.get(0)[0, 0, 0] = 1


def test_what_was_put_beyond_the_limit_is_in_the_cache(
    paths: list[Path], decoded: list[str], cache: ImageCache
) -> None:
    store = PixelStore(paths, 32, 0, cache=cache)
    image = decode(paths[1]).image
    store.put(1, image)
    assert np.array_equal(store.get(1), resized(image, 32))
    assert decoded == []


@pytest.mark.parametrize("side", [24, 32])
def test_an_edited_file_is_decoded_anew(
    side: int, paths: list[Path], decoded: list[str], cache: ImageCache
) -> None:
    PixelStore(paths, 32, 0, cache=cache).get(0)
    times = paths[0].stat()
    Image.fromarray(np.full((40, 60, 3), 9, np.uint8)).save(paths[0])
    os.utime(paths[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    store = PixelStore(paths, side, 0, cache=cache)
    assert (store.get(0) == 9).all() and (store.get(0) == 9).all()
    assert decoded == ["0.png"] * 2


def test_a_file_that_changed_just_now_is_not_kept(
    paths: list[Path], decoded: list[str], tmp_path: Path
) -> None:
    cache = ImageCache(tmp_path / "images", limit_bytes=1 << 20)
    store = PixelStore(paths, 32, 0, cache=cache)
    store.put(0, decode(paths[0]).image)
    store.get(0)
    store.get(0)
    assert decoded == ["0.png"] * 2 and not cache.folder.exists()


def test_a_file_that_changes_while_it_is_decoded_is_not_kept(
    paths: list[Path], cache: ImageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(path: Path, **options: int) -> object:
        made = decode(path, **options)
        Image.fromarray(np.full((40, 60, 3), 9, np.uint8)).save(path)
        return made

    store = PixelStore(paths, 32, 0, cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(pixels, "decode", slow)
        assert not (store.get(0) == 9).all()
    assert (store.get(0) == 9).all()


def test_another_side_is_another_image(paths: list[Path], cache: ImageCache) -> None:
    for side in (16, 32):
        image = PixelStore(paths, side, 0, cache=cache).get(0)
        assert image.shape[0] == side
        assert np.array_equal(image, PixelStore(paths, side, 0, cache=cache).get(0))


def test_where_the_cache_cannot_be_written_images_are_decoded(
    paths: list[Path], decoded: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    store = PixelStore(paths, 32, 0, cache=ImageCache(tmp_path / "file" / "images"))
    assert all(np.array_equal(store.get(0), resized(decode(paths[0]).image, 32)) for _ in range(2))
    assert decoded == ["0.png"] * 2


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Names of files -> how many times reading them hangs before it does not."""
    times: dict[str, int] = {}
    end = threading.Event()

    def slow(path: Path, **options: int) -> object:
        if times.get(path.name, 0) > 0:
            times[path.name] -= 1
            end.wait()
        return decode(path, **options)

    monkeypatch.setattr(pixels, "decode", slow)
    monkeypatch.setattr(patience, "PATIENCE", 0.1)
    yield times
    end.set()


def test_a_file_that_hangs_is_tried_once_more(paths: list[Path], hanging: dict[str, int]) -> None:
    hanging["2.png"] = 1
    assert np.array_equal(PixelStore(paths, 32, 0).get(2), decode(paths[2]).image)
    assert hanging["2.png"] == 0


def test_a_file_that_hangs_for_ever_is_named_and_others_are_read(
    paths: list[Path], hanging: dict[str, int]
) -> None:
    hanging["2.png"] = 10
    store = PixelStore(paths, 32, 0)
    with pytest.raises(DecodeError, match=r"2\.png: still not read after 0\.1 seconds, in each of two tries"):
        store.get(2)
    assert np.array_equal(store.get(3), decode(paths[3]).image)


def test_a_file_that_fails_for_a_moment_is_tried_once_more(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = iter([True, False])

    def shaky(path: Path, **options: int) -> object:
        if next(fails):
            raise DecodeError(f"{path}: Input/output error")
        return decode(path, **options)

    monkeypatch.setattr(pixels, "decode", shaky)
    assert PixelStore(paths, 32, 0).get(0).shape == (32, 48, 3)


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


def test_paths_are_made_when_they_are_asked_for(paths: list[Path], decoded: list[str]) -> None:
    lazy = pixels.Paths(5, lambda index: paths[index])
    assert list(lazy) == paths and lazy[-1] == paths[4] and lazy[1:4:2] == paths[1:4:2]
    with pytest.raises(IndexError):
        lazy[5]
    PixelStore(lazy, 32, 0).select([4, 2]).select([1]).get(0)
    assert decoded == ["2.png"]


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
