"""How likely a window holds an object of any class, by what sets objects apart: they stand out, their colours differ
from what surrounds them, edges run along their border, and superpixels do not cross it.

Four cues are measured for a window, how often each value is found on objects and on background is learned, and they
are put together as if they were independent.

Source: Alexe et al., Measuring the objectness of image windows, PAMI 2012, sections 2 to 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torchvision.ops import nms

from convworks.errors import DataError
from convworks.geometry.boxes import iou
from convworks.regions.proposals import Proposals
from convworks.regions.superpixels import superpixels

Image = UInt8[np.ndarray, "h w 3"]
Windows = Float[np.ndarray, "n 4"]

WIDTH = 200
"""Cues are measured at this width or less."""
SCALES = (16, 24, 32, 48, 64)
"""Sides in pixels at which saliency is measured."""
SALIENT = 0.3
"""Saliency, of the largest in the picture, from which a pixel counts."""
RING = 1.0
"""The area of what surrounds a window, of its own."""
INNER = 0.6
"""The area within the ring of edges, of the window's own."""
COLOURS = (4, 8, 8)
"""Bins of L, a and b."""
LEVELS = 20
"""Values of a cue that are told apart."""
SAMPLED = 5000
"""Windows of a picture, drawn by their saliency, whose other cues are measured."""

# Not taken: the density of edges, which the paper's own choice of cues leaves out.
CHOSEN = ("salience", "contrast", "straddling")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """What of a picture the cues are read from: sums over all rectangles from the corner."""

    size: tuple[int, int]
    salient: list[tuple[Float[np.ndarray, "_ _"], Float[np.ndarray, "_ _"]]]
    colours: Float[np.ndarray, "b h1 w1"]
    edges: Float[np.ndarray, "h1 w1"]
    parts: Float[np.ndarray, "s h1 w1"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objectness:
    """What was learned: for each cue the borders of its levels, and log p(level | object) - log p(level | none)."""

    borders: dict[str, Float[np.ndarray, "l"]]
    evidence: dict[str, Float[np.ndarray, "l1"]]
    prior: float

    def probability(self, cues: dict[str, Float[np.ndarray, "n"]]) -> Float[np.ndarray, "n"]:
        """The probability that each window holds an object, by Bayes' rule with the cues taken as independent."""
        total = np.full(len(next(iter(cues.values()))), np.log(self.prior / (1 - self.prior)))
        for name, border in self.borders.items():
            total = total + self.evidence[name][np.searchsorted(border, cues[name])]
        return 1 / (1 + np.exp(-total))


def prepared(image: Image) -> Material:
    """Everything that the cues of any window are read from."""
    height, width = image.shape[:2]
    scale = min(1.0, WIDTH / width)
    small = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).astype(np.int64)
    bins = np.zeros(small.shape[:2], np.int64)
    for band, count in enumerate(COLOURS):
        bins = bins * count + (lab[..., band] * count >> 8)
    edges = cv2.Canny(small, 50, 150) > 0
    smallest = max(1, round(200 * (small.shape[1] / 500) ** 2))
    return Material(
        size=(height, width),
        salient=[_saliency(image, side) for side in SCALES],
        colours=_summed(_one_hot(bins)),
        edges=_summed(edges[None])[0],
        parts=_summed(_one_hot(superpixels(small, k=450, sigma=0.5, smallest=smallest))),
    )


def salience(material: Material, windows: Windows) -> Float[np.ndarray, "n"]:
    """The saliency in a window times the share of it that is salient, the largest over the scales."""
    found = np.zeros(len(windows))
    for values, counts in material.salient:
        placed = _placed(windows, material.size, (values.shape[0] - 1, values.shape[1] - 1))
        area = np.maximum(_area(placed), 1)
        found = np.maximum(found, _within(values[None], placed)[0] * _within(counts[None], placed)[0] / area)
    return found


def contrast(material: Material, windows: Windows) -> Float[np.ndarray, "n"]:
    """How far the colours of a window are from those around it, by chi-square: 0 for alike, 2 for nothing in common."""
    placed = _at(material.colours, material, windows)
    inside = _within(material.colours, placed)
    around = _within(material.colours, _grown(placed, material.colours, (1 + RING) ** 0.5)) - inside
    first, second = (part / np.maximum(part.sum(0), 1) for part in (inside, around))
    total = first + second
    shares = np.divide((first - second) ** 2, total, out=np.zeros_like(total), where=total > 0)
    return np.where(around.sum(0) > 0, shares.sum(0), 0)


