"""Animals with limbs that bend: each function draws one at random as parts in the unit frame."""

from __future__ import annotations

import numpy as np

from convworks.data.synthetic.outlines import (
    Outline,
    closed,
    ellipse,
    flipped,
    limb,
    mirrored,
    placed,
    straight,
    wobbled,
)
from convworks.data.synthetic.palette import any_palette
from convworks.data.synthetic.render import Part, neutral
from convworks.data.synthetic.textures import (
    Pattern,
    any_pattern,
    faint,
    spotted,
    step,
)

Parts = tuple[Part, ...]


def eye(x: float, y: float, radius: float) -> Part:
    """A glossy eye: white with a black pupil."""

    def pupil(across: np.ndarray, down: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return step(np.hypot(across - x - 0.15 * radius, down - y), 0.62 * radius, 0.2 * radius)

    return Part(
        outlines=(ellipse(x, y, radius, radius, points=20),),
        base=neutral(0.05),
        accent=neutral(0.9),
        pattern=pupil,
        bulge=0.5 * radius,
        gloss=0.9,
        grain=0.1,
    )


def _jointed_legs(
    rng: np.random.Generator, rows: tuple[float, ...], reach: float, width: float
) -> tuple[Outline, ...]:
    """Jointed legs on both sides, each bent a little differently; `rows` are their roots' heights."""
    legs: list[Outline] = []
    for number, row in enumerate(rows):
        aim = (number / max(1, len(rows) - 1) - 0.5) * 1.5
        for side in (-1, 1):
            swing = aim + rng.normal(0, 0.16)
            knee = (side * (0.30 + 0.42 * reach), row + 0.34 * reach * swing - 0.06)
            foot = (side * (0.34 + reach * 0.78), row + 0.80 * reach * swing + rng.normal(0, 0.05))
            legs.append(limb([(side * 0.15, row), knee, foot], [width, width * 0.85, width * 0.35]))
    return tuple(legs)


def beetle(rng: np.random.Generator) -> Parts:
    """A beetle from above: six jointed legs, feelers, wing cases with a seam."""
    colours = any_palette(rng)
    wide, long = rng.uniform(0.36, 0.50), rng.uniform(0.52, 0.66)
    dark = colours.dark
    limbs = _jointed_legs(rng, (-0.22, 0.04, 0.32), rng.uniform(0.62, 0.78), rng.uniform(0.03, 0.05))
    spread = rng.uniform(0.16, 0.36)
    feelers = tuple(
        limb(
            [
                (side * 0.07, -0.68),
                (side * spread * 0.6, -0.86),
                (side * spread, -0.92 + rng.normal(0, 0.05)),
            ],
            [0.022, 0.02, 0.03],
        )
        for side in (-1, 1)
    )
    shoulder = rng.uniform(0.75, 1.0)
    cases = mirrored(
        [
            (0, -0.34),
            (wide * 0.75 * shoulder, -0.30),
            (wide, 0.02),
            (wide * 0.9, 0.42),
            (wide * 0.45, long + 0.12),
            (0, long + 0.2),
        ]
    )
    seam = limb([(0, -0.32), (0, 0.2), (0, long + 0.16)], [0.014, 0.014, 0.01])
    chest = mirrored(
        [(0, -0.58), (wide * 0.55, -0.56), (wide * 0.86, -0.42), (wide * 0.8, -0.28), (0, -0.24)]
    )
    pattern = any_pattern(rng)
    gloss = rng.uniform(0.3, 0.9)

    def both_sides(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return pattern(np.abs(x), y, noise)

    return (
        Part(outlines=(*limbs, *feelers), base=dark, accent=dark, bulge=0.05, gloss=0.4),
        Part(
            outlines=(ellipse(0, -0.62, 0.19, 0.14),), base=dark, accent=colours.body, bulge=0.1, gloss=gloss
        ),
        Part(
            outlines=(wobbled(cases, rng, 0.01),),
            base=colours.body,
            accent=colours.accent,
            pattern=both_sides,
            bulge=0.34,
            rounding=0.5,
            gloss=gloss,
        ),
        Part(outlines=(seam,), base=dark, accent=dark, bulge=0.0, gloss=0.1),
        Part(
            outlines=(chest,),
            base=colours.second,
            accent=dark,
            pattern=any_pattern(rng),
            bulge=0.2,
            rounding=0.3,
            gloss=gloss,
        ),
    )


def _feathers(rng: np.random.Generator) -> Pattern:
    """Rows of overlapping feathers along the wing."""
    waves, slant = rng.uniform(3, 5), rng.uniform(0.5, 1.2)

    def pattern(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return step(
            np.sin((y + slant * 0.3 * x) * waves * 6.283 + 1.5 * np.abs(np.sin(x * 9)) + noise), 0.3, 1.2
        )

    return pattern


def bird(rng: np.random.Generator) -> Parts:
    """A perching bird from the side: beak, head, folded wing, tail, thin legs."""
    colours = any_palette(rng)
    plump = rng.uniform(0.30, 0.40)
    head_x, head_y = 0.40 + rng.normal(0, 0.04), -0.50 + rng.normal(0, 0.05)
    head_size = rng.uniform(0.20, 0.26)
    body = closed(
        [
            (0.36, -0.42),
            (0.52, -0.08),
            (0.38, 0.28),
            (0.02, plump + 0.08),
            (-0.38, 0.20),
            (-0.56, 0.04),
            (-0.30, -0.16),
            (0.08, -0.40),
        ]
    )
    drop, length = rng.uniform(-0.15, 0.35), rng.uniform(0.36, 0.5)
    tail = placed(
        closed([(0.1, -0.07), (-length, -0.11), (-length - 0.03, 0.08), (0.1, 0.1)]), -0.46, 0.08, -drop
    )
    wing = placed(
        closed([(0.30, -0.12), (0.16, 0.16), (-0.22, 0.18), (-0.56, 0.06), (-0.30, -0.10), (0.05, -0.22)]),
        0.06,
        -0.04,
        rng.normal(0.0, 0.12),
    )
    beak_length, droop = rng.uniform(0.16, 0.32), rng.normal(0.02, 0.04)
    beak = closed(
        [
            (head_x + head_size * 0.80, head_y - 0.07),
            (head_x + head_size + beak_length, head_y + 0.03 + droop),
            (head_x + head_size * 0.80, head_y + 0.10),
        ],
        6,
    )
    legs: list[Outline] = []
    for root in (0.02, 0.18):
        foot = root + rng.normal(0.03, 0.05)
        legs.append(limb([(root, 0.26), ((root + foot) / 2 + 0.02, 0.6), (foot, 0.86)], [0.03, 0.022, 0.022]))
        legs.extend(
            straight([(foot - 0.03, 0.85), (foot + toe, 0.93), (foot + 0.03, 0.87)])
            for toe in (-0.1, 0.08, 0.17)
        )
    leg_colour = colours.second if rng.uniform() < 0.5 else colours.dark
    feathers = _feathers(rng)
    breast = any_pattern(rng)
    return (
        Part(outlines=tuple(legs), base=leg_colour, accent=leg_colour, bulge=0.03),
        Part(outlines=(tail,), base=colours.second, accent=colours.dark, pattern=feathers, bulge=0.06),
        Part(outlines=(beak,), base=colours.accent, accent=colours.dark, bulge=0.06, gloss=0.4),
        Part(
            outlines=(body, ellipse(head_x, head_y, head_size, head_size * 0.95)),
            base=colours.body,
            accent=colours.light,
            pattern=breast,
            bulge=0.3,
            rounding=0.42,
            gloss=0.05,
        ),
        Part(
            outlines=(wing,),
            base=colours.second,
            accent=colours.dark,
            pattern=feathers,
            bulge=0.10,
            relief=0.02,
            gloss=0.08,
        ),
        eye(head_x + head_size * 0.35, head_y - 0.03, rng.uniform(0.05, 0.065)),
    )


def snail(rng: np.random.Generator) -> Parts:
    """A snail from the side: a coiled shell on a foot, tentacles up front."""
    colours = any_palette(rng)
    radius = rng.uniform(0.44, 0.54)
    shell_x, shell_y = -0.14 + rng.normal(0, 0.04), -0.16
    foot = closed(
        [
            (-0.96, 0.48),
            (-0.55, 0.28),
            (0.20, 0.22),
            (0.46, 0.02),
            (0.60 + rng.normal(0, 0.04), -0.18),
            (0.82, -0.10),
            (0.80, 0.18),
            (0.62, 0.44),
            (0.0, 0.52),
        ]
    )
    tentacles: list[Outline] = []
    for root, lean in ((0.66, 0.06), (0.76, 0.16)):
        tip = (root + lean + rng.normal(0, 0.05), -0.52 + rng.normal(0, 0.05))
        tentacles.append(limb([(root, -0.10), (root + lean * 0.4, -0.32), tip], [0.04, 0.025, 0.02]))
        tentacles.append(ellipse(tip[0], tip[1], 0.04, 0.04, points=16))
    turns, handed = rng.uniform(2.3, 3.4), float(rng.choice([-1, 1]))
    start = rng.uniform(0, 6.283)
    stripes, waves = rng.uniform(0, 0.8), rng.uniform(7, 12)

    def coil(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        along, across = x - shell_x, y - shell_y
        distance = np.hypot(along, across) / radius
        angle = np.arctan2(across, along) * handed
        groove = np.sin(np.sqrt(distance) * turns * 6.283 - angle + start)
        bands = stripes * step(np.sin(angle * waves + 6 * distance + 2 * noise), 0.3, 0.6)
        return np.clip(step(groove, -0.45, 0.7) * (1 - 0.75 * bands), 0, 1)

    shell = ellipse(shell_x, shell_y, radius, radius * rng.uniform(0.9, 1.0), rng.uniform(-0.3, 0.3))
    return (
        Part(outlines=tuple(tentacles), base=colours.second, accent=colours.body, bulge=0.05),
        Part(
            outlines=(wobbled(foot, rng, 0.01),),
            base=colours.second,
            accent=colours.light,
            pattern=faint(spotted(6, rng.uniform(0, 6), 0.3), rng.uniform(0.2, 0.8)),
            bulge=0.16,
            relief=0.01,
            gloss=0.35,
        ),
        Part(
            outlines=(shell,),
            base=colours.dark,
            accent=colours.body,
            pattern=coil,
            bulge=0.30,
            rounding=0.5,
            relief=0.06,
            gloss=rng.uniform(0.2, 0.6),
        ),
    )


def butterfly(rng: np.random.Generator) -> Parts:
    """A butterfly with open wings from above."""
    colours = any_palette(rng)
    lift, tips = rng.uniform(-0.15, 0.2), rng.uniform(0.8, 0.98)
    fore = closed(
        [
            (0.04, -0.22),
            (0.42, -0.74 - 0.3 * lift),
            (tips, -0.80 - 0.5 * lift),
            (tips - 0.06, -0.34),
            (0.5, 0.02),
        ]
    )
    low = rng.uniform(0.6, 0.86)
    hind = closed([(0.04, 0.0), (0.5, -0.06), (0.74, 0.24), (0.54, low), (0.26, low * 0.8), (0.05, 0.3)])
    feelers = [
        limb([(0.02, -0.40), (0.10, -0.66), (0.24, -0.86)], [0.014, 0.012, 0.026]),
    ]
    marking = any_pattern(rng)
    spots = ((0.62, -0.5, rng.uniform(0.06, 0.13)), (0.48, 0.32, rng.uniform(0.06, 0.12)))

    def wing(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        side = np.abs(x)
        veins = step(np.sin(np.arctan2(y + 0.05, side + 0.02) * 16), 0.88, 0.25)
        weight = np.maximum(0.7 * marking(side, y, noise), veins)
        for spot_x, spot_y, size in spots:
            weight = np.maximum(weight, step(size - np.hypot(side - spot_x, y - spot_y), 0, 0.03))
        return weight

    body = mirrored([(0, -0.46), (0.075, -0.38), (0.05, -0.26), (0.085, -0.06), (0.06, 0.2), (0, 0.52)])
    return (
        Part(
            outlines=(hind, flipped(hind)), base=colours.second, accent=colours.dark, pattern=wing, bulge=0.05
        ),
        Part(
            outlines=(fore, flipped(fore)),
            base=colours.body,
            accent=colours.dark,
            pattern=wing,
            bulge=0.05,
            relief=0.02,
        ),
        Part(
            outlines=(body, *feelers, *(flipped(feeler) for feeler in feelers)),
            base=colours.dark,
            accent=colours.second,
            bulge=0.09,
        ),
    )
