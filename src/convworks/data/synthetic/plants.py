"""What grows: each function draws one at random as parts in the unit frame, upright."""

from __future__ import annotations

import numpy as np

from convworks.data.synthetic.outlines import (
    Outline,
    closed,
    ellipse,
    limb,
    mirrored,
    placed,
    wobbled,
)
from convworks.data.synthetic.palette import any_palette
from convworks.data.synthetic.render import Part
from convworks.data.synthetic.textures import any_pattern, shaded, spotted, step, veined

Parts = tuple[Part, ...]


def leaf(rng: np.random.Generator) -> Parts:
    """A leaf with a midrib, side veins and a stalk; narrow or broad, smooth or toothed."""
    colours = any_palette(rng)
    widest, wide = rng.uniform(-0.1, 0.3), rng.uniform(0.34, 0.62)
    teeth, tooth = float(rng.integers(9, 17)), float(rng.choice([0.0, 0.0, rng.uniform(0.03, 0.06)]))
    down = np.linspace(0, 1, 60)
    centre = 0.5 + 0.35 * widest
    profile = np.power(np.sin(np.pi * np.power(down, np.log(0.5) / np.log(centre))), rng.uniform(0.9, 1.3))
    edge = wide * profile * (1 + tooth * 3 * (down * teeth % 1 - 0.5))
    bend = rng.normal(0, 0.12)
    heights = -0.95 + 1.55 * down
    spine = bend * np.square(heights)
    right = np.stack([spine + edge, heights], axis=1)
    left = np.stack([spine - edge, heights], axis=1)[::-1]
    blade = np.concatenate([right, left]).astype(np.float32)
    stalk = limb(
        [(bend * 0.36, 0.52), (bend * 0.6, 0.78), (bend + rng.normal(0, 0.08), 0.98)], [0.025, 0.028, 0.04]
    )
    veins = veined(rng.uniform(0.5, 1.0), rng.uniform(3.2, 5.5))
    blotch = any_pattern(rng)
    amount = float(rng.choice([0.0, 0.35, 0.7]))

    def surface(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        inner = x - bend * np.square(y)
        return np.maximum(0.8 * veins(inner, y, noise), amount * blotch(x, y, noise))

    return (
        Part(outlines=(stalk,), base=colours.second, accent=colours.dark, bulge=0.04),
        Part(
            outlines=(blade,),
            base=colours.body,
            accent=colours.accent,
            pattern=surface,
            bulge=0.09,
            rounding=0.5,
            relief=-0.022,
            gloss=rng.uniform(0.05, 0.4),
        ),
    )


def mushroom(rng: np.random.Generator) -> Parts:
    """A mushroom from the side: a domed cap, gills under it, a thick stalk with or without a ring."""
    colours = any_palette(rng)
    wide, high = rng.uniform(0.58, 0.86), rng.uniform(0.46, 0.78)
    rim = rng.uniform(-0.22, 0.0)
    sag = rng.uniform(0.02, 0.14)
    lean = rng.normal(0, 0.08)
    thin = rng.uniform(0.13, 0.22)
    stalk = closed(
        [
            (-thin * 0.8, rim - 0.05),
            (thin * 0.8, rim - 0.05),
            (thin * 0.9 + lean * 0.5, 0.45),
            (thin * 1.35 + lean, 0.86),
            (lean, 0.95),
            (-thin * 1.35 + lean, 0.86),
            (-thin * 0.9 + lean * 0.5, 0.45),
        ]
    )
    under = ellipse(0, rim, wide * 0.9, 0.13)
    cap = mirrored(
        [
            (0, rim - high),
            (wide * 0.55, rim - high * 0.82),
            (wide * 0.93, rim - high * 0.32),
            (wide, rim + sag * 0.3),
            (wide * 0.85, rim + sag),
            (wide * 0.4, rim + sag * 0.4),
            (0, rim + sag * 0.25),
        ]
    )

    def gills(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return step(np.sin(np.arctan2(x, y - rim + 0.9) * 55), 0, 1.2)

    def fibres(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return 0.35 * step(np.sin(x * 40 + 9 * noise), 0, 1.5) + 0.5 * step(y, 0.7, 0.5)

    freckles = spotted(rng.uniform(1.4, 2.4), rng.uniform(0, 6), rng.uniform(0.25, 0.4))
    top = freckles if rng.uniform() < 0.5 else any_pattern(rng)
    parts = [
        Part(
            outlines=(wobbled(stalk, rng, 0.015),),
            base=colours.light,
            accent=colours.second,
            pattern=fibres,
            bulge=0.18,
            rounding=0.25,
            relief=0.012,
            gloss=0.05,
        ),
        Part(outlines=(under,), base=colours.light, accent=colours.dark, pattern=gills, bulge=0.02),
        Part(
            outlines=(wobbled(cap, rng, 0.015),),
            base=colours.body,
            accent=colours.accent,
            pattern=top,
            bulge=0.36,
            rounding=0.5,
            relief=0.02,
            gloss=rng.uniform(0.1, 0.6),
        ),
    ]
    if rng.uniform() < 0.5:
        ring = ellipse(lean * 0.3, 0.26, thin * 1.35, 0.07)
        parts.insert(1, Part(outlines=(ring,), base=colours.light, accent=colours.second, bulge=0.05))
    return tuple(parts)


def flower(rng: np.random.Generator) -> Parts:
    """An open flower on its stem: five to nine petals around a seedy disc."""
    colours = any_palette(rng)
    count = int(rng.integers(5, 10))
    length, wide = rng.uniform(0.46, 0.6), rng.uniform(0.75, 1.15) * np.pi / count * 0.46
    pointed = rng.uniform(0.3, 1.0)
    up = -0.34
    petal = closed(
        [
            (0.08, -wide * 0.4),
            (length * 0.55, -wide),
            (length * 0.95, -wide * 0.62 * pointed),
            (length * 1.02, 0),
            (length * 0.95, wide * 0.62 * pointed),
            (length * 0.55, wide),
            (0.08, wide * 0.4),
        ],
        5,
    )
    start = rng.uniform(0, 6.283)
    petals = [
        placed(
            petal, 0, up, start + number * 2 * np.pi / count + rng.normal(0, 0.05), rng.uniform(0.92, 1.06)
        )
        for number in range(count)
    ]
    lean = rng.normal(0, 0.16)
    stem = limb([(0, up), (lean * 0.6, 0.3), (lean, 0.98)], [0.035, 0.032, 0.045])
    blades: list[Outline] = []
    for side in (-1, 1):
        if rng.uniform() < 0.8:
            blade = closed([(0, 0), (0.20, -0.12), (0.46, -0.04), (0.22, 0.08)], 6)
            angle = rng.uniform(-0.7, 0.0)
            height = rng.uniform(0.35, 0.75)
            turned = placed(blade, 0, 0, angle, rng.uniform(0.8, 1.1)) * np.array([side, 1], np.float32)
            blades.append(placed(turned, lean * 0.7 * height, height))
    disc = rng.uniform(0.11, 0.18)
    rays = rng.uniform(5, 9)
    marking = rng.uniform(0.2, 0.4)

    def veins(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        distance = np.hypot(x, y - up)
        lines = step(np.sin(np.arctan2(y - up, x) * rays * count), 0.2, 1.4)
        return np.clip(step(marking - distance, 0, 0.2) + 0.35 * lines, 0, 1)

    green = Part(
        outlines=(stem, *blades),
        base=colours.second,
        accent=colours.dark,
        pattern=shaded(1.5, 0.4),
        bulge=0.06,
    )
    first, second = tuple(petals[::2]), tuple(petals[1::2])
    return (
        green,
        *(
            Part(
                outlines=group,
                base=colours.body,
                accent=colours.accent,
                pattern=veins,
                bulge=0.07,
                rounding=0.16,
                relief=-0.012,
                gloss=0.1,
            )
            for group in (first, second)
        ),
        Part(
            outlines=(ellipse(0, up, disc, disc),),
            base=colours.dark,
            accent=colours.accent,
            pattern=spotted(9, rng.uniform(0, 6), 0.45),
            bulge=0.1,
            relief=0.03,
        ),
    )
