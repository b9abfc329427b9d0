"""One training step of the whole net: ours beside fastai, plain PyTorch and PyTorch tuned by hand, in one process.

    .bench-env/bin/python -W ignore bench/train_step.py

Same nets, same random images, all weights learn, the variants alternate. "convworks" is the step that `fit` takes
when it fine-tunes every stage (batch statistics frozen); "convworks, live" lets batch norm learn, as the others do.
Results: `bench/results/train_step.json`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE / "peers"), str(HERE)]

import torch  # noqa: E402
from step_variants import Step, compared, timed, variants  # noqa: E402
from torch import Tensor  # noqa: E402

from convworks import backbones, tasks  # noqa: E402
from convworks.model import Net  # noqa: E402
from convworks.recipe.options import OptimiserOptions  # noqa: E402
from convworks.samples import Batch  # noqa: E402
from convworks.training import memory  # noqa: E402
from convworks.training.learner import Learner  # noqa: E402
from convworks.training.team import Team  # noqa: E402
from machine import described, write  # noqa: E402

NETS = {"tf_efficientnet_lite0": "efficientnet-lite0", "resnet18": "timm/resnet18"}


def ours(
    name: str, images: Tensor, labels: Tensor, classes: int, *, live: bool, precision: torch.dtype
) -> Step:
    """The step of `fit` on a batch that is there."""
    torch.manual_seed(0)
    backbone = backbones.create(name, "none")
    task = tasks.find("classification")
    net = Net(backbone, task.head(backbone.info, classes, 0.0)).to(memory_format=torch.channels_last)
    backbone.freeze(0, statistics=not live)
    learner = Learner(net, task, OptimiserOptions(), Team(), first=0, precision=precision, seed=0)
    batch = Batch(
        images=images.contiguous(memory_format=torch.channels_last),
        targets={"label": labels},
        indices=torch.arange(len(labels)),
    )
    return timed(lambda: learner.step([batch], 0, 0, 1e-4, 0.0, False))


def main() -> None:
    """Measures both nets, prints a table and keeps it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--each", type=int, default=2, help="steps of a variant in a round")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    classes, results = 10, {}
    for theirs, name in NETS.items():
        torch.manual_seed(0)
        images = torch.randn(args.batch, 3, args.size, args.size)
        labels = torch.randint(classes, (args.batch,))
        steps = variants(theirs, images, labels, classes)
        memory.hold()
        for precision in (torch.float32, torch.bfloat16):
            word = str(precision).rpartition(".")[2]
            steps[f"convworks {word}"] = ours(name, images, labels, classes, live=False, precision=precision)
            steps[f"convworks {word}, live"] = ours(
                name, images, labels, classes, live=True, precision=precision
            )
        results[name] = compared(steps, args.batch, args.rounds, args.each)
        print(name)
        for variant, row in results[name].items():
            print(
                f"  {variant:26} {row['images_per_second']:7.1f} img/s {row['cpu_ms_per_image']:7.1f} CPU-ms an image"
            )
    machine = described("torch", "torchvision", "timm", "fastai")
    write(
        "train_step",
        {
            "batch": args.batch,
            "threads": args.threads,
            "rounds": args.rounds,
            "nets": results,
            "machine": machine,
        },
    )


if __name__ == "__main__":
    main()
