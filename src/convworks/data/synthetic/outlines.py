"""Closed outlines in a unit frame, from which every procedural object is put together.

The frame is that of images: x to the right, y downwards, the object inside [-1, 1] on both axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from jaxtyping import Float

Outline = Float[np.ndarray, "k 2"]
Points = Sequence[tuple[float, float]]

_LEFT = np.array([-1, 1], np.float32)
_CAP = np.array([(math.cos(turn), math.sin(turn)) for turn in (0.5, 1.05, 1.57, 2.09, 2.64)], np.float32)


@cache
def _catmull_rom(samples: int) -> Float[np.ndarray, "s 4"]:
    """Weights of four knots in a row for `samples` points from the second up to the third."""
    t = np.arange(samples, dtype=np.float32) / samples
    weights = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    return np.stack(weights, axis=1) / 2


def _spline(knots: Float[np.ndarray, "k 2"], samples: int) -> Outline:
    """Points of a Catmull-Rom spline between the second and the last but one of `knots`, the end left out."""
    windows = np.stack([knots[:-3], knots[1:-2], knots[2:-1], knots[3:]], axis=1)
    return (_catmull_rom(samples) @ windows).reshape(-1, 2)


def closed(points: Points, samples: int = 8) -> Outline:
    """A smooth closed outline through `points`.

    >>> closed([(1, 0), (0, 1), (-1, 0), (0, -1)]).shape
    (32, 2)
    """
    knots = np.asarray(points, np.float32)
    return _spline(np.concatenate([knots[-1:], knots, knots[:2]]), samples)


def opened(points: Points, samples: int = 8) -> Outline:
    """A smooth line from the first to the last of `points`."""
    knots = np.asarray(points, np.float32)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    return np.concatenate([_spline(padded, samples), knots[-1:]])


def straight(points: Points) -> Outline:
    """An outline with straight sides and sharp corners."""
    return np.asarray(points, np.float32)


def mirrored(right_side: Points, samples: int = 8) -> Outline:
    """A smooth outline, symmetric about the vertical axis, from its right side read from top to bottom."""
    left_side = [(-x, y) for x, y in reversed(right_side) if x > 1e-6]
    return closed([*right_side, *left_side], samples)


@cache
def _circle(points: int) -> Outline:
    around = np.arange(points, dtype=np.float32) * (2 * math.pi / points)
    return np.stack([np.cos(around), np.sin(around)], axis=1)


def ellipse(
    x: float, y: float, radius_x: float, radius_y: float, angle: float = 0.0, points: int = 36
) -> Outline:
    """An ellipse about (x, y), turned by `angle` radians."""
    return placed(_circle(points) * np.array([radius_x, radius_y], np.float32), x, y, angle)


def radial(radius: Callable[[Float[np.ndarray, "k"]], Float[np.ndarray, "k"]], points: int = 96) -> Outline:
    """The outline whose distance from the origin towards an angle (radians) is `radius(angle)`."""
    around = np.arange(points, dtype=np.float32) * (2 * math.pi / points)
    return (_circle(points) * radius(around)[:, None]).astype(np.float32)


def limb(points: Points, widths: Sequence[float], samples: int = 6) -> Outline:
    """A rounded, tapering stroke along the smooth line through `points`; `widths` are half its width."""
    line = opened(points, samples)
    steps = np.arange(len(line)) * ((len(widths) - 1) / (len(line) - 1))
    half = np.interp(steps, np.arange(len(widths)), widths).astype(np.float32)[:, None]
    along = np.empty_like(line)
    along[1:-1] = line[2:] - line[:-2]
    along[0], along[-1] = line[1] - line[0], line[-1] - line[-2]
    along /= np.maximum(np.sqrt(np.square(along).sum(axis=1, keepdims=True)), 1e-6)
    across = along[:, ::-1] * _LEFT
    tip = line[-1] + half[-1] * (_CAP[:, :1] * across[-1] + _CAP[:, 1:] * along[-1])
    root = line[0] - half[0] * (_CAP[:, :1] * across[0] + _CAP[:, 1:] * along[0])
    return np.concatenate([line + half * across, tip, (line - half * across)[::-1], root])


def placed(outline: Outline, x: float, y: float, angle: float = 0.0, scale: float = 1.0) -> Outline:
    """`outline` scaled, turned by `angle` radians (clockwise on the screen) and moved to (x, y)."""
    cosine, sine = math.cos(angle) * scale, math.sin(angle) * scale
    turned = outline @ np.array([[cosine, sine], [-sine, cosine]], np.float32)
    return (turned + np.array([x, y], np.float32)).astype(np.float32)


def wobbled(outline: Outline, rng: np.random.Generator, amount: float) -> Outline:
    """`outline` pushed in and out by a few slow waves of height `amount`: nothing that grew is exact."""
    around = np.arange(len(outline), dtype=np.float32) * (2 * np.pi / len(outline))
    waves = sum(rng.normal() / k * np.cos(k * around + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))
    centre = outline.mean(axis=0)
    return (centre + (outline - centre) * (1 + amount * np.asarray(waves))[:, None]).astype(np.float32)


def flipped(outline: Outline) -> Outline:
    """`outline` mirrored left to right."""
    return outline * np.array([-1, 1], np.float32)
