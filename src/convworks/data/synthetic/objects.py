"""The things that synthetic scenes show, by name: silhouettes with joints, each drawn anew every time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convworks.data.synthetic import creatures, plants, things
from convworks.data.synthetic.render import Part

OBJECTS: dict[str, Callable[[np.random.Generator], tuple[Part, ...]]] = {
    "beetle": creatures.beetle,
    "fish": creatures.fish,
    "leaf": plants.leaf,
    "mushroom": plants.mushroom,
    "bird": creatures.bird,
    "flower": plants.flower,
    "key": things.key,
    "mug": things.mug,
    "snail": creatures.snail,
    "starfish": creatures.starfish,
    "butterfly": creatures.butterfly,
    "umbrella": things.umbrella,
    "cherry": plants.cherry,
    "hammer": things.hammer,
    "turtle": creatures.turtle,
    "pear": plants.pear,
    "crab": creatures.crab,
    "wrench": things.wrench,
    "carrot": plants.carrot,
    "acorn": plants.acorn,
}
