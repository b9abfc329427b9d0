"""JPEGs of 1600x1200 to a training size of 224, images a second on one core, beside other decoders.

    python bench/decode.py [rounds] [images]

Claims: 1.8 times Pillow's full decode, and 10,000 images a second and more when they come from the cache for the second
time. What comes out is compared with the full decode averaged over areas: the mean and largest difference in gray
levels stand beside each. Images are synthetic scenes under fine noise, quality 90, of 4:2:0 and of full colour
resolution; files lie in the page cache. Runs alternate (A B C A B C ...) in one process with one thread; figures are
medians of CPU seconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from convworks.data import pixels
from convworks.data.cache import ImageCache
from convworks.data.decode import decode
from convworks.data.pixels import PixelStore, resized
from machine import described, write

SIZE, SIDE = (1600, 1200), 224
WANTED, WANTED_CACHE = 1.8, 10_000
OUT = (round(SIZE[0] * SIDE / SIZE[1]), SIDE)


def photo(seed: int) -> Image.Image:
    """Shapes of all sizes with a photo's fall of detail, and the noise of a sensor."""
    chance = np.random.default_rng(seed)
    total = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    for level in range(1, 9):
        coarse = chance.normal(0, 1, (3 * 2**level, 4 * 2**level, 3)).astype(np.float32)
        total += 36 * 0.62**level * cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC)
    total += 120 + chance.normal(0, 2.5, total.shape)
    return Image.fromarray(total.clip(0, 255).astype(np.uint8))


def files(folder: Path, count: int) -> list[Path]:
    """JPEGs of two colour resolutions by turns."""
    made = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(made):
        photo(number).save(path, quality=90, subsampling=("4:2:0", "4:4:4")[number % 2])
    return made


def contestants() -> dict[str, Callable[[Path], np.ndarray]]:
    """Ways from a file to an image of `OUT`."""
    found: dict[str, Callable[[Path], np.ndarray]] = {
        "convworks": lambda path: resized(decode(path, at_least=SIDE).image, SIDE),
        "Pillow, full, bilinear": lambda path: np.asarray(
            Image.open(path).convert("RGB").resize(OUT, Image.Resampling.BILINEAR)
        ),
        "Pillow, full, box": lambda path: np.asarray(
            Image.open(path).convert("RGB").resize(OUT, Image.Resampling.BOX)
        ),
        "Pillow, full, reducing gap 2": lambda path: np.asarray(
            Image.open(path).convert("RGB").resize(OUT, Image.Resampling.BILINEAR, reducing_gap=2.0)
        ),
        "Pillow, thumbnail": _thumbnail,
        "OpenCV, full, area": lambda path: _area(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)),
        "OpenCV, reduced by 4, area": lambda path: _area(
            cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4), cv2.COLOR_BGR2RGB)
        ),
    }
    try:
        from torchvision.io import ImageReadMode, decode_jpeg, read_file
    except ImportError:
        return found

    def torchvision(path: Path) -> np.ndarray:
        image = decode_jpeg(read_file(str(path)), ImageReadMode.RGB)
        return _area(image.permute(1, 2, 0).contiguous().numpy())

    found["torchvision.io, area"] = torchvision
    return found


def _thumbnail(path: Path) -> np.ndarray:
    image = Image.open(path)
    image.thumbnail(OUT, Image.Resampling.BILINEAR)
    return np.asarray(image.convert("RGB"))


def _area(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, OUT, interpolation=cv2.INTER_AREA)


def reference(path: Path) -> np.ndarray:
    """The full decode, averaged over areas."""
    return _area(np.asarray(Image.open(path).convert("RGB"))).astype(np.int16)


def raced(paths: list[Path], rounds: int) -> dict[str, dict[str, float]]:
    """CPU seconds an image and differences, by name."""
    ways = contestants()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            began = time.process_time()
            for path in paths:
                way(path)
            if turn:
                seconds[name].append((time.process_time() - began) / len(paths))
    rows: dict[str, dict[str, float]] = {}
    for name, way in ways.items():
        apart = [np.abs(way(path) - reference(path)) for path in paths]
        rows[name] = {
            "images_per_second": round(1 / statistics.median(seconds[name]), 1),
            "mean_difference": round(float(np.mean([one.mean() for one in apart])), 3),
            "largest_difference": int(max(one.max() for one in apart)),
        }
    return rows


def from_cache(folder: Path, rounds: int, count: int = 500) -> dict[str, float]:
    """Images a second and core, pixels copied out, read for the first time by a process and after that.

    They are other images, already of `OUT`, and with 100 MB more than a processor's own memory holds.
    """
    pixels.SETTLED = -60.0  # the files are new
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        coarse = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(cv2.resize(coarse, OUT)).save(path)
    store = PixelStore(paths, SIDE, 0, cache=ImageCache(folder / "images"))
    for place in range(count):
        store.get(place)
    out = np.empty((SIDE, OUT[0], 3), np.uint8)
    taken: dict[str, list[float]] = {"first": [], "again": []}
    for _ in range(rounds):
        reader = PixelStore(paths, SIDE, 0, cache=ImageCache(folder / "images"))
        for name in taken:
            began = time.process_time()
            for place in np.random.default_rng(0).permutation(count).tolist():
                np.copyto(out, reader.get(place))
            taken[name].append((time.process_time() - began) / count)
    return {
        "first_epoch_images_per_second": round(1 / statistics.median(taken["first"])),
        "second_epoch_images_per_second": round(1 / statistics.median(taken["again"])),
    }


def main(rounds: int = 5, count: int = 12) -> int:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        paths = files(Path(name), count)
        rows = raced(paths, rounds)
        kept = from_cache(Path(name), rounds)
        bytes_each = round(statistics.mean(path.stat().st_size for path in paths))
    full = rows["Pillow, full, bilinear"]["images_per_second"]
    ratio = round(rows["convworks"]["images_per_second"] / full, 2)
    best = max(row["images_per_second"] for name, row in rows.items() if name.startswith("Pillow, full"))
    result = {
        "claim": f"{WANTED} times Pillow's full decode; {WANTED_CACHE:,} images a second from the cache",
        "ratio_to_pillow_full": ratio,
        "ratio_to_its_fastest_full": round(rows["convworks"]["images_per_second"] / best, 2),
        "rows": rows,
        "cache": kept,
        "rounds": rounds,
        "images": count,
        "bytes_an_image": bytes_each,
        "machine": described("pillow", "opencv-python-headless", "torchvision", "numpy"),
    }
    write("decode", result)
    for name, row in sorted(rows.items(), key=lambda pair: -pair[1]["images_per_second"]):
        print(
            f"{name:30s} {row['images_per_second']:7.1f} images a second and core, "
            f"difference {row['mean_difference']:.2f} mean, {row['largest_difference']} largest"
        )
    print(f"{ratio} times Pillow's full decode (to reach: {WANTED}); from the cache: {kept}")
    return int(ratio < WANTED or kept["second_epoch_images_per_second"] < WANTED_CACHE)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
