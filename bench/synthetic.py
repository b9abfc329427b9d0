"""Are the synthetic scenes a task for a ConvNet, and not for less? And how fast are they drawn?

Ten classes at 64x64, 2,000 images to learn from and 500 to measure on: a linear model on pixels must stay
below .6 where a small ConvNet passes .9. Four classes as the demo has them, 40 images a class: the nearest
mean colour must stay below .6 where a linear model on pretrained features reaches about .95.

    python bench/synthetic.py            all figures; kept in bench/results/synthetic.json
    python bench/synthetic.py speed      one of: speed, linear, convnet, colour, pretrained
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from convworks.data import synthetic
from convworks.data.synthetic.truth import split_of

Set = tuple[np.ndarray, np.ndarray]

TEN = synthetic.class_names("scenes", 10)
FOUR = synthetic.class_names("scenes", 4)


def drawn(classes: tuple[str, ...], count: int, size: tuple[int, int], seed: int = 0) -> tuple[Set, Set]:
    """(images, labels) to learn from and to measure on, split as `sample-data` splits them."""
    parts: dict[str, tuple[list[np.ndarray], list[int]]] = {"train": ([], []), "val": ([], [])}
    for index in range(count):
        sample = synthetic.scene(seed, index, task="classification", classes=classes, size=size)
        images, labels = parts[split_of(index, len(classes))]
        images.append(sample.image)
        labels.append(sample.label)
    train, val = ((np.stack(images), np.array(labels)) for images, labels in parts.values())
    return train, val


def linear_accuracy(train: np.ndarray, labels: np.ndarray, val: np.ndarray, truth: np.ndarray) -> float:
    """Logistic regression with the weight decay that does best on `val` itself: a bound from above."""
    mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-6
    first, second = torch.tensor((train - mean) / deviation), torch.tensor((val - mean) / deviation)
    basis = torch.linalg.svd(first, full_matrices=False)[
        2
    ].T  # logistic regression with an L2 penalty never leaves it
    first, second, target = first @ basis, second @ basis, torch.tensor(labels)
    best = 0.0
    for decay in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
        weight = torch.zeros(first.shape[1], int(target.max()) + 1, requires_grad=True)
        bias = torch.zeros(int(target.max()) + 1, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=150, line_search_fn="strong_wolfe")

        def loss(decay: float = decay, weight: Tensor = weight, bias: Tensor = bias) -> Tensor:
            return (
                functional.cross_entropy(first @ weight + bias, target) + 0.5 * decay * weight.square().sum()
            )

        def closure(optimiser: torch.optim.LBFGS = optimiser) -> Tensor:
            optimiser.zero_grad()
            value = loss()
            value.backward()
            return value

        optimiser.step(closure)
        answers = (second @ weight + bias).argmax(dim=1).numpy()
        best = max(best, float((answers == truth).mean()))
    return best


def linear() -> dict[str, float]:
    """A linear model on the pixels of ten classes."""
    (images, labels), (others, truth) = drawn(TEN, 2500, (64, 64))
    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    return {
        "accuracy": linear_accuracy(flat, labels, others.reshape(len(others), -1) / np.float32(255), truth)
    }


def small_net(classes: int) -> nn.Module:
    """Six convolutions, the first with stride 2; two poolings, the mean over the map, one linear layer."""
    layers: list[nn.Module] = []
    channels = 3
    plan = ((32, 2, False), (32, 1, True), (64, 1, False), (64, 1, True), (128, 1, False), (128, 1, False))
    for width, stride, pool in plan:
        kernel = 2 * stride + 1
        layers += [nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)]
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def varied(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flips, small turns, shifts and changes of size and of contrast, each image its own."""
    n = len(images)
    angle = torch.randn(n, generator=generator) * 0.2
    scale = torch.exp(torch.randn(n, generator=generator) * 0.12)
    flip = torch.randint(0, 2, (n,), generator=generator) * 2.0 - 1
    shift = torch.randn(n, 2, generator=generator) * 0.1
    rows = torch.stack(
        [
            torch.stack([flip * scale * angle.cos(), -scale * angle.sin(), shift[:, 0]], 1),
            torch.stack([flip * scale * angle.sin(), scale * angle.cos(), shift[:, 1]], 1),
        ],
        1,
    )
    grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    order = torch.randperm(3, generator=generator)
    contrast = torch.exp(torch.randn(n, 3, 1, 1, generator=generator) * 0.2)
    return moved[:, order] * contrast


