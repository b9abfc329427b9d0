"""Data augmentation, more training images from the same ones: drawn first, composed, then applied once.

A draw is a value: whatever a recipe allows becomes one Move and one tint, repeated exactly from
(seed, epoch, index, view) in any process and any order.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from convworks.augmentation import colour, moves, resample, texture
from convworks.augmentation.chance import rng as rng
from convworks.augmentation.resample import Interpolation, Pixels
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move, crop, matrix
from convworks.recipe.options import AugmentationOptions, Border, Resize
from convworks.samples import Sample

# An object stays when the frame shows at least this share of its box, and a pixel each way.
KEPT = 0.25
RULE = f"a box stays where at least {KEPT:.0%} of it is in the frame"
NUMBERS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """What will be done to one image of `size_in`: where its pixels go, then colours, then texture.

    `colour` and `table` are None where colours stay; 0 is no blur (pixels), sharpening or noise (share of
    white). `interpolation` None is the quick bilinear one; `patch` (xyxy) is empty where nothing is cut out.
    """

    size_in: Size
    move: Move
    border: Border = "reflect"
    interpolation: Interpolation | None = None
    colour: colour.Tint | None = None
    table: colour.Table | None = None
    blur: float = 0.0
    sharpen: float = 0.0
    noise: float = 0.0
    noise_key: int = 0
    patch: tuple[int, int, int, int] = (0, 0, 0, 0)


# One row of four numbers each, always drawn, so that switching one on or off leaves the others as they were.
ROWS = ("crop", "trivial", "strength", "blur", "noise", "cutout", *moves.OPERATIONS, *colour.LINEAR)

# What TrivialAugment (2103.10158) chooses from, one at random, each with its widest strength.
TRIVIAL: dict[str, float] = {
    "nothing": 0.0,
    "rotate": 30.0,
    "shear": 17.0,
    "translate": 0.3,
    "brightness": 0.9,
    "contrast": 0.9,
    "saturation": 0.9,
    "gamma": 1.0,
    "solarise": 1.0,
    "posterise": 0.6,
    "sharpen": 2.0,
}


def draw(
    options: AugmentationOptions,
    generator: np.random.Generator,
    size_in: Size,
    size_out: Size,
    resize: Resize = "crop",
) -> Drawn:
    """What `options` do to one image of `size_in` (height, width), brought to `size_out`.

    `resize` is how the image meets the proportions of the new frame before a part of it is taken.

    >>> drawn = draw(AugmentationOptions(), rng(0, 0, 0), (375, 500), (224, 224))
    >>> apply_image(drawn, np.zeros((375, 500, 3), np.uint8)).shape
    (224, 224, 3)
    """
    rows = dict(zip(ROWS, generator.random((len(ROWS), NUMBERS)).tolist(), strict=True))
    chosen, strength = "nothing", 0.0
    if rows["trivial"][0] < options.trivial:
        chosen, strength = list(TRIVIAL.items())[int(rows["trivial"][1] * len(TRIVIAL))]
    canvas, content, border = _canvas(size_in, size_out, resize, options.border)
    part = moves.random_crop(rows["crop"], canvas.size, content, size_out, options.crop_scale)
    joined = crop(part, size_out).matrix @ canvas.matrix
    if chosen in moves.OPERATIONS:
        joined = moves.OPERATIONS[chosen](rows["strength"], size_out, strength) @ joined
    for name, operation in moves.OPERATIONS.items():
        knob = getattr(options, name)
        if knob:
            step = operation(rows[name], size_out, 0.5 if knob is True else knob)
            joined = joined if step is moves.STILL else step @ joined
    move = Move(joined, size_out)
    if border == "inside":
        move = moves.inside(move, size_in)
    curve = colour.CURVES.get(chosen)
    side = options.cutout
    return Drawn(
        size_in=size_in,
        move=move,
        border=border,
        colour=_linear(options, rows, chosen, strength),
        table=None if curve is None else curve(rows["strength"], strength),
        blur=options.blur * rows["blur"][0],
        sharpen=strength * (2 * rows["strength"][0] - 1) if chosen == "sharpen" else 0.0,
        noise=options.noise * rows["noise"][0],
        noise_key=int(rows["noise"][1] * 2**53),
        patch=texture.patch(rows["cutout"][0], rows["cutout"][1], side, size_out) if side else (0, 0, 0, 0),
    )


def fixed(
    size_in: Size,
    size_out: Size,
    resize: Resize = "crop",
    interpolation: Interpolation = "bicubic",
    share: float = 1.0,
) -> Drawn:
    """How an image is brought to `size_out` to be judged: the same each time, antialiased.

    `share` of each side of the frame is kept, around the middle: nets that learned from random crops judge
    objects a little enlarged better (.875 is usual).
    """
    return views(1, size_in, size_out, resize, interpolation, share)[0]


def views(
    count: int,
    size_in: Size,
    size_out: Size,
    resize: Resize = "crop",
    interpolation: Interpolation = "bicubic",
    share: float = 1.0,
    mirror: bool = True,
) -> tuple[Drawn, ...]:
    """The first `count` of an endless list of fixed views: the middle, its mirror, then corners, nearer.

    Without `mirror` no view is mirrored, for data in which left is not right.
    """
    canvas, _, border = _canvas(size_in, size_out, resize, "reflect")
    found: list[Drawn] = []
    looks = moves.looks(moves.middle(canvas.size, size_out, share), mirror)
    for box, mirrored in itertools.islice(looks, count):
        move = canvas.then(crop(box, size_out))
        if mirrored:
            flip = matrix([[-1, 0, size_out[1]], [0, 1, 0]])
            move = Move(flip @ move.matrix, size_out)
        found.append(Drawn(size_in=size_in, move=move, border=border, interpolation=interpolation))
    return tuple(found)


def apply_image(drawn: Drawn, image: Pixels, *, out: Pixels | None = None) -> Pixels:
    """The image with everything done to it, a new array or `out`; `image` itself is left as it is.

    Raises ValueError for an image of another size than the draw was made for.
    """
    if image.shape[:2] != drawn.size_in:
        raise ValueError(f"drawn for an image of {drawn.size_in}, got {image.shape}")
    if drawn.interpolation is None:
        moved = resample.image(image, drawn.move, drawn.border, out)
    else:
        moved = resample.smooth(image, drawn.move, drawn.interpolation, drawn.border, out)
    done = colour.apply(moved, drawn.colour, drawn.table)
    if drawn.blur > 0.1:
        done = texture.blurred(done, drawn.blur)
    if drawn.sharpen:
        done = texture.sharpened(done, drawn.sharpen)
    if drawn.noise:
        done = texture.noisy(done, drawn.noise, drawn.noise_key)
    if drawn.patch[2]:
        done = texture.patched(done, drawn.patch, resample.GREY)
    if out is not None and done is not out:
        np.copyto(out, done)
        return out
    return done


def apply_float(
    drawn: Drawn,
    image: Pixels,
    mean: Sequence[float],
    deviation: Sequence[float],
    *,
    out: Float[np.ndarray, "h w c"] | None = None,
) -> Float[np.ndarray, "c h w"]:
    """The same as float32, (value / 255 - mean) / deviation: a CHW view of memory that lies channels-last.

    `out` is that memory, HWC. The values are those of `apply_image`, normalised.
    """
    return colour.normalise(apply_image(drawn, image), mean, deviation, out).transpose(2, 0, 1)


def apply(drawn: Drawn, sample: Sample, *, swaps: Sequence[tuple[int, int]] = ()) -> Sample:
    """The sample, everything moved together; objects of which too little is seen are dropped (see `kept`).

    Points outside the new frame become NaN. `swaps` names the pairs of points that change names in a mirror,
    as a left and a right hand.
    """
    boxes, stays = kept(drawn.move, sample.boxes)
    masks = resample.masks(sample.masks, drawn.move) if len(sample.masks) else sample.masks
    points = _points(drawn.move, sample.points, swaps)
    if len(sample.boxes) and len(masks) == len(sample.boxes):
        stays = stays & masks.any(axis=(1, 2))
        masks = masks[stays]
    if len(sample.boxes) and len(points) == len(sample.boxes):
        points = points[stays]
    classes = sample.class_map
    regions, seen = kept(drawn.move, sample.regions)
    return Sample(
        image=apply_image(drawn, sample.image),
        label=sample.label,
        shows=sample.shows,
        boxes=boxes[stays],
        labels=sample.labels[stays],
        aside=sample.aside[stays],
        masks=masks,
        class_map=resample.class_map(classes, drawn.move, drawn.border) if classes.size else classes,
        points=points,
        regions=regions[seen],
    )


def kept(
    move: Move, boxes: Float[np.ndarray, "n 4"]
) -> tuple[Float[np.ndarray, "n 4"], Bool[np.ndarray, "n"]]:
    """Each box as the new frame shows it, and whether it stays: enough is seen, and a pixel each way."""
    if not len(boxes):
        return boxes, np.zeros(0, np.bool_)
    seen, share = move.seen(boxes)
    sides = seen[:, 2:] - seen[:, :2]
    return seen, (share >= KEPT) & (sides >= 1).all(axis=1)


def _canvas(size_in: Size, size_out: Size, resize: Resize, border: Border) -> tuple[Move, moves.Box, Border]:
    """The move to the plane that is cropped, the image's box in that plane, and what lies beyond the image."""
    height, width = size_in
    if resize == "squash":
        return crop((0, 0, width, height), size_out), (0, 0, size_out[1], size_out[0]), border
    if resize == "letterbox":
        factor = min(size_out[0] / height, size_out[1] / width)
        inner = max(round(height * factor), 1), max(round(width * factor), 1)
        left, top = (size_out[1] - inner[1]) // 2, (size_out[0] - inner[0]) // 2
        shift = matrix([[1, 0, left], [0, 1, top]])
        box = (left, top, left + inner[1], top + inner[0])
        return Move(shift @ crop((0, 0, width, height), inner).matrix, size_out), box, "fill"
    return Move(moves.STILL, size_in), (0, 0, width, height), border


