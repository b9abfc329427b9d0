"""Seven operations on a 500x375 image to 224x224, images a second on one core, beside other libraries.

    python bench/augment.py [rounds] [images a round]

Claims: uint8 to uint8 2.5 times the best of torchvision v2, Albumentations and Kornia, 1.8 times to
normalised float, and 4 times with ten boxes and a mask. Everyone crops and scales (area .35 to 1), flips,
rotates (15 degrees, bilinear), changes brightness, contrast and saturation (.2), and takes the colour away
from a tenth. Runs alternate (A B C A B C ...) in one process with one thread; figures are medians of CPU
seconds. With .bench-env, made by `make bench-env`, everything runs in there, so that all share one OpenCV and
one torch.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable

from machine import HERE, PEERS, described, write

IN, OUT = (375, 500), (224, 224)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINDS = {"image": 2.5, "float": 1.8, "boxes": 4.0}
Contestants = dict[str, Callable[[int], object]]


def scene(numpy, cv2):
    """A smooth random image, ten boxes, their labels and a class map."""
    generator = numpy.random.default_rng(0)
    coarse = generator.integers(0, 256, (24, 32, 3), dtype=numpy.uint8)
    image = cv2.resize(coarse, (IN[1], IN[0]), interpolation=cv2.INTER_CUBIC)
    low = generator.uniform(0, (IN[1] - 120, IN[0] - 120), (10, 2))
    boxes = numpy.concatenate([low, low + generator.uniform(30, 120, (10, 2))], axis=1).astype(numpy.float32)
    classes = (cv2.resize(coarse[..., 0], (IN[1], IN[0]), interpolation=cv2.INTER_NEAREST) // 64).astype(
        "uint8"
    )
    return image, boxes, numpy.arange(10), classes


def ours(image, boxes, labels, classes) -> dict[str, Contestants]:
    import numpy as np

    from convworks.augmentation import plan
    from convworks.recipe.options import AugmentationOptions
    from convworks.samples import Sample

    options = AugmentationOptions(rotate=15, grayscale=0.1)
    sample = Sample(image=image, boxes=boxes, labels=labels, class_map=classes)
    batch = np.empty((*OUT, 3), np.float32)

    def drawn(index: int) -> plan.Drawn:
        return plan.draw(options, plan.rng(0, 0, index), IN, OUT)

    return {
        "image": {"convworks, array": lambda index: plan.apply_image(drawn(index), image)},
        "float": {
            "convworks, array": lambda index: plan.apply_float(
                drawn(index), image, MEAN, DEVIATION, out=batch
            )
        },
        "boxes": {"convworks, array": lambda index: plan.apply(drawn(index), sample)},
    }


def torchvision(image, boxes, labels, classes) -> dict[str, Contestants]:
    import torch
    from PIL import Image
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    steps = [
        v2.RandomResizedCrop(OUT, scale=(0.35, 1.0)),
        v2.RandomHorizontalFlip(),
        v2.RandomRotation(15, v2.InterpolationMode.BILINEAR),
        v2.ColorJitter(0.2, 0.2, 0.2),
        v2.RandomGrayscale(0.1),
    ]
    to_float = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, DEVIATION)]
    to_integers, tensors = v2.Compose(steps), v2.Compose([*steps, *to_float])
    from_pillow = v2.Compose([*steps, v2.PILToTensor()])
    from_pillow_to_float = v2.Compose([*steps, v2.PILToTensor(), *to_float])
    everything = v2.Compose([*steps, v2.SanitizeBoundingBoxes()])
    tensor, picture = torch.from_numpy(image).permute(2, 0, 1).contiguous(), Image.fromarray(image)

    def target() -> dict[str, object]:
        boxed = tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=IN)
        return {
            "boxes": boxed,
            "labels": torch.from_numpy(labels),
            "mask": tv_tensors.Mask(torch.from_numpy(classes)),
        }

    return {
        "image": {
            "torchvision, tensor": lambda index: to_integers(tensor),
            "torchvision, Pillow": lambda index: from_pillow(picture),
        },
        "float": {
            "torchvision, tensor": lambda index: tensors(tensor),
            "torchvision, Pillow": lambda index: from_pillow_to_float(picture),
        },
        "boxes": {
            "torchvision, tensor": lambda index: everything(tv_tensors.Image(tensor), target()),
            "torchvision, Pillow": lambda index: everything(picture, target()),
        },
    }


def albumentations(image, boxes, labels, classes) -> dict[str, Contestants]:
    import albumentations as a

    def steps(jitter: list) -> list:
        return [
            a.RandomResizedCrop(OUT, scale=(0.35, 1.0), p=1),
            a.HorizontalFlip(p=0.5),
            a.Rotate(15, p=1),
            *jitter,
            a.ToGray(p=0.1),
        ]

    one = [a.ColorJitter((0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (0, 0), p=1)]
    two = [a.RandomBrightnessContrast(0.2, 0.2, p=1), a.HueSaturationValue(0, 30, 0, p=1)]
    boxed = a.BboxParams("pascal_voc", label_fields=["labels"], min_visibility=0.25)
    found: dict[str, Contestants] = {kind: {} for kind in KINDS}
    for name, jitter in (("ColorJitter", one), ("BrightnessContrast", two)):
        plain, floats = a.Compose(steps(jitter)), a.Compose([*steps(jitter), a.Normalize(MEAN, DEVIATION)])
        everything = a.Compose(steps(jitter), bbox_params=boxed)
        found["image"][f"Albumentations, {name}"] = lambda index, plain=plain: plain(image=image)
        found["float"][f"Albumentations, {name}"] = lambda index, floats=floats: floats(image=image)
        found["boxes"][f"Albumentations, {name}"] = lambda index, everything=everything: everything(
            image=image, bboxes=boxes, labels=labels, mask=classes
        )
    return found


def kornia(image, boxes, labels, classes) -> dict[str, Contestants]:
    import kornia.augmentation as k
    import torch

    count = 16
    steps = [
        k.RandomResizedCrop(OUT, scale=(0.35, 1.0)),
        k.RandomHorizontalFlip(),
        k.RandomRotation(15.0, p=1.0),
        k.ColorJitter(0.2, 0.2, 0.2, 0.0, p=1.0),
        k.RandomGrayscale(p=0.1),
    ]
    plain = k.AugmentationSequential(*steps, data_keys=["input"])
    floats = k.AugmentationSequential(*steps, k.Normalize(MEAN, DEVIATION), data_keys=["input"])
    everything = k.AugmentationSequential(*steps, data_keys=["input", "bbox_xyxy", "mask"])
    batch = torch.from_numpy(image).permute(2, 0, 1)[None].repeat(count, 1, 1, 1)
    boxed = torch.from_numpy(boxes)[None].repeat(count, 1, 1)
    mask = torch.from_numpy(classes)[None, None].repeat(count, 1, 1, 1).float()

    def once_a_batch(made: Callable[[], object]) -> Callable[[int], object]:
        return lambda index: made() if index % count == 0 else None

    return {
        "image": {f"Kornia, batch of {count}": once_a_batch(lambda: (plain(batch / 255) * 255).byte())},
        "float": {f"Kornia, batch of {count}": once_a_batch(lambda: floats(batch / 255))},
        "boxes": {f"Kornia, batch of {count}": once_a_batch(lambda: everything(batch / 255, boxed, mask))},
    }


def measured(contestants: Contestants, rounds: int, count: int) -> dict[str, list[float]]:
    """CPU seconds an image, a round, by name; the first round warms up and is not kept."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, made in contestants.items():
            start = time.process_time()
            for index in range(count):
                made(turn * count + index)
            if turn:
                seconds[name].append((time.process_time() - start) / count)
    return seconds


