"""The only data types that cross rooms, and the conventions that they keep.

- **Boxes** are `xyxy`: the edges of the pixels, half-open, float32, absolute, in the frame of the original image
  until a name says otherwise. A box of one pixel at the origin is (0, 0, 1, 1): never "+1".
- **Images** are HWC uint8 RGB as arrays, CHW float32 in [0, 1] as tensors.
- **Masks** are bool; class maps are uint8 or int64 with 255 for "ignore".
- **Class ids** are int64 positions in the model's own list of names; the name is the identity, never the id.
- Arrays are always there, possibly empty, with their full shape: (0, 4), never None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

if TYPE_CHECKING:
    from torch import Tensor

IGNORE = 255
COUNTED, DIFFICULT, CROWD = 0, 1, 2
"""What `aside` says of an object: it counts; it is passed over; it is a region of many, whose number nobody knows."""


def _no_boxes() -> Float[np.ndarray, "0 4"]:
    return np.zeros((0, 4), np.float32)


def _no_labels() -> Int[np.ndarray, "0"]:
    return np.zeros((0,), np.int64)


def _none_aside() -> UInt8[np.ndarray, "0"]:
    return np.zeros((0,), np.uint8)


def _no_masks() -> Bool[np.ndarray, "0 0 0"]:
    return np.zeros((0, 0, 0), np.bool_)


def _no_map() -> UInt8[np.ndarray, "0 0"]:
    return np.zeros((0, 0), np.uint8)


def _nothing_shown() -> Bool[np.ndarray, "0"]:
    return np.zeros((0,), np.bool_)


def _no_points() -> Float[np.ndarray, "0 0 2"]:
    return np.zeros((0, 0, 2), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One image as arrays, with everything that is known of it; what moves the image moves the rest.

    `image` is HWC uint8 RGB, or has other bands in 256 steps. `label` is the class of the whole image, -1 where there
    is none. `shows` (k,) says of each class whether it is in the image, where that was asked of whole images; else it
    is empty. `boxes` (n, 4) go with `labels` (n,), with `aside` (n,), all `COUNTED` where nothing is said, with `masks`
    (n, h, w), one an object, and with `points` (n, k, 2) as x, y in pixels, NaN where a point is not known. `class_map`
    (h, w) holds a class a pixel, 255 to ignore; (0, 0) where there is none. `regions` (r, 4) are proposals: boxes in
    which something may be.
    """

    image: UInt8[np.ndarray, "h w _"]
    label: int = -1
    shows: Bool[np.ndarray, "c"] = field(default_factory=_nothing_shown)
    boxes: Float[np.ndarray, "n 4"] = field(default_factory=_no_boxes)
    labels: Int[np.ndarray, "n"] = field(default_factory=_no_labels)
    aside: UInt8[np.ndarray, "a"] = field(default_factory=_none_aside)
    masks: Bool[np.ndarray, "m _ _"] = field(default_factory=_no_masks)
    class_map: UInt8[np.ndarray, "_ _"] = field(default_factory=_no_map)
    points: Float[np.ndarray, "p k 2"] = field(default_factory=_no_points)
    regions: Float[np.ndarray, "r 4"] = field(default_factory=_no_boxes)

    def __post_init__(self) -> None:
        if len(self.boxes) and not len(self.aside):
            object.__setattr__(self, "aside", np.zeros(len(self.boxes), np.uint8))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """What one step sees: `images` (n, c, h, w) or kept features of them, and the targets of its task by name.

    `indices` (n,) are positions in the data set, by which a batch names its files when something goes wrong.
    """

    images: Tensor
    targets: Mapping[str, Tensor]
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What the net says of one image: the names from most to least probable, with their probabilities (sum 1)."""

    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    path: Path | None = None

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.names[0]

    @property
    def probability(self) -> float:
        """The probability of the most probable class, in [0, 1]."""
        return self.probabilities[0]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the path, the answer, its probability, and every class with its probability."""
        return {
            "path": None if self.path is None else str(self.path),
            "class": self.name,
            "probability": self.probability,
            "probabilities": dict(zip(self.names, self.probabilities, strict=True)),
        }

    def __str__(self) -> str:
        return f"{self.name} {self.probability:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabel:
    """What the net says of one image that may show several classes: each class by itself, in the model's order.

    A class is named where its probability in [0, 1] is at least its own threshold; probabilities do not sum to 1.
    """

    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    thresholds: tuple[float, ...]
    path: Path | None = None

    @property
    def shown(self) -> tuple[tuple[str, float], ...]:
        """The classes that are named, with their probabilities, the most probable first."""
        rows = zip(self.names, self.probabilities, self.thresholds, strict=True)
        named = [(name, probability) for name, probability, threshold in rows if probability >= threshold]
        return tuple(sorted(named, key=lambda one: -one[1]))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the path, the classes that are named, and every class with its probability."""
        return {
            "path": None if self.path is None else str(self.path),
            "classes": [name for name, _ in self.shown],
            "probabilities": dict(zip(self.names, self.probabilities, strict=True)),
        }

    def __str__(self) -> str:
        return ", ".join(f"{name} {probability:.2f}" for name, probability in self.shown) or "nothing"


Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One object that a net found: its class, the probability of it, and its box (xyxy, original pixels).

    `runs` is its mask, of the size of the picture, as COCO's run lengths: down the columns, zeros first; empty where
    the net draws no outline.
    """

    name: str
    probability: float
    box: Box
    runs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What the net found in one image of `size` (width, height), from most to least probable."""

    found: tuple[Found, ...]
    size: tuple[int, int]
    path: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the path, the size, and every object."""
        return {
            "path": None if self.path is None else str(self.path),
            "size": list(self.size),
            "found": [
                {"class": one.name, "probability": one.probability, "box": list(one.box)}
                | ({"mask": {"size": list(self.size[::-1]), "counts": list(one.runs)}} if one.runs else {})
                for one in self.found
            ],
        }

    def __str__(self) -> str:
        return ", ".join(f"{one.name} {one.probability:.2f}" for one in self.found) or "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Localization:
    """What the net says an image shows, from most to least probable, and where: one box in original pixels."""

    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    box: Box
    size: tuple[int, int]
    path: Path | None = None

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.names[0]

    @property
    def probability(self) -> float:
        """The probability of the most probable class, in [0, 1]."""
        return self.probabilities[0]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the path, the size, the answer, its box, and every class with its probability."""
        return {
            "path": None if self.path is None else str(self.path),
            "size": list(self.size),
            "class": self.name,
            "probability": self.probability,
            "box": list(self.box),
            "probabilities": dict(zip(self.names, self.probabilities, strict=True)),
        }

    def __str__(self) -> str:
        edges = ", ".join(f"{edge:.0f}" for edge in self.box)
        return f"{self.name} {self.probability:.2f} at ({edges})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """The class of every pixel of the original image: positions in `names`."""

    class_map: UInt8[np.ndarray, "h w"]
    names: tuple[str, ...]
    path: Path | None = None

    def shares(self) -> dict[str, float]:
        """How much of the image each class covers, those that are there, the largest first."""
        counts = np.bincount(self.class_map.ravel(), minlength=len(self.names)) / max(self.class_map.size, 1)
        order = (-counts).argsort(kind="stable").tolist()
        return {self.names[place]: float(counts[place]) for place in order if counts[place]}

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the path, the size, and how much each class covers."""
        height, width = self.class_map.shape
        return {
            "path": None if self.path is None else str(self.path),
            "size": [width, height],
            "shares": self.shares(),
        }

    def __str__(self) -> str:
        return ", ".join(f"{name} {share:.0%}" for name, share in self.shares().items())


Prediction = Classification | MultiLabel | Localization | Detection | Segmentation
"""What a model says of one image, by its task."""
