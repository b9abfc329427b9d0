"""Which images measure and which learn: seeded, every class on both sides, copies on one side only."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from convworks.data.names import count, few

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
    taken = _take(held, _targets(labels, by_class, fraction), order)
    _mend(held, by_class, taken)
    return np.array(taken, np.bool_)[inverse]


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


def _targets(labels: Sequence[str], by_class: dict[str, list[int]], fraction: float) -> dict[str, int]:
    """Images wanted of each class: at least one and not all, where its groups allow both."""
    sizes = Counter(labels)
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