def main(rounds: int = 7, count: int = 96) -> None:
    import cv2
    import numpy
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    scenery = scene(numpy, cv2)
    teams = [ours(*scenery), torchvision(*scenery)]
    for name, team in (("albumentations", albumentations), ("kornia", kornia)):
        if importlib.util.find_spec(name):
            teams.append(team(*scenery))
        else:
            print(f"{name} is not installed: left out (make bench-env installs it)")
    results = {}
    for kind, wanted in KINDS.items():
        contestants = {name: made for team in teams for name, made in team[kind].items()}
        medians = {
            name: statistics.median(all_) for name, all_ in measured(contestants, rounds, count).items()
        }
        mine, *others = medians.values()
        best = min(others)
        results[kind] = {
            "images_per_second": {name: round(1 / median) for name, median in medians.items()},
            "ratio_to_best_peer": round(best / mine, 2),
            "to_reach": wanted,
        }
        print(f"\n{kind}: {best / mine:.2f} times the best peer (to reach: {wanted})")
        for name, median in sorted(medians.items(), key=lambda pair: pair[1]):
            print(f"  {name:36s} {1 / median:7.0f} images a second and core")
    about = described(
        "numpy", "opencv-python-headless", "torch", "torchvision", "albumentations", "kornia", "pillow"
    )
    write("augment", {"rounds": rounds, "images_a_round": count, **results, "machine": about})


if __name__ == "__main__":
    if PEERS.exists() and "CONVWORKS_BENCH_INSIDE" not in os.environ:
        paths = os.pathsep.join([str(HERE / "src"), str(HERE / "bench")])
        inside = {
            **os.environ,
            "CONVWORKS_BENCH_INSIDE": "1",
            "PYTHONPATH": paths,
            "NO_ALBUMENTATIONS_UPDATE": "1",
        }
        os.execve(PEERS, [str(PEERS), __file__, *sys.argv[1:]], inside)
    main(*map(int, sys.argv[1:]))
