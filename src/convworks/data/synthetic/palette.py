"""Colours of an object, drawn without regard to its class: so that colour does not give the class away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convworks.data.synthetic.textures import Colour, colour


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Palette:
    """Colours that go together, in linear light: of the body, its marks, other parts, dark and light ones."""

    body: Colour
    accent: Colour
    second: Colour
    dark: Colour
    light: Colour


def any_hue(rng: np.random.Generator) -> float:
    """A hue from the whole circle, more often one that nature is fond of: from red over ochre to green."""
    return float(rng.uniform(-0.04, 0.36) if rng.uniform() < 0.6 else rng.uniform())


def any_palette(rng: np.random.Generator) -> Palette:
    """A palette around one hue: near hues, or one from across the circle for the accent; muted or vivid."""
    hue = any_hue(rng)
    other = hue + (rng.normal(0, 0.06) if rng.uniform() < 0.65 else 0.5 + rng.normal(0, 0.08))
    third = hue + rng.normal(0, 0.1)
    vivid = rng.uniform(0.15, 0.55) if rng.uniform() < 0.55 else rng.uniform(0.5, 0.88)
    value = rng.uniform(0.38, 0.92)
    contrast = rng.uniform(0.2, 0.5) * (1 if value < 0.62 else -1)
    return Palette(
        body=colour(hue, vivid, value),
        accent=colour(other, vivid * rng.uniform(0.6, 1.1), float(np.clip(value + contrast, 0.14, 0.97))),
        second=colour(third, vivid * rng.uniform(0.5, 1.0), rng.uniform(0.35, 0.85)),
        dark=colour(third, vivid * rng.uniform(0.4, 0.9), rng.uniform(0.12, 0.3)),
        light=colour(other, vivid * rng.uniform(0.1, 0.4), rng.uniform(0.78, 0.96)),
    )