def density(material: Material, windows: Windows) -> Float[np.ndarray, "n"]:
    """Edge pixels in the inner ring of a window for each pixel of the ring's border."""
    edges = material.edges[None]
    placed = _at(edges, material, windows)
    inner = _grown(placed, edges, INNER**0.5)
    border = 2 * ((placed[:, 2] - placed[:, 0]) + (placed[:, 3] - placed[:, 1]))
    return (_within(edges, placed)[0] - _within(edges, inner)[0]) / np.maximum(border, 1)


def straddling(material: Material, windows: Windows) -> Float[np.ndarray, "n"]:
    """1 less the area of what superpixels the border cuts, the smaller side of each: 1 where it cuts none."""
    placed = _at(material.parts, material, windows)
    inside = _within(material.parts, placed)
    whole = material.parts[:, -1, -1][:, None]
    return 1 - np.minimum(inside, whole - inside).sum(0) / np.maximum(_area(placed), 1)


CUES = {"salience": salience, "contrast": contrast, "density": density, "straddling": straddling}


def measured(
    material: Material, windows: Windows, cues: Sequence[str] = CHOSEN
) -> dict[str, Float[np.ndarray, "n"]]:
    """The cues of some windows (xyxy, pixels of the image), by name."""
    return {name: CUES[name](material, windows) for name in cues}


def drawn(material: Material, count: int, seed: int = 0) -> Windows:
    """`count` windows, the salient ones more often: of eight times as many of every size and place."""
    random = np.random.default_rng(seed)
    ends = np.sort(random.uniform(0, 1, (8 * count, 2, 2)), 1)
    windows = ends.reshape(-1, 4) * np.array([material.size[1], material.size[0]] * 2)
    sides = windows[:, 2:] - windows[:, :2]
    windows = windows[(sides > np.array([material.size[1], material.size[0]]) * 0.06).all(1)]
    weight = salience(material, windows) + 1e-9
    chosen = random.choice(len(windows), min(count, len(windows)), replace=False, p=weight / weight.sum())
    return windows[np.sort(chosen)]


def learned(
    pictures: Sequence[tuple[UInt8[np.ndarray, "_ _ 3"], Float[np.ndarray, "_ 4"]]],
    cues: Sequence[str] = CHOSEN,
    count: int = 2000,
) -> Objectness:
    """How the cues of windows on objects (IoU above .5) and elsewhere differ, from pictures and their boxes.

    Raises DataError where no window is on an object.
    """
    found: dict[str, list[Float[np.ndarray, "_"]]] = {name: [] for name in cues}
    hits: list[Bool[np.ndarray, "_"]] = []
    for number, (image, boxes) in enumerate(pictures):
        material = prepared(image)
        windows = np.concatenate([drawn(material, count, seed=number), boxes])
        for name, values in measured(material, windows, cues).items():
            found[name].append(values)
        hits.append(iou(windows, boxes).max(1, initial=0) > 0.5)
    hit = np.concatenate(hits) if hits else np.zeros(0, bool)
    if not hit.any():
        raise DataError(
            "No picture has an object to learn from.", expected="pictures with boxes", fix="add boxes"
        )
    borders: dict[str, Float[np.ndarray, "_"]] = {}
    evidence: dict[str, Float[np.ndarray, "_"]] = {}
    for name in cues:
        values = np.concatenate(found[name])
        borders[name] = np.unique(np.quantile(values, np.arange(1, LEVELS) / LEVELS))
        level, levels = np.searchsorted(borders[name], values), len(borders[name]) + 1
        shares = [np.bincount(level[part], minlength=levels) + 1.0 for part in (hit, ~hit)]
        evidence[name] = np.log(shares[0] / shares[0].sum()) - np.log(shares[1] / shares[1].sum())
    return Objectness(borders=borders, evidence=evidence, prior=float(hit.mean()))