def convnet(epochs: int = 40) -> dict[str, float]:
    """The small ConvNet on ten classes, from scratch, on one core."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    (images, labels), (others, truth) = drawn(TEN, 2500, (64, 64))
    first, second = (
        torch.tensor(part).permute(0, 3, 1, 2).float() / 255 * 2 - 1 for part in (images, others)
    )
    target = torch.tensor(labels)
    net = small_net(len(TEN)).to(memory_format=torch.channels_last)
    batch, began = 50, time.process_time()
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
    steps = epochs * (len(first) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.2)
    for epoch in range(epochs):
        net.train()
        for chosen in torch.randperm(len(first), generator=generator).split(batch):
            pictures = varied(first[chosen], generator).contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(net(pictures), target[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        net.eval()
        if epoch % 5 == 4:
            seconds = time.process_time() - began
            print(
                f"  epoch {epoch + 1}: {_right(net, second, truth):.3f}, {seconds:.0f} CPU-s", file=sys.stderr
            )
    return {"accuracy": _right(net, second, truth), "cpu_seconds": round(time.process_time() - began)}


@torch.no_grad()
def _right(net: nn.Module, images: Tensor, truth: np.ndarray) -> float:
    answers = torch.cat([net(part).argmax(dim=1) for part in images.split(100)])
    return float((answers.numpy() == truth).mean())


def colour() -> dict[str, float]:
    """The nearest mean colour of a class, and a linear model on colour histograms, for four classes."""
    (images, labels), (others, truth) = drawn(FOUR, 1000, (64, 64))
    means, seen = images.mean(axis=(1, 2)), others.mean(axis=(1, 2))
    centres = np.stack([means[labels == label].mean(axis=0) for label in range(len(FOUR))])
    nearest = np.linalg.norm(seen[:, None] - centres, axis=2).argmin(axis=1)
    bins = [_histogram(part) for part in (images, others)]
    return {
        "nearest_mean": float((nearest == truth).mean()),
        "histograms": linear_accuracy(bins[0], labels, bins[1], truth),
    }


def _histogram(images: np.ndarray) -> np.ndarray:
    cells = (images >> 6).astype(np.int64) @ np.array([16, 4, 1])
    return np.stack([np.bincount(cell.ravel(), minlength=64) for cell in cells]).astype(np.float32)


def pretrained() -> dict[str, float]:
    """A linear model on pretrained features: 40 images a class to learn from, 50 others to measure on."""
    from convworks import backbones

    net = backbones.create("efficientnet-lite0").eval()
    scores: dict[str, float] = {}
    for names in (FOUR[:2], FOUR[:3], FOUR):
        count = 50 * len(names)
        train, _ = drawn(names, count, (240, 180))
        val, _ = drawn(names, 250 * len(names) // 4, (240, 180), seed=1)
        features = [_features(net, images) for images, _ in (train, val)]
        scores[" ".join(names)] = linear_accuracy(features[0], train[1], features[1], val[1])
    return scores


@torch.no_grad()
def _features(net: nn.Module, images: np.ndarray) -> np.ndarray:
    pictures = torch.tensor(images).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    pictures = functional.interpolate(pictures, (224, 224), mode="bilinear", antialias=True)
    return torch.cat([net(part)[-1].mean(dim=(2, 3)) for part in pictures.split(16)]).numpy()


def speed() -> dict[str, float]:
    """Images a CPU-second at 160x120, for each task: the fastest of five rounds over the same 60 images."""
    rates: dict[str, float] = {}
    for task in ("classification", "localization", "detection", "segmentation"):
        rounds: list[float] = []
        for _ in range(5):
            began = time.process_time()
            for index in range(60):
                synthetic.scene(0, index, task=task, classes=TEN, size=(160, 120))
            rounds.append(time.process_time() - began)
        rates[task] = round(60 / min(rounds), 1)
    return rates


MEASURES: tuple[Callable[[], dict[str, float]], ...] = (speed, linear, convnet, colour, pretrained)


def main(asked: list[str]) -> None:
    """Print what is asked as it is measured; keep the figures when everything was."""
    torch.set_num_threads(1)
    found: dict[str, dict[str, float]] = {}
    for measure in MEASURES:
        if not asked or measure.__name__ in asked:
            found[measure.__name__] = measure()
            print(json.dumps({measure.__name__: found[measure.__name__]}), flush=True)
    if len(found) == len(MEASURES):
        from machine import described, write

        sizes = {"linear and convnet": "2,000 train, 500 val", "colour": "800 train, 200 val"}
        about = described("torch", "numpy", "opencv-python-headless")
        write("synthetic", {**found, "images": sizes, "seeds": 1, "threads": 1, "machine": about})


if __name__ == "__main__":
    main(sys.argv[1:])
