"""An image cut into parts of even colour: the graph that selective search and objectness start from.

Two parts grow together where the step between them is no larger than the steps inside both, plus k over their size.
The published algorithm takes the edges one after the other, the lightest first. Most of them are decided here in
whole rounds, with the same result: a part's lightest edge to another finds it as it was when the edge's turn came, so
an edge that is the lightest of both its parts can be decided at once; a part that refuses its lightest edge refuses
every later one; and of several edges between two parts only the lightest says anything. The rest go one by one.

Source: Felzenszwalb and Huttenlocher, Efficient graph-based image segmentation, IJCV 2004, sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

Image = UInt8[np.ndarray, "h w c"]
Ends = Int[np.ndarray, "2 e"]
Weights = Float[np.ndarray, "e"]

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Right, down, and the two diagonals down: every pair of the 8 neighbours once."""

ROUNDS = 6
"""Rounds of all edges at once before the rest go one by one; they change the time only."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """The pixels of an image of `size` (height, width) and the edges between neighbours, the lightest first.

    `ends` are the two pixels of each edge, `weights` the distance of their colours; equals stay in one order.
    """

    size: tuple[int, int]
    ends: Ends
    weights: Weights


def superpixels(image: Image, *, k: float, sigma: float, smallest: int) -> Int[np.ndarray, "h w"]:
    """The number of the part that each pixel belongs to, from 0 on, in the order of their first pixels.

    `k` (in steps of colour, 0 to 255, times pixels) sets how large parts grow, `sigma` (pixels) smooths first, and
    parts under `smallest` pixels join their nearest neighbour. One image gives one answer, always.

    >>> halves = np.repeat(np.array([[0, 200]], np.uint8), 4, axis=1)[..., None].repeat(4, axis=0)
    >>> superpixels(halves, k=10, sigma=0, smallest=1)[0].tolist()
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    return segment(graph(image, sigma), k=k, smallest=smallest)


