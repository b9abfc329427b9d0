"""torchvision's Faster R-CNN and RetinaNet on EfficientNet-Lite0's weights, as their reference scripts train them.

python bench/peers/torchvision_detect.py PACK --weights FILE --detector faster_rcnn --seconds 600 --to found.json

The pyramid is torchvision's own, on the maps of stride 8, 16 and 32; batch statistics and the first stages are frozen.
It is 64 channels wide, as ours is, and frames are 320 pixels wide, as torchvision's light detectors see them: with
256 channels and larger frames a processor sees too few images in minutes (a second for each).
Rates are the reference's, in proportion to the batch (references/detection: SGD .02 at 16 images for Faster R-CNN,
AdamW 1e-4 for RetinaNet v2), with a warm-up and a cosine over the processor seconds that are given; both flips.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import timm
import torch
from clocks import Clock, cpu, say
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

FROZEN = ("conv_stem", "blocks.0", "blocks.1")
WARMUP = 0.05  # share of the time
WIDTH = 64  # channels of the pyramid
Target = dict[str, Tensor]


class Features(nn.Module):
    """The maps of a timm net under a feature pyramid, named as torchvision names them."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.body = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(2, 3, 4))
        state = load_file(weights)
        self.body.load_state_dict({name: state[name] for name in self.body.state_dict()})
        self.fpn = FeaturePyramidNetwork(
            self.body.feature_info.channels(), WIDTH, extra_blocks=LastLevelMaxPool()
        )
        self.out_channels = WIDTH

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.fpn(dict(zip("012", self.body(x), strict=True)))


def frozen(module: nn.Module) -> None:
    """Puts frozen batch norms in the place of all in a module."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            fixed = FrozenBatchNorm2d(child.num_features, eps=child.eps)
            fixed.load_state_dict(child.state_dict(), strict=False)
            inner = getattr(child, "act", None)
            setattr(module, name, fixed if inner is None else nn.Sequential(fixed, inner))
        else:
            frozen(child)


def build(detector: str, weights: Path, classes: int, size: tuple[int, int]) -> nn.Module:
    """The detector with its first stages and all its batch statistics frozen."""
    features = Features(weights)
    frozen(features.body)
    for name, value in features.body.named_parameters():
        value.requires_grad_(not name.startswith(FROZEN))
    given = {"min_size": min(size), "max_size": max(size), "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    if detector == "faster_rcnn":
        anchors = AnchorGenerator(((16,), (32,), (64,), (128,)), ((0.5, 1.0, 2.0),) * 4)
        pool = MultiScaleRoIAlign(featmap_names=["0", "1", "2"], output_size=7, sampling_ratio=2)
        return FasterRCNN(features, classes + 1, rpn_anchor_generator=anchors, box_roi_pool=pool, **given)
    scales = tuple((s, int(s * 2 ** (1 / 3)), int(s * 2 ** (2 / 3))) for s in (16, 32, 64, 128))
    anchors = AnchorGenerator(scales, ((0.5, 1.0, 2.0),) * 4)
    return RetinaNet(features, classes + 1, anchor_generator=anchors, **given)


def records(pack: Path, part: str) -> tuple[list[str], list[tuple[Path, list[list[float]], list[int]]]]:
    """Class names, and path, boxes (xyxy) and labels of each image of a part."""
    document = json.loads((pack / f"instances_{part}.json").read_text())
    ids = {category["id"]: place for place, category in enumerate(document["categories"])}
    found = {}
    for image in document["images"]:
        path = pack / image["file_name"]
        found[image["id"]] = (path if path.exists() else pack / "JPEGImages" / image["file_name"], [], [])
    for note in document["annotations"]:
        x, y, wide, high = note["bbox"]
        if wide > 0 and high > 0:
            _, boxes, labels = found[note["image_id"]]
            boxes.append([x, y, x + wide, y + high])
            labels.append(ids[note["category_id"]] + 1)
    return [category["name"] for category in document["categories"]], list(found.values())


def flipped(image: Tensor, target: Target, draw: np.random.Generator) -> tuple[Tensor, Target]:
    """Mirrored, and upside down, each half of the time."""
    boxes = target["boxes"]
    if draw.random() < 0.5:
        image, wide = image.flip(2), image.shape[2]
        boxes = torch.stack([wide - boxes[:, 2], boxes[:, 1], wide - boxes[:, 0], boxes[:, 3]], 1)
    if draw.random() < 0.5:
        image, high = image.flip(1), image.shape[1]
        boxes = torch.stack([boxes[:, 0], high - boxes[:, 3], boxes[:, 2], high - boxes[:, 1]], 1)
    return image, {**target, "boxes": boxes}


def tensor(path: Path) -> Tensor:
    with Image.open(path) as opened:
        return torch.from_numpy(np.array(opened.convert("RGB"))).permute(2, 0, 1).float() / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--detector", choices=("faster_rcnn", "retinanet"), required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of the processor, for training")
    parser.add_argument("--to", type=Path, required=True, help="what is found in the test images")
    parser.add_argument("--size", type=int, nargs=2, default=(240, 320), help="height and width that it sees")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    clock = Clock()
    torch.manual_seed(args.seed)
    draw = np.random.default_rng(args.seed)
    names, learn = records(args.pack, "train")
    images = [
        (
            tensor(path),
            {"boxes": torch.tensor(boxes).view(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)},
        )
        for path, boxes, labels in learn
    ]
    net = build(args.detector, args.weights, len(names), tuple(args.size))
    learns = [value for value in net.parameters() if value.requires_grad]
    if args.detector == "faster_rcnn":
        peak = 0.02 * args.batch / 16
        optimiser = torch.optim.SGD(learns, lr=peak, momentum=0.9, weight_decay=1e-4)
    else:
        peak = 1e-4
        optimiser = torch.optim.AdamW(learns, lr=peak, weight_decay=0.05)
    say("ready", classes=names, **clock.read())
    began, seen, step = cpu(), 0, 0
    order: list[int] = []
    net.train()
    while (share := (cpu() - began) / args.seconds) < 1:
        rise = min(1.0, share / WARMUP, (step + 1) / 20)
        for group in optimiser.param_groups:
            group["lr"] = peak * rise * 0.5 * (1 + math.cos(math.pi * share))
        if len(order) < args.batch:
            order = draw.permutation(len(images)).tolist()
        rows, order = order[: args.batch], order[args.batch :]
        batch = [flipped(*images[row], draw) for row in rows]
        losses = net([image for image, _ in batch], [target for _, target in batch])
        loss = sum(losses.values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen, step = seen + len(rows), step + 1
        if step % 50 == 0:
            say("step", step=step, loss=round(float(loss), 4), share=round(share, 3))
    say("trained", epochs=round(seen / len(images), 2), **clock.read())
    net.eval()
    found = []
    start = time.process_time()
    with torch.inference_mode():
        for path, _, _ in records(args.pack, "test")[1]:
            [answer] = net([tensor(path)])
            found.append(
                {
                    "file": path.name,
                    "boxes": answer["boxes"].tolist(),
                    "scores": answer["scores"].tolist(),
                    "names": [names[label - 1] for label in answer["labels"].tolist()],
                }
            )
    args.to.write_text(json.dumps(found))
    say("found", images=len(found), each=(time.process_time() - start) / max(len(found), 1), **clock.read())


if __name__ == "__main__":
    main()
