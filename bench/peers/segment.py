"""torchvision's LR-ASPP and DeepLabv3 heads and segmentation_models_pytorch's Unet and FPN, on EfficientNet-Lite0.

python bench/peers/segment.py PACK --weights FILE --net fpn --seconds 600 --to answers.npz

torchvision's heads learn as its reference script has it (references/segmentation: SGD, momentum .9, decay 1e-4,
cross-entropy, polynomial rate), at .01; those of segmentation_models_pytorch as in its CamVid example (Adam 2e-4,
Dice, cosine), with cross-entropy beside Dice, as ours. All see frames of scale .5 to 2, cut and mirrored,
8 at once, over the processor seconds that are given; their test images are padded with their mirror.
"""

from __future__ import annotations

import argparse
import math
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import timm
import torch
from clocks import Clock, cpu, say
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.segmentation.deeplabv3 import DeepLabHead, DeepLabV3
from torchvision.models.segmentation.lraspp import LRASPP

NAME, BATCH, CROP, BLOCK, IGNORE = "tf_efficientnet_lite0", 8, (256, 320), 32, 255
Pair = tuple[np.ndarray, np.ndarray]


class Features(nn.Module):
    """Some maps of a timm net by the names that torchvision's heads read."""

    def __init__(self, names: dict[str, int], stride: int = 32) -> None:
        super().__init__()
        self.names = list(names)
        self.body = timm.create_model(
            NAME, features_only=True, out_indices=tuple(names.values()), output_stride=stride
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return OrderedDict(zip(self.names, self.body(x), strict=True))


def build(net: str, weights: Path, classes: int) -> nn.Module:
    """A net with the backbone's published weights, and a new head."""
    if net == "lraspp":
        made = LRASPP(Features({"low": 2, "high": 4}, 16), 40, 320, classes)
        body = made.backbone.body
    elif net == "deeplabv3":
        made = DeepLabV3(Features({"out": 4}, 16), DeepLabHead(320, classes))
        body = made.backbone.body
    else:
        kind = {"unet": smp.Unet, "fpn": smp.FPN}[net]
        made = kind(f"tu-{NAME}", encoder_weights=None, classes=classes)
        body = made.encoder.model
    state = load_file(weights)
    body.load_state_dict({name: state[name] for name in body.state_dict()})
    return made


def outputs(made: nn.Module, x: Tensor) -> Tensor:
    given = made(x)
    return given["out"] if isinstance(given, dict) else given


def pairs(pack: Path, part: str) -> list[Pair]:
    """Images and masks of a part, by name."""
    found: list[Pair] = []
    for mask in sorted((pack / part / "masks").iterdir()):
        [image] = (pack / part / "images").glob(f"{mask.stem}.*")
        with Image.open(image) as seen, Image.open(mask) as known:
            found.append((np.array(seen.convert("RGB")), np.array(known)))
    return found


def augmented(pair: Pair, draw: np.random.Generator) -> Pair:
    """At .5 to 2 of its size, padded with what counts nowhere, cut to `CROP`, and mirrored half of the time."""
    image, mask = pair
    scale = draw.uniform(0.5, 2.0)
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    image = np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    mask = np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    below, right = max(CROP[0] - image.shape[0], 0), max(CROP[1] - image.shape[1], 0)
    image = np.pad(image, ((0, below), (0, right), (0, 0)), constant_values=127)
    mask = np.pad(mask, ((0, below), (0, right)), constant_values=IGNORE)
    top, left = (
        int(draw.integers(0, whole - part + 1)) for whole, part in zip(mask.shape, CROP, strict=True)
    )
    image = image[top : top + CROP[0], left : left + CROP[1]]
    mask = mask[top : top + CROP[0], left : left + CROP[1]]
    return (image[:, ::-1], mask[:, ::-1]) if draw.random() < 0.5 else (image, mask)


def tensor(images: list[np.ndarray]) -> Tensor:
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    return ((x / 255 - 0.5) / 0.5).contiguous(memory_format=torch.channels_last)


def recipe(net: str, made: nn.Module) -> tuple[torch.optim.Optimizer, Callable[[float], float], bool]:
    """The optimiser, the share of its rate over the progress, and whether Dice is learned from too."""
    if net in ("lraspp", "deeplabv3"):
        return (
            torch.optim.SGD(made.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4),
            lambda progress: (1 - progress) ** 0.9,
            False,
        )
    return torch.optim.Adam(made.parameters(), lr=2e-4), lambda p: 0.5 * (1 + math.cos(math.pi * p)), True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--net", choices=("lraspp", "deeplabv3", "unet", "fpn"), required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of the processor, for training")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    draw = np.random.default_rng(args.seed)
    classes = len((args.pack / "classes.txt").read_text().split())
    train = pairs(args.pack, "train")
    made = build(args.net, args.weights, classes).to(memory_format=torch.channels_last)
    optimiser, share, with_dice = recipe(args.net, made)
    rates = [group["lr"] for group in optimiser.param_groups]
    dice = smp.losses.DiceLoss("multiclass", ignore_index=IGNORE)
    clock, began, steps = Clock(), cpu(), 0
    made.train()
    while (progress := (cpu() - began) / args.seconds) < 1:
        chosen = [augmented(train[int(row)], draw) for row in draw.integers(0, len(train), BATCH)]
        wanted = torch.from_numpy(np.stack([mask for _, mask in chosen])).long()
        given = outputs(made, tensor([image for image, _ in chosen]))
        loss = F.cross_entropy(given, wanted, ignore_index=IGNORE)
        if with_dice:
            loss = loss + dice(given, wanted)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share(progress)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        steps += 1
    say("trained", steps=steps, images=steps * BATCH, **clock.read())
    made.eval()
    found: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        for place, (image, _) in enumerate(pairs(args.pack, "test")):
            height, width = image.shape[:2]
            around = ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0))
            given = outputs(made, tensor([np.pad(image, around, mode="reflect")]))
            found[str(place)] = given[0, :, :height, :width].argmax(0).numpy().astype(np.uint8)
    np.savez_compressed(args.to, **found)
    say("answered", pictures=len(found), **clock.read())


if __name__ == "__main__":
    main()