def graph(image: Image, sigma: float) -> Graph:
    """The edges of the smoothed image, sorted once; any number of `segment` calls may follow."""
    height, width, channels = image.shape
    smooth = image.astype(np.float32)
    if sigma > 0:
        smooth = cv2.GaussianBlur(smooth, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        smooth = smooth.reshape(height, width, channels)
    pixels = np.arange(height * width, dtype=np.int32).reshape(height, width)
    ends: list[Ends] = []
    weights: list[Weights] = []
    for down, right in STEPS:
        here = (slice(0, height - down), slice(max(-right, 0), width - max(right, 0)))
        there = (slice(down, height), slice(max(right, 0), width - max(-right, 0)))
        step = smooth[here] - smooth[there]
        weights.append(np.sqrt(np.einsum("hwc,hwc->hw", step, step)).ravel())
        ends.append(np.stack([pixels[here].ravel(), pixels[there].ravel()]))
    weight = np.concatenate(weights)
    # A float that is not negative sorts as its bits do: one sort by weight, then by place.
    key = (weight.view(np.uint32).astype(np.uint64) << np.uint64(32)) | np.arange(
        len(weight), dtype=np.uint64
    )
    key.sort()
    order = (key & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return Graph(size=(height, width), ends=np.concatenate(ends, 1)[:, order], weights=weight[order])


def segment(edges: Graph, *, k: float, smallest: int) -> Int[np.ndarray, "h w"]:
    """The parts of a graph, numbered as in `superpixels`."""
    parts, sizes = _grown(edges, k)
    ends = np.stack([parts[edges.ends[0]], parts[edges.ends[1]]])
    order = _between(ends)
    joined = _small_joined(ends[:, order], sizes, smallest)
    _, first, numbers = np.unique(joined[parts], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[numbers].reshape(edges.size)


def _grown(edges: Graph, k: float) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "p"]]:
    """The part of each pixel after every edge has had its turn, and the pixels of each part."""
    count = edges.size[0] * edges.size[1]
    parts = np.arange(count, dtype=np.int32)
    sizes, limits = np.ones(count, np.int64), np.full(count, float(k))
    ends, weights = edges.ends, edges.weights
    for _ in range(ROUNDS):
        first = _lightest(ends, count)
        asking = np.flatnonzero(first < len(weights))
        lightest = first[asking]
        done = np.zeros(count, bool)
        done[asking[weights[lightest] > limits[asking]]] = True
        lightest = lightest[ends[0][lightest] == asking]
        kept, gone = ends[0][lightest], ends[1][lightest]
        mutual = (first[gone] == lightest) & ~(done[kept] | done[gone])
        kept, gone = kept[mutual], gone[mutual]
        sizes[kept] += sizes[gone]
        limits[kept] = weights[lightest[mutual]] + k / sizes[kept]
        target = np.arange(count, dtype=np.int32)
        target[gone] = kept
        parts, one, other = target[parts], target[ends[0]], target[ends[1]]
        waiting = np.flatnonzero((one != other) & ~(done[one] | done[other]))
        ends, weights = np.stack([one[waiting], other[waiting]]), weights[waiting]
    order = _between(ends)
    joined = _one_by_one(ends[:, order], weights[order], sizes, limits, k)
    names, numbers = np.unique(joined[parts], return_inverse=True)
    return numbers, np.bincount(numbers, minlength=len(names))


def _one_by_one(
    ends: Ends,
    weights: Weights,
    sizes: Int[np.ndarray, "p"],
    limits: Float[np.ndarray, "p"],
    k: float,
) -> Int[np.ndarray, "p"]:
    """What each part becomes when the edges have their turns, as the paper prints it."""
    parent, size, limit = list(range(len(sizes))), sizes.tolist(), limits.tolist()
    for a, b, weight in zip(*ends.tolist(), weights.tolist(), strict=True):
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        if a != b and weight <= limit[a] and weight <= limit[b]:
            parent[b] = a
            size[a] += size[b]
            limit[a] = weight + k / size[a]
    return _roots(parent)


def _small_joined(ends: Ends, sizes: Int[np.ndarray, "p"], smallest: int) -> Int[np.ndarray, "p"]:
    """What each part becomes when each edge in its turn joins its parts if one has under `smallest` pixels."""
    parent, size = list(range(len(sizes))), sizes.tolist()
    for a, b in zip(*ends.tolist(), strict=True):
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        if a != b and (size[a] < smallest or size[b] < smallest):
            parent[b] = a
            size[a] += size[b]
    return _roots(parent)


def _roots(parent: list[int]) -> Int[np.ndarray, "p"]:
    """Where the chain of parents of each part ends."""
    roots = np.array(parent)
    while not np.array_equal(further := roots[roots], roots):
        roots = further
    return roots


def _between(ends: Ends) -> Int[np.ndarray, "s"]:
    """The lightest edge of every pair of parts, in the order in which they have their turns."""
    between = np.flatnonzero(ends[0] != ends[1])
    if not between.size:
        return between
    one, other = ends[0][between], ends[1][between]
    pair = np.minimum(one, other).astype(np.int64) << 32 | np.maximum(one, other)
    order = np.argsort(pair)
    pair = pair[order]
    starts = np.flatnonzero(np.concatenate([[True], pair[1:] != pair[:-1]]))
    return np.sort(between[np.minimum.reduceat(order, starts)])


def _lightest(ends: Ends, parts: int) -> Int[np.ndarray, "p"]:
    """The first edge of each part, `e` for a part that has none; where two are written the last one stays."""
    count = ends.shape[1]
    first = np.full(parts, count, np.int64)
    places = np.arange(count - 1, -1, -1)
    first[ends[1, ::-1]] = places
    other = np.full(parts, count, np.int64)
    other[ends[0, ::-1]] = places
    return np.minimum(first, other)
