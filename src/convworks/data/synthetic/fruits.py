"""Fruits and roots: each function draws one at random as parts in the unit frame, upright."""

from __future__ import annotations

import numpy as np

from convworks.data.synthetic.outlines import (
    Outline,
    closed,
    limb,
    mirrored,
    placed,
    wobbled,
)
from convworks.data.synthetic.palette import any_palette
from convworks.data.synthetic.render import Part
from convworks.data.synthetic.textures import (
    faint,
    shaded,
    spotted,
    step,
    striped,
)

Parts = tuple[Part, ...]


def carrot(rng: np.random.Generator) -> Parts:
    """A carrot: a tapering ringed root under a tuft of feathery leaves."""
    colours = any_palette(rng)
    wide, bend = rng.uniform(0.22, 0.34), rng.normal(0, 0.14)
    root = limb(
        [(0, -0.28), (bend * 0.2, 0.15), (bend * 0.7, 0.6), (bend * 1.2, 0.97)],
        [wide * 0.8, wide, wide * 0.72, wide * 0.45, 0.02],
    )
    fronds: list[Outline] = []
    for _ in range(int(rng.integers(4, 7))):
        aim, reach = rng.normal(0, 0.42), rng.uniform(0.45, 0.66)
        tip = (reach * float(np.sin(aim)), -0.36 - reach * float(np.cos(aim)))
        fronds.append(limb([(0, -0.36), (tip[0] * 0.35, tip[1] * 0.6 - 0.14), tip], [0.03, 0.028, 0.015]))
        for share in (0.45, 0.65, 0.85):
            x, y = tip[0] * share, -0.36 + (tip[1] + 0.36) * share
            for side in (-1, 1):
                angle = aim + side * 0.8
                end = (x + 0.15 * float(np.sin(angle)), y - 0.15 * float(np.cos(angle)))
                fronds.append(limb([(x, y), end], [0.028, 0.03]))
    return (
        Part(outlines=tuple(fronds), base=colours.second, accent=colours.dark, bulge=0.06),
        Part(
            outlines=(wobbled(root, rng, 0.01),),
            base=colours.body,
            accent=colours.dark,
            pattern=faint(striped(np.pi / 2, rng.uniform(2.5, 4), 0, 5), rng.uniform(0.25, 0.7)),
            bulge=0.24,
            rounding=0.35,
            relief=-0.02,
            gloss=rng.uniform(0.1, 0.4),
        ),
    )


def cherry(rng: np.random.Generator) -> Parts:
    """Two cherries on long stalks that meet, with a leaf where they do."""
    colours = any_palette(rng)
    spread, drop = rng.uniform(0.34, 0.46), rng.uniform(0.40, 0.52)
    meet = (rng.normal(0.1, 0.1), -0.86)
    size = rng.uniform(0.30, 0.38)
    fruits = [(-spread, drop + rng.normal(0, 0.06)), (spread, drop + rng.normal(0, 0.06))]
    stalks = tuple(
        limb([(x, y - size * 0.8), (x * 0.75, -0.25), meet], [0.03, 0.024, 0.03]) for x, y in fruits
    )
    blade = closed([(0, 0), (0.22, -0.16), (0.56, -0.08), (0.30, 0.14)], 6)
    side = float(rng.choice([-1, 1]))
    foliage = placed(
        placed(blade, 0, 0, rng.uniform(-0.2, 0.5), rng.uniform(0.85, 1.2)) * np.array([side, 1], np.float32),
        *meet,
    )
    balls: list[Part] = []
    for x, y in fruits:
        ball = mirrored([(0, -0.82), (0.55, -0.96), (1.0, -0.2), (0.72, 0.72), (0, 0.98)])
        balls.append(
            Part(
                outlines=(placed(ball, x, y, rng.normal(0, 0.15), size),),
                base=colours.body,
                accent=colours.accent,
                pattern=shaded(rng.uniform(0, 6.283), rng.uniform(-0.2, 0.3)),
                bulge=0.36,
                rounding=0.4,
                gloss=rng.uniform(0.5, 1.0),
            )
        )
    return (
        Part(outlines=stalks, base=colours.second, accent=colours.dark, bulge=0.04),
        Part(outlines=(foliage,), base=colours.second, accent=colours.light, bulge=0.06, gloss=0.2),
        *balls,
    )


