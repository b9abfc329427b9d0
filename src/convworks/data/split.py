"""Which images measure and which learn: seeded, every class on both sides, copies and groups on one side only.

Images of one class each go by `split`, images that show several by `split_sets`: what is rarest is given out first, to
the side that misses it.

Source: the iterative stratification of K. Sechidis, G. Tsoumakas and I. Vlahavas, On the Stratification of
Multi-Label Data (2011).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int

from convworks.data.names import count, few
from convworks.data.record import Record

_Group = Counter[str]
"""How many images of each class a group of copies holds: nearly always of one class."""


def split(
    labels: Sequence[str],
    groups: Int[np.ndarray, "n"],
    fraction: float,
    seed: int,
    *,
    keys: Sequence[str] = (),
) -> Bool[np.ndarray, "n"]:
    """True for the images of the smaller part: of every class about `fraction`, in [0, 1), in whole groups.

    A class that lies in two groups or more has at least one image on each side, where groups of several
    classes allow it; one that lies in a single group stays in the larger part (`undivided` names it). The
    order in which groups are taken depends on `seed` and on the smallest of their members' `keys` (paths;
    positions by default) alone, so that adding images of one class moves none of another, few of its own.

    >>> part = split(["cat"] * 8 + ["dog"] * 4, np.arange(12), 0.25, seed=0)
    >>> int(part[:8].sum()), int(part[8:].sum())
    (2, 1)
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must lie in [0, 1), not {fraction}")
    ids, inverse = np.unique(groups, return_inverse=True)
    if fraction == 0 or not len(ids):
        return np.zeros(len(labels), np.bool_)
    held = _held(labels, inverse, len(ids))
    order = _order(inverse, len(ids), seed, keys)
    by_class: dict[str, list[int]] = {}
    for group in order:
        for name in held[group]:
            by_class.setdefault(name, []).append(group)
    taken = _take(held, _targets(Counter(labels), by_class, fraction), order)
    _mend(held, by_class, taken)
    return np.array(taken, np.bool_)[inverse]


def split_sets(
    sets: Sequence[Sequence[str]],
    groups: Int[np.ndarray, "n"],
    fraction: float,
    seed: int,
    *,
    keys: Sequence[str] = (),
) -> Bool[np.ndarray, "n"]:
    """True for the images of the smaller part, where each shows several classes, one of them often, or none.

    `sets` names what each image shows, an object a name: about `fraction` of the objects of every class, and of the
    images, comes to be in the smaller part, in whole groups. A class that lies in two groups or more has an image on
    each side where groups of several classes allow it; seed and `keys` decide as they do in `split`.

    >>> part = split_sets([["car"], ["car", "bus"], [], ["car"], ["bus"], []] * 2, np.arange(12), 0.5, seed=0)
    >>> int(part.sum())
    6
    """
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction must lie in [0, 1), not {fraction}")
    ids, inverse = np.unique(groups, return_inverse=True)
    if fraction == 0 or not len(ids):
        return np.zeros(len(sets), np.bool_)
    held: list[_Group] = [Counter() for _ in range(len(ids))]
    for names, group in zip(sets, inverse.tolist(), strict=True):
        held[group].update(names)
    order = _order(inverse, len(ids), seed, keys)
    by_class: dict[str, list[int]] = {}
    for group in order:
        for name in held[group]:
            by_class.setdefault(name, []).append(group)
    images = np.bincount(inverse, minlength=len(ids)).tolist()
    taken = _stratified(held, images, by_class, fraction, order)
    _mend(held, by_class, taken)
    return np.array(taken, np.bool_)[inverse]


def of_records(
    records: Sequence[Record], groups: Int[np.ndarray, "n"], fraction: float, seed: int
) -> Bool[np.ndarray, "n"]:
    """True for the records of the smaller part, by the classes that they have or show; paths are the keys."""
    keys = [record.path for record in records]
    if any(record.labels or (record.boxes and not record.label) for record in records):
        sets = [record.labels or tuple(box.name for box in record.boxes) for record in records]
        return split_sets(sets, groups, fraction, seed, keys=keys)
    return split([record.label for record in records], groups, fraction, seed, keys=keys)


