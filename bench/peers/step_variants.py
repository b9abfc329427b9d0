"""One training step of the whole net, as others take it: fastai, plain PyTorch, and PyTorch tuned by hand.

    .bench-env/bin/python bench/peers/step_variants.py --backbone tf_efficientnet_lite0 --backbone resnet18

Same net, same random images, all weights learn. The variants alternate, round after round, in one process; a
figure is the median over the rounds. Nothing but the step is timed: no data is loaded. JSON lines: one a
variant and net. `bench/train_step.py` puts ours among them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import timm
import torch
from clocks import cpu, say
from torch import Tensor, nn

Step = Callable[[], float]
"""Takes one step and returns the wall seconds of it."""


def timed(step: Callable[[], Any]) -> Step:
    """A step that returns its own wall seconds."""

    def run() -> float:
        before = time.perf_counter()
        step()
        return time.perf_counter() - before

    return run


def pytorch(
    backbone: str,
    images: Tensor,
    labels: Tensor,
    classes: int,
    *,
    bf16: bool,
    channels_last: bool,
    tuned: bool,
) -> Step:
    """The step of a PyTorch loop; `tuned` adds the fused optimiser and gradients that are never zeroed."""
    torch.manual_seed(0)
    model = timm.create_model(backbone, num_classes=classes).train()
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    criterion = nn.CrossEntropyLoss()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=tuned or None)
    precision = torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with precision:
            loss = criterion(model(images), labels)
        loss.backward()
        optimiser.step()

    return timed(step)


def fastai(backbone: str, images: Tensor, labels: Tensor, classes: int) -> Step:
    """The training step of fastai's own `Learner`, between its `before_batch` and its `after_batch`."""
    from fastai.vision.all import Callback, DataLoader, DataLoaders, vision_learner

    class Stopwatch(Callback):
        order = -1000
        seconds = 0.0

        def before_batch(self) -> None:
            self.began = time.perf_counter()

        def after_batch(self) -> None:
            if self.training:
                self.seconds = time.perf_counter() - self.began

    torch.manual_seed(0)
    samples = list(zip(images, labels, strict=True))
    loaders = DataLoaders(
        DataLoader(samples, bs=len(samples), num_workers=0), DataLoader(samples[:1], bs=1, num_workers=0)
    )
    watch = Stopwatch()
    learner = vision_learner(
        loaders,
        backbone,
        n_out=classes,
        normalize=False,
        pretrained=False,
        loss_func=nn.CrossEntropyLoss(),
        cbs=watch,
    )

    def step() -> float:
        with learner.no_bar(), learner.no_logging():
            learner.fit(1)
        return watch.seconds

    return step


def variants(backbone: str, images: Tensor, labels: Tensor, classes: int) -> dict[str, Step]:
    """Every way that can be tried here, by name; fastai where it is installed."""
    found = {
        "plain float32": pytorch(
            backbone, images, labels, classes, bf16=False, channels_last=False, tuned=False
        ),
        "plain bfloat16": pytorch(
            backbone, images, labels, classes, bf16=True, channels_last=False, tuned=False
        ),
        "tuned float32": pytorch(
            backbone, images, labels, classes, bf16=False, channels_last=True, tuned=True
        ),
        "tuned bfloat16": pytorch(
            backbone, images, labels, classes, bf16=True, channels_last=True, tuned=True
        ),
    }
    with suppress(ImportError):
        found["fastai"] = fastai(backbone, images, labels, classes)
    return found


def compared(steps: dict[str, Step], images: int, rounds: int, each: int) -> dict[str, dict[str, Any]]:
    """Images a second (wall) and CPU milliseconds an image of each variant, medians over the rounds."""
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    costs: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            before = cpu()
            seconds = sum(step() for _ in range(each))
            costs[name].append((cpu() - before) / (each * images) * 1000)
            speeds[name].append(each * images / seconds)
    return {
        name: {
            "images_per_second": round(statistics.median(speeds[name]), 2),
            "cpu_ms_per_image": round(statistics.median(costs[name]), 2),
            "rounds": [round(speed, 2) for speed in speeds[name]],
        }
        for name in steps
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", action="append", help="a name of timm's; may be given again")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--each", type=int, default=2, help="steps of a variant in a round")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for backbone in args.backbone or ["tf_efficientnet_lite0", "resnet18"]:
        torch.manual_seed(0)
        images = torch.randn(args.batch, 3, args.size, args.size)
        labels = torch.randint(args.classes, (args.batch,))
        steps = variants(backbone, images, labels, args.classes)
        for name, figures in compared(steps, args.batch, args.rounds, args.each).items():
            say("variant", backbone=backbone, variant=name, threads=args.threads, batch=args.batch, **figures)


if __name__ == "__main__":
    main()