def pear(rng: np.random.Generator) -> Parts:
    """A pear with a stalk and often a leaf."""
    colours = any_palette(rng)
    neck, belly = rng.uniform(0.18, 0.27), rng.uniform(0.50, 0.64)
    body = mirrored(
        [
            (0, -0.66),
            (neck, -0.56),
            (neck * 1.25, -0.22),
            (belly * 0.92, 0.20),
            (belly, 0.52),
            (belly * 0.66, 0.86),
            (0.1, 0.93),
            (0, 0.90),
        ]
    )
    tip = (rng.normal(0, 0.12), -0.97)
    stalk = limb([(0, -0.60), (tip[0] * 0.3, -0.78), tip], [0.035, 0.03, 0.045])
    freckles = spotted(9, rng.uniform(0, 6), 0.22)
    blush = shaded(rng.uniform(0, 6.283), rng.uniform(-0.2, 0.5), 0.9)

    def skin(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.clip(0.8 * blush(x, y, noise) + 0.25 * freckles(x, y, noise), 0, 1)

    parts = [
        Part(outlines=(stalk,), base=colours.dark, accent=colours.second, bulge=0.05),
        Part(
            outlines=(wobbled(body, rng, 0.015),),
            base=colours.body,
            accent=colours.accent,
            pattern=skin,
            bulge=0.5,
            rounding=0.6,
            gloss=rng.uniform(0.15, 0.6),
        ),
    ]
    if rng.uniform() < 0.6:
        blade = closed([(0, 0), (0.18, -0.15), (0.5, -0.1), (0.26, 0.12)], 6)
        side = float(rng.choice([-1, 1]))
        foliage = placed(
            placed(blade, 0, 0, rng.uniform(-0.5, 0.4)) * np.array([side, 1], np.float32), 0, -0.74
        )
        parts.insert(0, Part(outlines=(foliage,), base=colours.second, accent=colours.light, bulge=0.06))
    return tuple(parts)


def acorn(rng: np.random.Generator) -> Parts:
    """An acorn: a smooth nut with a point in a knobbly cup with a stalk."""
    colours = any_palette(rng)
    wide, long = rng.uniform(0.40, 0.52), rng.uniform(0.72, 0.86)
    nut = mirrored(
        [
            (0, -0.3),
            (wide * 0.9, -0.2),
            (wide, 0.12),
            (wide * 0.7, 0.52),
            (0.1, long),
            (0.03, long + 0.1),
            (0, long + 0.11),
        ]
    )
    cup = mirrored(
        [
            (0, -0.70),
            (wide * 0.6, -0.64),
            (wide * 1.14, -0.38),
            (wide * 1.2, -0.10),
            (wide * 0.7, -0.02),
            (0, 0.03),
        ]
    )
    tip = (rng.normal(0, 0.12), -0.97)
    stalk = limb([(0, -0.62), (tip[0] * 0.4, -0.82), tip], [0.05, 0.045, 0.055])
    waves = rng.uniform(5, 7)

    def knobs(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return step(
            np.sin((x + y) * waves * 4.2) * np.sin((x - y) * waves * 4.2) + 0.4 * (noise - 0.5), 0.05, 0.6
        )

    return (
        Part(outlines=(stalk,), base=colours.dark, accent=colours.second, bulge=0.07),
        Part(
            outlines=(nut,),
            base=colours.body,
            accent=colours.accent,
            pattern=faint(striped(0, rng.uniform(2, 4), 0, 3), rng.uniform(0.2, 0.7)),
            bulge=0.42,
            rounding=0.46,
            gloss=rng.uniform(0.4, 0.9),
        ),
        Part(
            outlines=(wobbled(cup, rng, 0.01),),
            base=colours.dark,
            accent=colours.second,
            pattern=faint(knobs, 0.7),
            bulge=0.3,
            rounding=0.36,
            relief=0.04,
        ),
    )