def undivided(labels: Sequence[str], groups: Int[np.ndarray, "n"]) -> tuple[str, ...]:
    """In words, the classes that no split can have on both sides: their images are one group of copies."""
    lies_in: dict[str, set[int]] = {}
    for label, group in zip(labels, groups.tolist(), strict=True):
        lies_in.setdefault(label, set()).add(group)
    single = sorted(label for label, ids in lies_in.items() if len(ids) == 1)
    if not single:
        return ()
    what = count(len(single), "class has", "classes have")
    return (f"{what} one image, or copies of one, and so none to measure with: {few(single, 8)}.",)


def _held(labels: Sequence[str], inverse: Int[np.ndarray, "n"], number: int) -> list[_Group]:
    held: list[_Group] = [Counter() for _ in range(number)]
    for label, group in zip(labels, inverse.tolist(), strict=True):
        held[group][label] += 1
    return held


def _order(inverse: Int[np.ndarray, "n"], number: int, seed: int, keys: Sequence[str]) -> list[int]:
    """Groups in a seeded order in which each one's place is drawn from nothing but its own images."""
    names = list(keys) or [f"{position:012d}" for position in range(len(inverse))]
    first: list[str] = [""] * number
    for name, group in zip(names, inverse.tolist(), strict=True):
        first[group] = min(first[group] or name, name)

    def draw(group: int) -> bytes:
        text = f"{seed}\0{first[group]}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=8).digest()

    return sorted(range(number), key=draw)


def _targets(sizes: Mapping[str, int], by_class: dict[str, list[int]], fraction: float) -> dict[str, int]:
    """Images wanted of each class: at least one and not all, where its groups allow both."""
    return {
        name: min(max(int(sizes[name] * fraction + 0.5), 1), sizes[name] - 1) if len(holding) > 1 else 0
        for name, holding in by_class.items()
    }


def _take(held: list[_Group], missing: dict[str, int], order: list[int]) -> list[bool]:
    """Groups in order, each taken where that brings its classes nearer to what they are missing."""
    taken = [False] * len(held)
    for group in order:
        after = {name: missing[name] - size for name, size in held[group].items()}
        if sum(map(abs, after.values())) < sum(abs(missing[name]) for name in after):
            taken[group] = True
            missing.update(after)
    return taken


def _stratified(
    held: list[_Group], images: list[int], by_class: dict[str, list[int]], fraction: float, order: list[int]
) -> list[bool]:
    """Class by class from the rarest on, the groups not given yet in order: each taken while its class misses it.

    Those that show nothing come last, and are taken while images are missed.
    """
    objects = {name: sum(held[group][name] for group in holding) for name, holding in by_class.items()}
    missing = _targets(objects, by_class, fraction)
    wanted = fraction * sum(images)
    taken = [False] * len(held)

    def rarest(group: int) -> tuple[float, str]:
        return min(((objects[name], name) for name in held[group]), default=(math.inf, ""))

    for group in sorted(order, key=rarest):
        number, name = rarest(group)
        size, missed = (held[group][name], missing[name]) if number < math.inf else (images[group], wanted)
        if abs(missed - size) < abs(missed):
            taken[group] = True
            wanted -= images[group]
            for shown, marked in held[group].items():
                missing[shown] -= marked
    return taken


def _mend(held: list[_Group], by_class: dict[str, list[int]], taken: list[bool]) -> None:
    """Gives a class an image on the side that has none, by the smallest group that leaves none without."""

    def leaves_some(moved: int) -> bool:
        return all(any(taken[group] != taken[moved] for group in by_class[name]) for name in held[moved])

    for holding in by_class.values():
        for side in (True, False):
            if len(holding) < 2 or any(taken[group] == side for group in holding):
                continue
            for group in sorted(holding, key=lambda group: held[group].total()):
                taken[group] = side
                if leaves_some(group):
                    break
                taken[group] = not side
