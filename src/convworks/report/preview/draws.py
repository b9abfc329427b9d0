"""The draws of a preview as small pictures: everything at once, and each operation alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float, UInt8

from convworks.augmentation import mix, plan, preview
from convworks.data.record import DataSet
from convworks.data.scenes import smaller
from convworks.geometry.boxes import Size
from convworks.recipe.options import AugmentationOptions, Recipe, Resize
from convworks.samples import Sample

SHORT = 132
"""The short side of a small picture, in pixels."""
NOTHING = AugmentationOptions(flip_horizontal=False, crop_scale=1.0, colour=0.0)
"""No operation at all."""
WOULD: dict[str, bool | float] = {
    "flip_horizontal": True,
    "flip_vertical": True,
    "crop_scale": 0.35,
    "rotate": 15.0,
    "translate": 0.15,
    "colour": 0.2,
    "grayscale": 0.5,
    "shear": 12.0,
    "scale": 0.4,
    "perspective": 0.3,
    "hue": 0.08,
    "blur": 2.0,
    "noise": 0.08,
    "cutout": 0.35,
    "trivial": 1.0,
    "mosaic": 1.0,
    "mixup": 1.0,
    "cutmix": 1.0,
}
"""Operations, each at a strength that shows what it would do."""

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draw:
    """One picture, what was done to it in words, and how many of its boxes are struck out."""

    picture: Picture
    said: str
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a run would draw: the frame that it trains on, how images meet it, the seed, and the class not tinted."""

    frame: Size
    resize: Resize
    seed: int
    background: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """What a preview shows: some images of a data set, the recipe, how a run would draw, and how many draws of each.

    `samples` are as training keeps them, with their paths and their positions among the records.
    """

    dataset: DataSet
    recipe: Recipe
    setting: Setting
    paths: tuple[str, ...]
    rows: tuple[int, ...]
    samples: tuple[Sample, ...]
    draws: int

    @property
    def options(self) -> AugmentationOptions:
        """What may be done to an image."""
        return self.recipe.augmentation


def whole(sample: Sample, setting: Setting) -> Draw:
    """The image itself, all of it, with its boxes, masks and points."""
    return Draw(picture=_small(sample, np.zeros((0, 4), np.float32), setting), said="the image")


def drawn(
    sample: Sample,
    row: int,
    options: AugmentationOptions,
    setting: Setting,
    count: int,
    company: Sequence[Sample],
) -> list[Draw]:
    """The sample as epochs 1 to `count` of a run would see it; `row` keys the chance.

    `company` fills mosaics, and is what images are mixed with.
    """
    found: list[Draw] = []
    for epoch in range(1, count + 1):
        generator = plan.rng(setting.seed, epoch, row)
        if options.mosaic and generator.random() < options.mosaic:
            four = [sample, *(company[int(other)] for other in generator.integers(0, len(company), 3))]
            joined = mix.mosaic(four, options, generator, setting.frame)
            found.append(
                Draw(picture=_small(joined, np.zeros((0, 4), np.float32), setting), said="mosaic of four")
            )
            continue
        size = (sample.image.shape[0], sample.image.shape[1])
        one = plan.draw(options, generator, size, setting.frame, setting.resize)
        boxes, stays = plan.kept(one.move, sample.boxes)
        dropped = boxes[~stays]
        made, mixed = _mixed(plan.apply(one, sample), row, options, setting, epoch, company)
        seen = int(((dropped[:, 2:] - dropped[:, :2]) >= 1).all(axis=1).sum())
        found.append(
            Draw(picture=_small(made, dropped, setting), said=f"{preview.said(one)}{mixed}", dropped=seen)
        )
    return found


def _mixed(
    made: Sample,
    row: int,
    options: AugmentationOptions,
    setting: Setting,
    epoch: int,
    company: Sequence[Sample],
) -> tuple[Sample, str]:
    """A drawn sample with another of the `company` in it, where `options` mix images; and how much of it, in words."""
    chance = plan.rng(setting.seed, epoch, row, mix.VIEW)
    how = mix.draw(options, chance, len(company), setting.frame)
    if how is None:
        return made, ""
    other = company[how.partner]
    size = (other.image.shape[0], other.image.shape[1])
    second = plan.draw(options, chance, size, setting.frame, setting.resize)
    image = made.image.astype(np.float32)
    mix.apply(how, image, plan.apply_image(second, other.image).astype(np.float32))
    return replace(made, image=image.round().astype(np.uint8)), f", {1 - how.share:.0%} of another image"


def alone(name: str, options: AugmentationOptions) -> AugmentationOptions:
    """Only one operation, as strong as `options` have it."""
    return replace(NOTHING, border=options.border, **{name: getattr(options, name)})


def offered(task: str) -> dict[str, bool | float]:
    """The operations that training for a task has, each at a strength that shows what it would do."""
    none = ("mosaic",) if task in ("classification", "multilabel") else ("mixup", "cutmix")
    return {name: value for name, value in WOULD.items() if name not in none}


def active(options: AugmentationOptions) -> list[str]:
    """The names of the operations that are switched on."""
    names = [item.name for item in fields(options) if item.name != "border"]
    return [name for name in names if getattr(options, name) != getattr(NOTHING, name)]


def _small(sample: Sample, dropped: Float[np.ndarray, "d 4"], setting: Setting) -> Picture:
    """A frame shrunk with everything in it, then drawn on, so that lines stay lines."""
    small = smaller(sample, SHORT)
    share = small.image.shape[0] / sample.image.shape[0]
    return preview.marked(small, dropped * np.float32(share), setting.background)
