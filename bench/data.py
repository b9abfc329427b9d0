"""The images that benchmarks are run on, as folders that every tool reads: `train/CLASS/` and `val/CLASS/`.

    python bench/data.py ants_bees|cifar10      prints where they lie

The packs come from CONVWORKS_PACKS; what is made once is kept in BENCH_DATA, or in ~/.cache/convworks-bench.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN_A_CLASS, TEST_A_CLASS, SIZE = 100, 200, 224


def kept() -> Path:
    """The folder for what is made once."""
    folder = Path(os.environ.get("BENCH_DATA") or Path.home() / ".cache" / "convworks-bench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def packs() -> Path:
    """The folder of real-image packs; ends the script with a word where it is not named."""
    named = os.environ.get("CONVWORKS_PACKS")
    if not named or not Path(named).is_dir():
        raise SystemExit("CONVWORKS_PACKS must name the folder of real-image packs")
    return Path(named)


def ants_bees() -> Path:
    """244 training and 153 validation photographs of ants and of bees."""
    return packs() / "ants_bees"


def cifar10() -> Path:
    """1,000 training and 2,000 test images of CIFAR-10, a tenth a class, bicubic to 224 pixels, as PNG."""
    from PIL import Image

    folder = kept() / f"cifar10-{TRAIN_A_CLASS}-{TEST_A_CLASS}-{SIZE}"
    if folder.exists():
        return folder
    archive = kept() / "cifar10.npz"
    if not archive.exists():
        subprocess.run([sys.executable, str(packs() / "get_data.py"), "cifar10", str(kept())], check=True)
    draw = np.random.default_rng(0)
    part = folder.with_suffix(".part")
    with np.load(archive) as arrays:
        for split, ours, count in (("train", "train", TRAIN_A_CLASS), ("test", "val", TEST_A_CLASS)):
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
            for label, name in enumerate(CIFAR_CLASSES):
                target = part / ours / name
                target.mkdir(parents=True, exist_ok=True)
                for index in sorted(draw.permutation(np.flatnonzero(labels == label))[:count].tolist()):
                    image = Image.fromarray(images[index]).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
                    image.save(target / f"{split}-{index:05d}.png", compress_level=1)
    part.rename(folder)
    return folder


def lite0_weights() -> Path:
    """EfficientNet-Lite0's published weights under timm's names, for the peers that read files."""
    from safetensors.torch import save_file

    from convworks.backbones.weights import efficientnet_lite0_state

    target = kept() / "tf_efficientnet_lite0.safetensors"
    if not target.exists():
        part = target.with_suffix(".part")
        save_file({name: tensor.contiguous() for name, tensor in efficientnet_lite0_state().items()}, part)
        part.rename(target)
    return target


TASKS = {"ants_bees": ants_bees, "cifar10": cifar10}


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TASKS:
        raise SystemExit(__doc__)
    print(TASKS[sys.argv[1]]())
