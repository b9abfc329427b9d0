"""The things that synthetic scenes show, by name: silhouettes with joints, each drawn anew every time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convworks.data.synthetic import creatures, fruits, plants, shore, things
from convworks.data.synthetic.render import Part

OBJECTS: dict[str, Callable[[np.random.Generator], tuple[Part, ...]]] = {
    "beetle": creatures.beetle,
    "fish": shore.fish,
    "leaf": plants.leaf,
    "mushroom": plants.mushroom,
    "bird": creatures.bird,
    "flower": plants.flower,
    "key": things.key,
    "mug": things.mug,
    "snail": creatures.snail,
    "starfish": shore.starfish,
    "butterfly": creatures.butterfly,
    "umbrella": things.umbrella,
    "cherry": fruits.cherry,
    "hammer": things.hammer,
    "turtle": shore.turtle,
    "pear": fruits.pear,
    "crab": shore.crab,
    "wrench": things.wrench,
    "carrot": fruits.carrot,
    "acorn": fruits.acorn,
}