def proposed(objectness: Objectness, image: Image, most: int = 1000, *, seed: int = 0) -> Proposals:
    """The most promising windows, at most `most`, none with an IoU above .5 with a better one, by probability."""
    material = prepared(image)
    windows = drawn(material, SAMPLED, seed)
    scores = objectness.probability(measured(material, windows, tuple(objectness.borders)))
    kept = nms(torch.from_numpy(windows), torch.from_numpy(scores), 0.5)[:most].numpy()
    return Proposals(boxes=windows[kept].astype(np.float32), scores=scores[kept].astype(np.float32))


def _saliency(image: Image, side: int) -> tuple[Float[np.ndarray, "s s"], Float[np.ndarray, "s s"]]:
    """Sums of what is salient at one scale and of how many pixels are, by the spectral residual of each channel.

    Source: Hou and Zhang, Saliency detection: a spectral residual approach, CVPR 2007.
    """
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    total = np.zeros((side, side), np.float32)
    for band in range(3):
        spectrum = np.fft.fft2(small[..., band])
        amplitude = np.log(np.abs(spectrum) + 1e-6).astype(np.float32)
        residual = amplitude - cv2.blur(amplitude, (3, 3))
        back = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
        total += cv2.GaussianBlur(back.astype(np.float32), (0, 0), 2.5)
    total /= max(float(total.max()), 1e-12)
    counted = total >= SALIENT
    return _summed((total * counted)[None])[0], _summed(counted[None])[0]


def _one_hot(numbers: Int[np.ndarray, "h w"]) -> Bool[np.ndarray, "b h w"]:
    """One plane a number that occurs."""
    names, places = np.unique(numbers, return_inverse=True)
    return places.reshape(numbers.shape)[None] == np.arange(len(names))[:, None, None]


def _summed(planes: np.ndarray) -> Float[np.ndarray, "b h1 w1"]:
    """Sums over the rectangle from the corner to each pixel's corner."""
    sums = np.zeros((planes.shape[0], planes.shape[1] + 1, planes.shape[2] + 1), np.float32)
    np.cumsum(planes, 1, out=sums[:, 1:, 1:], dtype=np.float32)
    np.cumsum(sums[:, 1:, 1:], 2, out=sums[:, 1:, 1:])
    return sums


def _placed(windows: Windows, size: tuple[int, int], small: tuple[int, int]) -> Int[np.ndarray, "n 4"]:
    """Windows of an image of `size` in whole pixels of one of `small`, at least one pixel each way."""
    scale = np.array([small[1] / size[1], small[0] / size[0]] * 2)
    placed = np.round(windows * scale).astype(np.int64)
    limit = np.array([small[1], small[0]])
    placed[:, :2] = placed[:, :2].clip(0, limit - 1)
    placed[:, 2:] = np.maximum(placed[:, 2:].clip(0, limit), placed[:, :2] + 1)
    return placed


def _at(sums: Float[np.ndarray, "b h1 w1"], material: Material, windows: Windows) -> Int[np.ndarray, "n 4"]:
    return _placed(windows, material.size, (sums.shape[1] - 1, sums.shape[2] - 1))


def _grown(
    placed: Int[np.ndarray, "n 4"], sums: Float[np.ndarray, "b h1 w1"], factor: float
) -> Int[np.ndarray, "n 4"]:
    """Windows `factor` times as wide and high about the same centres, as far as the image goes."""
    middle, half = (placed[:, :2] + placed[:, 2:]) / 2, (placed[:, 2:] - placed[:, :2]) / 2 * factor
    limit = np.array([sums.shape[2] - 1, sums.shape[1] - 1])
    edges = np.concatenate([np.round(middle - half), np.round(middle + half)], 1)
    return edges.clip(0, np.tile(limit, 2)).astype(np.int64)


def _area(placed: Int[np.ndarray, "n 4"]) -> Int[np.ndarray, "n"]:
    return (placed[:, 2] - placed[:, 0]) * (placed[:, 3] - placed[:, 1])


def _within(sums: Float[np.ndarray, "b h1 w1"], placed: Int[np.ndarray, "n 4"]) -> Float[np.ndarray, "b n"]:
    """The sum of each plane over each window."""
    left, top, right, bottom = placed.T
    return sums[:, bottom, right] - sums[:, top, right] - sums[:, bottom, left] + sums[:, top, left]
