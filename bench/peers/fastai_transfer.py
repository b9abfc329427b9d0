"""fastai's transfer learning, as its documentation shows it; runs in the environment of `make bench-env`.

    .bench-env/bin/python bench/peers/fastai_transfer.py FOLDER --weights FILE --mode frozen|finetune --seed 0

FOLDER holds `train/CLASS/` and `val/CLASS/`. `finetune` is `learner.fine_tune(5)` (one frozen epoch, then
five of the whole net), `frozen` five epochs of the head alone. Learner, head, rates, batch size and image
transforms are fastai's own defaults; the weights come through timm's documented `pretrained_cfg_overlay`,
with the mean and deviation that timm gives for them. JSON lines: `ready` (imports, data, net), `epoch`
(each with its share of time and the accuracy on val), `done` (totals with and without start-up).
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import argparse  # noqa: E402
from pathlib import Path  # noqa: E402

import torch  # noqa: E402
from clocks import Clock, cpu, say  # noqa: E402
from fastai.vision.all import (  # noqa: E402
    Callback,
    ImageDataLoaders,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)


class Told(Callback):
    """Says every epoch with its time and accuracy."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.epochs: list[dict[str, float | str]] = []

    def after_epoch(self) -> None:
        train_loss, loss, right = (float(value) for value in self.recorder.log[1:4])
        phase = "frozen" if self.learn.opt.frozen_idx > 0 else "unfrozen"
        told = {
            "phase": phase,
            "accuracy": right,
            "loss": loss,
            "train_loss": train_loss,
            **self.clock.read(),
        }
        self.epochs.append(told)
        say("epoch", number=len(self.epochs), **told)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0", help="a name of timm's")
    parser.add_argument("--weights", type=Path, help="its state dict, under timm's names")
    parser.add_argument("--mode", choices=("frozen", "finetune"), default="finetune")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--augment", action="store_true", help="the book's presizing and aug_transforms")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    set_seed(args.seed, reproducible=True)

    loaders = ImageDataLoaders.from_folder(
        args.folder,
        train="train",
        valid="val",
        item_tfms=Resize(460 if args.augment else args.size),
        batch_tfms=aug_transforms(size=args.size, min_scale=0.75) if args.augment else None,
    )
    overlay = {"pretrained_cfg_overlay": {"file": str(args.weights)}} if args.weights else {}
    told = Told()
    learner = vision_learner(
        loaders, args.backbone, metrics=accuracy, pretrained=bool(args.weights), cbs=told, **overlay
    )
    startup = {"wall": round(time.perf_counter() - BEGUN, 4), "cpu": round(cpu(), 4)}
    say("ready", **startup, train=len(loaders.train_ds), val=len(loaders.valid_ds), batch=loaders.bs)

    told.clock.read()
    with learner.no_bar(), learner.no_logging():
        if args.mode == "frozen":
            learner.freeze()
            learner.fit_one_cycle(args.epochs)
        else:
            learner.fine_tune(args.epochs)
    training = {unit: round(sum(float(epoch[unit]) for epoch in told.epochs), 4) for unit in ("wall", "cpu")}
    best = max(told.epochs, key=lambda epoch: epoch["accuracy"])
    say(
        "done",
        mode=args.mode,
        seed=args.seed,
        best=best["accuracy"],
        last=told.epochs[-1]["accuracy"],
        training=training,
        with_startup={unit: round(training[unit] + startup[unit], 4) for unit in training},
    )


if __name__ == "__main__":
    main()
