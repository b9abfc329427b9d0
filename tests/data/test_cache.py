"""An image in the cache is the one that was put there, or none: after edits, kills and faults, with many at work."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convworks.data import cache as caches
from convworks.data import segments
from convworks.data.cache import ImageCache, signature


def key(number: int) -> bytes:
    return number.to_bytes(segments.KEY, "big")


def picture(number: int, side: int = 16) -> np.ndarray:
    """A picture that no other number has, of a size of its own."""
    chance = np.random.default_rng(number)
    return chance.integers(0, 256, (side + number % 5, side, 3), np.uint8)


def same(cache: ImageCache, number: int, side: int = 16) -> bool:
    found = cache.get(key(number))
    return found is not None and np.array_equal(found, picture(number, side))


def flushed(cache: ImageCache) -> list[Path]:
    return sorted(cache.folder.glob("*.pixels"))


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache looks for what others added at each miss."""
    monkeypatch.setattr(caches, "_LOOK", 0)


@pytest.fixture
def cache(tmp_path: Path) -> ImageCache:
    return ImageCache(tmp_path / "images", limit_bytes=1 << 20)


def test_what_was_put_is_found_by_this_and_by_other_objects(cache: ImageCache) -> None:
    assert cache.get(key(0)) is None
    for number in range(40):
        cache.put(key(number), picture(number))
    assert all(same(cache, number) for number in range(40))
    other = ImageCache(cache.folder)
    assert all(same(other, number) for number in range(40))
    assert other.get(key(40)) is None and not cache.note


def test_objects_that_work_at_once_see_what_each_other_adds(cache: ImageCache) -> None:
    other = ImageCache(cache.folder, limit_bytes=1 << 20)
    for number in range(20):
        (cache if number % 2 else other).put(key(number), picture(number))
        assert same(cache, number) and same(other, number)
    assert len(flushed(cache)) == 2


def test_what_is_there_is_not_written_again(cache: ImageCache) -> None:
    cache.put(key(1), picture(1))
    ImageCache(cache.folder, limit_bytes=1 << 20).put(key(1), picture(1))
    assert [path.stat().st_size for path in flushed(cache)] == [picture(1).nbytes]


def test_images_are_mapped_and_not_to_be_written_to(cache: ImageCache) -> None:
    cache.put(key(0), picture(0))
    image = cache.get(key(0))
    assert image is not None and not image.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0, 0] = 1


def test_the_folder_is_the_users_own(cache: ImageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVWORKS_CACHE", str(cache.folder.parent))
    assert ImageCache().folder == cache.folder
    cache.put(key(0), picture(0))
    if os.name == "posix":
        assert cache.folder.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in cache.folder.iterdir())


def test_the_limit_is_a_share_of_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convworks.files.room", lambda path: 8_000_000)
    assert ImageCache(tmp_path / "images").limit_bytes == 2_000_000
    monkeypatch.setattr("convworks.files.room", lambda path: 10**15)
    assert ImageCache(tmp_path / "images").limit_bytes == caches.MOST_BYTES


def test_the_oldest_go_first_and_the_limit_holds(tmp_path: Path) -> None:
    limit, folder = 100_000, tmp_path / "images"
    for run in range(6):
        cache = ImageCache(folder, limit_bytes=limit)
        for number in range(run * 20, run * 20 + 20):
            cache.put(key(number), picture(number))
        assert sum(path.stat().st_size for path in folder.glob("*.pixels")) <= limit
        assert all(same(cache, number) for number in range(run * 20, run * 20 + 20))
        for path in folder.glob("*.pixels"):  # an hour passes
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 3600))
    cache = ImageCache(folder, limit_bytes=limit)
    assert cache.get(key(0)) is None and same(cache, 119) and not cache.note


def test_a_set_that_is_larger_than_the_cache_keeps_a_part_that_is_always_found(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "images", limit_bytes=50_000)
    for _ in range(3):
        for number in range(200):
            if cache.get(key(number)) is None:
                cache.put(key(number), picture(number))
    found = [number for number in range(200) if same(cache, number)]
    assert 20 <= len(found) < 60 and found == list(range(len(found)))
    assert "is full" in cache.note and "decoded again" in cache.note


