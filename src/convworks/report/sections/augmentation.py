"""Data augmentation, seen: some of the owner's training images beside what the run made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from itertools import islice

import numpy as np
from jaxtyping import UInt8

from convworks.augmentation import plan, preview
from convworks.data.pixels import resized
from convworks.geometry.move import scales
from convworks.recipe.options import Recipe, knobs
from convworks.report.choices import knob, setting
from convworks.report.markup import Markup, join, section, tag
from convworks.report.pictures import SMALL
from convworks.report.story import Story

SHOWN, DRAWS = 3, 5
ROOM = 1.25  # how much larger than the net's input training keeps its images, where the model does not say


def augmentation(story: Story) -> Markup:
    """The section, empty where nothing is known of the recipe, the input or the training images."""
    size = story.model.get("input", {}).get("size")
    if story.recipe is None or not isinstance(size, int):
        return Markup()
    chosen = list(_one_a_class(story))
    if not chosen:
        return Markup()
    draws = _draws(story.recipe)
    if not draws:
        said = "None: only the images themselves were used, one view of each."
        return section("augmentation", "Augmentation", tag("p", said))
    side = story.model["input"].get("side") or round(ROOM * size)
    rows = [_row(story, story.recipe, row, path, side, size, draws) for row, path in chosen]
    said = (
        "Training images, each first as the net judges it, then as it was shown while learning: drawn by the run's "
        "own seed. What they show should still be what their label says."
    )
    return section("augmentation", "Augmentation", tag("p", said), *rows, tag("p", _allowed(story.recipe)))


def _one_a_class(story: Story) -> Iterable[tuple[int, str]]:
    """(position among the run's images, path) of the first training image of each of the first classes."""
    seen: set[str] = set()

    def firsts() -> Iterable[tuple[int, str]]:
        for row, (path, label, part) in enumerate(story.images):
            if part == "learn" and label not in seen:
                seen.add(label)
                yield row, path

    return islice(firsts(), SHOWN)


def _draws(recipe: Recipe) -> list[tuple[int, int]]:
    """(epoch, view) of draws that the run made: views of kept features in epoch 0, else epochs of view 0."""
    if recipe.transfer.mode == "extract" or (recipe.transfer.mode == "finetune" and recipe.transfer.freeze):
        return [(0, view) for view in range(1, recipe.transfer.views)][:DRAWS]
    return [(epoch, 0) for epoch in range(1, min(recipe.optimiser.epochs, DRAWS) + 1)]


def _row(
    story: Story, recipe: Recipe, row: int, path: str, side: int, size: int, draws: list[tuple[int, int]]
) -> Markup:
    image = story.album.open(path, side)
    kept = None if image is None else resized(image, side)
    cards = [_card(story, path, kept, None, recipe, size)]
    for epoch, view in draws:
        drawn = None
        if kept is not None:
            generator = plan.rng(recipe.seed, epoch, row, view)
            size_in = (kept.shape[0], kept.shape[1])
            drawn = plan.draw(recipe.augmentation, generator, size_in, (size, size), recipe.data.resize)
        cards.append(_card(story, path, kept, drawn, recipe, size))
    return tag("ul", cards if kept is not None else cards[:1], class_="cards small")


def _card(
    story: Story,
    path: str,
    kept: UInt8[np.ndarray, "h w 3"] | None,
    drawn: plan.Drawn | None,
    recipe: Recipe,
    size: int,
) -> Markup:
    if kept is None:
        return tag("li", story.album.place(None, SMALL, path), tag("p", "the image"))
    plain = plan.fixed((kept.shape[0], kept.shape[1]), (size, size), recipe.data.resize)
    said = "the image" if drawn is None else _change(drawn, plain)
    frame = plan.apply_image(drawn or plain, kept)
    return tag("li", story.album.place(frame, SMALL, f"{path}, {said}"), tag("p", said))


def _change(drawn: plan.Drawn, plain: plan.Drawn) -> str:
    """What a draw does beside the plain view, the enlargement counted from that one."""
    enlarged = math.sqrt(math.prod(scales(drawn.move)) / math.prod(scales(plain.move)))
    return " ".join([f"x{enlarged:.2g}", *preview.said(drawn).split(" ")[1:]])


def _allowed(recipe: Recipe) -> Markup:
    """What the recipe allows to be done to an image, with how much of it."""
    neutral = {"crop_scale": 1.0, "border": recipe.augmentation.border}
    used = [
        f"{knob(item.name)} {setting(value)}"
        for item in fields(recipe.augmentation)
        if (value := getattr(recipe.augmentation, item.name)) != neutral.get(item.name, 0)
    ]
    unit = knobs()["augmentation.crop_scale"].metadata["said"]
    said = ", ".join(used) or "nothing"
    return join(f"Allowed: {said}.", f" (crop scale: {unit}.)" if "crop scale" in said else "")
