"""What the four numbers of a box are relative to.

A reader asks: "will we get relative coordinates for the bounding boxes from the 4 output numbers of the regression
head, since each conv-pool layer we reduce the size of the image?" Told as fractions of the input, the numbers do not
know how far the maps have shrunk, and the size of the picture brings them back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from convworks.data.synthetic import scene
from convworks.geometry.boxes import convert

STRIDE = 32  # pixels of the input from one place of the last map to the next


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Telling:
    """One way to say a box: relative to what, and what the four numbers stand for."""

    relative_to: str
    stands_for: str
    numbers: Float[np.ndarray, "4"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers:
    """One box of a picture, told in every way, and told of the same picture at twice the size.

    `doubled` has the same tellings in the same order. `back` is the largest difference in pixels between the box and
    what each telling gives when it is read back.
    """

    image: UInt8[np.ndarray, "h w 3"]
    box: Float[np.ndarray, "4"]
    tellings: tuple[Telling, ...]
    doubled: tuple[Telling, ...]
    back: float


def numbers(*, side: int = 224) -> Numbers:
    """The box of a drawn thing, for a net whose input is `side` x `side`, to which the whole picture is squashed."""
    sample = scene(5, 2, task="localization", classes=["key", "starfish"], size=(320, 240))
    box = sample.boxes[0].astype(np.float64)
    size = (320, 240)
    tellings = told(box, size, side)
    doubled = told(box * 2, (640, 480), side)
    back = max(float(np.abs(read_back(telling, size, side) - box).max()) for telling in tellings)
    return Numbers(image=sample.image, box=box, tellings=tellings, doubled=doubled, back=back)


def told(box: Float[np.ndarray, "4"], size: tuple[int, int], side: int) -> tuple[Telling, ...]:
    """A box in pixels of a picture of `size` (width, height), in five ways."""
    around = np.array([*size, *size], np.float64)
    share = box / around
    return (
        Telling(relative_to="the picture, in pixels", stands_for="x0 y0 x1 y1", numbers=box),
        Telling(relative_to="the picture's size", stands_for="x0 y0 x1 y1", numbers=share),
        Telling(
            relative_to="the picture's size",
            stands_for="centre x y, width, height",
            numbers=convert(share[None], "xyxy", "cxcywh")[0],
        ),
        Telling(relative_to="the net's input, in pixels", stands_for="x0 y0 x1 y1", numbers=share * side),
        Telling(
            relative_to="the last map, in places", stands_for="x0 y0 x1 y1", numbers=share * side / STRIDE
        ),
    )


def read_back(telling: Telling, size: tuple[int, int], side: int) -> Float[np.ndarray, "4"]:
    """The box in pixels of the picture from a telling of it."""
    around = np.array([*size, *size], np.float64)
    numbers = telling.numbers
    if telling.stands_for.startswith("centre"):
        numbers = convert(numbers[None], "cxcywh", "xyxy")[0]
    match telling.relative_to:
        case "the picture, in pixels":
            return numbers
        case "the picture's size":
            return numbers * around
        case "the net's input, in pixels":
            return numbers / side * around
        case _:
            return numbers * STRIDE / side * around