def test_an_image_that_is_too_large_for_the_cache_is_not_kept(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "images", limit_bytes=1000)
    cache.put(key(0), picture(0))
    assert cache.get(key(0)) is None and "is full" in cache.note


def test_what_was_read_lately_outlives_what_was_not(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    made: list[Path] = []
    for start in (0, 5):
        cache = ImageCache(folder, limit_bytes=64_000)
        for number in range(start, start + 5):
            cache.put(key(number), picture(number))
        made += {*folder.glob("*.pixels")} - {*made}
    read, unread = made
    os.utime(read, (0, 1000))
    os.utime(unread, (0, 2000))
    assert same(ImageCache(folder), 0)
    writer = ImageCache(folder, limit_bytes=16_000)
    for number in range(10, 40):
        if read.exists() and unread.exists():
            writer.put(key(number), picture(number))
    assert read.exists() and not unread.exists()


def spoiled(change: Callable[[Path], None], cache: ImageCache) -> list[bool]:
    """Which of three images, one of them after a change to the files, are found by a new object."""
    for number in range(3):
        cache.put(key(number), picture(number))
    (pixels,) = flushed(cache)
    change(pixels)
    other = ImageCache(cache.folder)
    found = [other.get(key(number)) for number in range(3)]
    assert all(image is None or np.array_equal(image, picture(n)) for n, image in enumerate(found))
    return [image is not None for image in found]


def overwritten(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def cut(path: Path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def test_one_wrong_bit_among_the_pixels_loses_that_image_alone(cache: ImageCache) -> None:
    assert spoiled(lambda path: overwritten(path, picture(0).nbytes + 5), cache) == [True, False, True]


@pytest.mark.parametrize("at", range(0, segments._SIZE, 3))
def test_one_wrong_bit_in_an_entry_loses_that_image_alone(at: int, cache: ImageCache) -> None:
    def change(path: Path) -> None:
        overwritten(path.with_suffix(".index"), segments._SIZE + at)

    assert spoiled(change, cache) == [True, False, True]


def test_pixels_that_were_cut_short_are_not_there(cache: ImageCache) -> None:
    assert spoiled(lambda path: cut(path, 10), cache) == [True, True, False]


def test_half_an_entry_is_none(cache: ImageCache) -> None:
    assert spoiled(lambda path: cut(path.with_suffix(".index"), 10), cache) == [True, True, False]


def test_an_index_without_pixels_or_pixels_without_an_index_are_nothing(cache: ImageCache) -> None:
    assert spoiled(lambda path: path.unlink(), cache) == [False] * 3
    (cache.folder / "more.pixels").write_bytes(b"123")
    assert ImageCache(cache.folder).get(key(0)) is None


def test_what_was_removed_under_a_reader_is_decoded_again(cache: ImageCache) -> None:
    cache.put(key(0), picture(0))
    reader, late = ImageCache(cache.folder), ImageCache(cache.folder)
    image = reader.get(key(0))
    assert late.get(key(1)) is None  # has read the index, not mapped the pixels
    for path in flushed(cache):
        segments.remove(path)
    assert np.array_equal(image, picture(0)) and same(reader, 0)
    assert late.get(key(0)) is None


FAULTS = {
    "the disk is full": errno.ENOSPC,
    "the folder is read-only": errno.EROFS,
    "no permission": errno.EACCES,
    "the disk fails": errno.EIO,
    "a quota": errno.EDQUOT,
}


@pytest.mark.parametrize("after", [0, 1, 4, 5])
@pytest.mark.parametrize("fault", FAULTS)
def test_where_writing_fails_one_note_says_so_and_nothing_wrong_is_served(
    fault: str, after: int, cache: ImageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))
    write = os.write

    def faulty(file: int, content: Any) -> int:
        if next(calls) >= after:
            write(file, content[: len(content) // 2])
            raise OSError(FAULTS[fault], os.strerror(FAULTS[fault]))
        return write(file, content)

    monkeypatch.setattr(os, "write", faulty)
    for number in range(4):
        cache.put(key(number), picture(number))
    assert os.strerror(FAULTS[fault]) in cache.note and str(cache.folder) in cache.note
    for reader in (cache, ImageCache(cache.folder)):
        assert [reader.get(key(number)) is not None for number in range(4)] == [
            n < after // 2 for n in range(4)
        ]
        assert all(same(reader, number) for number in range(after // 2))


def test_short_writes_are_gone_on_with(cache: ImageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:100]))
    cache.put(key(0), picture(0))
    assert same(cache, 0) and same(ImageCache(cache.folder), 0)


def test_where_no_folder_can_be_made_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = ImageCache(tmp_path / "file" / "images", limit_bytes=1 << 20)
    cache.put(key(0), picture(0))
    assert cache.get(key(0)) is None and "cannot be written" in cache.note


WRITER = """
import sys
from pathlib import Path
import numpy as np
from convworks.data.cache import ImageCache

cache = ImageCache(Path(sys.argv[1]), limit_bytes=1 << 30)
for number in range(int(sys.argv[2]), 10**9):
    made = np.random.default_rng(number).integers(0, 256, (16 + number % 5, 16, 3), np.uint8)
    cache.put(number.to_bytes(16, "big"), made)
    if number % 50 == 0:
        print(number, flush=True)
"""


def killed(folder: Path, first: int, seconds: float) -> None:
    """A process that fills the cache from image `first` on, killed after a while."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def intact(folder: Path, first: int) -> int:
    """How many images from `first` on are there; all are what was written."""
    cache, number = ImageCache(folder), first
    while cache.get(key(number)) is not None:
        assert same(cache, number)
        number += 1
    return number - first


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_whenever_the_writer_is_killed_what_is_served_is_whole(tmp_path: Path) -> None:
    killed(tmp_path / "images", 0, 0.05)
    assert intact(tmp_path / "images", 0) > 50
    cache = ImageCache(tmp_path / "images", limit_bytes=1 << 30)
    cache.put(key(10**7), picture(10**7))
    assert same(ImageCache(tmp_path / "images"), 10**7)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_forty_kills_leave_nothing_wrong(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    for turn in range(40):
        killed(tmp_path / "images", turn * 100_000, float(chance.uniform(0, 0.1)))
        assert intact(tmp_path / "images", turn * 100_000) > 0


def fill(folder: Path, numbers: range) -> int:
    cache = ImageCache(folder, limit_bytes=1 << 24)
    for number in numbers:
        if cache.get(key(number)) is None:
            cache.put(key(number), picture(number))
    return sum(same(cache, number) for number in numbers)


def test_processes_that_fill_it_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    context: Any = multiprocessing.get_context("spawn")
    ranges = [range(start, start + 300) for start in (0, 200)]
    with context.Pool(2) as pool:
        assert pool.starmap(fill, [(tmp_path / "images", numbers) for numbers in ranges]) == [300] * 2
    assert intact(tmp_path / "images", 0) == 500


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_writes_a_segment_of_its_own(cache: ImageCache) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    cache.put(key(0), picture(0))
    child = os.fork()
    if child == 0:
        for number in range(1, 30):
            cache.put(key(number), picture(number))
        os._exit(0)
    for number in range(30, 60):
        cache.put(key(number), picture(number))
    os.waitpid(child, 0)
    assert len(flushed(cache)) == 2
    assert intact(cache.folder, 0) == 60 and all(same(cache, number) for number in range(60))


def test_an_edited_file_is_another_one_even_with_its_times_put_back(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"1234")
    before, times = signature(path, ""), path.stat()
    assert signature(path, "") == before and signature(path, "other settings").key != before.key
    time.sleep(0.02)
    path.write_bytes(b"1243")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    if os.name == "posix":
        assert signature(path, "").key != before.key
        assert before.changed < signature(path, "").changed <= time.time() + 0.1


def test_another_file_in_its_place_is_another_one(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, (1, 1))
    before = signature(tmp_path / "a", "")
    (tmp_path / "b").replace(tmp_path / "a")
    assert signature(tmp_path / "a", "").key != before.key
