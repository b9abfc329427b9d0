"""Transfer learning as the well-known PyTorch tutorial does it: a frozen backbone, a new last layer, a loop.

    python bench/peers/loop_transfer.py FOLDER --weights FILE --seed 0

FOLDER holds `train/CLASS/` and `val/CLASS/`. Transforms, optimiser (SGD, momentum .9, a tenth of the rate after
seven epochs) and loop are the tutorial's; its batch of 4 and rate of .001 are both taken 8 times, which is quicker
and learns alike. JSON lines as in `fastai_transfer.py`.
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import argparse  # noqa: E402
from pathlib import Path  # noqa: E402

import timm  # noqa: E402
import torch  # noqa: E402
from clocks import Clock, cpu, say  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torchvision import datasets, transforms  # noqa: E402


def loaders(
    folder: Path, size: int, mean: list[float], deviation: list[float], batch: int
) -> dict[str, DataLoader]:
    """The tutorial's two loaders: random crops and flips to learn from, centre crops to measure."""
    normalise = [transforms.ToTensor(), transforms.Normalize(mean, deviation)]
    steps = {
        "train": [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip(), *normalise],
        "val": [transforms.Resize(size * 8 // 7), transforms.CenterCrop(size), *normalise],
    }
    return {
        split: DataLoader(
            datasets.ImageFolder(folder / split, transforms.Compose(steps[split])),
            batch_size=batch,
            shuffle=split == "train",
            num_workers=2,
        )
        for split in steps
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0", help="a name of timm's")
    parser.add_argument("--weights", type=Path, help="its state dict, under timm's names")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    overlay = (
        {"pretrained": True, "pretrained_cfg_overlay": {"file": str(args.weights)}} if args.weights else {}
    )
    model = timm.create_model(args.backbone, **overlay)
    data = loaders(args.folder, args.size, model.default_cfg["mean"], model.default_cfg["std"], args.batch)
    for parameter in model.parameters():
        parameter.requires_grad = False
    classes = len(data["train"].dataset.classes)
    model.reset_classifier(classes)
    criterion = nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(model.get_classifier().parameters(), lr=0.001 * args.batch / 4, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=7, gamma=0.1)
    startup = {"wall": round(time.perf_counter() - BEGUN, 4), "cpu": round(cpu(), 4)}
    say("ready", **startup, train=len(data["train"].dataset), val=len(data["val"].dataset), batch=args.batch)

    clock = Clock()
    epochs: list[dict[str, float]] = []
    for number in range(1, args.epochs + 1):
        told: dict[str, float] = {}
        for split, loader in data.items():
            model.train(split == "train")
            loss_sum, right, seen = 0.0, 0, 0
            for images, labels in loader:
                optimiser.zero_grad()
                with torch.set_grad_enabled(split == "train"):
                    outputs = model(images)
                    loss = criterion(outputs, labels)
                    if split == "train":
                        loss.backward()
                        optimiser.step()
                loss_sum += loss.item() * len(labels)
                right += int((outputs.argmax(1) == labels).sum())
                seen += len(labels)
            told |= (
                {"train_loss": loss_sum / seen}
                if split == "train"
                else {
                    "loss": loss_sum / seen,
                    "accuracy": right / seen,
                }
            )
        schedule.step()
        epochs.append(told | clock.read())
        say("epoch", number=number, phase="frozen", **epochs[-1])
    training = {unit: round(sum(epoch[unit] for epoch in epochs), 4) for unit in ("wall", "cpu")}
    say(
        "done",
        mode="frozen",
        seed=args.seed,
        best=max(epoch["accuracy"] for epoch in epochs),
        last=epochs[-1]["accuracy"],
        training=training,
        with_startup={unit: round(training[unit] + startup[unit], 4) for unit in training},
    )


if __name__ == "__main__":
    main()