def _linear(
    options: AugmentationOptions, rows: dict[str, list[float]], chosen: str, strength: float
) -> colour.Tint | None:
    """All linear operations on colours as one, None where there are none."""
    joined: colour.Tint | None = None
    for name, (knob, operation) in colour.LINEAR.items():
        amount = getattr(options, knob)
        if amount:
            step = operation(rows[name], amount)
            joined = step if joined is None else joined.then(step)
    if chosen in colour.LINEAR:
        step = colour.LINEAR[chosen][1](rows["strength"], strength)
        joined = step if joined is None else joined.then(step)
    return joined


def _points(
    move: Move, points: Float[np.ndarray, "p k 2"], swaps: Sequence[tuple[int, int]]
) -> Float[np.ndarray, "p k 2"]:
    """The moved points, NaN outside the frame; names swapped where the move mirrors."""
    if not points.size:
        return points
    moved = move.points(points)
    height, width = move.size
    with np.errstate(invalid="ignore"):
        outside = (moved < 0).any(axis=-1) | (moved[..., 0] >= width) | (moved[..., 1] >= height)
    moved[outside] = np.nan
    if swaps and move.mirrors:
        order = np.arange(points.shape[1])
        for one, other in swaps:
            order[[one, other]] = order[[other, one]]
        moved = moved[:, order]
    return moved
