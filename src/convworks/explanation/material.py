"""What the demonstrations are shown on: a picture, gratings and flat shapes, and the net that looks, from seeds."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from convworks import backbones
from convworks.augmentation.preprocess import Preprocessing
from convworks.backbones import packaged
from convworks.data.synthetic import OBJECTS, SHAPES, flat_scene, scene
from convworks.model import Model
from convworks.tasks.head import ClassificationHead

NET = "efficientnet-lite0"
TRAINED_DROPOUT = 0.2
"""The dropout before the last layer that the weights of NET were trained with (Tan and Le, 1905.11946)."""

PATTERNS = ("upright stripes", "level stripes", "checks")


def picture(side: int = 320) -> UInt8[np.ndarray, "s s 3"]:
    """The picture that is shown where the user gives none: a drawn starfish on sand."""
    return scene(0, 0, task="classification", classes=["key", "starfish"], size=(side, side)).image


def pictures(count: int, side: int = 224, seed: int = 0) -> UInt8[np.ndarray, "n s s 3"]:
    """Drawn scenes of every kind of thing there is, one after the other."""
    names = sorted(OBJECTS)
    drawn = [
        scene(seed, index, task="classification", classes=names, size=(side, side)).image
        for index in range(count)
    ]
    return np.stack(drawn)


@cache
def pretrained() -> Model:
    """The default backbone with the last layer that it was trained with: it answers with ImageNet's 1,000 names.

    Raises WeightsError where the package of its weights is not installed.
    """
    from timm.data.imagenet_info import ImageNetInfo

    info = ImageNetInfo()
    backbone, state = backbones.create(NET), packaged.state(NET)
    numbers = range(len(state["classifier.bias"]))
    names = [str(info.index_to_description(number)).partition(",")[0] for number in numbers]
    expects = backbone.expects
    preprocessing = Preprocessing(
        size=expects.size,
        side=expects.size * 8 // 7,
        resize="crop",
        mean=expects.mean,
        deviation=expects.deviation,
        interpolation=expects.interpolation,
    )
    model = Model.create(backbone, names, preprocessing, dropout=TRAINED_DROPOUT, name=NET)
    last = {"linear.weight": state["classifier.weight"], "linear.bias": state["classifier.bias"]}
    model.net.head.load_state_dict(last)
    model.net.eval().requires_grad_(False)
    return model


def last_layer(model: Model) -> nn.Linear:
    """The linear layer in which a model that classifies ends."""
    head = model.net.head
    assert isinstance(head, ClassificationHead)
    return head.linear


def read(model: Model, image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "1 3 s s"]:
    """The picture as the net of `model` reads it."""
    return torch.from_numpy(model.preprocessing(image))[None]


def gratings(count: int, side: int = 12, seed: int = 0) -> tuple[Float[Tensor, "n 1 s s"], Int[Tensor, "n"]]:
    """Noisy waves, with their class: one of three directions. Mean 0; half of the variance or less is noise."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    labels = np.arange(count) % 3
    turn = (labels * math.pi / 3 + draw.normal(0, 0.12, count))[:, None, None]
    phase = draw.uniform(0, 2 * math.pi, count)[:, None, None]
    pace = draw.uniform(0.9, 1.3, count)[:, None, None]
    waves = np.sin(pace * (np.cos(turn) * x + np.sin(turn) * y) + phase)
    noisy = waves + draw.normal(0, 0.5, waves.shape)
    return torch.tensor(noisy[:, None], dtype=torch.float32), torch.tensor(labels)


def patterned(
    count: int, side: int = 48, seed: int = 0
) -> tuple[Float[Tensor, "n 3 s s"], Int[Tensor, "n"], Bool[np.ndarray, "n s s"]]:
    """One flat shape an image on textured noise, painted with one of PATTERNS, which is its class.

    The images in [-1, 1], the classes, and where the shape is. Shapes, colours, places and sizes are drawn by chance.
    """
    names = sorted(SHAPES)
    y, x = np.mgrid[:side, :side]
    images = np.zeros((count, side, side, 3), np.float32)
    masks = np.zeros((count, side, side), np.bool_)
    labels = np.arange(count) % len(PATTERNS)
    for index, label in enumerate(labels):
        sample = flat_scene(seed, index, task="localization", classes=names, size=(side, side))
        draw = np.random.default_rng([seed, index, 3])
        width, (left, top) = draw.uniform(1.7, 2.6), draw.integers(0, 8, 2)
        upright, level = ((x + left) // width % 2).astype(int), ((y + top) // width % 2).astype(int)
        pattern = (upright, level, upright ^ level)[label]
        first = draw.uniform(0, 255, 3)
        second = first + draw.uniform(90, 165, 3) * np.where(first > 128, -1, 1)
        painted = np.where(pattern[..., None], first, second) + draw.normal(0, 8, (side, side, 3))
        masks[index] = sample.masks[0]
        images[index] = np.where(masks[index][..., None], painted, sample.image)
    scaled = torch.from_numpy(images.clip(0, 255).transpose(0, 3, 1, 2) / 127.5 - 1)
    return scaled, torch.tensor(labels), masks
