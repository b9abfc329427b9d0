"""What is made: each function draws one at random as parts in the unit frame, upright."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convworks.data.synthetic.outlines import (
    Outline,
    closed,
    ellipse,
    limb,
    placed,
    radial,
    straight,
)
from convworks.data.synthetic.palette import any_palette
from convworks.data.synthetic.render import Part
from convworks.data.synthetic.textures import any_pattern, faint, plain, shaded, striped

Parts = tuple[Part, ...]


def key(rng: np.random.Generator) -> Parts:
    """A key: a ring with a hole, a shaft with a collar, teeth."""
    colours = any_palette(rng)
    top, ring = -0.60, rng.uniform(0.27, 0.36)
    lobes, lobe = float(rng.integers(1, 5)), rng.uniform(0.0, 0.12)
    bow = placed(radial(lambda angle: ring * (1 + lobe * np.cos(lobes * angle + 1.57))), 0, top)
    hole = ring * rng.uniform(0.42, 0.66)
    holes = (ellipse(0, top, hole, hole * rng.uniform(0.75, 1.0)),)
    thin = rng.uniform(0.055, 0.085)
    end = rng.uniform(0.86, 0.97)
    outlines: list[Outline] = [limb([(0, top + ring * 0.8), (0, 0.2), (0, end)], [thin, thin, thin])]
    for y in (0.0, 0.08)[: int(rng.integers(1, 3))]:
        outlines.append(ellipse(0, top + ring + 0.08 + y, thin * 1.7, 0.035))
    side = int(rng.choice([-1, 1]))
    y = end - 0.02
    for _ in range(int(rng.integers(2, 4))):
        length, height = rng.uniform(0.16, 0.32), rng.uniform(0.06, 0.11)
        outlines.append(straight([(0, y - height), (side * length, y - height), (side * length, y), (0, y)]))
        y -= height + rng.uniform(0.04, 0.07)
    pattern = any_pattern(rng) if rng.uniform() < 0.3 else plain()
    shaft = Part(
        outlines=tuple(outlines),
        base=colours.body,
        accent=colours.accent,
        pattern=pattern,
        bulge=0.08,
        rounding=0.09,
        gloss=0.8,
    )
    return shaft, replace(shaft, outlines=(bow,), holes=holes)


def mug(rng: np.random.Generator) -> Parts:
    """A mug seen a little from above: a dark mouth, a handle one can see through, a decoration."""
    colours = any_palette(rng)
    top, foot = rng.uniform(0.46, 0.58), rng.uniform(0.36, 0.56)
    high, low = rng.uniform(-0.74, -0.5), rng.uniform(0.62, 0.86)
    open_ = rng.uniform(0.12, 0.2)
    shift = -0.16
    body = placed(
        closed(
            [
                (-top, high),
                (0, high + 0.02),
                (top, high),
                (top * 0.5 + foot * 0.5 + 0.02, (high + low) / 2),
                (foot, low - 0.04),
                (foot * 0.5, low + open_ * 0.62),
                (0, low + open_ * 0.8),
                (-foot * 0.5, low + open_ * 0.62),
                (-foot, low - 0.04),
                (-top * 0.5 - foot * 0.5 - 0.02, (high + low) / 2),
            ]
        ),
        shift,
        0,
    )
    reach, upper, lower = rng.uniform(0.36, 0.5), high + rng.uniform(0.18, 0.28), low - rng.uniform(0.22, 0.4)
    side = shift + min(top, foot) - 0.03
    thick = rng.uniform(0.06, 0.085)
    handle = limb(
        [
            (side, upper),
            (side + reach * 0.75, upper + 0.02),
            (side + reach, (upper + lower) / 2),
            (side + reach * 0.6, lower),
            (side, lower + 0.06),
        ],
        [thick, thick, thick, thick, thick],
    )
    decoration = striped(np.pi / 2, rng.uniform(0.8, 2.5), rng.uniform(0, 6), 0.4)
    pattern = decoration if rng.uniform() < 0.4 else any_pattern(rng)
    gloss = rng.uniform(0.3, 0.9)
    return (
        Part(outlines=(handle,), base=colours.body, accent=colours.body, bulge=0.1, gloss=gloss),
        Part(
            outlines=(body,),
            base=colours.body,
            accent=colours.accent,
            pattern=pattern,
            bulge=0.4,
            rounding=0.5,
            gloss=gloss,
        ),
        Part(
            outlines=(ellipse(shift, high, top * 1.02, open_),),
            base=colours.body,
            accent=colours.light,
            bulge=0.05,
            rounding=0.05,
            gloss=gloss,
        ),
        Part(
            outlines=(ellipse(shift, high + 0.01, top * 0.9, open_ * 0.82),),
            base=colours.dark,
            accent=colours.second,
            pattern=shaded(1.57, high + 0.05, 0.3),
            bulge=-0.1,
            gloss=0.3,
        ),
    )


def hammer(rng: np.random.Generator) -> Parts:
    """A hammer: a wooden handle, a metal head with a face and a claw."""
    colours = any_palette(rng)
    thin, bend = rng.uniform(0.06, 0.09), rng.normal(0, 0.03)
    handle = limb([(0, -0.62), (bend, 0.1), (0, 0.9)], [thin, thin * 0.9, thin * 1.25, thin * 1.3])
    high = rng.uniform(0.11, 0.16)
    y = -0.66
    face = rng.uniform(0.40, 0.52)
    head = straight(
        [
            (-0.16, y - high),
            (face - 0.12, y - high),
            (face - 0.12, y - high * 1.25),
            (face, y - high * 1.25),
            (face, y + high * 1.25),
            (face - 0.12, y + high * 1.25),
            (face - 0.12, y + high),
            (-0.16, y + high),
        ]
    )
    droop = rng.uniform(0.05, 0.28)
    claw = limb([(-0.1, y), (-0.36, y - 0.02), (-0.64, y + droop)], [high, high * 0.8, 0.03])
    grain = faint(striped(0, rng.uniform(4, 7), 0, 6), 0.5)
    return (
        Part(
            outlines=(handle,),
            base=colours.second,
            accent=colours.dark,
            pattern=grain,
            bulge=0.1,
            relief=0.006,
            gloss=0.2,
        ),
        Part(
            outlines=(head, claw),
            base=colours.body,
            accent=colours.accent,
            bulge=0.12,
            rounding=0.12,
            gloss=0.8,
        ),
    )


def wrench(rng: np.random.Generator) -> Parts:
    """A spanner: an open jaw at one end, a ring at the other."""
    colours = any_palette(rng)
    jaw, ring, thin = rng.uniform(0.27, 0.34), rng.uniform(0.21, 0.27), rng.uniform(0.09, 0.13)
    y = -0.64
    gap = jaw * rng.uniform(0.36, 0.5)
    slant = rng.uniform(-0.5, 0.5)
    shaft = limb([(0, y + jaw * 0.6), (0, 0), (0, 0.7)], [thin * 1.15, thin, thin * 1.1])
    notch = placed(straight([(-gap, -0.5), (gap, -0.5), (gap, 0.06), (0, 0.16), (-gap, 0.06)]), 0, y, slant)
    sides = int(rng.choice([6, 6, 12]))
    eye = placed(radial(lambda angle: np.full_like(angle, ring * 0.56), sides), 0, 0.70, rng.uniform(0, 1))
    return (
        Part(
            outlines=(shaft, ellipse(0, y, jaw, jaw * 0.96), ellipse(0, 0.70, ring, ring)),
            holes=(notch, eye),
            base=colours.body,
            accent=colours.accent,
            pattern=any_pattern(rng) if rng.uniform() < 0.3 else plain(),
            bulge=0.08,
            rounding=0.1,
            gloss=0.85,
        ),
    )


def umbrella(rng: np.random.Generator) -> Parts:
    """An open umbrella from the side: a scalloped canopy with ribs, a hooked handle."""
    colours = any_palette(rng)
    wide, high = rng.uniform(0.78, 0.95), rng.uniform(0.56, 0.74)
    rim = rng.uniform(-0.1, 0.06)
    panels = int(rng.integers(4, 7))
    arch = np.linspace(np.pi, 0, 30)
    top = np.stack([wide * np.cos(arch), rim - high * np.sin(arch)], axis=1)
    scallops: list[tuple[float, float]] = []
    for number in range(panels):
        for share in (0.0, 0.25, 0.5, 0.75):
            x = wide - 2 * wide * (number + share) / panels
            scallops.append((x, rim - 0.09 * float(np.sin(np.pi * share))))
    canopy = np.concatenate([top, np.asarray(scallops[1:])]).astype(np.float32)

    def ribs(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> np.ndarray:
        bow = np.sqrt(np.clip(1 - np.square((rim - y) / high), 0.02, 1))
        panel = np.clip(x / (wide * bow), -1, 1) * panels / 2 + panels / 2
        return (np.floor(panel) % 2).astype(np.float32)

    decoration = any_pattern(rng)
    pattern = ribs if rng.uniform() < 0.5 else decoration
    side = int(rng.choice([-1, 1]))
    low, hook = rng.uniform(0.7, 0.8), rng.uniform(0.11, 0.17)
    shaft = limb([(0, rim - 0.2), (0, 0.3), (0, low)], [0.028, 0.028, 0.03])
    grip = limb(
        [
            (0, low - 0.12),
            (0, low),
            (side * hook * 0.4, low + 0.14),
            (side * hook * 1.5, low + 0.1),
            (side * hook * 1.8, low - 0.06),
        ],
        [0.045, 0.045, 0.045, 0.045, 0.05],
    )
    tip = limb([(0, rim - high), (0, rim - high - 0.14)], [0.03, 0.018])
    return (
        Part(outlines=(shaft, tip), base=colours.dark, accent=colours.dark, bulge=0.04, gloss=0.5),
        Part(outlines=(grip,), base=colours.second, accent=colours.dark, bulge=0.07, gloss=0.5),
        Part(
            outlines=(canopy,),
            base=colours.body,
            accent=colours.accent,
            pattern=pattern,
            bulge=0.34,
            rounding=0.5,
            relief=0.012,
            gloss=rng.uniform(0.05, 0.35),
        ),
    )
