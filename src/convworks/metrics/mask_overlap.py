"""How much of their pixels masks share, from run lengths alone: none is laid out, however large the picture.

A mask in run lengths, as COCO writes them, is a set of stretches along one line, the picture's columns one after the
other. How many of its pixels come before a place of that line is straight between the ends of its stretches. So what a
mask shares with a stretch is a difference of two values read off there, exact, for all stretches at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

BOX = "box "
"""Before the name of what evidence of masks says of their boxes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretches:
    """Masks as stretches of pixels, from `starts` to before `ends`, counted down the columns, each of the mask `of`.

    `areas` are the pixels of each mask.
    """

    starts: Int[np.ndarray, "s"]
    ends: Int[np.ndarray, "s"]
    of: Int[np.ndarray, "s"]
    areas: Float[np.ndarray, "n"]


def stretches(masks: Sequence[Sequence[int]]) -> Stretches:
    """The stretches of masks of one size, given as run lengths down the columns, zeros first.

    >>> found = stretches([(2, 3, 1), (0, 1, 5)])
    >>> found.starts.tolist(), found.ends.tolist(), found.of.tolist(), found.areas.tolist()
    ([2, 0], [5, 1], [0, 1], [3.0, 1.0])
    """
    edges = [np.cumsum(np.asarray(runs, np.int64)) for runs in masks]
    none = np.zeros(0, np.int64)
    starts = np.concatenate([none, *(one[: len(one) // 2 * 2 : 2] for one in edges)])
    ends = np.concatenate([none, *(one[1::2] for one in edges)])
    of = np.repeat(np.arange(len(masks)), np.array([len(one) // 2 for one in edges], np.int64))
    areas = np.bincount(of, ends - starts, len(masks)).astype(np.float64)
    return Stretches(starts=starts, ends=ends, of=of, areas=areas)


def shared(first: Stretches, second: Stretches) -> Float[np.ndarray, "n m"]:
    """How many pixels each mask shares with each other one.

    >>> shared(stretches([(0, 4, 2), (5, 1)]), stretches([(2, 3, 1)])).tolist()
    [[2.0], [0.0]]
    """
    found = np.zeros((len(first.areas), len(second.areas)))
    bounds = np.searchsorted(second.of, np.arange(len(second.areas) + 1))
    for place, (begin, end) in enumerate(pairwise(bounds.tolist())):
        if begin == end:
            continue
        starts, ends = second.starts[begin:end], second.ends[begin:end]
        edges = np.stack([starts, ends], 1).ravel()
        total = np.cumsum(ends - starts)
        before = np.stack([np.append(0, total[:-1]), total], 1).ravel()
        inside = np.interp(first.ends, edges, before) - np.interp(first.starts, edges, before)
        found[:, place] = np.bincount(first.of, inside, len(first.areas))
    return found


def overlaps(found: Stretches, truth: Stretches, crowd: Bool[np.ndarray, "g"]) -> Float[np.ndarray, "n g"]:
    """IoU of found with true masks; of a crowd, the share of the found mask that lies in it.

    >>> found, many = stretches([(0, 2, 2)]), stretches([(0, 4), (0, 4)])
    >>> overlaps(found, many, np.array([False, True])).tolist()
    [[0.5, 1.0]]
    """
    both, mine = shared(found, truth), found.areas[:, None]
    whole = np.where(crowd[None], mine, mine + truth.areas[None] - both)
    return np.divide(both, whole, out=np.zeros_like(both), where=whole > 0)


def boxed(evidence: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The evidence of the boxes of what was found, from that of its masks."""
    return {**evidence, **{name: evidence[BOX + name] for name in ("hits", "skips")}}
