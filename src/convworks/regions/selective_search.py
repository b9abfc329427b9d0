"""Boxes that may hold an object, from parts of an image that join one another: the proposals of R-CNN and Fast R-CNN.

Superpixels join greedily, the two neighbours that are most alike first, until one part is left; each part on the way
is a proposal. Likeness is how far the histograms of colour and of texture overlap, how small the two are, and how
well they fill the box around them. Two colour spaces, two sizes of superpixels and two mixtures of likeness make
eight such hierarchies ("fast" in the paper), whose boxes are put in one order that is the same in every run.

Source: Uijlings et al., Selective search for object recognition, IJCV 2013, section 3; the settings: PAPERS.md 2,
R-CNN (1311.2524) appendix A.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from convworks.regions.superpixels import graph, segment

Image = UInt8[np.ndarray, "h w 3"]
Parts = Int[np.ndarray, "h w"]

SPACES = (cv2.COLOR_RGB2HSV_FULL, cv2.COLOR_RGB2Lab)
SCALES = (50.0, 100.0)
"""k of the superpixels, which is also the least number of pixels of one."""

SIGMA = 0.8
SMALLEST = 20.0
"""Boxes with a shorter side are dropped: pixels of an image that is `WIDTH` wide."""

WIDTH = 500
"""The image is searched at this width or less, so that the parts mean the same in every image."""

COLOURS, LEVELS = 25, 10
"""Bins of colour a channel; bins of the texture a direction, of which there are 8 a channel."""


@dataclass(slots=True, kw_only=True, eq=False)
class Regions:
    """What is known of each part: pixels, box (xyxy), histograms that each sum to 1, and pairs that touch."""

    sizes: Int[np.ndarray, "r"]
    boxes: Int[np.ndarray, "r 4"]
    histograms: Float[np.ndarray, "r b"]
    touching: Int[np.ndarray, "t 2"]


def selective_search(image: Image, *, smallest: float = SMALLEST, seed: int = 0) -> Float[np.ndarray, "n 4"]:
    """Boxes (xyxy, pixels of the image), the most promising first, none twice.

    `smallest` is the shortest side kept, in pixels of an image 500 wide, or that of the image. `seed` decides
    the order among boxes of about the same height in their hierarchies; one seed gives one order.

    >>> image = np.zeros((60, 80, 3), np.uint8)
    >>> image[20:50, 10:40] = 200, 30, 30
    >>> [10.0, 20.0, 40.0, 50.0] in selective_search(image).tolist()
    True
    """
    height, width = image.shape[:2]
    scale = min(1.0, WIDTH / width)
    small = image
    if scale < 1:
        size = (WIDTH, max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    stretch = np.array([width / small.shape[1], height / small.shape[0]] * 2)
    random = np.random.default_rng(seed)
    boxes: list[Int[np.ndarray, "r 4"]] = []
    ranks: list[Float[np.ndarray, "r"]] = []
    for space in SPACES:
        pixels = cv2.cvtColor(small, space)
        edges, texture = graph(pixels, SIGMA), textures(pixels)
        for k in SCALES:
            regions = described(pixels, texture, segment(edges, k=k, smallest=round(k)))
            for colour in (True, False):
                found = grouped(regions, colour=colour)[::-1]
                boxes.append(found)
                ranks.append(np.arange(1, len(found) + 1) * random.uniform(size=len(found)))
    together, rank = np.concatenate(boxes), np.concatenate(ranks)
    together = together[np.argsort(rank, kind="stable")]
    _, first = np.unique(together, axis=0, return_index=True)
    together = together[np.sort(first)]
    sides = together[:, 2:] - together[:, :2]
    kept = sides.min(1) >= min(smallest * small.shape[1] / WIDTH, *small.shape[:2])
    return (together[kept] * stretch).astype(np.float32)


def textures(pixels: Image) -> Int[np.ndarray, "m h w"]:
    """Bins of the slope of each channel along four lines, its sign telling the direction: (12, h, w).

    Bins 0 to 9 are slopes downwards, the steepest first, 10 to 19 upwards.
    """
    smooth = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.0)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    half = np.float32(np.sqrt(0.5))
    slopes = [across, down, (across + down) * half, (across - down) * half]
    bins: list[Int[np.ndarray, "h w 3"]] = []
    for slope in slopes:
        steepest = np.maximum(np.abs(slope).max((0, 1)), np.float32(1e-6))
        level = np.floor(slope * (LEVELS * (1 - 1e-6) / steepest)) + LEVELS
        bins.append(level.astype(np.int16))
    return np.ascontiguousarray(np.concatenate(bins, 2).transpose(2, 0, 1))


def described(pixels: Image, texture: Int[np.ndarray, "m h w"], parts: Parts) -> Regions:
    """Sizes, boxes, histograms and neighbours of the parts of an image."""
    count = int(parts.max()) + 1
    flat = parts.ravel().astype(np.int64)
    sizes = np.bincount(flat, minlength=count)
    bands = [((pixels[..., band].ravel().astype(np.int64) * COLOURS) >> 8, COLOURS) for band in range(3)]
    bands += [(level.ravel(), 2 * LEVELS) for level in texture]
    counted = [
        np.bincount(flat * bins + level, minlength=count * bins).reshape(count, bins) for level, bins in bands
    ]
    shares = [
        np.concatenate(group, 1) / (len(group) * sizes[:, None]) for group in (counted[:3], counted[3:])
    ]
    histograms = np.concatenate(shares, 1).astype(np.float32)
    return Regions(sizes=sizes, boxes=_boxes(parts, count), histograms=histograms, touching=_touching(parts))


def grouped(regions: Regions, *, colour: bool) -> Int[np.ndarray, "p 4"]:
    """The boxes of all parts of the hierarchy: those given, then each new one as the most alike two become one.

    Likeness is that of texture, of size and of filling, and of `colour` if it is to count.
    """
    count, whole = len(regions.sizes), int(regions.sizes.sum())
    rows = np.zeros((2 * count, regions.histograms.shape[1]), np.float32)
    rows[:count] = regions.histograms
    if not colour:
        rows = np.ascontiguousarray(rows[:, 3 * COLOURS :])
    size = np.concatenate([regions.sizes, np.zeros(count, np.int64)]).astype(np.float64)
    box = np.concatenate([regions.boxes, np.zeros((count, 4), np.int64)]).astype(np.float64)
    near: list[set[int]] = [set() for _ in range(2 * count)]
    for one, other in regions.touching.tolist():
        near[one].add(other)
        near[other].add(one)

    def alike(one: Int[np.ndarray, "p"] | int, others: Int[np.ndarray, "p"]) -> list[float]:
        """How alike the parts of each pair are, in [0, 4]."""
        overlap = np.minimum(rows[one], rows[others]).sum(1, dtype=np.float64)
        pixels = size[one] + size[others]
        low = np.minimum(box[one, ..., :2], box[others, :2])
        around = np.prod(np.maximum(box[one, ..., 2:], box[others, 2:]) - low, axis=-1)
        return (overlap + (1 - pixels / whole) + (1 - (around - pixels) / whole)).tolist()

    pairs = regions.touching
    likeness = alike(pairs[:, 0], pairs[:, 1]) if len(pairs) else []
    queue = [(-like, one, other) for like, (one, other) in zip(likeness, pairs.tolist(), strict=True)]
    heapify(queue)
    gone = bytearray(2 * count)
    new = count
    while queue:
        _, one, other = heappop(queue)
        if gone[one] or gone[other]:
            continue
        gone[one] = gone[other] = 1
        size[new] = size[one] + size[other]
        rows[new] = (size[one] * rows[one] + size[other] * rows[other]) / size[new]
        np.minimum(box[one, :2], box[other, :2], out=box[new, :2])
        np.maximum(box[one, 2:], box[other, 2:], out=box[new, 2:])
        around = sorted((near[one] | near[other]) - {one, other})
        near[new] = set(around)
        for part in around:
            near[part] -= {one, other}
            near[part].add(new)
        if around:
            for like, part in zip(alike(new, np.array(around)), around, strict=True):
                heappush(queue, (-like, part, new))
        new += 1
    return box[:new].astype(np.int64)


def _boxes(parts: Parts, count: int) -> Int[np.ndarray, "r 4"]:
    """The box around each part: xyxy, half-open."""
    height, width = parts.shape
    boxes = np.tile(np.array([width, height, 0, 0], np.int64), (count, 1))
    flat = parts.ravel()
    rows, columns = np.divmod(np.arange(flat.size), width)
    np.minimum.at(boxes[:, 0], flat, columns)
    np.maximum.at(boxes[:, 2], flat, columns + 1)
    boxes[flat[::-1], 1] = rows[::-1]
    boxes[flat, 3] = rows + 1
    return boxes


def _touching(parts: Parts) -> Int[np.ndarray, "t 2"]:
    """Pairs of parts that share an edge or a corner, the lower number first."""
    sides = [
        (parts[:, :-1], parts[:, 1:]),
        (parts[:-1], parts[1:]),
        (parts[:-1, :-1], parts[1:, 1:]),
        (parts[:-1, 1:], parts[1:, :-1]),
    ]
    keys: list[Int[np.ndarray, "k"]] = []
    for one, other in sides:
        differ = one != other
        here, there = one[differ].astype(np.int64), other[differ].astype(np.int64)
        keys.append(np.minimum(here, there) << 32 | np.maximum(here, there))
    pairs = np.unique(np.concatenate(keys))
    return np.stack([pairs >> 32, pairs & 0xFFFFFFFF], 1)
