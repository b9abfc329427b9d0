"""Network in network: the K maps of its last layer are heat maps of the K classes, without any label of a place.

Source: Lin et al., Network in Network, 1312.4400, sections 3.2 and 4.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.backbones.nin import mlpconv
from convworks.explanation.material import PATTERNS, last_layer, patterned, pretrained, read

SIDE = 48  # pixels of an image that it learns from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassMaps:
    """What a net whose last maps are classes says of images of one shape each.

    `maps` (n, k, s, s) are brought to the size of the images; `said` and `truth` are classes, in the order of
    PATTERNS; `peaks` (n, 2) are the row and column of the highest value in the map of the class that it says;
    `inside` is whether that pixel is of the shape. `chance` is the mean share of an image that its shape covers.
    """

    images: UInt8[np.ndarray, "n s s 3"]
    masks: Bool[np.ndarray, "n s s"]
    maps: Float[np.ndarray, "n k s s"]
    said: Int[np.ndarray, "n"]
    truth: Int[np.ndarray, "n"]
    peaks: Int[np.ndarray, "n 2"]
    inside: Bool[np.ndarray, "n"]
    chance: float

    @property
    def right(self) -> float:
        """The share of images of which it says the right class."""
        return float((self.said == self.truth).mean())

    @property
    def found(self) -> float:
        """The share of images on which the peak lies in the shape."""
        return float(self.inside.mean())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crowd:
    """The maps of the same net on a larger image of many shapes: global average pooling takes any size.

    `labels` are the classes of the shapes, row by row, and `said` those whose map is highest, on the mean, over the
    part of the image in which each lies.
    """

    image: UInt8[np.ndarray, "h w 3"]
    maps: Float[np.ndarray, "k h w"]
    labels: Int[np.ndarray, "n"]
    said: Int[np.ndarray, "n"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attention:
    """Where in `frame` the pretrained net finds its likeliest classes, as maps (k, s, s) of the size of the frame.

    The mean of a map, before it was enlarged, is the logit of its class.
    """

    frame: UInt8[np.ndarray, "s s 3"]
    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    maps: Float[np.ndarray, "k s s"]


def small_nin(
    classes: int, widths: Sequence[int] = (16, 24, 32), kernels: Sequence[int] = (5, 3, 1)
) -> nn.Sequential:
    """Three mlpconv blocks with 2x2 poolings between, and a 1x1 that gives one map a class: average it to answer.

    The blocks are those of the `nin` backbone, narrower. A place of the last map sees 12 pixels with kernels 5, 3, 1.
    """
    layers: list[nn.Module] = []
    inputs = 3
    for kernel, width in zip(kernels, widths, strict=True):
        if layers:
            layers.append(nn.MaxPool2d(2))
        layers.append(mlpconv(kernel, inputs, width, width, width))
        inputs = width
    return nn.Sequential(*layers, nn.Conv2d(inputs, classes, 1))


def trained(
    images: Float[Tensor, "n 3 s s"],
    labels: Int[Tensor, "n"],
    net: nn.Sequential,
    *,
    steps: int = 90,
    seed: int = 0,
) -> Float[np.ndarray, "steps"]:
    """Teaches `net` classes, never places, 24 images a step; the loss of each step."""
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    losses = np.zeros(steps)
    for step in range(steps):
        chosen = torch.randint(len(images), (24,), generator=generator)
        loss = F.cross_entropy(net(images[chosen]).mean((2, 3)), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses[step] = float(loss.detach())
    net.eval()
    return losses


def study(*, steps: int = 90, count: int = 600, tests: int = 200, seed: int = 0) -> tuple[ClassMaps, Crowd]:
    """A small net in network learns patterned shapes; its maps on others, and on a picture with many."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = small_nin(len(PATTERNS))
    images, labels, _ = patterned(count, SIDE, seed)
    trained(images, labels, net, steps=steps, seed=seed)
    return class_maps(net, *patterned(tests, SIDE, seed + 1)), crowd(net)


def class_maps(
    net: nn.Module,
    images: Float[Tensor, "n 3 s s"],
    labels: Int[Tensor, "n"],
    masks: Bool[np.ndarray, "n s s"],
) -> ClassMaps:
    """The maps of a trained net on these images, and whether each peaks in its shape."""
    count, side = len(images), images.shape[2]
    with torch.no_grad():
        small = net(images)
        said = small.mean((2, 3)).argmax(1)
        maps = _enlarged(small, (side, side))
    peaks = np.zeros((count, 2), np.int64)
    for row, chosen in enumerate(said.tolist()):
        peaks[row] = divmod(int(maps[row, chosen].argmax()), side)
    return ClassMaps(
        images=_pixels(images),
        masks=masks,
        maps=maps,
        said=said.numpy(),
        truth=labels.numpy(),
        peaks=peaks,
        inside=masks[np.arange(count), peaks[:, 0], peaks[:, 1]],
        chance=float(masks.mean()),
    )


def crowd(net: nn.Module, *, across: int = 3, down: int = 2, seed: int = 2) -> Crowd:
    """The net on one image that is six times as large as those it learned from, a shape in each part."""
    images, labels, _ = patterned(across * down, SIDE, seed)
    rows = [torch.cat(list(images[row * across : (row + 1) * across]), 2) for row in range(down)]
    whole = torch.cat(rows, 1)[None]
    with torch.no_grad():
        small = net(whole)
        said = F.adaptive_avg_pool2d(small, (down, across))[0].flatten(1).argmax(0)
    maps = _enlarged(small, (SIDE * down, SIDE * across))[0]
    return Crowd(image=_pixels(whole)[0], maps=maps, labels=labels.numpy(), said=said.numpy())


def attention(image: UInt8[np.ndarray, "h w 3"], *, shown: int = 3) -> Attention:
    """The maps of the pretrained net's likeliest classes: its last layer, applied at every place before averaging.

    Its last layer reads an average, so that it is a 1x1 convolution whose maps are averaged: the maps of a net in
    network. Source: Zhou et al., Learning Deep Features for Discriminative Localization, 1512.04150.
    """
    model = pretrained()
    with torch.no_grad():
        features = model.net.backbone(read(model, image))[-1]
        linear = last_layer(model)
        maps = F.conv2d(features, linear.weight[:, :, None, None], linear.bias)
        probabilities = maps.mean((2, 3)).softmax(1)[0]
        best = probabilities.argsort(descending=True, stable=True)[:shown]
        side = model.preprocessing.size
        enlarged = F.interpolate(maps[:, best], size=(side, side), mode="bicubic", align_corners=False)
    return Attention(
        frame=model.preprocessing.frame(model.preprocessing.kept(image)),
        names=tuple(model.classes[int(place)] for place in best),
        probabilities=tuple(probabilities[best].tolist()),
        maps=enlarged[0].numpy(),
    )


def _pixels(images: Float[Tensor, "n 3 h w"]) -> UInt8[np.ndarray, "n h w 3"]:
    return ((images.permute(0, 2, 3, 1) + 1) * 127.5).round().byte().numpy()


def _enlarged(maps: Float[Tensor, "n k h w"], size: tuple[int, int]) -> Float[np.ndarray, "n k h2 w2"]:
    """Each map at the size of the image, so that a value lies on the middle of what its place sees."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False).numpy()
