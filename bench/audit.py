"""What an audit costs: milliseconds a 500x375 image, and the search for copies among 100,000 images.

    python bench/audit.py [images] [workers]

Claims: at most 3 ms a photo of 500x375 on one core for the full audit, copies and all findings included; 100,000
images' copies, parts of one another among them, in under 5 minutes on two cores. The photos are those of the packs
that CONVWORKS_PACKS names, brought to that size, beside Pillow's decoder alone in the same run; without packs, drawn
ones. For the search the pictures are thumbnails drawn from windows of these, unlike one another, with one crop in a
hundred; it has to find them. Figures are processor seconds, the best of three rounds, and of the search also wall time.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from pathlib import Path

from machine import described, write

SIZE = (500, 375)
ROUNDS = 3


def photos(numpy, pillow) -> list[bytes]:
    """JPEGs of `SIZE`, of quality 90."""
    packs = os.environ.get("CONVWORKS_PACKS")
    paths = sorted(Path(packs).glob("ants_bees/*/*/*.jpg"))[:200] if packs else []
    images = [pillow.open(path).convert("RGB") for path in paths]
    chance = numpy.random.default_rng(0)
    while len(images) < 200:
        images.append(pillow.fromarray(chance.integers(0, 256, (24, 32, 3), numpy.uint8)))
    files: list[bytes] = []
    for image in images:
        file = io.BytesIO()
        image.resize(SIZE, pillow.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def audited(numpy, pillow, files: list[bytes]) -> dict[str, float]:
    """Milliseconds an image: decoded by Pillow alone, and audited, one thread."""
    from convworks.data import audit, sources

    best = {"pillow": float("inf"), "audit": float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(files):
            place = Path(folder, ("cat", "dog")[number % 2], f"{number}.jpg")
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(data)
        dataset = sources.read(Path(folder))
        for _ in range(ROUNDS):
            began = time.process_time()
            for data in files:
                numpy.asarray(pillow.open(io.BytesIO(data)).convert("RGB"))
            best["pillow"] = min(best["pillow"], time.process_time() - began)
            began = time.process_time()
            found = audit.scan(dataset)
            best["audit"] = min(best["audit"], time.process_time() - began)
            assert len(found.facts) == len(files)
    return {name: round(seconds / len(files) * 1e3, 2) for name, seconds in best.items()}


def thumbnails(numpy, cv2, pillow, files: list[bytes], n: int):
    """`n` gray thumbnails unlike one another, drawn from pairs of windows of photos; the first hundredth are crops."""
    chance = numpy.random.default_rng(0)
    grays = [
        cv2.resize(
            numpy.asarray(pillow.open(io.BytesIO(data)).convert("L")), (64, 64), interpolation=cv2.INTER_AREA
        )
        for data in files
    ]

    def window():
        gray, side = grays[chance.integers(len(grays))], int(chance.integers(28, 44))
        y, x = chance.integers(0, 65 - side, 2)
        return cv2.resize(gray[y : y + side, x : x + side], (64, 64), interpolation=cv2.INTER_CUBIC).astype(
            float
        )

    shown = numpy.empty((n, 32, 32), numpy.uint8)
    crops = n // 100
    for row in range(n):
        share = chance.uniform(0.3, 0.7)
        mixed = share * window() + (1 - share) * window()
        mixed = (mixed - mixed.mean()) * chance.uniform(1, 1.8) + chance.normal(115, 35)
        whole = mixed.clip(0, 255).astype(numpy.uint8)
        shown[row] = cv2.resize(whole, (32, 32), interpolation=cv2.INTER_AREA)
        if row >= n - crops:
            left, top = chance.integers(0, 4, 2)
            part = whole[top : 61 + top, left : 61 + left]
            shown[row - (n - crops)] = cv2.resize(part, (32, 32), interpolation=cv2.INTER_AREA)
    return shown, crops


def searched(numpy, cv2, pillow, files: list[bytes], n: int, workers: int) -> dict[str, float]:
    """Seconds of the search for parts of one another, and the share of the planted ones that it finds."""
    from convworks.data import crops

    shown, planted = thumbnails(numpy, cv2, pillow, files, n)
    wall, processor = time.perf_counter(), time.process_time()
    pairs = crops.crops(shown, workers=workers)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    found = set(zip(pairs.part.tolist(), pairs.whole.tolist(), strict=True))
    share = sum((row, n - planted + row) in found for row in range(planted)) / max(1, planted)
    return {
        "seconds": round(wall, 1),
        "processor_seconds": round(processor, 1),
        "planted_found": round(share, 3),
    }


def main(images: int = 100_000, workers: int = 2) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    import cv2
    import numpy
    from PIL import Image

    cv2.setNumThreads(1)
    files = photos(numpy, Image)
    each = audited(numpy, Image, files)
    print(
        f"{each['audit']:.2f} ms an image of {SIZE[0]}x{SIZE[1]}; Pillow's decoder alone {each['pillow']:.2f} ms"
    )
    search = searched(numpy, cv2, Image, files, images, workers)
    print(f"{images:,} images, {workers} threads: {search}")
    result = {
        "milliseconds_an_image": each,
        "size": SIZE,
        "images": images,
        "workers": workers,
        "search": search,
    }
    write("audit", {"machine": described("numpy", "scipy", "pillow", "opencv-python-headless"), **result})


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
