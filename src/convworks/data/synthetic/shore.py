"""Animals of the shore with limbs that bend: each function draws one at random as parts in the unit frame."""

from __future__ import annotations

import numpy as np

from convworks.data.synthetic.creatures import eye
from convworks.data.synthetic.outlines import (
    Outline,
    closed,
    ellipse,
    limb,
    mirrored,
    placed,
)
from convworks.data.synthetic.palette import any_palette
from convworks.data.synthetic.render import Part
from convworks.data.synthetic.textures import any_pattern, plain, ringed, scaled, spotted, step

Parts = tuple[Part, ...]


def fish(rng: np.random.Generator) -> Parts:
    """A fish from the side: body, forked tail, fins, scales, an eye."""
    colours = any_palette(rng)
    high, bend = rng.uniform(0.27, 0.44), rng.normal(0, 0.05)
    body = closed(
        [
            (0.92, 0.02 + bend),
            (0.70, -high * 0.62),
            (0.28, -high),
            (-0.22, -high * 0.72),
            (-0.58, -0.10 - bend),
            (-0.60, 0.09 - bend),
            (-0.20, high * 0.70),
            (0.30, high * 0.98),
            (0.70, high * 0.60),
        ]
    )
    fork, spread = rng.uniform(0.02, 0.24), rng.uniform(0.30, 0.48)
    lift = -bend + rng.normal(0, 0.05)
    tail = closed(
        [
            (-0.50, lift),
            (-0.74, lift - spread * 0.55),
            (-0.98, lift - spread),
            (-0.92 + fork, lift),
            (-0.98, lift + spread),
            (-0.74, lift + spread * 0.55),
        ]
    )
    crest = rng.uniform(0.12, 0.32)
    dorsal = closed(
        [(0.42, -high * 0.8), (0.20, -high - crest), (-0.22, -high * 0.8 - crest * 0.7), (-0.34, -high * 0.5)]
    )
    ventral = closed(
        [
            (0.16, high * 0.8),
            (-0.02, high + crest * 0.8),
            (-0.24, high * 0.7 + crest * 0.5),
            (-0.22, high * 0.5),
        ]
    )
    breast = placed(ellipse(-0.13, 0, 0.16, 0.075), 0.34, 0.08, rng.uniform(-0.9, -0.2))
    scales = scaled(rng.uniform(4, 6.5))
    marking = any_pattern(rng)

    def skin(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.clip(0.75 * marking(x, y, noise) + 0.3 * scales(x, y, noise) * (x < 0.48), 0, 1)

    def rays(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return step(np.sin(np.arctan2(y, x + 0.2) * 60 + 2 * noise), 0, 1.5)

    gill = limb([(0.52, -high * 0.5), (0.44, 0.0), (0.52, high * 0.52)], [0.010, 0.016, 0.008])
    fin = Part(
        outlines=(tail, dorsal, ventral),
        base=colours.second,
        accent=colours.accent,
        pattern=rays,
        bulge=0.05,
        relief=0.012,
    )
    return (
        fin,
        Part(
            outlines=(body,),
            base=colours.body,
            accent=colours.accent,
            pattern=skin,
            bulge=0.26,
            rounding=0.4,
            relief=0.008,
            gloss=rng.uniform(0.25, 0.6),
        ),
        Part(outlines=(gill,), base=colours.dark, accent=colours.dark, bulge=0.0),
        Part(outlines=(breast,), base=colours.second, accent=colours.accent, pattern=rays, bulge=0.04),
        eye(0.70, -high * 0.24, rng.uniform(0.06, 0.085)),
    )


def starfish(rng: np.random.Generator) -> Parts:
    """A starfish: five arms that bend each its own way, a knobbly skin."""
    colours = any_palette(rng)
    width = rng.uniform(0.16, 0.23)
    start = rng.uniform(0, 6.283)
    arms: list[Outline] = []
    for number in range(5):
        angle = start + number * 2 * np.pi / 5 + rng.normal(0, 0.07)
        curl, length = rng.normal(0, 0.16), rng.uniform(0.86, 1.0)
        line = [
            (
                distance * float(np.cos(angle + curl * distance)),
                distance * float(np.sin(angle + curl * distance)),
            )
            for distance in (0.0, length * 0.5, length)
        ]
        arms.append(limb(line, [width * 1.1, width, width * 0.68, 0.05]))
    knobs, phase, strength = rng.uniform(4, 6.5), rng.uniform(0, 6), rng.uniform(0.3, 0.8)
    knobbly = spotted(knobs, phase, 0.4)
    rings = ringed(0, 0, rng.uniform(2, 4), phase) if rng.uniform() < 0.5 else plain()

    def skin(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.clip(strength * knobbly(x, y, noise) + 0.35 * rings(x, y, noise), 0, 1)

    return (
        Part(
            outlines=(*arms, ellipse(0, 0, width * 1.5, width * 1.5)),
            base=colours.body,
            accent=colours.accent,
            pattern=skin,
            bulge=0.17,
            rounding=0.24,
            relief=0.025,
            gloss=0.12,
        ),
    )


def crab(rng: np.random.Generator) -> Parts:
    """A crab from above: a broad shell, eight legs, two claws, eyes on stalks."""
    colours = any_palette(rng)
    wide, high = rng.uniform(0.42, 0.50), rng.uniform(0.28, 0.36)
    legs: list[Outline] = []
    claws: list[Outline] = []
    for side in (-1, 1):
        for number in range(4):
            swing = -0.25 + number * 0.34 + rng.normal(0, 0.07)
            knee = (side * (wide + 0.26), 0.02 + 0.26 * swing + 0.05 * number - 0.08)
            foot = (side * (wide + 0.46 - 0.05 * number), 0.16 + 0.66 * swing)
            legs.append(limb([(side * wide * 0.7, 0.05 + 0.1 * swing), knee, foot], [0.06, 0.045, 0.015]))
        reach = rng.normal(0, 0.05)
        elbow = (side * (wide + 0.20), -0.34 + reach)
        wrist = (side * (wide + 0.05 + reach), -0.60)
        claws.append(limb([(side * wide * 0.7, -0.12), elbow, wrist], [0.07, 0.075, 0.07]))
        angle = -np.pi / 2 - side * rng.uniform(0.15, 0.6)
        size = rng.uniform(0.9, 1.25)
        for bend in (-1, 1):
            finger = closed(
                [(-0.05, 0.0), (0.08, bend * 0.13), (0.28, bend * 0.10), (0.36, bend * 0.02), (0.16, 0.01)]
            )
            claws.append(placed(finger, wrist[0], wrist[1], angle + bend * 0.12, size))
    stalks = tuple(
        limb([(side * 0.14, -high * 0.8), (side * 0.17, -high - 0.14)], [0.03, 0.045]) for side in (-1, 1)
    )
    shell = mirrored(
        [
            (0, -high),
            (wide * 0.6, -high * 1.05),
            (wide, -high * 0.35),
            (wide * 0.82, high * 0.55),
            (wide * 0.4, high),
            (0, high * 1.02),
        ]
    )
    marking = any_pattern(rng)

    def both_sides(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return marking(np.abs(x), y, noise)

    return (
        Part(outlines=tuple(legs), base=colours.second, accent=colours.accent, bulge=0.06, gloss=0.2),
        Part(outlines=tuple(claws), base=colours.body, accent=colours.accent, bulge=0.1, gloss=0.35),
        Part(outlines=stalks, base=colours.dark, accent=colours.dark, bulge=0.05, gloss=0.7),
        Part(
            outlines=(shell,),
            base=colours.body,
            accent=colours.accent,
            pattern=both_sides,
            bulge=0.24,
            rounding=0.34,
            relief=0.01,
            gloss=0.35,
        ),
    )


def turtle(rng: np.random.Generator) -> Parts:
    """A turtle from above: a domed shell of plates, a head, four flippers."""
    colours = any_palette(rng)
    wide, long = rng.uniform(0.44, 0.54), rng.uniform(0.56, 0.64)
    flippers: list[Outline] = []
    for side in (-1, 1):
        for row, aim, length in ((-0.34, -0.5, 0.58), (0.38, 0.7, 0.40)):
            angle = aim + rng.normal(0, 0.25)
            tip = (side * (wide * 0.6 + length * float(np.cos(angle))), row + length * float(np.sin(angle)))
            bend = (side * (wide * 0.7 + length * 0.45), row + length * 0.3 * float(np.sin(angle)) - 0.04)
            flippers.append(limb([(side * wide * 0.5, row), bend, tip], [0.09, 0.12, 0.05]))
    nod = rng.normal(0, 0.08)
    head = limb([(0, -long * 0.8), (nod * 0.5, -0.72), (nod, -0.86)], [0.10, 0.11, 0.12])
    tail = limb([(0, long * 0.8), (rng.normal(0, 0.06), long + 0.20)], [0.06, 0.01])
    plates, phase = rng.uniform(1.7, 2.4), rng.uniform(0, 1)

    def scutes(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        rows = y * plates + phase
        columns = x * plates + 0.5 * (np.floor(rows) % 2)
        edge = np.minimum(np.abs(rows % 1 - 0.5), np.abs(columns % 1 - 0.5))
        inner = np.maximum(np.abs(rows % 1 - 0.5), np.abs(columns % 1 - 0.5))
        return np.clip(step(0.43 - inner, 0, 0.06) * (0.65 + 0.6 * (noise - 0.5) + 0.3 * edge), 0, 1)

    shell = mirrored(
        [(0, -long), (wide * 0.62, -long * 0.86), (wide, -0.12), (wide * 0.86, long * 0.6), (0, long * 1.05)]
    )
    return (
        Part(
            outlines=(*flippers, head, tail),
            base=colours.second,
            accent=colours.dark,
            pattern=spotted(5, phase * 6, 0.3),
            bulge=0.1,
        ),
        Part(outlines=(shell,), base=colours.dark, accent=colours.second, bulge=0.1, rounding=0.1),
        Part(
            outlines=(placed(shell, 0, 0, 0, 0.9),),
            base=colours.dark,
            accent=colours.body,
            pattern=scutes,
            bulge=0.32,
            rounding=0.5,
            relief=0.035,
            gloss=rng.uniform(0.1, 0.4),
        ),
        eye(nod - 0.055, -0.88, 0.032),
        eye(nod + 0.055, -0.88, 0.032),
    )
