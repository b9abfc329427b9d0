"""Reading the same pictures epoch after epoch takes no more memory: from memory, from the cache, and decoded anew."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from convworks.augmentation.preprocess import Preprocessing
from convworks.data import pixels
from convworks.data.cache import ImageCache
from convworks.data.pixels import PixelStore
from convworks.recipe.options import AugmentationOptions
from convworks.training.feed import LiveFeed

EPOCHS, COUNT, BATCH, SIDE = 3, 600, 25, 96


def resident() -> float:
    """MB of this process's own pages that are in memory; pages of a mapped file are the system's to drop."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("where", ["memory", "cache", "nowhere"])
def test_three_epochs_grow_by_less_than_a_hundredth(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.jpg" for number in range(COUNT)]
    for path in paths:
        Image.fromarray(chance.integers(0, 256, (12, 16, 3), np.uint8)).resize((160, 120)).save(path)
    monkeypatch.setattr(pixels, "SETTLED", -60)
    store = PixelStore(
        paths,
        SIDE,
        (1 << 30) if where == "memory" else 0,
        cache=ImageCache(tmp_path / "images", limit_bytes=1 << 30) if where == "cache" else None,
    )
    feed = LiveFeed(
        store=store,
        rows=range(COUNT),
        preprocessing=Preprocessing(size=64, side=SIDE, resize="crop", mean=(0.5,) * 3, deviation=(0.5,) * 3),
        targets={"labels": torch.zeros(COUNT, dtype=torch.int64)},
        seed=0,
        workers=2,
        augmentation=AugmentationOptions(),
    )

    def epoch(number: int) -> float:
        order = np.random.default_rng(number).permutation(COUNT)
        for batch in feed.batches(np.split(order, COUNT // BATCH), number):
            assert batch.images.shape == (BATCH, 3, 64, 64)
        gc.collect()
        return resident()

    epoch(0)  # fills the store and the pools of the allocators
    after = [epoch(number) for number in range(1, EPOCHS + 2)]
    slope = np.polyfit(np.arange(len(after)), after, 1)[0]
    assert slope < 0.01 * after[0], after
